"""The real store without threads: the same statements, transactions and groups, done in the loop.

Writes are committed a turn after they were asked for, and their callers hear of it another turn later, so that a
process can die before a commit, and between a commit and the news of it. Disk syncs are left out: who dies here is a
process, not a disk.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from fault.simulation.network import OWNER, WORLD
from npsbridge.errors import StoreError
from npsbridge.store.sqlite.faults import store_fault
from npsbridge.store.sqlite.opening import READING, WRITING, open_database
from npsbridge.store.sqlite.reader import Parameters, Reader, Row
from npsbridge.store.sqlite.witness import Witness
from npsbridge.store.sqlite.writer import Writer


class Disk:
    """What is open, and by whom.

    Attributes:
        is_full: Whether files can grow no further.
    """

    def __init__(self) -> None:
        self._open: dict[str, list[InLoopWriter | InLoopReader]] = {}
        self.is_full = False
        self._left: list[sqlite3.Connection] = []
        self._commits_left = 0
        self._at_commit: Callable[[], bool] | None = None
        self._is_before = False

    def opened(self, one: "InLoopWriter | InLoopReader") -> None:
        """Something was opened by whoever acts now."""
        self._open.setdefault(OWNER.get(), []).append(one)

    def pull(self, owner: str) -> None:
        """A process is gone: what it had not committed never happens."""
        self._left += [opened for one in self._open.pop(owner, []) if (opened := one.pull()) is not None]

    def close(self) -> None:
        """Close what the killed have left open; a file that is closed in good order has no WAL any more."""
        for connection in self._left:
            connection.close()

    def at_commit(self, count: int, act: Callable[[], bool], *, is_before: bool) -> None:
        """Act at the daemon's so-many-th transaction from now on: before its commit, or before anybody hears of it.

        `act` says whether it did anything; otherwise the transaction takes its course.
        """
        self._commits_left, self._at_commit, self._is_before = count, act, is_before

    def commit(self, transaction: Callable[[], None], owner: str) -> None:
        """A transaction is at hand; those of commands beside the daemon are not counted."""
        self._commits_left -= owner != WORLD
        if owner == WORLD or self._commits_left != 0 or self._at_commit is None:
            transaction()
        elif self._is_before:
            if not self._at_commit():
                transaction()
        else:
            transaction()
            self._at_commit()

    def fill(self, *, is_full: bool) -> None:
        """Leave no room in any file that is open or will be, or give it back."""
        self.is_full = is_full
        for some in self._open.values():
            for one in some:
                if isinstance(one, InLoopWriter):
                    one.limit(is_full=is_full)

    @asynccontextmanager
    async def open_writer(self, path: Path, witness: Witness | None = None) -> AsyncIterator["InLoopWriter"]:
        """Takes the place of `npsbridge.store.sqlite.writer.open_writer`."""
        writer = InLoopWriter(path, witness, self)
        await writer.open()
        try:
            yield writer
        finally:
            await writer.close()

    @asynccontextmanager
    async def open_reader(self, path: Path) -> AsyncIterator["InLoopReader"]:
        """Takes the place of `npsbridge.store.sqlite.reader.open_reader`."""
        reader = InLoopReader(path)
        self.opened(reader)
        try:
            yield reader
        finally:
            await reader.close()


class InLoopWriter(Writer):
    """The writer, whose work is done by the loop itself."""

    def __init__(self, path: Path, witness: Witness | None, disk: Disk) -> None:
        super().__init__(path, witness)
        self._disk = disk
        self._owner = OWNER.get()
        self._is_due = False
        self._database: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Open the database here."""
        self._database = open_database(self._path, WRITING)
        self._database.execute("PRAGMA synchronous = OFF").close()
        self.limit(is_full=self._disk.is_full)
        self._disk.opened(self)

    def limit(self, *, is_full: bool) -> None:
        """Let the file grow no further, or again."""
        if self._database is not None:
            most = 1 if is_full else 2**30  # SQLite takes too small a limit for the present size
            self._database.execute(f"PRAGMA max_page_count = {most}").close()

    def write(self, work: Any, item: Any) -> asyncio.Future[Any]:
        """See `Writer.write`; done in the next turn."""
        future = super().write(work, item)
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._turn)
        return future

    def _turn(self) -> None:
        self._is_due = False
        if self._database is None:
            return
        group = list(iter(self._next, None))
        if group:
            self._disk.commit(partial(self._commit, self._database, group), self._owner)

    def _next(self) -> Any:
        return None if self._queue.empty() else self._queue.get_nowait()

    async def close(self) -> None:
        """Write what waits, then close the file."""
        self._is_closed = True
        self._turn()
        if (database := self.pull()) is not None:
            database.close()

    def pull(self) -> sqlite3.Connection | None:
        """Be gone, with all that waits; returns what was open."""
        self._is_closed = True
        database, self._database = self._database, None
        return database


class InLoopReader(Reader):
    """The reader, whose statements are executed by the loop itself."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = open_database(path, READING)

    async def rows(self, statement: str, parameters: Parameters = ()) -> list[Row]:
        """See `Reader.rows`; others have their turn before and after."""
        await asyncio.sleep(0)
        if self._connection is None:
            raise StoreError(f"{self._path} is closed")
        try:
            rows: Sequence[Row] = self._connection.execute(statement, parameters).fetchall()
        except sqlite3.Error as error:
            raise store_fault(error, self._path) or error from error
        await asyncio.sleep(0)
        return list(rows)

    async def close(self) -> None:
        """Close the file."""
        if (connection := self.pull()) is not None:
            connection.close()

    def pull(self) -> sqlite3.Connection | None:
        """Be gone; returns what was open."""
        connection, self._connection = self._connection, None
        return connection
