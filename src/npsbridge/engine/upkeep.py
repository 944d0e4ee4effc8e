"""What has to be done now and then: forget what is past its retention, notice what other processes wrote."""

from collections.abc import Iterable

import anyio

from npsbridge.clock import Clock
from npsbridge.core.ports import Retention, Store
from npsbridge.engine.bell import Bell
from npsbridge.errors import StoreFull

PURGE_EVERY = 600.0
BETWEEN_CHUNKS = 0.05
LOOK_EVERY = 1.0


class Upkeep:
    """Two quiet loops over the store."""

    def __init__(self, store: Store, clock: Clock, *, retention: Retention, bells: Iterable[Bell]) -> None:
        self._store = store
        self._clock = clock
        self._retention = retention
        self._bells = tuple(bells)

    async def purge(self) -> None:
        """Delete what is past its retention, a little at a time."""
        while True:
            await self._purge_all()
            await anyio.sleep(PURGE_EVERY)

    async def _purge_all(self) -> None:
        try:
            deleted = 1
            while deleted:
                deleted = await self._store.purge(now=self._clock.now_ms(), retention=self._retention)
                await anyio.sleep(BETWEEN_CHUNKS)
        except StoreFull:
            return  # deleting needs a little room itself; the next time finds some

    async def listen(self) -> None:
        """Ring every bell when another process (a verb of the command line) has written to the store."""
        while True:
            await anyio.sleep(LOOK_EVERY)
            if await self._store.changed_elsewhere():
                for bell in self._bells:
                    bell.ring()
