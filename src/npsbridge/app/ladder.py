"""The composition root: one ladder up (store, client, connections, listeners, loops) and the same ladder down.

Whoever enters `running` has a daemon that accepts; leaving it drains and closes everything that was opened.
"""

import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass

import aiohttp
import anyio
from loguru import logger

from npsbridge.app.frozen import keep_frozen
from npsbridge.app.loops import Loops, make_loops
from npsbridge.app.parts import Parts, assemble, idle_warnings, takes_calls
from npsbridge.app.sockets import Sockets
from npsbridge.clock import Clock
from npsbridge.core.storage import Store
from npsbridge.engine.board import Board
from npsbridge.engine.fleet import Team
from npsbridge.engine.intake import Intake
from npsbridge.engine.seams import Seams
from npsbridge.errors import NpsbridgeError
from npsbridge.metrics import Metrics
from npsbridge.net.client import open_session
from npsbridge.settings import Settings
from npsbridge.store import open_store
from npsbridge.web.access import Access
from npsbridge.web.admin import admin_app
from npsbridge.web.ingest import Ingest
from npsbridge.web.listener import Listener, serving
from npsbridge.web.public import Doors, public_app
from npsbridge.web.view import View

GRACE, ADMIN_GRACE = 5.0, 0.5
"""Seconds that requests under way get to finish; the public ones no more than SHUTDOWN_TIMEOUT."""


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A running daemon, as its owner sees it."""

    settings: Settings
    store: Store
    board: Board
    metrics: Metrics
    clock: Clock
    team: Team
    public: Listener
    admin: Listener

    @property
    def public_port(self) -> int:
        """Where webhooks are taken."""
        return self.public.port

    @property
    def admin_port(self) -> int:
        """Where health and metrics are."""
        return self.admin.port


@asynccontextmanager
async def running(
    settings: Settings,
    *,
    clock: Clock | None = None,
    jitter: Callable[[], float] = random.random,
    sockets: Sockets | None = None,
) -> AsyncIterator[App]:
    """A daemon, from the moment it accepts to the moment all is drained and closed.

    Left in peace, it closes the doors, lets attempts under way finish for SHUTDOWN_TIMEOUT at most, and records them.
    Left by an error it ends at once; what is owed is in the store either way.

    Args:
        settings: the configuration.
        clock: where wall time comes from.
        jitter: numbers in 0..1 that spread retries.
        sockets: listening sockets that the caller keeps open across a reload; without, it opens and closes its own.

    Raises:
        ConfigurationError: a setting differs from what the first delivery made unchangeable.
        StoreError: the store cannot be opened, or failed while running.
        ListenError: an address cannot be listened on.
    """
    metrics, clock, draining = Metrics(), clock or Clock(), anyio.Event()
    async with AsyncExitStack() as ladder:
        ladder.enter_context(one_error())
        store = await ladder.enter_async_context(open_store(settings.store_url, clock=clock))
        await keep_frozen(store, settings)
        session = await ladder.enter_async_context(open_session())
        sockets = sockets or ladder.enter_context(closing(Sockets()))
        sockets.follow(settings)
        seams = Seams(store=store, board=Board(store, clock), clock=clock, metrics=metrics, jitter=jitter)
        parts = _parts(settings, session, seams)
        loops = make_loops(settings, parts, seams)
        await loops.budgets.recall()
        await seams.ageing.recall()
        ladder.push_async_callback(loops.budgets.end)
        view = _view(settings, parts, seams, loops, is_draining=draining.is_set)
        admin = await ladder.enter_async_context(serving(admin_app(view), sockets.admin, grace=ADMIN_GRACE))
        await ladder.enter_async_context(loops.team.joined())
        sending = await ladder.enter_async_context(anyio.create_task_group())
        feeding = await ladder.enter_async_context(anyio.create_task_group())
        ladder.callback(feeding.cancel_scope.cancel)
        grace = min(GRACE, settings.shutdown_timeout)
        doors = public_app(_doors(settings, parts, loops, metrics))
        public = await ladder.enter_async_context(serving(doors, sockets.public, grace=grace))
        ladder.callback(loops.stop_lanes, sending, within=settings.shutdown_timeout)
        ladder.callback(draining.set)
        loops.start_feeding(feeding)
        loops.start_lanes(sending)
        yield App(
            settings=settings,
            store=store,
            board=seams.board,
            metrics=metrics,
            clock=clock,
            team=loops.team,
            public=public,
            admin=admin,
        )


def _view(settings: Settings, parts: Parts, seams: Seams, loops: Loops, *, is_draining: Callable[[], bool]) -> View:
    return View(
        seams=seams,
        sinks=[sender.connection for sender in (*parts.sinks, *parts.forwarders)],
        is_draining=is_draining,
        access=Access.of(settings),
        platforms={name: connection.platform for name, connection in settings.connections.items()},
        windows=parts.windows,
        replica=loops.team.name if seams.store.leases.is_shared else None,
        wake=loops.wake,
    )


def _doors(settings: Settings, parts: Parts, loops: Loops, metrics: Metrics) -> Doors:
    return Doors(
        receivers=parts.receivers,
        hooks=parts.hooks,
        readbacks=loops.readbacks,
        ingest=_ingest(settings, loops.intake, metrics),
        intake=loops.intake,
        metrics=metrics,
    )


def _ingest(settings: Settings, intake: Intake, metrics: Metrics) -> Ingest | None:
    """Who may send Segment calls; without any key or secret there are no doors for them."""
    if not takes_calls(settings):
        return None
    return Ingest(
        write_keys=tuple(key.get_secret_value() for key in settings.ingest.write_keys),
        webhook_secrets=tuple(secret.get_secret_value() for secret in settings.ingest.webhook_secret),
        keep=intake.calls,
        metrics=metrics,
    )


def _parts(settings: Settings, session: aiohttp.ClientSession, seams: Seams) -> Parts:
    """The parts that have work to do; the operator hears of the others."""
    parts = assemble(settings, session, seams.metrics, seams.clock, seams.store.leases)
    for warning in [*settings.warnings, *idle_warnings(settings, parts)]:
        logger.warning(warning)
    return parts.with_work()


@contextmanager
def one_error() -> Iterator[None]:
    """Raise the error that matters instead of a group of them: one of ours, or else the only one."""
    try:
        yield
    except BaseExceptionGroup as group:
        leaves = list(_leaves(group))
        ours = [leaf for leaf in leaves if isinstance(leaf, NpsbridgeError)]
        if not ours and len(leaves) > 1:
            raise
        error = (ours or leaves)[0]
        raise error from error.__cause__


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from _leaves(member)
    else:
        yield error
