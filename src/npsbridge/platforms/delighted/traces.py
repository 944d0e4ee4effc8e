"""What Delighted's list of people shows of one survey, and whether it may be another's (pure).

Of a person it shows only the next survey that is scheduled and when the last one was sent (API page "Listing people").
Times are seconds since 1970 by the vendor's clock, unless they are said to be others.
"""

from collections.abc import Sequence
from enum import Enum, auto
from typing import Final

import msgspec
import orjson
from msgspec import UNSET, UnsetType

from npsbridge.core.model import Delivery, State

TOLERANCE: Final = 60.0
"""Seconds by which times may be off: clocks that differ a little, a survey that is just being sent."""
LATEST: Final = 600.0
"""Seconds after its time until which a survey may go out whose request nobody saw answered; it may have hung."""


class Trace(Enum):
    """What the list of people shows of one survey."""

    SURVEYED = auto()
    """It is scheduled for its time, or went out then."""
    SHARED = auto()
    """One is scheduled or went out about then, and it may be another one of ours."""
    OVERLAID = auto()
    """One went out so long after its time that it is another, and only the last one is shown."""
    HIDDEN = auto()
    """Another survey goes out before, and only the next one is shown."""
    NONE = auto()
    UNTOLD = auto()
    """The list does not show what is needed."""


class Span(msgspec.Struct, frozen=True):
    """From when until when a survey goes out, if it does."""

    earliest: float
    latest: float

    def __contains__(self, moment: float) -> bool:
        """Whether it may go out at this moment."""
        return self.earliest <= moment <= self.latest


def span(request: Delivery, *, ahead: float) -> Span:
    """When the survey of a request goes out; `ahead` is how far the vendor's clock is ahead of ours.

    What was answered left before its answer came, however long it had to wait for its turn.
    """
    set_out_at = request.created_at if request.set_out_at is None else request.set_out_at
    left = counted_down(request, at=set_out_at)
    due = set_out_at / 1000 + left + ahead
    if request.state is State.DELIVERED and request.settled_at is not None:
        latest = max(due, request.settled_at / 1000 + left + ahead) + 2 * TOLERANCE
    else:
        latest = due + LATEST
    return Span(due - TOLERANCE, latest)


def counted_down(request: Delivery, *, at: int) -> int:
    """What is left of its delay in seconds, at a moment in milliseconds since 1970 by our clock.

    It began when the request was accepted, and is in whole seconds rounded up.
    """
    elapsed = max(0, at - request.created_at) // 1000
    return max(0, int(orjson.loads(request.body)["delay"]) - elapsed)


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A person as the list shows them."""

    email: str | None = None
    phone_number: str | None = None
    next_survey_scheduled_at: float | UnsetType | None = UNSET
    last_sent_at: float | UnsetType | None = UNSET

    def trace(self, own: Span, *, beside: Sequence[Span], now: float) -> Trace:
        """What is seen of a survey among others of the person."""
        scheduled, sent = self.next_survey_scheduled_at, self.last_sent_at
        if scheduled is UNSET or sent is UNSET:
            return Trace.UNTOLD
        if sent is not None and sent >= own.earliest:
            seen, latest = sent, own.latest
        elif scheduled is None or scheduled > max(own.earliest + TOLERANCE, now) + TOLERANCE:
            return Trace.NONE
        elif scheduled < own.earliest:
            return Trace.HIDDEN
        else:
            seen = latest = scheduled
        if any(seen in another for another in beside):
            return Trace.SHARED
        return Trace.SURVEYED if seen <= latest else Trace.OVERLAID
