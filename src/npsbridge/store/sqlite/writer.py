"""One thread owns the only connection that writes, and commits everything that waits in one transaction.

Knows SQLite's transactions and nothing of what is written. Several thousand small writes a second are possible
because those that arrive while the disk syncs share the next sync.
"""

import asyncio
import itertools
import queue
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, TypeVar

import anyio
from loguru import logger

from npsbridge.errors import StoreError, StoreFull
from npsbridge.store.sqlite.faults import is_broken, is_everybodys, store_fault
from npsbridge.store.sqlite.opening import WRITING, open_database
from npsbridge.store.sqlite.witness import Witness

QUEUE_LIMIT: Final = 10_000
"""Writes that may wait; beyond it the disk cannot keep up, and callers are told so at once."""
GROUP_LIMIT: Final = 1_000
"""Writes that share a transaction, so that the first of them does not wait too long."""
CLOSE_SECONDS: Final = 20.0

Item = TypeVar("Item")
Result = TypeVar("Result")
Work = Callable[[sqlite3.Connection, Sequence[Item]], Sequence[Result]]
"""Writes a number of items inside a transaction that others begin and end; one result for each.

It may be called again with the same items after a rollback, so it must change nothing but the database.
"""


# A bare tuple, because one is made for every event.
_Write = tuple[Work[Any, Any], Any, asyncio.Future[Any]]
_work_of = itemgetter(0)


class Writer:
    """Takes writes from one event loop. Made by `open_writer`."""

    def __init__(self, path: Path, witness: Witness | None = None) -> None:
        """`witness` counts the commits."""
        self._path = path
        self._witness = witness
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._waiting = 0
        self._is_closed = False
        self._broken: Exception | None = None
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        # A daemon thread, so that a hanging disk cannot keep a process from exiting that has given up on it.
        self._thread = threading.Thread(target=self._main, name="npsbridge-writer", daemon=True)

    def write(self, work: Work[Item, Result], item: Item) -> asyncio.Future[Result]:
        """Done once the item is on disk, written together with the others that wait for the same work.

        To cancel it is to go away: the write happens as a whole all the same, and nobody is told.

        Raises:
            StoreFull: no room, on disk or in the queue; later writes may succeed.
            StoreError: the disk has failed, or the store is closed.
        """
        if self._is_closed:
            raise StoreError(f"{self._path} is closed")
        if self._waiting >= QUEUE_LIMIT:
            raise StoreFull(f"{self._waiting} writes wait for the disk below {self._path}")
        future: asyncio.Future[Result] = self._loop.create_future()
        self._waiting += 1
        self._queue.put((work, item, future))
        return future

    def run(self, closure: Callable[[sqlite3.Connection], Result]) -> asyncio.Future[Result]:
        """The same for something that is written on its own."""
        return self.write(_each, closure)

    async def open(self) -> None:
        """Start the thread and return once it has the database open."""
        self._thread.start()
        await self._opened

    async def close(self) -> None:
        """Finish what waits, then end the thread."""
        self._is_closed = True
        self._queue.put(None)
        with anyio.move_on_after(CLOSE_SECONDS, shield=True) as limit:
            await self._ended
        if limit.cancelled_caught:
            logger.error("the writer of {} did not end within {} s; the disk may hang", self._path, CLOSE_SECONDS)

    # --- in the loop ----------------------------------------------------------------------------------------------

    def _fulfil(self, group: Sequence[_Write], results: Sequence[Any]) -> None:
        self._waiting -= len(group)
        for (_, _, future), result in zip(group, results, strict=True):
            if not future.done():  # its caller may have been cancelled
                future.set_result(result)

    def _refuse(self, group: Sequence[_Write], error: Exception) -> None:
        self._waiting -= len(group)
        for _, _, future in group:
            if not future.done():
                future.set_exception(self._named(error))

    def _end(self, done: asyncio.Future[None], error: Exception | None = None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    # --- in the thread --------------------------------------------------------------------------------------------

    def _main(self) -> None:
        try:
            self._serve()
        finally:
            self._tell(self._end, self._ended)

    def _serve(self) -> None:
        try:
            database = open_database(self._path, WRITING)
        except Exception as error:  # noqa: BLE001 - it belongs to whoever opens the store
            self._tell(self._end, self._opened, self._named(error))
            return
        with closing(database):
            self._tell(self._end, self._opened)
            for group in self._groups():
                self._commit(database, group)

    def _tell(self, callback: Callable[..., None], *args: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            self._loop.call_soon_threadsafe(callback, *args)

    def _groups(self) -> Iterator[list[_Write]]:
        """Whatever waits, again and again, until closed."""
        while (first := self._queue.get()) is not None:
            group = [first]
            while len(group) < GROUP_LIMIT and not self._queue.empty():
                following = self._queue.get()
                if following is None:
                    yield group
                    return
                group.append(following)
            yield group

    def _commit(self, database: sqlite3.Connection, group: list[_Write]) -> None:
        """Write a group in one transaction; when that fails, each on its own, so that only the culprit fails."""
        if self._broken is not None:
            self._tell(self._refuse, group, self._broken)
            return
        try:
            results = _committed(database, group, self._witness)
        except Exception as error:  # noqa: BLE001 - whatever a write raises belongs to its caller
            self._recover(database, group, error)
        else:
            self._tell(self._fulfil, group, results)

    def _recover(self, database: sqlite3.Connection, group: list[_Write], error: Exception) -> None:
        if is_broken(error):
            self._broken = error
            logger.error("the disk failed below {}, nothing more is written: {}", self._path, error)
        if len(group) == 1 or is_everybodys(error):
            self._tell(self._refuse, group, error)
            return
        for write in group:
            self._commit(database, [write])

    def _named(self, error: Exception) -> Exception:
        """A new instance for each caller: a traceback shared by many callers would grow with each."""
        known = store_fault(error, self._path) if isinstance(error, sqlite3.Error) else None
        if known is None:
            return error
        known.__cause__ = error
        return known


def _committed(database: sqlite3.Connection, group: Sequence[_Write], witness: Witness | None) -> list[Any]:
    """The results of a group, once its transaction is on disk."""
    before, number = database.total_changes, None
    database.execute("BEGIN IMMEDIATE")
    try:
        results: list[Any] = []
        for work, together in itertools.groupby(group, key=_work_of):
            results += work(database, [item for _, item, _ in together])
        if witness is not None and database.total_changes != before:
            number = witness.count(database)
        database.execute("COMMIT")
    except BaseException:
        # SQLite itself has ended the transaction after some failures.
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise
    if witness is not None and number is not None:
        witness.note(number)
    return results


def _each(database: sqlite3.Connection, closures: Sequence[Callable[[sqlite3.Connection], Result]]) -> list[Result]:
    return [closure(database) for closure in closures]


@asynccontextmanager
async def open_writer(path: Path, witness: Witness | None = None) -> AsyncIterator[Writer]:
    """A writer for the length of a block; what waits at its end is still written.

    Raises:
        StoreUnusable, StorePermission, StoreError: the file cannot be opened for writing.
    """
    writer = Writer(path, witness)
    try:
        await writer.open()
        yield writer
    finally:
        await writer.close()
