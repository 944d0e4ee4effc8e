"""The daemon of a world: the real one, which begins, stops in peace, or is killed wherever it happens to be."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import copy_context
from typing import Any

from fault.simulation.loop import SimulatedLoop
from fault.simulation.network import OWNER
from fault.simulation.places import DOOR, WallClock
from fault.simulation.storage import Disk
from npsbridge.app import App, running
from npsbridge.clock import Clock
from npsbridge.core.storage import Store
from npsbridge.platforms import settings_classes
from npsbridge.settings import load
from npsbridge.store import open_store

BEGIN_SECONDS = 3.0
"""What a new process takes before it is ready, at the least."""


class DaemonDied(Exception):
    """The daemon ended though nobody told it to."""


class Daemon:
    """One daemon after the other, over the same store.

    Attributes:
        app: The one that is running, if there is one.
        kills: How many were killed.
        is_safe: Nobody is killed any more.
        settings: What the next one is given.
    """

    def __init__(
        self, loop: SimulatedLoop, disk: Disk, clock: WallClock, settings: Mapping[str, str], chance: random.Random
    ) -> None:
        self._loop = loop
        self._disk = disk
        self._wall = clock
        self._chance = chance
        self._life: asyncio.Task[None] | None = None
        self._number = 0
        self._is_killed = False
        self._told_to_stop = asyncio.Event()
        self.settings = dict(settings)
        self.app: App | None = None
        self.kills = 0
        self.is_safe = False

    @property
    def owner(self) -> str:
        """Whose connections and files those of the present life are."""
        return f"life {self._number}"

    async def begin(self) -> None:
        """Start one, unless one is running."""
        if self._life is not None:
            return
        await asyncio.sleep(BEGIN_SECONDS)
        self._number += 1
        self._is_killed = False
        self._told_to_stop = asyncio.Event()
        context = copy_context()
        context.run(OWNER.set, self.owner)
        begun: asyncio.Future[None] = self._loop.create_future()
        self._life = self._loop.create_task(self._live(begun), context=context)
        await asyncio.wait([self._life, begun], return_when=asyncio.FIRST_COMPLETED)
        self.look_after()

    async def _live(self, begun: "asyncio.Future[None]") -> None:
        environment = {f"NPSBRIDGE_{name}": value for name, value in self.settings.items()}
        clock = Clock(wall=self._wall.shown)
        async with running(
            load(settings_classes(), environ=environment), clock=clock, jitter=self._chance.random
        ) as app:
            self.app = app
            self._loop.network.aliases[DOOR] = app.public_port
            begun.set_result(None)
            await self._told_to_stop.wait()
            self.app = None
        self._loop.network.aliases.pop(DOOR, None)

    def look_after(self) -> None:
        """Notice a daemon that ended by itself.

        Raises:
            DaemonDied: it did.
        """
        if self._life is not None and self._life.done() and not self._is_killed:
            life, self._life, self.app = self._life, None, None
            raise DaemonDied(f"{self.owner} ended by itself") from life.exception()

    async def stop(self) -> None:
        """Let it end in peace, unless it is killed meanwhile."""
        if self._life is not None and not self._is_killed:
            self.look_after()
            self._told_to_stop.set()
            await asyncio.wait([self._life])
        if not await self.buried() and self._life is not None:
            life, self._life = self._life, None
            life.result()

    async def restart(self, **changes: str | None) -> None:
        """End in peace and begin again, as a reload does; with changed settings, of which None takes one away."""
        await self.stop()
        self.settings = {name: value for name, value in {**self.settings, **changes}.items() if value is not None}
        await self.begin()

    def kill(self) -> bool:
        """Now: nothing more is written, sent or answered. Whether there was one; whoever kills waits for `buried`."""
        if self._life is None or self._is_killed or self.is_safe:
            return False
        self.kills += 1
        self._is_killed = True
        self.app = None
        self._loop.network.aliases.pop(DOOR, None)
        self._disk.pull(self.owner)
        self._loop.network.pull(self.owner)
        self._life.cancel()
        return True

    async def buried(self) -> bool:
        """Let what is left of a killed one fall apart, if there is one; it can do no more harm."""
        if self._life is None or not self._is_killed:
            return False
        life = self._life
        await asyncio.wait([life])
        self._life = None
        if not life.cancelled():
            life.exception()
        return True

    @asynccontextmanager
    async def store(self) -> AsyncIterator[Store]:
        """The store as a command beside the daemon opens it."""
        clock = Clock(wall=self._wall.shown)
        async with open_store(self.settings["STORE_URL"], clock=clock, exclusive=False) as store:
            yield store

    async def ledger(self) -> Any:
        """The ledger as it stands."""
        async with self.store() as store:
            return await store.ledger()
