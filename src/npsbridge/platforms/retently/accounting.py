"""Which of the surveys in the outbox no other request of ours accounts for (pure).

The outbox says to whom and when, but not for which request. One request leads to one survey at most, and those of one
campaign go out in the order in which they were asked for. Times are milliseconds since 1970 by our own clock.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from npsbridge.core.model import Delivery, State
from npsbridge.platforms.retently.trigger import Trigger, understood

SKEW_MS: Final = 60_000
"""What clocks may differ by; a survey that went out this long before its request was made is still its."""
LATEST_MS: Final = 900_000
"""So long after its request was over a survey may yet go out; how soon it does is not documented."""


def left_over(sent: Iterable[int], trigger: Trigger, beside: Sequence[Delivery]) -> list[int]:
    """Of the times at which surveys of a trigger's campaign went to its email, those that others do not account for.

    Each of the others has the first survey that may be its; one that was left out by its campaign has none.
    """
    free = sorted(sent)
    for other in sorted(_alike(trigger, beside), key=_set_out):
        latest = _over(other) + LATEST_MS + SKEW_MS
        own = next((at for at in free if _set_out(other) - SKEW_MS <= at <= latest), None)
        if own is not None:
            free.remove(own)
    return [at for at in free if at >= _set_out(trigger.delivery) - SKEW_MS]


def _alike(trigger: Trigger, beside: Sequence[Delivery]) -> list[Delivery]:
    """Requests whose surveys look like those of a trigger."""
    wanted = trigger.email.casefold(), trigger.campaign
    found = [one for delivery in beside if (one := understood(delivery)) is not None]
    return [one.delivery for one in found if (one.email.casefold(), one.campaign) == wanted]


def _set_out(delivery: Delivery) -> int:
    return delivery.created_at if delivery.set_out_at is None else delivery.set_out_at


def _over(delivery: Delivery) -> int:
    """When a request had left at the latest; of one without an answer nobody knows how long it hung."""
    is_known = delivery.state is State.DELIVERED and delivery.settled_at is not None
    return max(_set_out(delivery), delivery.settled_at or 0) if is_known else _set_out(delivery)
