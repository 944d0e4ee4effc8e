"""Where reading an account has got to: the checkpoint, and what lies below it (pure).

Knows no HTTP. Times are whole seconds since 1970.
"""

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime

import msgspec

from npsbridge.core import reading
from npsbridge.core.model import Record
from npsbridge.errors import BadRecord
from npsbridge.platforms.checkpoint import Checkpoint
from npsbridge.platforms.promoter.parse import Head, moments

FIRST_DAY = date(2000, 1, 1)
"""Older than the vendor; how long the days before the first answer are costs nothing."""


# --- rows -------------------------------------------------------------------------------------------------------


class Row(Record, frozen=True, kw_only=True):
    """One feedback, as far as reading on needs it."""

    id: str
    raw: bytes
    posted: int = 0
    """What the list's filters go by; 0 when the row is unreadable."""
    answered: int = 0
    score: object = None
    """As it came."""
    changed: int | None = None
    """When it was last changed; None when the row is unreadable."""


def row(record: bytes) -> Row:
    """Place a record in time; an unreadable one has no place, but is kept for the shelf."""
    try:
        head = reading.decode(record, Head)
        found = reading.identifier(head.id)
        times = moments(head)
    except BadRecord:
        return Row(id=reading.digest(record), raw=record)
    return Row(
        id=found,
        raw=record,
        posted=_second(times.posted),
        answered=_second(times.answered),
        score=head.score,
        changed=_second(times.changed),
    )


def _second(moment: datetime) -> int:
    return math.floor(moment.timestamp())


def day_of(second: int) -> date:
    """The day of a second, in UTC."""
    return datetime.fromtimestamp(second, UTC).date()


# --- the checkpoint ---------------------------------------------------------------------------------------------


class Floor(msgspec.Struct, omit_defaults=True):
    """What was there before we came and is not wanted (BACKFILL, BACKFILL_SINCE)."""

    answered: int | None = None
    """Only what was answered before this second; None for whenever it was answered."""
    changed: int = 0
    """Not what has changed in this second, when we came, or later."""
    known: dict[str, int] = {}
    """... but the rows that were there nevertheless, with their last change."""

    def keep(self, rows: Sequence[Row]) -> list[Row]:
        """The rows that are wanted; among them all unreadable ones."""
        return [found for found in rows if not self._is_below(found)]

    def _is_below(self, found: Row) -> bool:
        if found.changed is None:
            return False
        is_old = self.answered is None or found.answered < self.answered
        return is_old and (found.changed < self.changed or self.known.get(found.id) == found.changed)


class Place(Checkpoint):
    """The checkpoint. How far we have read is told in the vendor's own times, never in ours."""

    version: int = 2
    """Which version of the feedback API this account has."""
    filters_work: bool = True
    """The date filters do something; where they do not, every round reads all there is."""
    is_backfilling: bool = False
    total: int = 0
    """How many answers the history has."""
    posted: int = 0
    """The latest answer of the days that were read whole."""
    floor: Floor | None = None
    swept: int = 0
    """When the last hourly look back was, by our clock."""
    rescanned: int = 0
    """When the last daily one was."""

    def wanted(self, rows: Sequence[Row]) -> list[Row]:
        """The rows that do not lie below the floor."""
        return self.floor.keep(rows) if self.floor else list(rows)
