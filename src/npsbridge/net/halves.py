"""Splitting a batch: into parts that fit into a request, and by halves until what is refused has been found.

One bad entry sinks the whole request, and the answer does not say which one. Knows no vendor: how a part is sent is
handed in, and the words for an endpoint that refuses everything as well.
"""

from collections.abc import Awaitable, Callable, Sequence

from npsbridge.core.model import Delivery
from npsbridge.core.outcome import Delivered, Outcome, Paused, Rejected, RetryLater

Send = Callable[[Sequence[Delivery]], Awaitable[Outcome]]
"""Sends a part of a batch in one request; the outcome is that of all of it. Raises nothing but cancellation."""

Pack = Callable[[Sequence[Delivery]], list[list[Delivery]]]


def packed(batch: Sequence[Delivery], limit: int) -> list[list[Delivery]]:
    """Split a batch, in order, into parts whose bodies with a comma each are at most `limit` bytes.

    A delivery that is larger by itself is a part by itself.
    """
    parts: list[list[Delivery]] = []
    size = 0
    for delivery in batch:
        size += len(delivery.body) + 1
        if not parts or size > limit:
            parts.append([])
            size = len(delivery.body) + 1
        parts[-1].append(delivery)
    return parts


def trouble_in(outcomes: Sequence[Outcome]) -> Outcome | None:
    """The first outcome that is not a single delivery's own: nothing behind it may be sent now."""
    different = {id(outcome): outcome for outcome in outcomes}.values()
    return next((outcome for outcome in different if isinstance(outcome, RetryLater | Paused)), None)


class Halves:
    """Sends to one endpoint, always in order; what is refused is sent again by halves.

    Refusals count as the deliveries' own fault only from an endpoint that is not known to refuse everything: one that
    does gets a pause, so that a wrong key or address kills nothing.

    Args:
        send: how one request is sent.
        pack: splits a batch into parts that fit into a request each, such as `packed`.
        all_refused: so many deliveries refused, and none accepted, is no poison.
        refuses_all: the pause for an endpoint that refuses everything, given what it said of the last.
    """

    def __init__(self, send: Send, *, pack: Pack, all_refused: int, refuses_all: Callable[[str], Paused]) -> None:
        self._send = send
        self._pack = pack
        self._all_refused = all_refused
        self._refuses_all = refuses_all
        self._has_accepted = False
        self._refusals = 0

    async def deliver(self, batch: Sequence[Delivery]) -> list[Outcome]:
        """Send in order, up to the first trouble that is not a single delivery's own; one outcome per delivery.

        What stands behind trouble is not sent, and shares its outcome.
        """
        outcomes: list[Outcome] = []
        for part in self._pack(batch):
            sent = self._believed(await self._halved(part))
            outcomes += sent
            if trouble := trouble_in(sent):
                return outcomes + [trouble] * (len(batch) - len(outcomes))
        return outcomes

    async def _halved(self, part: Sequence[Delivery]) -> list[Outcome]:
        outcome = await self._send(part)
        if len(part) == 1 or not isinstance(outcome, Rejected):
            return [outcome] * len(part)
        middle = len(part) // 2
        outcomes = await self._halved(part[:middle])
        if trouble := trouble_in(outcomes):
            return outcomes + [trouble] * (len(part) - middle)
        outcomes += await self._halved(part[middle:])
        if len(part) >= self._all_refused and all(isinstance(one, Rejected | Paused) for one in outcomes):
            return [trouble_in(outcomes) or self._refuses_all(outcome.reason)] * len(part)
        return outcomes

    def _believed(self, outcomes: list[Outcome]) -> list[Outcome]:
        self._has_accepted = self._has_accepted or any(isinstance(outcome, Delivered) for outcome in outcomes)
        refused = [outcome for outcome in outcomes if isinstance(outcome, Rejected)]
        self._refusals += len(refused)
        if refused and not self._has_accepted and self._refusals >= self._all_refused:
            return [self._refuses_all(refused[0].reason)] * len(outcomes)
        return outcomes
