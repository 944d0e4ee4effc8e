"""Bounds on what callers may take of us: how long they wait, and how many bytes of theirs are in memory."""

import asyncio
from collections.abc import Awaitable
from typing import Final, Self, TypeVar

from npsbridge.web.refusals import Refused

MOST_UNDER_WAY: Final = 64 * 1024 * 1024
"""Bytes of all bodies in memory together."""

Result = TypeVar("Result")


class TimeLimit:
    """A limit for many waits, all equally long: one timer does for all, where `asyncio.timeout` needs one each."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends: dict[asyncio.Task[object], float] = {}
        """Who waits and until when, by the clock of the event loop; the one that waits longest comes first."""
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, awaited: Awaitable[Result]) -> Result:
        """Wait for something; a task waits for one thing at a time.

        Raises:
            TimeoutError: it took too long, and was cancelled.
        """
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("only a task can wait")
        before = task.cancelling()
        self._ends[task] = ends_at = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_at(ends_at, self._look)
        try:
            return await awaited
        except asyncio.CancelledError:
            if task not in self._ends and task.uncancel() <= before:
                raise TimeoutError from None
            raise
        finally:
            self._ends.pop(task, None)

    def _look(self) -> None:
        loop, self._timer = asyncio.get_running_loop(), None
        now = loop.time()
        for task in [task for task, ends_at in self._ends.items() if ends_at <= now]:
            del self._ends[task]
            task.cancel()
        if self._ends:
            self._timer = loop.call_at(next(iter(self._ends.values())), self._look)


class Load:
    """How many bytes of calls are in memory, of all requests under way; beyond a bound callers have to come again."""

    def __init__(self, most: int = MOST_UNDER_WAY) -> None:
        self._most = most
        self._bytes = 0

    def carried(self) -> "Carried":
        """The bytes of one request, which are free again at the end of the block."""
        return Carried(self)

    def take(self, count: int) -> None:
        """They are in memory from now on.

        Raises:
            Refused: there is no room for them.
        """
        if self._bytes + count > self._most:
            raise Refused(503, "overloaded", "too much arrives at once; try again")
        self._bytes += count

    def free(self, count: int) -> None:
        """They are in memory no longer."""
        self._bytes -= count


class Carried:
    """What one request takes of a load; no generator, which would cost every request several times as much."""

    __slots__ = ("_bytes", "_load")

    def __init__(self, load: Load) -> None:
        self._load = load
        self._bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._load.free(self._bytes)

    def take(self, count: int) -> None:
        """More of the request is in memory.

        Raises:
            Refused: there is no room for it.
        """
        self._load.take(count)
        self._bytes += count
