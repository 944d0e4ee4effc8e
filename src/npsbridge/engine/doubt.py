"""Requests for surveys whose fate is unknown: never repeated on a guess, never forgotten.

Before such a request leaves, the intent is on disk (`inflight`). What has no answer afterwards, because the connection
broke or the process died, stays there until the vendor has been asked, or is held, resent or dropped, as ON_UNKNOWN
says.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
from loguru import logger

from npsbridge.core.model import Delivery, State
from npsbridge.core.outcome import Declined, Delivered, Outcome, Rejected, RetryLater, Undone, Unknown
from npsbridge.core.pace import backoff
from npsbridge.core.ports import Forwarder, Inquiry
from npsbridge.core.records import Intent, Settlement
from npsbridge.core.settle import settled
from npsbridge.engine.seams import Seams
from npsbridge.telemetry import NAMED, of_several

FIRST_LOOK: Final = 10.0
"""Seconds after which the vendor is asked: what it was about to do, it has done by then."""
LONGEST_WAIT: Final = 600.0
"""Seconds between two looks while the vendor cannot be asked."""
GIVE_UP_AFTER: Final = 86_400.0
"""Seconds after which a person has to decide, because the vendor could not be asked."""
DROPPED: Final = "dropped, as ON_UNKNOWN says"
"""How the reason ends of what is dead although it may have happened."""
DIED: Final = "npsbridge ended while the request was under way"
UNDATED: Final = "when the request set out was not written down by the version of npsbridge that made it"
IN_DOUBT: Final = "Nobody knows whether surveys were requested"
MOST_TOGETHER: Final = 32
"""Requests for surveys in one batch: so many may be in doubt after a crash."""
MOST_BESIDE: Final = 200
"""Requests for one recipient that are looked at, the last ones."""
MOST_DATED: Final = 10_000
"""Requests of this process of which is remembered when they set out by a clock that nobody sets."""


@dataclass(slots=True)
class _Doubt:
    """One request, and when its vendor is to be asked."""

    delivery: Delivery
    """As the store has it, `set_out_at` included."""
    reason: str
    since: float
    """Seconds on the loop's clock."""
    due: float
    wall_ms: int
    """What the system's clock showed at `since`."""
    tries: int = 0
    inquiry: Inquiry = field(default_factory=Inquiry)


class Doubts:
    """The requests of one connection that must not be made twice."""

    def __init__(self, forwarder: Forwarder, seams: Seams, *, on_unknown: str) -> None:
        self._forwarder = forwarder
        self._seams = seams
        self._on_unknown = on_unknown
        self._open: dict[int, _Doubt] = {}
        self._left: OrderedDict[int, tuple[float, int]] = OrderedDict()
        """When requests of this process set out, by number: on the loop's clock, and by the system's."""

    def concerns(self, delivery: Delivery) -> bool:
        """Whether a delivery must not be repeated on a guess."""
        return delivery.kind in self._forwarder.once

    def bearable(self, batch: list[Delivery]) -> list[Delivery]:
        """Of what may leave together, the first part in which no more must not be repeated than may be in doubt."""
        concerned = [place for place, one in enumerate(batch) if self.concerns(one)]
        return batch[: concerned[MOST_TOGETHER]] if len(concerned) > MOST_TOGETHER else batch

    async def recall(self) -> None:
        """Take up what was under way when the last process ended."""
        left = await self._seams.store.inflight(self._forwarder.connection)
        weighed = zip(left, self.weigh(left, [Unknown(reason=DIED)] * len(left)), strict=True)
        ended = [settled(one, outcome) for one, outcome in weighed if outcome is not None]
        if ended:
            await self._seams.store.settle(ended)

    async def set_out(self, batch: Sequence[Delivery]) -> None:
        """Put on disk which requests are about to leave; only then may they.

        Raises:
            StoreUnavailable: nothing may leave.
        """
        setting_out = [one for one in batch if self.concerns(one)]
        if not setting_out:
            return
        left = self._seams.clock.monotonic(), self._seams.clock.now_ms()
        await self._seams.store.settle([self._intended(one, left[1]) for one in setting_out])
        for one in setting_out:
            self._left[one.id] = left
            self._left.move_to_end(one.id)
        while len(self._left) > MOST_DATED:
            self._left.popitem(last=False)

    def _intended(self, delivery: Delivery, at: int) -> Settlement:
        intent = Intent(recipient=self._forwarder.recipient(delivery), set_out_at=at)
        return Settlement(id=delivery.id, state=State.INFLIGHT, intent=intent)

    def weigh(self, batch: Sequence[Delivery], outcomes: Sequence[Outcome]) -> list[Outcome | None]:
        """What becomes of each, as ON_UNKNOWN wishes; None for those whose vendor is asked first."""
        in_doubt = [
            (one, outcome)
            for one, outcome in zip(batch, outcomes, strict=True)
            if isinstance(outcome, Unknown) and self.concerns(one)
        ]
        if not in_doubt:
            return list(outcomes)
        self._tell(in_doubt)
        weighed = {one.id: self._weighed(one, outcome) for one, outcome in in_doubt}
        return [weighed.get(one.id, outcome) for one, outcome in zip(batch, outcomes, strict=True)]

    def _tell(self, in_doubt: Sequence[tuple[Delivery, Unknown]]) -> None:
        """One line, however many were under way when a connection broke or the process died."""
        message_ids = [one.message_id for one, _ in in_doubt[:NAMED]]
        bound = logger.bind(connection=self._forwarder.connection, message_ids=message_ids, on_unknown=self._on_unknown)
        bound.bind(**of_several([outcome.reason for _, outcome in in_doubt])).warning(IN_DOUBT)

    def _weighed(self, delivery: Delivery, outcome: Unknown) -> Outcome | None:
        match self._on_unknown:
            case "resend":
                return Undone()
            case "drop":
                return Rejected(reason=f"{outcome.reason}; {DROPPED}")
            case "verify":
                self._doubt(delivery, outcome.reason)
                return None
            case _:
                return outcome

    def _doubt(self, delivery: Delivery, reason: str) -> None:
        now, wall_ms = self._seams.clock.monotonic(), self._seams.clock.now_ms()
        if delivery.id in self._left:
            _, set_out_at = self._left[delivery.id]
            delivery = msgspec.structs.replace(delivery, set_out_at=set_out_at)
        self._open[delivery.id] = _Doubt(delivery, reason, since=now, due=now + FIRST_LOOK, wall_ms=wall_ms)

    def wait(self) -> float | None:
        """Seconds until a vendor is to be asked; None when nothing is in doubt."""
        now = self._seams.clock.monotonic()
        return min((max(0.0, one.due - now) for one in self._open.values()), default=None)

    async def step(self) -> Mapping[int, State]:
        """Ask the vendor about what is due; returns what was settled, by the number of the delivery."""
        now = self._seams.clock.monotonic()
        ended: dict[int, State] = {}
        for doubt in await self._still_owed([one for one in self._open.values() if one.due <= now]):
            outcome = await self._asked(doubt)
            settlement = self._judged(doubt, outcome)
            if settlement is not None:
                await self._seams.store.settle([settlement])
                del self._open[doubt.delivery.id]
                ended[settlement.id] = settlement.state
        return ended

    async def _still_owed(self, due: Sequence[_Doubt]) -> list[_Doubt]:
        """Without those whose person was forgotten meanwhile: to ask after them would be to tell of them again."""
        if not due:
            return []
        left = {one.id for one in await self._seams.store.inflight(self._forwarder.connection)}
        for doubt in due:
            if doubt.delivery.id not in left:
                del self._open[doubt.delivery.id]
        return [doubt for doubt in due if doubt.delivery.id in left]

    async def _asked(self, doubt: _Doubt) -> Outcome:
        if doubt.delivery.set_out_at is None:
            return Unknown(reason=UNDATED)
        beside = await self._seams.store.beside(doubt.delivery.id, limit=MOST_BESIDE)
        delivery, *others = [self._dated(one, doubt) for one in (doubt.delivery, *beside)]
        return await self._forwarder.verify(delivery, doubt.inquiry, others)

    def _dated(self, one: Delivery, doubt: _Doubt) -> Delivery:
        """A request, accepted and made when it was by what the clock shows now; it may have been set since.

        Vendors are asked what they did since then: by another time they would show what they did for others. What
        another process did is known by the clock that it had.
        """
        clock = self._seams.clock
        left, wall_ms = self._left.get(one.id, (doubt.since, doubt.wall_ms))
        jump_ms = clock.now_ms() - wall_ms - int((clock.monotonic() - left) * 1000)
        times = {
            name: at + jump_ms
            for name in ("created_at", "set_out_at", "settled_at")
            if (at := getattr(one, name)) is not None
        }
        return msgspec.structs.replace(one, **times)

    def _judged(self, doubt: _Doubt, outcome: Outcome) -> Settlement | None:
        """The end of a doubt, or None when it goes on."""
        match outcome:
            case Delivered() | Declined() | Undone() | Rejected():
                return settled(doubt.delivery, outcome)
            case Unknown(reason=reason):
                return _held(doubt, reason)
            case _:
                after = outcome.after if isinstance(outcome, RetryLater) else None
                return self._put_off(doubt, outcome.reason, after or 0.0)

    def _put_off(self, doubt: _Doubt, reason: str, after: float) -> Settlement | None:
        """The vendor cannot be asked now; after a day a person has to."""
        now = self._seams.clock.monotonic()
        if now - doubt.since >= GIVE_UP_AFTER:
            return _held(doubt, reason)
        doubt.tries += 1
        wait = backoff(doubt.tries, jitter=self._seams.jitter(), base=FIRST_LOOK, cap=LONGEST_WAIT)
        doubt.due = now + max(wait, after)
        return None


def _held(doubt: _Doubt, reason: str) -> Settlement:
    return Settlement(id=doubt.delivery.id, state=State.HELD, reason=f"{doubt.reason}; asked the vendor: {reason}")
