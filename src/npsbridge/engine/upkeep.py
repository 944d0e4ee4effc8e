"""What has to be done now and then: forget what is past its retention, notice what other processes wrote."""

from collections.abc import Iterable

import anyio

from npsbridge.core.records import Retention
from npsbridge.engine.bell import Bell
from npsbridge.engine.seams import Seams
from npsbridge.errors import StoreUnavailable

PURGE_EVERY = 600.0
BETWEEN_CHUNKS = 0.05
LOOK_EVERY = 1.0


class Upkeep:
    """Two quiet loops over the store."""

    def __init__(self, seams: Seams, *, retention: Retention, bells: Iterable[Bell]) -> None:
        self._seams = seams
        self._retention = retention
        self._bells = tuple(bells)

    async def purge(self) -> None:
        """Delete what is past its retention, a little at a time; cancelled from outside."""
        while True:
            has_more = await self._purge_some()
            await anyio.sleep(BETWEEN_CHUNKS if has_more else PURGE_EVERY)

    async def _purge_some(self) -> bool:
        """Delete a chunk; whether there may be another."""
        try:
            deleted = await self._seams.store.purge(now=self._seams.ageing.now_ms(), retention=self._retention)
            await self._seams.ageing.note()
        except StoreUnavailable:
            return False  # deleting needs a little room itself; the next time finds some
        return deleted > 0

    async def listen(self) -> None:
        """Tell every loop when another process (a verb of the command line) has written to the store."""
        while True:
            await anyio.sleep(LOOK_EVERY)
            if await self._seams.store.changed_elsewhere():
                self._seams.pauses.learn(await self._seams.store.facts())
                for bell in self._bells:
                    bell.ring()
