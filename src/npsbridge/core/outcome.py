"""What became of an attempt to deliver, sorted by what happens next; one `match` settles them all."""

from enum import StrEnum

from npsbridge.core.model import Record


class Blame(StrEnum):
    """Whose trouble a failed attempt is."""

    CONNECTION = "connection"
    """Nobody gets through: everything behind waits as well."""
    UNCLEAR = "unclear"
    """The destination may be down, or one delivery may be what it chokes on: try fewer at a time."""
    DELIVERY = "delivery"
    """Only this one: what belongs to other people goes on."""


class Delivered(Record, frozen=True, kw_only=True, tag=True):
    """The destination has it."""


class RetryLater(Record, frozen=True, kw_only=True, tag=True):
    """Passing trouble; the delivery stays owed."""

    reason: str
    after: float | None = None
    """Seconds the destination asked us to wait."""
    blame: Blame = Blame.CONNECTION


class Rejected(Record, frozen=True, kw_only=True, tag=True):
    """Will never work as it is: to the shelf of the dead."""

    reason: str


class Paused(Record, frozen=True, kw_only=True, tag=True):
    """The destination refuses all of us until somebody acts; the queue is kept."""

    reason: str


class Retired(Record, frozen=True, kw_only=True, tag=True):
    """The destination has ended for good."""

    reason: str


class Unknown(Record, frozen=True, kw_only=True, tag=True):
    """It may or may not have happened, and must not happen twice."""

    reason: str


class Undone(Record, frozen=True, kw_only=True, tag=True):
    """Asked of the vendor: it certainly did not happen, so it may be sent."""


class Declined(Record, frozen=True, kw_only=True, tag=True):
    """The vendor has it and decided against it (throttled, unsubscribed, not eligible); final, and no error."""

    reason: str


Outcome = Delivered | RetryLater | Rejected | Paused | Retired | Unknown | Undone | Declined
