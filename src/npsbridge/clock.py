"""The only way to ask for the time, so that tests can hand in their own.

Waiting goes through the event loop (`anyio.sleep`, `anyio.move_on_after`), whose clock tests replace as a whole.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime


class Clock:
    """Wall time for what is stored and shown, monotonic time for what is measured."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall

    def now_ms(self) -> int:
        """Milliseconds since 1970 in UTC, by the system's clock."""
        return int(self._wall() * 1000)

    def now(self) -> datetime:
        """The system's time, in UTC."""
        return datetime.fromtimestamp(self._wall(), UTC)

    @staticmethod
    def at(milliseconds: int) -> datetime:
        """The instant of a stored time, in UTC."""
        return datetime.fromtimestamp(milliseconds / 1000, UTC)

    @staticmethod
    def uptime() -> float:
        """Seconds since this machine was started, those included in which it, or this process, slept."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def monotonic(self) -> float:
        """Seconds on the running event loop's clock; only differences mean something."""
        return asyncio.get_running_loop().time()
