"""The daemon as a process: signals, reloads, systemd."""

import signal
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, closing

import anyio
from loguru import logger

from npsbridge import __version__
from npsbridge.app.frozen import keep_frozen
from npsbridge.app.ladder import one_error, running
from npsbridge.app.sockets import Sockets
from npsbridge.clock import Clock
from npsbridge.core.storage import Store
from npsbridge.errors import ConfigurationError, Fault, ListenError, StoreError, StoreUnavailable
from npsbridge.service import notify, watchdog_interval
from npsbridge.settings import Settings
from npsbridge.telemetry import start_logging

Load = Callable[[], Settings]


async def serve(load: Load) -> None:
    """Run until told to stop (SIGTERM, SIGINT); SIGHUP reads the settings again.

    The listening sockets stay open across a reload: callers wait a moment, none is refused.

    Raises:
        ConfigurationError: the settings cannot be used.
        NpsbridgeError: see `running`.
    """
    settings: Settings | None = load()
    with one_error(), closing(Sockets()) as sockets, closing(Orders(load, sockets)) as orders:
        while settings is not None:
            settings = await _serve_once(settings, sockets, orders)
    logger.info("npsbridge stopped; what is owed is in the store")


async def _serve_once(settings: Settings, sockets: Sockets, orders: "Orders") -> Settings | None:
    """Run with these settings; returns those to go on with, or None to end."""
    start_logging(settings.log_level, settings.log_format, secrets=settings.secrets())
    async with anyio.create_task_group() as group:
        async with running(settings, sockets=sockets) as app:
            bound = logger.bind(version=__version__, listen=str(app.public), admin=str(app.admin))
            bound.info("npsbridge is ready")
            notify("READY=1")
            # Outside of the daemon it watches, so that systemd goes on hearing of us while a reload drains.
            group.start_soon(_feed_watchdog, app.store)
            following = await orders.following(settings, app.store)
        group.cancel_scope.cancel()
    return following


class Orders:
    """The signals of the process, from its start to the first that says stop; a second one then ends it at once."""

    def __init__(self, load: Load, sockets: Sockets) -> None:
        self._load = load
        self._sockets = sockets
        self._handlers = ExitStack()
        receiver = anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        self._signals: AsyncIterator[signal.Signals] = self._handlers.enter_context(receiver)

    def close(self) -> None:
        """Leave signals to their usual effect."""
        self._handlers.close()

    async def following(self, current: Settings, store: Store) -> Settings | None:
        """Wait for new settings that can be used; None when the process is to end."""
        async for received in self._signals:
            if received != signal.SIGHUP:
                self.close()
                notify("STOPPING=1")
                logger.bind(signal=received.name).info("npsbridge is stopping: it finishes what is under way")
                return None
            # systemd.service(5), Type=notify-reload, wants both in one message.
            notify(f"RELOADING=1\nMONOTONIC_USEC={int(Clock().monotonic() * 1_000_000)}")
            if (wanted := await self._reloaded(current, store)) is not None:
                logger.info("The settings were read again and take effect now")
                return wanted
            notify("READY=1")
        return None

    async def _reloaded(self, current: Settings, store: Store) -> Settings | None:
        try:
            wanted = self._load()
            _refuse_another_store(current, wanted)
            await keep_frozen(store, wanted)
            self._sockets.follow(wanted)
        except (ConfigurationError, ListenError) as error:
            for fault in error.faults if isinstance(error, ConfigurationError) else [error]:
                logger.bind(fault=str(fault)).error("The settings were not reloaded; the old ones stay in force")
            return None
        return wanted


def _refuse_another_store(current: Settings, wanted: Settings) -> None:
    if wanted.store_url != current.store_url:
        problem = "names another store; that takes a restart"
        raise ConfigurationError([Fault(setting="NPSBRIDGE_STORE_URL", problem=problem)])


async def _feed_watchdog(store: Store) -> None:
    """Tell systemd that the loop turns and the writer answers; silence makes it restart us."""
    interval = watchdog_interval()
    while interval is not None:
        try:
            await store.heartbeat()
            notify("WATCHDOG=1")
        except StoreUnavailable:
            logger.warning("The watchdog was not fed: the writer has no room")
        except StoreError:
            return  # the store is closed or has failed, which ends the daemon elsewhere
        await anyio.sleep(interval)
