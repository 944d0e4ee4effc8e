"""Where reading an account has got to: the checkpoint, and how a pass over a list goes on (pure).

Retently has no cursor for updates and no `updatedDate`: a list is read in passes, by the time of the answer, and how
far we have read moves only once a pass is whole. Knows no HTTP. `*_ms` are milliseconds, other times whole seconds
since 1970; they are the server's own, but for those of the last rescans.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from npsbridge.platforms.checkpoint import Checkpoint
from npsbridge.platforms.retently.lists import Row, Sheet

HOUR, DAY = 3600, 86_400
MONTH = 30 * DAY
"""The length of a window of history."""
HOURLY_REACH: Final = 2 * DAY
"""How far back the hourly rescan goes; the daily one goes as far as RESCAN says."""
RESTLESS: Final = 25
"""How often a pass goes back for rows that slipped before it pauses."""


# --- one pass ---------------------------------------------------------------------------------------------------


class Task(StrEnum):
    """What a pass is for."""

    HISTORY = "history"
    FOLLOW = "follow"
    HOURLY = "hourly"
    DAILY = "daily"


class Pass(msgspec.Struct, omit_defaults=True):
    """One reading of a list from a time on, page by page."""

    task: Task
    since: int
    until: int | None = None
    page: int = 1
    """The page to be read next."""
    total: int | None = None
    """How many rows the list had when we last asked."""
    shown: int = 0
    """How many different rows it has shown us."""
    shown_before: int = 0
    """The same when it was begun again the last time."""
    newest_ms: int = 0
    last: str = ""
    """The fingerprint of the page before."""
    backs: int = 0
    """How often rows slipped."""
    is_whole: bool = False

    def after(self, sheet: Sheet, fresh: int) -> "Pass":
        """The pass as it stands after its page was read.

        Rows move to earlier pages when others before them are deleted, and the one at the edge of a page is then never
        shown. The total has fallen; we go back as far as rows can have slipped. A pass that has shown fewer rows than
        the list has is begun again, for as long as that brings any: a server may count what it does not list.

        Args:
            sheet: the answer.
            fresh: how many of its rows this pass had not shown before.
        """
        slipped = self._slipped(sheet)
        backs = 0 if self.is_restless else self.backs
        read = msgspec.structs.replace(
            self,
            total=sheet.total,
            shown=self.shown + fresh,
            newest_ms=max(self.newest_ms, sheet.newest),
            last="" if slipped else sheet.fingerprint,
            backs=backs + bool(slipped),
        )
        if slipped:
            return msgspec.structs.replace(read, page=self.page - slipped)
        if not self._is_last(sheet):
            return msgspec.structs.replace(read, page=self.page + 1)
        if sheet.total is not None and self.shown_before < read.shown < sheet.total:
            return msgspec.structs.replace(read, page=1, shown_before=read.shown, last="")
        return msgspec.structs.replace(read, is_whole=True)

    def is_repeated_by(self, sheet: Sheet) -> bool:
        """Whether the server gave the page before once more."""
        return bool(sheet.rows) and sheet.fingerprint == self.last

    @property
    def is_restless(self) -> bool:
        """Rows are deleted faster than we read on."""
        return self.backs >= RESTLESS

    def _slipped(self, sheet: Sheet) -> int:
        """How many pages rows can have moved back since the page before."""
        if self.total is None or sheet.total is None or sheet.total >= self.total:
            return 0
        size = sheet.limit or len(sheet.rows) or 1
        return min(-(-(self.total - sheet.total) // size), self.page - 1)

    def _is_last(self, sheet: Sheet) -> bool:
        """The end is an empty page, the last of those announced, or a page shorter than the server says its pages are.

        A server that says nothing is asked until a page is empty.
        """
        if not sheet.rows:
            return True
        if sheet.pages is not None:
            return self.page >= sheet.pages
        return sheet.limit is not None and len(sheet.rows) < sheet.limit


# --- one list ---------------------------------------------------------------------------------------------------


class Floor(msgspec.Struct, omit_defaults=True):
    """What lies below was there before we came and is not wanted (BACKFILL, BACKFILL_SINCE)."""

    at_ms: int = 0
    ids: list[str] = []
    """Rows of that very millisecond, or dated later still, that were there already."""

    def keep(self, rows: Sequence[Row]) -> list[Row]:
        """The rows that are wanted; among them all unreadable ones."""
        there = frozenset(self.ids)
        return [row for row in rows if row.at is None or (row.at >= self.at_ms and row.id not in there)]


class Reader(msgspec.Struct, omit_defaults=True):
    """Reads a list pass by pass."""

    current: Pass | None = None
    """The pass that is not whole yet."""

    def unfinished(self) -> Iterator[Pass]:
        """The pass that was broken off, if one was."""
        if self.current is not None:
            yield self.current

    def take(self, done: Pass, *, now: int, latest_ms: int | None) -> None:
        """Go on with the current pass as it stands now.

        Args:
            done: the pass after its latest page.
            now: our clock.
            latest_ms: the server's clock, if it said; one row dated in the future must not hide what comes before it.
        """
        self.current = None if done.is_whole else done
        if done.is_whole:
            self.complete(done, now, latest_ms)

    def complete(self, done: Pass, now: int, latest_ms: int | None) -> None:
        """A pass is whole."""
        raise NotImplementedError


class Track(Reader, omit_defaults=True):
    """History, and then what is new."""

    first: int = 0
    """Where history begins; 0 when that is not known."""
    window: int | None = None
    """Where the next window of history begins; None once history is read."""
    mark_ms: int = 0
    """The newest row of all whole passes; before the first one, of the list when we came."""
    floor: Floor = msgspec.field(default_factory=Floor)

    def history(self) -> Iterator[Pass]:
        """The windows of history that are still to be read; the next one is known once the one before is whole.

        Each window ends a day inside the next one, whatever the server takes the bounds for. Where the first date is
        not known all of history is one window.
        """
        while self.window is not None:
            until = self.window + MONTH + DAY if self.first else None
            yield Pass(task=Task.HISTORY, since=self.window, until=until)

    def news(self, overlap: int) -> Iterator[Pass]:
        """The look for what is new."""
        yield Pass(task=Task.FOLLOW, since=self.back(overlap))

    def back(self, reach: int) -> int:
        """So many seconds before the newest row, but not below the floor."""
        return max(0, self.mark_ms // 1000 - reach, self.floor.at_ms // 1000)

    def complete(self, done: Pass, now: int, latest_ms: int | None) -> None:  # noqa: ARG002 - see Reader
        """Move to the next window, or move the mark; an empty pass never lowers it."""
        if done.task is Task.HISTORY:
            begin = done.since + MONTH
            self.window = begin if self.first and begin * 1000 <= self.mark_ms else None
            return
        newest_ms = done.newest_ms if latest_ms is None else min(done.newest_ms, latest_ms)
        self.mark_ms = max(self.mark_ms, newest_ms)

    def progress(self) -> float | None:
        """0..1 of the history read; None when it cannot be said."""
        whole = self.mark_ms // 1000 - self.first
        if not self.first or whole <= 0:
            return None
        if self.window is None:
            return 1.0
        reached = max(self.window, self.current.newest_ms // 1000 if self.current else 0)
        return min(1.0, max(0.0, (reached - self.first) / whole))


class LookBack(Reader, omit_defaults=True):
    """Rescans for what was added to rows that we have read: late comments, opened surveys. They move no mark."""

    hourly_at: int = 0
    """When the last hourly rescan was whole, by our clock."""
    daily_at: int = 0
    """The same of the daily one."""

    def due(self, track: Track, now: int, reach: int) -> Iterator[Pass]:
        """The rescan whose time has come, if there is one; a clock that was set back makes both due."""
        if not 0 <= now - self.daily_at < DAY:
            yield Pass(task=Task.DAILY, since=track.back(reach))
        elif not 0 <= now - self.hourly_at < HOUR:
            yield Pass(task=Task.HOURLY, since=track.back(min(reach, HOURLY_REACH)))

    def complete(self, done: Pass, now: int, latest_ms: int | None) -> None:  # noqa: ARG002 - see Reader
        """Note when it was."""
        self.hourly_at = now
        if done.task is Task.DAILY:
            self.daily_at = now


# --- the account ------------------------------------------------------------------------------------------------


class Place(Checkpoint):
    """The checkpoint."""

    feedback: Track
    feedback_again: LookBack
    outbox: Track | None = None
    """None while it was never read."""
    outbox_again: LookBack = msgspec.field(default_factory=LookBack)
