"""Arrivals that wait while others are being committed share the next commit.

Several thousand small writes a second are possible because of it, whatever a commit takes. Knows nothing of what is
written.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from npsbridge.core.records import Arrival
from npsbridge.errors import StoreError, StoreFull, StoreUnavailable

MOST_WAITING: Final = 10_000
"""Writes that may wait; beyond it the database cannot keep up, and callers are told so at once."""
MOST_TOGETHER: Final = 500
MOST_BYTES: Final = 4 << 20
"""What shares a transaction, so that the first of them does not wait too long."""
AT_ONCE: Final = 2
"""Transactions under way: while one waits for the disk, the next one travels."""

_Waiting = tuple[Sequence[Arrival], asyncio.Future[None]]


class Gathering:
    """Takes arrivals from one event loop. Its tasks end by themselves; `end` waits for them."""

    def __init__(self, write: Callable[[Sequence[Arrival]], Awaitable[None]]) -> None:
        """`write` commits arrivals, in their order, or raises and has kept none."""
        self._write = write
        self._waiting: list[_Waiting] = []
        self._writers: set[asyncio.Task[None]] = set()
        self._is_ended = False

    async def add(self, arrivals: Sequence[Arrival]) -> None:
        """Done once the arrivals are on disk.

        To cancel it is to go away: the write happens as a whole all the same, and nobody is told.

        Raises:
            StoreFull: too much waits already.
            StoreError: what the write has raised, or it has ended.
        """
        if self._is_ended:
            raise StoreError("the store is closed")
        if len(self._waiting) >= MOST_WAITING:
            raise StoreFull(f"{len(self._waiting)} writes wait for the database")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((arrivals, done))
        self._start()
        await done

    def _start(self) -> None:
        if len(self._writers) < AT_ONCE and self._waiting:
            writer = asyncio.create_task(self._write_all())
            self._writers.add(writer)
            writer.add_done_callback(self._writers.discard)

    async def _write_all(self) -> None:
        """Until nothing waits any more."""
        while group := self._next_group():
            self._start()
            await self._write_group(group)

    def _next_group(self) -> list[_Waiting]:
        size = count = 0
        for arrivals, _ in self._waiting[:MOST_TOGETHER]:
            size += sum(len(one.body) for one in arrivals)
            if count and size > MOST_BYTES:
                break
            count += 1
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        return group

    async def _write_group(self, group: Sequence[_Waiting]) -> None:
        """Together; when that fails for one of them, each on its own, so that only the culprit fails.

        While the database is away nobody behind them waits to find out as well.
        """
        try:
            await self._write([arrival for arrivals, _ in group for arrival in arrivals])
        except StoreUnavailable as error:
            behind, self._waiting = self._waiting, []
            _refuse([*group, *behind], error)
        except Exception as error:  # noqa: BLE001 - whatever a write raises belongs to its caller
            if len(group) == 1:
                _refuse(group, error)
                return
            for one in group:
                await self._write_group([one])
        else:
            for _, done in group:
                if not done.done():  # its caller may have been cancelled
                    done.set_result(None)

    async def end(self) -> None:
        """Write what still waits, and take no more."""
        self._is_ended = True
        while self._writers:
            await asyncio.wait(self._writers)


def _refuse(group: Sequence[_Waiting], error: Exception) -> None:
    for _, done in group:
        if not done.done():
            # A new instance for each caller: a traceback shared by many callers would grow with each.
            fresh = type(error)(*error.args)
            fresh.__cause__ = error
            done.set_exception(fresh)
