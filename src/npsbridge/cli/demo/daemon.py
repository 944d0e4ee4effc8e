"""The daemon of the demo, which can be cut off in the middle of its work and started again.

It is the whole daemon in this process; whoever looks at it sees what is alive, or nothing.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress

import anyio
from anyio.abc import TaskGroup, TaskStatus

from npsbridge.app import App, running
from npsbridge.app.sockets import Sockets
from npsbridge.clock import Clock
from npsbridge.settings import Settings


class _CutOff(Exception):
    """Ends the daemon at once, as a crash would: nothing is finished, nothing is written any more."""


class Daemon:
    """A daemon with several lives; its listening sockets outlive them, so callers wait at the door meanwhile."""

    def __init__(self, settings: Settings, clock: Clock, sockets: Sockets, group: TaskGroup) -> None:
        self._settings = settings
        self._clock = clock
        self._sockets = sockets
        self._group = group
        self._told = anyio.Event()
        self._gone = anyio.Event()
        self._is_cut = False
        self._app: App | None = None
        self._looking = anyio.Lock()

    @property
    def public(self) -> str:
        """Scheme, host and port of the public listener."""
        return f"http://127.0.0.1:{self._sockets.public.getsockname()[1]}"

    @property
    def admin(self) -> str:
        """The same of the admin listener."""
        return f"http://127.0.0.1:{self._sockets.admin.getsockname()[1]}"

    @asynccontextmanager
    async def seen(self) -> AsyncIterator[App | None]:
        """What runs now, and goes on running for the block; None between two lives."""
        async with self._looking:
            yield self._app

    async def start(self) -> None:
        """Begin a life; returns when it accepts.

        Raises:
            NpsbridgeError: see `running`.
        """
        self._told, self._gone, self._is_cut = anyio.Event(), anyio.Event(), False
        await self._group.start(self._live)

    async def cut_off(self) -> None:
        """End at once, with everything that is under way lost but for what is on disk."""
        self._is_cut = True
        await self._end()

    async def stop(self) -> None:
        """End in peace, if it lives."""
        if self._app is not None:
            await self._end()

    async def _end(self) -> None:
        async with self._looking:
            self._told.set()
            await self._gone.wait()

    async def _live(self, *, task_status: TaskStatus[None]) -> None:
        try:
            with suppress(_CutOff):
                async with running(self._settings, clock=self._clock, sockets=self._sockets) as app:
                    self._app = app
                    task_status.started()
                    await self._told.wait()
                    if self._is_cut:
                        raise _CutOff
        finally:
            self._app = None
            self._gone.set()


@asynccontextmanager
async def living_daemon(settings: Settings, clock: Clock) -> AsyncIterator[Daemon]:
    """A daemon that has begun its first life; it ends with the block.

    Raises:
        NpsbridgeError: see `running`.
    """
    with closing(Sockets()) as sockets:
        async with anyio.create_task_group() as group:
            daemon = Daemon(settings, clock, sockets, group)
            await daemon.start()
            yield daemon
            await daemon.stop()
