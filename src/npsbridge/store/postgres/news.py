"""Who else has written: replicas tell each other by NOTIFY, and never in the transaction of what they tell of.

A NOTIFY makes commits queue for one lock of the whole database, so a replica tells of all it has written at most ten
times a second, after it is on disk; a verb of the command line, which writes seldom, tells before it returns. A telling
that is lost costs one look of the loops, which look now and then anyway. An engine without LISTEN is told of nothing,
and is taken to have changed as often as loops are to look.
"""

import asyncio
from contextlib import suppress
from typing import Any, Final

import asyncpg
from loguru import logger

from npsbridge.errors import StoreError
from npsbridge.store.postgres.connections import CLOSE_SECONDS, Connections

CHANNEL: Final = "npsbridge"
TELL_AFTER: Final = 0.1
"""Seconds in which what is written is told of as one."""
LOOK_EVERY: Final = 1.0
"""Seconds, where nobody can tell."""
_TELL: Final = "SELECT pg_notify($1, $2)"
_NO_SUCH_THING: Final = (
    asyncpg.FeatureNotSupportedError,
    asyncpg.PostgresSyntaxError,
    asyncpg.UndefinedFunctionError,
)
"""How engines say that they have no LISTEN or no NOTIFY."""


class News:
    """Tells others and hears of them, under a name of its own."""

    def __init__(self, connections: Connections, *, name: str, tells_at_once: bool) -> None:
        self._connections = connections
        self._channel = f"{CHANNEL}:{connections.place.schema}"
        self._name = name
        self._tells_at_once = tells_at_once
        self._telling: asyncio.Task[None] | None = None
        self._ear: asyncpg.Connection | None = None
        self._has_news = False
        self._is_deaf = False
        self._looked_at = float("-inf")

    async def open(self) -> None:
        """Begin to hear, where the engine can do so at all."""
        try:
            await self._listen()
        except _NO_SUCH_THING:
            self._be_deaf()

    def _be_deaf(self) -> None:
        if not self._is_deaf:
            logger.debug("The database has no LISTEN or no NOTIFY; it is looked at every second instead")
        self._is_deaf = True

    async def wrote(self) -> None:
        """Something is on disk that others may want to know of."""
        if self._is_deaf:
            return
        if self._tells_at_once:
            await self._tell()
        elif self._telling is None:
            self._telling = asyncio.create_task(self._tell_soon())

    async def has_come(self) -> bool:
        """Whether another process has written since the last call; also when that cannot be known."""
        if self._is_deaf:
            return self._is_time_to_look()
        if self._ear is None or self._ear.is_closed():
            await self._listen()
            return True
        # An answer comes behind everything that was told before it was asked for.
        with self._connections.in_our_words():
            await self._ear.fetchval("SELECT 1")
        heard, self._has_news = self._has_news, False
        return heard

    def _is_time_to_look(self) -> bool:
        now = asyncio.get_running_loop().time()
        if now - self._looked_at < LOOK_EVERY:
            return False
        self._looked_at = now
        return True

    async def close(self) -> None:
        """Tell what is still to be told, and hear no more."""
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.wait([self._telling])
            await self._tell_if_possible()
        if self._ear is not None:
            with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._ear.close(timeout=CLOSE_SECONDS)

    async def _listen(self) -> None:
        with self._connections.in_our_words():
            ear = await self._connections.hosts.connect()
            try:
                await ear.add_listener(self._channel, self._hear)
            except BaseException:
                ear.terminate()
                raise
            self._ear = ear

    def _hear(self, _connection: Any, _pid: int, _channel: str, name: object) -> None:
        self._has_news |= name != self._name

    async def _tell_soon(self) -> None:
        await asyncio.sleep(TELL_AFTER)
        self._telling = None
        await self._tell_if_possible()

    async def _tell_if_possible(self) -> None:
        with suppress(StoreError):
            await self._tell()

    async def _tell(self) -> None:
        try:
            await self._connections.rows(_TELL, self._channel, self._name)
        except _NO_SUCH_THING:
            self._be_deaf()
