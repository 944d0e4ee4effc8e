"""Connections that only read, each a snapshot of what is committed; never in the writer's way.

Every statement fetches all its rows at once, so that no snapshot stays open and the WAL can be folded in.
"""

import sqlite3
import threading
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final

import aiosqlite
import anyio

from npsbridge.errors import StoreError
from npsbridge.store.sqlite.faults import store_fault
from npsbridge.store.sqlite.opening import READING, open_database

CLOSE_SECONDS: Final = 10.0
PROGRESS_STEPS: Final = 10_000
"""Steps of SQLite's machine, some tenths of a millisecond, between two looks whether to stop."""
MANY: Final = 500
"""Values that one statement looks for at once; SQLite's own limit is far above."""

Row = tuple[Any, ...]
Parameters = Sequence[Any] | Mapping[str, Any]


class Reader:
    """One reading connection and its thread. Made by `open_reader`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_closing = threading.Event()
        self._database = aiosqlite.Connection(self._connect, iter_chunk_size=64)

    def _connect(self) -> sqlite3.Connection:
        database = open_database(self._path, READING)
        # Stops a statement in its course when closing has begun, whether it runs by then or is still to start.
        database.set_progress_handler(self._is_closing.is_set, PROGRESS_STEPS)
        return database

    async def open(self) -> None:
        """Open the file in a thread of its own."""
        try:
            await self._database
        except sqlite3.Error as error:
            raise store_fault(error, self._path) or error from error

    async def rows(self, statement: str, parameters: Parameters = ()) -> list[Row]:
        """All rows of a statement.

        Raises:
            StoreError: the file cannot be read, or the store is closed.
        """
        try:
            # aiosqlite types them as an iterable of sqlite3.Row; it is the list of tuples that fetchall returns.
            return list(await self._database.execute_fetchall(statement, parameters))  # type: ignore[arg-type]
        except sqlite3.Error as error:
            raise store_fault(error, self._path) or error from error
        except ValueError as error:
            raise StoreError(f"{self._path} is closed") from error

    async def first(self, statement: str, parameters: Parameters = ()) -> Row | None:
        """The first row, or None when there is none."""
        return next(iter(await self.rows(statement, parameters)), None)

    async def rows_of(
        self, statement: str, sought: Collection[str] | Collection[int] | Collection[bytes], *fixed: str
    ) -> list[Row]:
        """The rows for any number of values, for which `:many` stands in the statement, behind the fixed ones."""
        rows: list[Row] = []
        remaining = iter(sought)
        while some := list(islice(remaining, MANY)):
            marks = ", ".join("?" * len(some))
            rows += await self.rows(statement.replace(":many", marks), [*fixed, *some])
        return rows

    async def close(self) -> None:
        """Stop what is being read and end the thread, which would otherwise keep the process from exiting."""
        self._is_closing.set()
        with anyio.move_on_after(CLOSE_SECONDS, shield=True):
            await self._database.close()


@asynccontextmanager
async def open_reader(path: Path) -> AsyncIterator[Reader]:
    """A reader for the length of a block.

    Raises:
        StoreUnusable, StorePermission, StoreError: the file cannot be opened.
    """
    reader = Reader(path)
    try:
        await reader.open()
        yield reader
    finally:
        await reader.close()
