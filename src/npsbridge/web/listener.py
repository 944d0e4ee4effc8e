"""Listening sockets, and serving an application on one."""

import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from npsbridge.errors import ListenError
from npsbridge.settings import Address

BACKLOG = 1024
KEEPALIVE = 75.0


@dataclass(frozen=True, slots=True)
class Listener:
    """An address that is being served."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The base of its URLs."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def bind(address: Address, setting: str) -> socket.socket:
    """Open a listening socket.

    Raises:
        ListenError: the address is taken, is not ours, or needs more rights; names the setting.
    """
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        opened = socket.socket(family, kind, protocol)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(place)
        opened.listen(BACKLOG)
    except OSError as error:
        needs_rights = error.errno == errno.EACCES
        raise ListenError(setting, str(address), error.strerror or "unknown", needs_rights=needs_rights) from error
    return opened


@asynccontextmanager
async def serving(app: web.Application, opened: socket.socket, *, grace: float) -> AsyncIterator[Listener]:
    """Serve an application on a listening socket, which stays open afterwards.

    Args:
        app: what to serve.
        opened: a listening socket.
        grace: seconds that requests under way get to finish at the end.
    """
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=KEEPALIVE, shutdown_timeout=grace)
    await runner.setup()
    try:
        await web.SockSite(runner, opened.dup(), backlog=BACKLOG).start()
        host, port = opened.getsockname()[:2]
        yield Listener(host, port)
    finally:
        await runner.cleanup()
