"""The composition root: one ladder up (store, client, connections, loops, listeners) and the same ladder down.

Whoever enters `running` has a daemon that accepts; leaving it drains and closes everything that was opened.
"""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from socket import socket

import anyio
from anyio.abc import TaskGroup
from loguru import logger

from npsbridge.app.parts import Parts, assemble, idle_warnings, rules
from npsbridge.clock import Clock
from npsbridge.core.ports import Retention, Store
from npsbridge.engine.bell import Bell
from npsbridge.engine.board import Board
from npsbridge.engine.dispatch import Lane
from npsbridge.engine.intake import Intake
from npsbridge.engine.poll import Poller
from npsbridge.engine.router import Desk, Router
from npsbridge.engine.supervise import supervise
from npsbridge.engine.upkeep import Upkeep
from npsbridge.metrics import Metrics
from npsbridge.net.client import open_session
from npsbridge.settings import Settings
from npsbridge.store import open_store
from npsbridge.web.admin import View, admin_app
from npsbridge.web.listener import Listener, bind, serving
from npsbridge.web.public import Doors, public_app

__all__ = ["App", "running"]

DRAIN_ANSWERS = 5.0
"""Seconds that requests under way get to finish."""


@dataclass(slots=True, kw_only=True)
class App:
    """A running daemon, as its owner sees it."""

    settings: Settings
    store: Store
    board: Board
    metrics: Metrics
    clock: Clock
    public_port: int = 0
    admin_port: int = 0
    is_draining: bool = False


@dataclass(slots=True, kw_only=True)
class Engine:
    """The loops of a daemon and what they share."""

    app: App
    parts: Parts
    jitter: Callable[[], float]
    router_bell: Bell = field(default_factory=Bell)
    lane_bells: dict[str, Bell] = field(default_factory=dict)
    poll_bells: dict[str, Bell] = field(default_factory=dict)
    lanes: list[Lane] = field(default_factory=list)
    lanes_ended: list[anyio.Event] = field(default_factory=list)

    def start(self, group: TaskGroup, intake: Intake) -> None:
        """Start every loop as a child of the group."""
        self.lane_bells.update({sink.connection: Bell() for sink in self.parts.sinks})
        self.poll_bells.update({source.connection: Bell() for source in self.parts.sources})
        self._start(group, "router", self._router().run)
        for source in self.parts.sources:
            poller = Poller(
                source,
                store=self.app.store,
                intake=intake,
                board=self.app.board,
                clock=self.app.clock,
                metrics=self.app.metrics,
                bell=self.poll_bells[source.connection],
                jitter=self.jitter,
            )
            self._start(group, f"poll {source.connection}", poller.run)
        self._start_lanes(group)
        self._start_upkeep(group)

    def _router(self) -> Router:
        desk = Desk(parsers=self.parts.parsers, sinks=self.parts.sinks, rules=rules(self.app.settings))
        return Router(
            self.app.store,
            desk,
            clock=self.app.clock,
            metrics=self.app.metrics,
            bell=self.router_bell,
            bells=self.lane_bells,
        )

    def _start_lanes(self, group: TaskGroup) -> None:
        for sink in self.parts.sinks:
            lane = Lane(
                sink,
                store=self.app.store,
                board=self.app.board,
                clock=self.app.clock,
                metrics=self.app.metrics,
                bell=self.lane_bells[sink.connection],
                jitter=self.jitter,
                give_up_after=self.app.settings.retention.retry,
            )
            ended = anyio.Event()
            self.lanes.append(lane)
            self.lanes_ended.append(ended)
            self._start(group, f"forward {sink.connection}", lane.run, ended)

    def _start_upkeep(self, group: TaskGroup) -> None:
        kept = self.app.settings.retention
        retention = Retention(journal=kept.journal, delivered=kept.delivered, dead=kept.dead)
        bells = [self.router_bell, *self.lane_bells.values()]
        upkeep = Upkeep(self.app.store, self.app.clock, retention=retention, bells=bells)
        self._start(group, "purge", upkeep.purge)
        self._start(group, "listen", upkeep.listen)

    def _start(
        self, group: TaskGroup, name: str, run: Callable[[], Awaitable[None]], ended: anyio.Event | None = None
    ) -> None:
        async def task() -> None:
            try:
                await supervise(name, run, clock=self.app.clock, metrics=self.app.metrics)
            finally:
                if ended:
                    ended.set()

        group.start_soon(task, name=name)

    async def drain(self) -> None:
        """Let attempts under way finish, within SHUTDOWN_TIMEOUT; what is owed stays in the store."""
        for lane in self.lanes:
            lane.stop()
        with anyio.move_on_after(self.app.settings.shutdown_timeout):
            for ended in self.lanes_ended:
                await ended.wait()


@asynccontextmanager
async def running(
    settings: Settings,
    *,
    clock: Clock | None = None,
    jitter: Callable[[], float] = random.random,
    sockets: Mapping[str, socket] | None = None,
) -> AsyncIterator[App]:
    """A daemon, from the moment it accepts to the moment all is drained and closed.

    Args:
        settings: the configuration.
        clock: where wall time comes from.
        jitter: numbers in 0..1 that spread retries.
        sockets: listening sockets by name (`public`, `admin`) that the caller keeps open across a reload.

    Raises:
        StoreError: the store cannot be opened, or failed while running.
        ListenError: an address cannot be listened on.
    """
    clock, metrics = clock or Clock(), Metrics()
    async with AsyncExitStack() as ladder:
        store = await ladder.enter_async_context(open_store(settings.store_url, clock=clock))
        session = await ladder.enter_async_context(open_session())
        app = App(settings=settings, store=store, board=Board(store, clock), metrics=metrics, clock=clock)
        parts = assemble(settings, session, metrics, clock)
        for warning in [*settings.warnings, *idle_warnings(settings, parts)]:
            logger.warning(warning)
        if not parts.sinks:
            parts.sources.clear()
        engine = Engine(app=app, parts=parts, jitter=jitter)
        intake = Intake(store, clock, metrics, engine.router_bell)
        admin = await ladder.enter_async_context(_admin_listener(engine, sockets))
        group = await ladder.enter_async_context(anyio.create_task_group())
        ladder.push_async_callback(_wind_down, engine, group)
        public = await ladder.enter_async_context(_public_listener(engine, intake, sockets))
        engine.start(group, intake)
        app.public_port, app.admin_port = public.port, admin.port
        ladder.callback(setattr, app, "is_draining", True)
        yield app


async def _wind_down(engine: Engine, group: TaskGroup) -> None:
    with anyio.CancelScope(shield=True):
        await engine.drain()
    group.cancel_scope.cancel()


@asynccontextmanager
async def _public_listener(
    engine: Engine, intake: Intake, sockets: Mapping[str, socket] | None
) -> AsyncIterator[Listener]:
    app = engine.app
    doors = Doors(
        receivers=engine.parts.receivers, intake=intake, metrics=app.metrics, is_draining=lambda: app.is_draining
    )
    opened = sockets["public"] if sockets else bind(app.settings.listen, "NPSBRIDGE_LISTEN")
    async with serving(public_app(doors), opened, grace=DRAIN_ANSWERS) as listener:
        yield listener


@asynccontextmanager
async def _admin_listener(engine: Engine, sockets: Mapping[str, socket] | None) -> AsyncIterator[Listener]:
    app = engine.app
    view = View(
        store=app.store,
        board=app.board,
        metrics=app.metrics,
        clock=app.clock,
        sinks=tuple(sink.connection for sink in engine.parts.sinks),
        is_draining=lambda: app.is_draining,
    )
    opened = sockets["admin"] if sockets else bind(app.settings.admin_listen, "NPSBRIDGE_ADMIN_LISTEN")
    async with serving(admin_app(view), opened, grace=DRAIN_ANSWERS) as listener:
        yield listener
