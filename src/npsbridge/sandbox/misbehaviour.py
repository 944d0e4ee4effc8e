"""Plays a fault on a request: the acting half of `faults.py`.

It knows nothing of any vendor; the true answer is something it may ask for, change, or never ask for.
"""

import asyncio
import gzip
import socket
import struct
import zlib
from collections.abc import Awaitable, Callable

from aiohttp import web

from npsbridge.sandbox.faults import (
    Answer,
    CorruptGzip,
    CutConnection,
    Drip,
    Fault,
    FaultScript,
    GzipBomb,
    Hang,
    ResetAfterReading,
    ResetBeforeReading,
    Truncated,
)

TrueAnswer = Callable[[], Awaitable[web.Response]]

_LINGER_NOT = struct.pack("ii", 1, 0)
_SPACES = b" " * 2**20
_GZIP_HEADER = 10


class NoAnswer(web.Response):
    """Satisfies the server after the connection was broken; never sent."""


async def play(fault: Fault, request: web.Request, true_answer: TrueAnswer, script: FaultScript) -> web.StreamResponse:
    """Answer `request` the way `fault` says; `true_answer` makes the request take effect."""
    match fault:
        case Answer():
            return web.Response(status=fault.status, headers=fault.headers, body=fault.body.encode())
        case GzipBomb():
            return packed(await asyncio.to_thread(gzip_bomb, fault.decoded_bytes))
        case ResetBeforeReading():
            return reset(request)
        case ResetAfterReading():
            if fault.effect:
                await true_answer()
            return reset(request)
        case Hang():
            return await _hang(fault, request, true_answer, script)
        case _:
            return await _distort(fault, request, await true_answer(), script)


async def _hang(fault: Hang, request: web.Request, true_answer: TrueAnswer, script: FaultScript) -> web.StreamResponse:
    late = await true_answer() if fault.effect else None
    await script.hold(fault.seconds)
    return late or reset(request)


async def _distort(
    fault: Truncated | CutConnection | Drip | CorruptGzip,
    request: web.Request,
    answer: web.Response,
    script: FaultScript,
) -> web.StreamResponse:
    body = _body_of(answer)
    match fault:
        case Truncated():
            answer.body = body[: int(len(body) * fault.keep)]
            return answer
        case CorruptGzip():
            return packed(_broken(gzip.compress(body)))
        case CutConnection():
            return await _cut(fault, request, answer, body)
        case Drip():
            return await _drip(fault, request, answer, script)


async def _cut(fault: CutConnection, request: web.Request, answer: web.Response, body: bytes) -> web.StreamResponse:
    stream = await _announce(request, answer, len(body))
    await stream.write(body[: int(len(body) * fault.keep)])
    if fault.abrupt:
        reset(request)
    elif request.transport is not None:
        request.transport.close()
    return stream


async def _drip(fault: Drip, request: web.Request, answer: web.Response, script: FaultScript) -> web.StreamResponse:
    body = _body_of(answer)
    stream = await _announce(request, answer, len(body))
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + fault.seconds
    sent = 0
    while sent < len(body) and loop.time() < ends_at:
        await stream.write(body[sent : sent + fault.chunk])
        sent += fault.chunk
        if sent < len(body) and await script.hold(min(fault.pause, ends_at - loop.time())):
            break
    await stream.write(body[sent:])
    await stream.write_eof()
    return stream


async def _announce(request: web.Request, answer: web.Response, length: int) -> web.StreamResponse:
    stream = web.StreamResponse(status=answer.status, headers=answer.headers)
    stream.content_length = length
    await stream.prepare(request)
    return stream


def reset(request: web.Request) -> NoAnswer:
    """Reset the connection (TCP RST)."""
    transport = request.transport
    if transport is not None:
        connection: socket.socket | None = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        transport.abort()
    return NoAnswer()


def packed(body: bytes) -> web.Response:
    """A JSON answer whose body is said to be gzip, as it is."""
    return web.Response(body=body, headers={"Content-Type": "application/json", "Content-Encoding": "gzip"})


def gzip_bomb(decoded_bytes: int) -> bytes:
    """A gzip stream of an empty JSON array that unpacks to `decoded_bytes`."""
    packer = zlib.compressobj(level=9, wbits=zlib.MAX_WBITS | 16)
    whole, rest = divmod(decoded_bytes - 2, len(_SPACES))
    chunks = [packer.compress(b"[")]
    chunks += [packer.compress(_SPACES) for _ in range(whole)]
    return b"".join([*chunks, packer.compress(_SPACES[:rest] + b"]"), packer.flush()])


def _broken(stream: bytes) -> bytes:
    """The first block is of the one type that deflate has not defined, so every reader must notice."""
    return stream[:_GZIP_HEADER] + bytes([stream[_GZIP_HEADER] | 0b110]) + stream[_GZIP_HEADER + 1 :]


def _body_of(answer: web.Response) -> bytes:
    return answer.body if isinstance(answer.body, bytes) else b""
