"""A door before the daemon: it passes on every byte as it is, notes the requests, and cuts a connection when told to.

It stands at one address while daemons behind it come and go.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from enum import Enum, auto
from typing import Any

from npsbridge.sandbox import RecordedRequest

END_OF_HEAD = b"\r\n\r\n"

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Cut(Enum):
    """When the connection of a caller ends before its time."""

    BEFORE_THE_DAEMON = auto()
    """The daemon never hears of the request, as if nobody were there."""
    BEFORE_THE_ANSWER = auto()
    """The daemon has answered, and the caller never hears of it."""


class Door:
    """What came to the daemon, and what it answered. Made by `door_before`."""

    def __init__(self, port: int) -> None:
        self.url = ""
        self.requests: list[RecordedRequest] = []
        """As they came to the daemon, in order; `status` is None until it has answered."""
        self.has_cut = asyncio.Event()
        """Set when a connection was cut by `cutting`."""
        self._port = port
        self._cut: Cut | None = None
        self._is_open = asyncio.Event()
        self._is_open.set()

    @property
    def calls(self) -> list[dict[str, Any]]:
        """Every call of every request, repeated ones included."""
        return [call for request in self.requests for call in request.body["batch"]]

    @property
    def message_ids(self) -> list[str]:
        """The messageIds of `calls`."""
        return [call["messageId"] for call in self.calls]

    @property
    def statuses(self) -> list[int | None]:
        """How each request was answered."""
        return [request.status for request in self.requests]

    @contextmanager
    def cutting(self, when: Cut) -> Iterator[None]:
        """The first request of the block is cut; whoever comes later waits at the door until the block ends."""
        self._cut = when
        try:
            yield
        finally:
            self._cut = None
            self._is_open.set()

    def _cuts(self, when: Cut) -> bool:
        if self._cut is not when:
            return False
        self._cut = None
        self._is_open.clear()
        self.has_cut.set()
        return True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a caller, to its end."""
        async with AsyncExitStack() as open_ends:
            open_ends.enter_context(closing(writer))
            await self._is_open.wait()
            try:
                daemon = await asyncio.open_connection("127.0.0.1", self._port)
                open_ends.enter_context(closing(daemon[1]))
                while await self._pass((reader, writer), daemon):
                    pass
            except (ConnectionError, asyncio.IncompleteReadError):
                return

    async def _pass(self, caller: Stream, daemon: Stream) -> bool:
        """Pass one request to the daemon and its answer back; False when the connection has to end."""
        head, body = await _message(caller[0])
        if self._cuts(Cut.BEFORE_THE_DAEMON):
            return False
        request = _recorded(head, body)
        self.requests.append(request)
        daemon[1].write(head + body)
        answer_head, answer = await _message(daemon[0])
        request.status = int(answer_head.split(maxsplit=2)[1])
        if self._cuts(Cut.BEFORE_THE_ANSWER):
            return False
        caller[1].write(answer_head + answer)
        await caller[1].drain()
        return True


@asynccontextmanager
async def door_before(port: int) -> AsyncIterator[Door]:
    """A door on loopback, before a daemon's public port."""
    door = Door(port)
    server = await asyncio.start_server(door.serve, "127.0.0.1", 0)
    async with server:
        door.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield door


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """The head and the body of a request or an answer; everybody here says how long the body is."""
    head = await reader.readuntil(END_OF_HEAD)
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)\r\n", head)
    assert length, head
    return head, await reader.readexactly(int(length[1]))


def _recorded(head: bytes, body: bytes) -> RecordedRequest:
    first, *lines = head.removesuffix(END_OF_HEAD).decode("latin-1").split("\r\n")
    method, target, _ = first.split()
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    return RecordedRequest(method=method, target=target, headers=headers, raw=body, at=time.time())
