"""Time that jumps to the next timer when nothing is left to do, and stands still while the store's threads work.

`looptime` makes the event loop's clock jump; it cannot know of threads, which need a moment of real time. So the store
is watched: while one of its calls is under way, the loop waits for it in real time instead. Sockets need none of this,
because both ends are in the same loop.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Self, cast

import asyncpg
import pytest

from npsbridge.clock import Clock
from npsbridge.core.storage import Store
from npsbridge.engine import fleet, upkeep
from npsbridge.store import open_store
from npsbridge.store.postgres import connections
from npsbridge.store.postgres.connections import Connections
from stores import on_postgres

EPOCH = 1_775_001_600.0
"""When virtual time begins: 2026-04-01T00:00:00Z."""
PATIENCE = 20.0
"""Seconds of real time that one call of the store may take."""


BEAT_SECONDS = 600.0
"""Virtual seconds from one sign of life of a replica to the next."""
DATABASE_NOW = "clock_timestamp()"


class VirtualTime:
    """The virtual clock of one test, which must be marked with `looptime`."""

    def __init__(self) -> None:
        self._loop: Any = asyncio.get_running_loop()
        if not getattr(self._loop, "looptime_on", False):
            raise RuntimeError("mark the test with @pytest.mark.looptime")
        self._busy = 0

    def now(self) -> float:
        """Wall time, seconds since 1970."""
        return EPOCH + float(self._loop.time())

    def clock(self) -> Clock:
        """The same for the daemon."""
        return Clock(wall=self.now)

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """While a thread works."""
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1

    @classmethod
    @contextmanager
    def installed(cls) -> Iterator[Self]:
        """Virtual time for a block: the loop's selector asks us, the daemon's store tells us."""
        time = cls()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(time._loop._selector, "select", time._selecting(time._loop._selector))
            patch.setattr("npsbridge.app.ladder.open_store", time._opening(open_store))
            # No other process writes here, and to look for its writes every second of a virtual day takes long.
            for look_every in ("LOOK_EVERY", "LOOK_AT_OTHERS_EVERY"):
                patch.setattr(upkeep, look_every, 3600.0)
            if on_postgres():
                time._take_the_database_along(patch)
            yield time

    def _take_the_database_along(self, patch: pytest.MonkeyPatch) -> None:
        """Have a database tell our time, and be waited for as threads are."""
        # It is told the time with whatever asks it for that.
        for method in ("execute", "fetch", "fetchval"):
            patch.setattr(asyncpg.Connection, method, self._telling_time(getattr(asyncpg.Connection, method)))
        # Not all that is written is waited for by who calls the store, such as the news of it.
        patch.setattr(Connections, "_tried", self._watching(Connections._tried))
        patch.setattr(connections, "_WAIT_SECONDS", 0.0)
        # To renew leases every few seconds of a virtual day takes long, as above; they hold as much longer.
        patch.setattr(fleet, "BEAT_SECONDS", BEAT_SECONDS)
        patch.setattr(fleet, "LEASE_SECONDS", 6 * BEAT_SECONDS)

    def _telling_time(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def told(connection: Any, statement: str, *arguments: Any, **options: Any) -> Any:
            statement = statement.replace(DATABASE_NOW, f"to_timestamp({self.now():.3f})")
            return method(connection, statement, *arguments, **options)

        return told

    def _watching(self, method: Callable[..., Any]) -> Callable[..., Any]:
        async def watched(*arguments: Any) -> Any:
            with self.standing_still():
                return await method(*arguments)

        return watched

    def _selecting(self, selector: Any) -> Callable[[float | None], Any]:
        jumping, waiting = selector.select, type(selector).select

        def select(timeout: float | None) -> Any:
            if self._busy and timeout != 0:
                return waiting(selector, PATIENCE)
            return jumping(timeout)

        return select

    def _opening(self, open_it: Callable[..., Any]) -> Callable[..., Any]:
        @asynccontextmanager
        async def opening(*arguments: Any, **options: Any) -> AsyncIterator[Store]:
            store = open_it(*arguments, **options)
            with self.standing_still():
                opened = await store.__aenter__()
            try:
                yield cast("Store", _Watched(opened, self))
            finally:
                with self.standing_still():
                    await store.__aexit__(None, None, None)

        return opening


class _Watched:
    """A store, or a part of one, whose calls let time stand still.

    The ledger, for which tests look all the time, is not read again while nothing else is asked of the store.
    """

    def __init__(self, store: Any, time: VirtualTime) -> None:
        self._store = store
        self._time = time
        self._under_way = self._ended = 0
        self._ledger: tuple[int, Any] | None = None
        """As it was read after so many calls had ended."""

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        if not callable(method):
            return method if isinstance(method, bool) else _Watched(method, self._time)

        async def call(*arguments: Any, **options: Any) -> Any:
            self._under_way += 1
            try:
                with self._time.standing_still():
                    return await method(*arguments, **options)
            finally:
                self._under_way -= 1
                self._ended += 1

        return call

    async def ledger(self) -> Any:
        if self._under_way == 0 and self._ledger is not None and self._ledger[0] == self._ended:
            return self._ledger[1]
        ended, is_alone = self._ended, self._under_way == 0
        with self._time.standing_still():
            ledger = await self._store.ledger()
        self._ledger = (ended, ledger) if is_alone else None
        return ledger
