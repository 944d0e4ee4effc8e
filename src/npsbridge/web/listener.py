"""Listening sockets, and serving an application on one, within limits."""

import asyncio
import errno
import logging
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio
from aiohttp import web

from npsbridge.errors import ListenError
from npsbridge.settings import Address
from npsbridge.web.connections import Connection, Room

BACKLOG = 1024
LAST_MOMENT = 0.25
"""Seconds at the end for those who have just connected to say what they want."""
ACCEPTED_AT_ONCE = 64
"""Connections taken before any of them is looked at; what they need of files is among RESERVED_FILES."""
TURNS_TO_HAND_ON = 3
"""Turns of the event loop from there to the first word with a connection."""
MOST_CONNECTIONS = 4096
"""Of one listener, where the process may open so many files."""
LEAST_CONNECTIONS = 16
RESERVED_FILES = 512
"""For the store, vendors, logs, and connections that are just coming or going."""
_LISTENERS = 2

_Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


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
async def serving(
    app: web.Application, opened: socket.socket, *, grace: float, most: int = MOST_CONNECTIONS
) -> AsyncIterator[Listener]:
    """Serve an application on a listening socket, which stays open afterwards.

    Bodies are handed on as they were sent, not unpacked: signatures are over those bytes.

    Args:
        app: what to serve.
        opened: a listening socket.
        grace: seconds that requests under way get to finish at the end.
        most: connections at the same time, if the process may open so many files.
    """
    runner = web.AppRunner(app, shutdown_timeout=grace)
    await runner.setup()
    room = Room(min(most, connections_within(_files_allowed())))
    try:
        async with _accepting(runner, opened, room):
            yield Listener(*opened.getsockname()[:2])
    finally:
        # aiohttp waits up to `grace` for a handler, and as long again for its cancellation.
        with anyio.move_on_after(2 * grace + 1, shield=True):
            await runner.cleanup()


@asynccontextmanager
async def _accepting(runner: web.AppRunner, opened: socket.socket, room: Room) -> AsyncIterator[None]:
    server = runner.server
    if server is None:
        raise RuntimeError("the runner has to be set up first")
    server.request_handler = partial(_served, server.request_handler)
    taking = opened.dup()
    connection = partial(Connection, room, server, logging.getLogger("npsbridge.web.protocol"))
    accepting = await asyncio.get_running_loop().create_server(connection, sock=taking, backlog=ACCEPTED_AT_ONCE)
    opened.listen(BACKLOG)  # asyncio has set it to what it accepts at once
    try:
        with closing(accepting):
            try:
                yield
            finally:
                await _hand_on_accepted(taking)
    finally:
        if server.connections:
            await asyncio.sleep(LAST_MOMENT)


async def _hand_on_accepted(taking: socket.socket) -> None:
    """Accept nobody more; those who were must reach their protocol, for asyncio drops them when the server closes."""
    asyncio.get_running_loop().remove_reader(taking)
    for _ in range(TURNS_TO_HAND_ON):
        await asyncio.sleep(0)


async def _served(handler: _Handler, request: web.BaseRequest) -> web.StreamResponse:
    """Answer a request, and let its connection know meanwhile that it is under way."""
    connection = request.protocol
    if not isinstance(connection, Connection):
        raise TypeError("a request comes over a connection of ours")
    connection.asked(request.content)
    try:
        return await handler(request)
    finally:
        connection.answered()


# --- how many connections -----------------------------------------------------------------------------------------


def connections_within(files: int) -> int:
    """How many connections a listener may have in a process that may have so many files open."""
    return max(LEAST_CONNECTIONS, min(MOST_CONNECTIONS, (files - RESERVED_FILES) // _LISTENERS))


def _files_allowed() -> int:
    """How many files the process may have open, after it has allowed itself what it can use.

    The usual 1,024 is there for programs that call select(), which cannot count further; nothing here does.
    """
    wanted = MOST_CONNECTIONS * _LISTENERS + RESERVED_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    raised = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft < raised:
        with suppress(OSError, ValueError):  # some systems have one more limit, which they do not show
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
            return raised
    return soft
