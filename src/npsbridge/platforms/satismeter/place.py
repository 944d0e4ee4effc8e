"""Where reading a project has got to: rows placed in time, stretches of time, and the checkpoint (pure).

Knows no HTTP. Times are milliseconds since 1970, as fine as SatisMeter's own `created`.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from npsbridge.core import reading
from npsbridge.core.model import Record
from npsbridge.core.times import milliseconds
from npsbridge.errors import BadRecord
from npsbridge.platforms.checkpoint import Checkpoint

BEGINNING = 1_262_304_000_000
"""2010-01-01, before SatisMeter was there."""


class Row(Record, frozen=True, kw_only=True):
    """One response, as far as reading on needs it."""

    id: str
    at: int | None
    """When it was answered; None when that cannot be read: it has no place, but is kept for the shelf."""
    raw: bytes


class Leaf(Record, frozen=True, kw_only=True):
    """The rows of one answer, and how to ask for the next."""

    rows: list[Row]
    cursor: str | None
    """None on the last page."""


class Span(Record, frozen=True, kw_only=True):
    """A stretch of time, both ends included."""

    since: int
    until: int

    @property
    def length(self) -> int:
        """Milliseconds."""
        return self.until - self.since


class _Head(msgspec.Struct):
    id: Any = None
    created: Any = None


def placed(record: bytes) -> Row:
    """A record with its place in time."""
    try:
        head = reading.decode(record, _Head)
        at = milliseconds(reading.instant(head.created, "/created"))
        return Row(id=reading.identifier(head.id), at=at, raw=record)
    except BadRecord:
        return Row(id=hashlib.sha256(record).hexdigest(), at=None, raw=record)


class Descent:
    """Watches whether pages really come newest first, which no page of SatisMeter promises."""

    def __init__(self) -> None:
        self.pages = 0
        self.newest: int | None = None
        self.lowest: int | None = None
        self.is_descending = True

    def take(self, rows: Iterable[Row]) -> None:
        """Look at the rows of the next page."""
        self.pages += 1
        for at in (row.at for row in rows if row.at is not None):
            self.is_descending = self.is_descending and (self.lowest is None or at <= self.lowest)
            self.newest = at if self.newest is None else max(self.newest, at)
            self.lowest = at if self.lowest is None else min(self.lowest, at)


# --- the checkpoint ---------------------------------------------------------------------------------------------


class Floor(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was answered before we came and is not wanted (BACKFILL, BACKFILL_SINCE)."""

    created: int = BEGINNING
    """Not what was answered before this."""
    ids: list[str] = []
    """Of what was answered at that very moment, the rows that were there already."""

    def keep(self, rows: Sequence[Row]) -> list[Row]:
        """The rows that are wanted; among them all that have no place."""
        there = frozenset(self.ids)
        return [
            row
            for row in rows
            if row.at is None or row.at > self.created or (row.at == self.created and row.id not in there)
        ]


class Place(Checkpoint):
    """The checkpoint: all of it is true but for the `gap`, which is still to be read.

    Pages come newest first. If the newest time alone were kept after the first page, a crash would lose all below it.
    """

    floor: Floor = Floor()
    backfill: int | None = None
    """Reading history goes on from here; None once it is read."""
    until: int = 0
    """Where history ends and following begins."""
    oldest: int | None = None
    """The first answer of the history; by it we know how far we are."""
    newest: int = 0
    """The latest answer seen; 0 before the first."""
    swept: int = 0
    """When the last hourly look back began, seconds by our clock."""
    rescanned: int = 0
    """When the last daily one began."""
    gap: Span | None = None

    def replace(self, **changes: Any) -> "Place":
        """The same place but for some fields."""
        return msgspec.structs.replace(self, **changes)

    def progress(self) -> float | None:
        """0..1 of the history read; None when that cannot be said."""
        if self.backfill is None or self.oldest is None or self.until <= self.oldest:
            return None
        reached = self.gap.since if self.gap else self.backfill
        return min(1.0, max(0.0, (reached - self.oldest) / (self.until - self.oldest)))
