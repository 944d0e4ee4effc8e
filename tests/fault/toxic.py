"""A TCP proxy that does what networks do: slows, slices, stalls, and breaks connections at a chosen byte.

The ideas are Toxiproxy's (github.com/Shopify/toxiproxy: latency, bandwidth, slicer, limit_data, timeout, reset_peer);
here they are fields of a record, one for each direction.
"""

import asyncio
import socket
import struct
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self

from npsbridge.core.model import Record

_CHUNK: Final = 64 * 1024
_LINGER_NOT: Final = struct.pack("ii", 1, 0)


class Wire(Record, frozen=True, kw_only=True):
    """One direction of a connection; bytes are counted from its beginning."""

    latency: float = 0.0
    """Seconds that each chunk is held back."""
    rate: float | None = None
    """Bytes a second."""
    slices: int | None = None
    """Bytes that are passed on at once."""
    reset_after: int | None = None
    """So many bytes pass, then both sides are reset."""
    close_after: int | None = None
    """So many bytes pass, then both sides are closed in good order."""
    stall_after: int | None = None
    """So many bytes pass, then none: the connection stays, half open."""

    @property
    def limit(self) -> int | None:
        """How many bytes pass at all."""
        limits = [one for one in (self.reset_after, self.close_after, self.stall_after) if one is not None]
        return min(limits, default=None)


class Toxic(Record, frozen=True, kw_only=True):
    """What becomes of each connection from now on."""

    request: Wire = Wire()
    response: Wire = Wire()


class Passage:
    """One connection through the proxy.

    Attributes:
        requested: How many bytes of the request have passed.
        answered: How many bytes of the response.
    """

    def __init__(self) -> None:
        self.requested = 0
        self.answered = 0
        self.writers: list[asyncio.StreamWriter] = []

    def reset(self) -> None:
        """Break it on both sides."""
        for writer in self.writers:
            connection: socket.socket | None = writer.get_extra_info("socket")
            if connection is not None and connection.fileno() >= 0:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
            writer.transport.abort()

    def close(self) -> None:
        """End it on both sides, in good order."""
        for writer in self.writers:
            writer.close()


class Proxy:
    """Stands in front of a port of this machine; `async with` it.

    Attributes:
        toxic: What becomes of connections that are made from now on.
        passages: All connections, in the order in which they were made.
    """

    def __init__(self, target: int, toxic: Toxic | None = None) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.toxic = toxic or Toxic()
        self.passages: list[Passage] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for passage in self.passages:
            passage.reset()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passage, toxic = Passage(), self.toxic
        self.passages.append(passage)
        passage.writers.append(writer)
        if toxic.request.limit == 0:
            await self._end(passage, toxic.request)
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        passage.writers.append(far_writer)
        for pump in (
            self._pump(passage, reader, far_writer, toxic.request, is_request=True),
            self._pump(passage, far_reader, writer, toxic.response, is_request=False),
        ):
            task = asyncio.create_task(pump)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(
        self,
        passage: Passage,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        wire: Wire,
        *,
        is_request: bool,
    ) -> None:
        passed = 0
        try:
            while data := await reader.read(_CHUNK):
                for piece in _pieces(data if wire.limit is None else data[: wire.limit - passed], wire.slices):
                    await asyncio.sleep(wire.latency + (len(piece) / wire.rate if wire.rate else 0.0))
                    writer.write(piece)
                    await writer.drain()
                    passed += len(piece)
                    _count(passage, passed, is_request=is_request)
                if wire.limit is not None and passed >= wire.limit:
                    await self._end(passage, wire)
                    return
            writer.close()
        except ConnectionError:
            passage.close()

    @staticmethod
    async def _end(passage: Passage, wire: Wire) -> None:
        """What has passed arrives first: a reset overtakes what is still under way."""
        await asyncio.sleep(0.001)
        if wire.reset_after is not None:
            passage.reset()
        elif wire.close_after is not None:
            passage.close()


def _count(passage: Passage, passed: int, *, is_request: bool) -> None:
    if is_request:
        passage.requested = passed
    else:
        passage.answered = passed


def _pieces(data: bytes, size: int | None) -> Iterator[bytes]:
    step = size or max(1, len(data))
    return (data[begin : begin + step] for begin in range(0, len(data), step))


def everywhere(requested: int, answered: int) -> Iterator[Toxic]:
    """A reset at every byte of an exchange: before each byte of the request, then before each of the response."""
    for number in range(requested + 1):
        yield Toxic(request=Wire(reset_after=number))
    for number in range(1, answered):
        yield Toxic(response=Wire(reset_after=number))
