"""Listening sockets, and serving an application on one, within limits."""

import asyncio
import errno
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from npsbridge.errors import ListenError
from npsbridge.settings import Address

BACKLOG = 1024
LAST_MOMENT = 0.25
"""Seconds at the end for those who have just connected to say what they want."""
KEEPALIVE = 75.0
"""Seconds a connection may be silent, or take to say what it wants; longer than proxies keep theirs (nginx: 60)."""
MOST_CONNECTIONS = 512
"""Beyond it callers get a 503 at once; well below the 1,024 files that a process may usually open."""

_FULL = b'{"success":false,"code":"too_many_connections","message":"too many connections; try again"}'
_FULL_ANSWER = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\nConnection: close\r\n"
    b"Content-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n%b" % (len(_FULL), _FULL)
)


@dataclass(frozen=True, slots=True)
class Listener:
    """An address that is being served."""

    host: str
    port: int

    def __str__(self) -> str:
        """Host and port as they stand in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def bind(address: Address, setting: str) -> socket.socket:
    """Open a listening socket.

    Raises:
        ListenError: the address is taken, is not ours, or needs more rights; names the setting.
    """
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return _listening(socket.socket(family, kind, protocol), place)
    except OSError as error:
        needs_rights = error.errno == errno.EACCES
        raise ListenError(setting, str(address), error.strerror or "unknown", needs_rights=needs_rights) from error


def _listening(opened: socket.socket, place: tuple[Any, ...]) -> socket.socket:
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(place)
        opened.listen(BACKLOG)
    except OSError:
        opened.close()
        raise
    return opened


@asynccontextmanager
async def serving(app: web.Application, opened: socket.socket, *, grace: float) -> AsyncIterator[Listener]:
    """Serve an application on a listening socket, which stays open afterwards.

    Bodies are handed on as they were sent, not unpacked: signatures are over those bytes.

    Args:
        app: what to serve.
        opened: a listening socket.
        grace: seconds that requests under way get to finish at the end.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=_protocol_logger(),
        keepalive_timeout=KEEPALIVE,
        shutdown_timeout=grace,
        auto_decompress=False,
    )
    await runner.setup()
    try:
        async with _accepting(runner, opened):
            yield Listener(*opened.getsockname()[:2])
    finally:
        # aiohttp waits up to `grace` for a handler, and as long again for its cancellation.
        with anyio.move_on_after(2 * grace + 1, shield=True):
            await runner.cleanup()


def _protocol_logger() -> logging.Logger:
    """For what goes wrong below the applications.

    What callers do wrong in HTTP itself they are told with a 400; in the log anybody could write without end, and what
    is quoted of a request may be personal.
    """
    logger = logging.getLogger("npsbridge.web.protocol")
    logger.addFilter(_is_not_the_callers)
    return logger


def _is_not_the_callers(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


@asynccontextmanager
async def _accepting(runner: web.AppRunner, opened: socket.socket) -> AsyncIterator[None]:
    if runner.server is None:
        raise RuntimeError("the runner has to be set up first")
    accepting = await asyncio.get_running_loop().create_server(
        partial(_connection, runner.server), sock=opened.dup(), backlog=BACKLOG
    )
    try:
        yield
    finally:
        accepting.close()
        if runner.server.connections:
            await asyncio.sleep(LAST_MOMENT)


def _connection(server: web.Server) -> asyncio.Protocol:
    return server() if len(server.connections) < MOST_CONNECTIONS else _TurnedAway()


class _TurnedAway(asyncio.Protocol):
    """A connection more than we can serve."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.WriteTransport):
            transport.write(_FULL_ANSWER)
        transport.close()
