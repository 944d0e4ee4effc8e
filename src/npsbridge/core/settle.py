"""What follows from the outcomes of one attempt: the new state of each delivery, and how to go on (pure)."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec

from npsbridge.core.model import Delivery, Record, State
from npsbridge.core.outcome import (
    Blame,
    Declined,
    Delivered,
    Outcome,
    Paused,
    Rejected,
    Retired,
    RetryLater,
    Undone,
    Unknown,
)
from npsbridge.core.pace import backoff
from npsbridge.core.records import Settlement

LONGEST_BACKOFF = 60.0
FIRST_PROBE, LONGEST_PROBE = 30.0, 600.0
"""Seconds between looks whether a paused destination takes something again."""


_STATES: Final[dict[type[Outcome], State]] = {
    Delivered: State.DELIVERED,
    Undone: State.QUEUED,
    Rejected: State.DEAD,
    Unknown: State.HELD,
    Declined: State.FILTERED,
    RetryLater: State.QUEUED,
    Paused: State.QUEUED,
    Retired: State.QUEUED,
}


class Verdict(StrEnum):
    """What an attempt says of the connection."""

    FLOWS = "flows"
    RETRYING = "retrying"
    PAUSED = "paused"
    RETIRED = "retired"


class Pace(Record, frozen=True, kw_only=True):
    """How a lane goes on: how many at a time, after which pause."""

    size: int
    """The most deliveries to take next."""
    failures: int = 0
    """Attempts in a row in which the connection failed."""
    pause: float = 0.0
    """Seconds to rest before the next attempt."""
    verdict: Verdict = Verdict.FLOWS
    reason: str | None = None


def settlements(
    batch: Sequence[Delivery],
    outcomes: Sequence[Outcome],
    *,
    now: int,
    aged: int,
    jitter: float,
    give_up_after: float,
) -> list[Settlement]:
    """The new state of each delivery of an attempted batch.

    Args:
        batch: what was attempted.
        outcomes: one per delivery.
        now: milliseconds since 1970.
        aged: the time by which deliveries grow old, which no clock that is set makes jump.
        jitter: 0..1.
        give_up_after: seconds since a delivery was accepted, or sent again by hand, after which a failed attempt is its
            last.
    """
    alone = len(batch) == 1
    return [
        _settlement(delivery, outcome, now=now, aged=aged, jitter=jitter, give_up_after=give_up_after, alone=alone)
        for delivery, outcome in zip(batch, outcomes, strict=True)
    ]


def _settlement(
    delivery: Delivery, outcome: Outcome, *, now: int, aged: int, jitter: float, give_up_after: float, alone: bool
) -> Settlement:
    if isinstance(outcome, Delivered):  # nearly always
        return Settlement(id=delivery.id, state=State.DELIVERED)
    if isinstance(outcome, RetryLater):
        if aged - delivery.tried_since >= give_up_after * 1000:
            reason = f"given up after {give_up_after:.0f} s: {outcome.reason}"
            return Settlement(id=delivery.id, state=State.DEAD, reason=reason, is_untold=True)
        return _put_off(delivery, outcome, now=now, jitter=jitter, alone=alone)
    return settled(delivery, outcome)


def settled(delivery: Delivery, outcome: Outcome) -> Settlement:
    """The new state of a delivery, by an outcome that leaves nothing to be tried again by itself."""
    match outcome:
        case Delivered() | Undone():
            return Settlement(id=delivery.id, state=_STATES[type(outcome)])
        case _:
            return Settlement(id=delivery.id, state=_STATES[type(outcome)], reason=outcome.reason)


def _put_off(delivery: Delivery, outcome: RetryLater, *, now: int, jitter: float, alone: bool) -> Settlement:
    """Only a delivery that fails by itself gets a time of its own; otherwise the whole lane pauses."""
    fails_by_itself = outcome.blame is Blame.DELIVERY or (alone and outcome.blame is Blame.UNCLEAR)
    if not fails_by_itself:
        return Settlement(id=delivery.id, state=State.QUEUED, reason=outcome.reason)
    wait = backoff(delivery.attempts + 1, jitter=jitter, base=1.0, cap=LONGEST_BACKOFF)
    at = now + int(max(wait, outcome.after or 0.0) * 1000)
    return Settlement(id=delivery.id, state=State.WAITING, reason=outcome.reason, next_attempt_at=at)


def singled_out(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """What became of deliveries that went side by side, a request each: trouble of few is their own if most passed.

    Without it one person whose every request hangs or fails would make all others go by ever fewer. A destination that
    asks to be left alone for a time speaks of itself.
    """
    passed = sum(isinstance(one, Delivered | Declined | Rejected) for one in outcomes)
    if not 0 < sum(map(_may_be_its_own, outcomes)) < passed:
        return list(outcomes)
    return [msgspec.structs.replace(one, blame=Blame.DELIVERY) if _may_be_its_own(one) else one for one in outcomes]


def _may_be_its_own(outcome: Outcome) -> bool:
    return isinstance(outcome, RetryLater) and outcome.blame is Blame.UNCLEAR and outcome.after is None


def next_pace(pace: Pace, outcomes: Sequence[Outcome], *, limit: int, jitter: float) -> Pace:
    """How to go on after an attempt: the gravest outcome decides.

    When it is unclear whether the destination is down or chokes on one delivery, fewer go next time, until one alone
    is found that fails while others pass.
    """
    failures = pace.failures + 1
    # A batch nearly always has one outcome, which need not be weighed for each of its deliveries.
    different = {id(one): one for one in outcomes}.values()
    match max(different, key=_gravity, default=None):
        case Retired(reason=reason):
            return Pace(size=1, failures=failures, verdict=Verdict.RETIRED, reason=reason)
        case Paused(reason=reason):
            wait = backoff(failures, jitter=jitter, base=FIRST_PROBE, cap=LONGEST_PROBE)
            return Pace(size=1, failures=failures, pause=wait, verdict=Verdict.PAUSED, reason=reason)
        case RetryLater(blame=Blame.DELIVERY):
            return Pace(size=pace.size)
        case RetryLater(reason=reason, after=after, blame=blame):
            size = max(1, len(outcomes) // 2) if blame is Blame.UNCLEAR else pace.size
            # `Retry-After: 0` says no more about when than nothing does.
            wait = after or backoff(failures, jitter=jitter, cap=LONGEST_BACKOFF)
            return Pace(size=size, failures=failures, pause=wait, verdict=Verdict.RETRYING, reason=reason)
        case Unknown(reason=reason):
            # What answers nothing clear may be down: each further request would only add to what is in doubt.
            wait = backoff(failures, jitter=jitter, cap=LONGEST_BACKOFF)
            return Pace(size=1, failures=failures, pause=wait, verdict=Verdict.RETRYING, reason=reason)
        case _:
            return Pace(size=min(limit, pace.size * 2))


def _gravity(outcome: Outcome) -> int:
    """How much an outcome says about the destination as a whole."""
    match outcome:
        case Retired():
            return 5
        case Paused():
            return 4
        case RetryLater(blame=blame):
            return {Blame.CONNECTION: 3, Blame.UNCLEAR: 2, Blame.DELIVERY: 1}[blame]
        case Unknown():
            return 2
        case Delivered() | Rejected() | Undone() | Declined():
            return 0
