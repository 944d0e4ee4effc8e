"""Finding what a destination refuses in a batch, so that the rest passes."""

from collections.abc import Awaitable, Callable, Sequence

from npsbridge.core.model import Delivery
from npsbridge.core.outcome import Outcome, Paused, Rejected, RetryLater

Send = Callable[[Sequence[Delivery]], Awaitable[Outcome]]
"""Sends a batch in one request; the outcome is that of all of it."""


def trouble_in(outcomes: Sequence[Outcome]) -> Outcome | None:
    """The first outcome that is not a single delivery's own: nothing behind it may be sent now."""
    return next((outcome for outcome in outcomes if isinstance(outcome, RetryLater | Paused)), None)


async def in_halves(batch: Sequence[Delivery], send: Send) -> list[Outcome]:
    """Send a batch; a refused one again by halves, until the deliveries that cause it are found. One outcome each."""
    outcome = await send(batch)
    if len(batch) == 1 or not isinstance(outcome, Rejected):
        return [outcome] * len(batch)
    middle = len(batch) // 2
    first = await in_halves(batch[:middle], send)
    if trouble := trouble_in(first):
        return first + [trouble] * (len(batch) - middle)
    return first + await in_halves(batch[middle:], send)
