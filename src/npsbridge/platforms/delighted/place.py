"""Where reading an account has got to: the checkpoint, and what lies below it (pure).

Knows no HTTP. Times are whole seconds since 1970, as in Delighted's own objects (delighted.com/docs/api).
"""

import hashlib
import math
from collections.abc import Sequence
from typing import Literal

import msgspec

from npsbridge.core import reading
from npsbridge.errors import BadRecord
from npsbridge.net.keyset import Row
from npsbridge.platforms.checkpoint import Checkpoint

Field = Literal["created", "updated"]
"""The two times of a response: `created_at`, when it was answered, and `updated_at`, when it was last changed."""


# --- rows -------------------------------------------------------------------------------------------------------


class DatedRow(Row, frozen=True, kw_only=True):
    """A row whose times can be read."""

    created: int
    updated: int | None

    @property
    def changed(self) -> int:
        """When it was last changed as far as we can know: many rows have no `updated_at` until they are edited."""
        return self.created if self.updated is None else self.updated


class _Head(msgspec.Struct):
    id: str | int
    created_at: float | str
    updated_at: float | str | None = None


def row(record: bytes, field: Field) -> Row:
    """Place a record in a list that is sorted by `field`; an unreadable one has no place, but is kept for the shelf."""
    try:
        head = reading.decode(record, _Head)
        created = _second(head.created_at, "/created_at")
        updated = None if head.updated_at is None else _second(head.updated_at, "/updated_at")
    except BadRecord:
        return Row(id=hashlib.sha256(record).hexdigest(), at=None, raw=record)
    at = created if field == "created" or updated is None else updated
    return DatedRow(id=str(head.id), at=at, raw=record, created=created, updated=updated)


def _second(value: float | str, pointer: str) -> int:
    return math.floor(reading.instant(value, pointer).timestamp())


def newest(rows: Sequence[Row]) -> int:
    """The latest change among some rows; 0 when there is none."""
    return max((row.changed for row in rows if isinstance(row, DatedRow)), default=0)


# --- the checkpoint ---------------------------------------------------------------------------------------------


class Floor(msgspec.Struct, omit_defaults=True):
    """What was there before we came and is not wanted (BACKFILL, BACKFILL_SINCE)."""

    created: int | None = None
    """Only what was answered before this second; None for whenever it was answered."""
    changed: int = 0
    """Not what has changed after this second."""
    ids: list[str] = []
    """Of what changed in that very second, the rows that were there already."""

    def keep(self, rows: Sequence[Row]) -> list[Row]:
        """The rows that are wanted; among them all unreadable ones."""
        there = frozenset(self.ids)
        return [row for row in rows if not (isinstance(row, DatedRow) and self._is_below(row, there))]

    def _is_below(self, row: DatedRow, there: frozenset[str]) -> bool:
        is_old = self.created is None or row.created < self.created
        was_there = row.changed < self.changed or (row.changed == self.changed and row.id in there)
        return is_old and was_there


class Place(Checkpoint):
    """The checkpoint. How far we have read is told in the server's own times, never in ours."""

    backfill: int | None = None
    """Reading history goes on from answers of this second; None once history is read."""
    oldest: int | None = None
    """The first answer of the history; by it we know how far we are."""
    updated: int = 0
    """The latest change read."""
    created: int = 0
    """The latest answer read."""
    floor: Floor | None = None
    shows_unchanged: bool = False
    """`updated_since` has been seen to show rows without `updated_at`."""
    swept: int = 0
    """When the last hourly look back was, by our clock."""
    rescanned: int = 0
    """When the last daily one was."""

    def wanted(self, rows: Sequence[Row]) -> list[Row]:
        """The rows that do not lie below the floor."""
        return self.floor.keep(rows) if self.floor else list(rows)

    def progress(self) -> float | None:
        """0..1 of the history read; None when that cannot be said."""
        if self.backfill is None or self.oldest is None or self.updated <= self.oldest:
            return None
        return min(1.0, max(0.0, (self.backfill - self.oldest) / (self.updated - self.oldest)))
