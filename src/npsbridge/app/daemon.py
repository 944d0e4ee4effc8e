"""The daemon as a process: signals, reloads, systemd."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socket import socket

import anyio
from loguru import logger

from npsbridge import __version__
from npsbridge.app import App, running
from npsbridge.errors import ConfigurationError
from npsbridge.service import notify, watchdog_interval
from npsbridge.settings import Settings
from npsbridge.telemetry import register_secrets, start_logging
from npsbridge.web.listener import bind

Load = Callable[[], Settings]


async def serve(load: Load) -> None:
    """Run until told to stop (SIGTERM, SIGINT); SIGHUP reads the settings again.

    The listening sockets stay open across a reload: callers wait a moment, none is refused.

    Raises:
        ConfigurationError: the settings cannot be used.
        NpsbridgeError: see `running`.
    """
    settings: Settings | None = load()
    while settings is not None:
        start_logging(settings.log_level, settings.log_format, secrets=settings.secrets())
        with _sockets(settings) as sockets:
            following: Settings | None = settings
            while following is not None and _same_addresses(settings, following):
                settings = following
                following = await _serve_once(settings, sockets, load)
        settings = following


async def _serve_once(settings: Settings, sockets: dict[str, socket], load: Load) -> Settings | None:
    """Run with these settings; returns those to go on with, or None to end."""
    register_secrets(settings.secrets())
    async with running(settings, sockets=sockets) as app, anyio.create_task_group() as group:
        logger.info("npsbridge {} listens on {}, health on {}", __version__, settings.listen, settings.admin_listen)
        notify("READY=1")
        group.start_soon(_feed_watchdog, app)
        following = await _until_told(load)
        notify("STOPPING=1" if following is None else "RELOADING=1")
        group.cancel_scope.cancel()
    if following is None:
        logger.info("stopped; what is owed is in the store")
    return following


async def _until_told(load: Load) -> Settings | None:
    """Wait for a signal. After SIGTERM the handlers are gone: a second one ends the process at once."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async for received in signals:
            if received != signal.SIGHUP:
                logger.info("{} received: finishing what is under way", signal.Signals(received).name)
                return None
            if (reloaded := _reload(load)) is not None:
                logger.info("the settings were read again and take effect now")
                return reloaded
    return None


def _reload(load: Load) -> Settings | None:
    try:
        return load()
    except ConfigurationError as error:
        for fault in error.faults:
            logger.error("not reloaded, the old settings stay: {}", fault)
    return None


async def _feed_watchdog(app: App) -> None:
    """Tell systemd that the loop turns and the writer answers; silence makes it restart us."""
    interval = watchdog_interval()
    while interval is not None:
        await app.store.heartbeat()
        notify("WATCHDOG=1")
        await anyio.sleep(interval)


@contextmanager
def _sockets(settings: Settings) -> Iterator[dict[str, socket]]:
    with (
        bind(settings.listen, "NPSBRIDGE_LISTEN") as public,
        bind(settings.admin_listen, "NPSBRIDGE_ADMIN_LISTEN") as admin,
    ):
        yield {"public": public, "admin": admin}


def _same_addresses(one: Settings, other: Settings) -> bool:
    return (one.listen, one.admin_listen) == (other.listen, other.admin_listen)
