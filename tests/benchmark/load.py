"""Posts calls to a tracking API from many connections, as fast as they are answered; every request is made beforehand.

Says in a JSON line how it went. It never waits for anything but answers, so that what it measures is the other side.
"""

import argparse
import asyncio
import base64
import json
import sys
import time
from collections.abc import Iterator

import orjson

KEY = "benchmark-key"
TRIGGER = "Survey Wanted"
"""An event that nearly no call names."""


def main() -> None:
    """Make the requests, say so, start when told by a line on standard input, and report."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("kind", choices=["single", "unwanted", "wanted", "surveyed"])
    asked.add_argument("port", type=int)
    asked.add_argument("count", type=int, help="events in all")
    asked.add_argument("--size", type=int, default=1, help="events of one request")
    asked.add_argument("--connections", type=int, default=64)
    asked.add_argument("--people", type=int, default=1_000)
    asked.add_argument("--first", type=int, default=0, help="number of the first event, so that none is sent twice")
    arguments = asked.parse_args()
    requests = list(_requests(arguments))
    print(json.dumps({"requests": len(requests)}), flush=True)
    sys.stdin.readline()
    print(json.dumps(asyncio.run(_posted(arguments, requests))), flush=True)
    sys.stdin.read()


def _requests(arguments: argparse.Namespace) -> Iterator[bytes]:
    for first in range(arguments.first, arguments.first + arguments.count, arguments.size):
        calls = [_call(arguments, number) for number in range(first, first + arguments.size)]
        single = arguments.kind == "single"
        path = "/v1/track" if single else "/v1/batch"
        body = orjson.dumps(calls[0] if single else {"batch": calls, "sentAt": "2026-10-01T10:00:00.000Z"})
        basic = base64.b64encode(f"{KEY}:".encode()).decode()
        head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Basic {basic}\r\n"
        yield f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def _call(arguments: argparse.Namespace, number: int) -> dict[str, object]:
    """A call as an SDK makes it, with the context that most of them send along."""
    common = {
        "messageId": f"bench-{number:012d}",
        "userId": f"user-{number % arguments.people}",
        "context": {"library": {"name": "bench", "version": "1.0"}, "ip": "203.0.113.7", "locale": "de-DE"},
        "timestamp": "2026-10-01T10:00:00.000Z",
    }
    if arguments.kind == "wanted":
        traits = {"email": f"user.{number}@example.com", "name": f"Person {number}", "plan": "team", "seats": 12}
        return {**common, "type": "identify", "userId": f"user-{number}", "traits": traits}
    if arguments.kind == "surveyed":
        return {**common, "userId": f"user-{number // 2}", **_surveyed(number)}
    properties = {"order_id": number, "total": 59.9, "currency": "EUR", "products": [{"sku": "A-1", "quantity": 2}]}
    return {**common, "type": "track", "event": "Order Completed", "properties": properties}


def _surveyed(number: int) -> dict[str, object]:
    """Somebody is described, and then does what triggers a survey."""
    if number % 2:
        return {"type": "track", "event": TRIGGER, "properties": {"order_id": number}, "timestamp": _now()}
    traits = {"email": f"user.{number // 2}@example.com", "name": f"Person {number // 2}"}
    return {"type": "identify", "traits": traits, "timestamp": _now()}


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class _Connection(asyncio.Protocol):
    """One request after the other, as long as there are any."""

    def __init__(self, load: "_Load") -> None:
        self._load = load
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if not self._answer.endswith(b"}"):
            return
        self._load.seconds.append(time.perf_counter() - self._since)
        self._load.refused += not self._answer.startswith(b"HTTP/1.1 200")
        self._answer = b""
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.ended(lost=exc is not None)

    def _next(self) -> None:
        request = next(self._load.requests, None)
        if request is None:
            self._transport.close()
            return
        self._since = time.perf_counter()
        self._transport.write(request)


class _Load:
    def __init__(self, requests: list[bytes], connections: int) -> None:
        self.requests = iter(requests)
        self.seconds: list[float] = []
        self.refused = 0
        self._left = connections
        self.done = asyncio.get_running_loop().create_future()

    def ended(self, *, lost: bool) -> None:
        self.refused += lost
        self._left -= 1
        if not self._left:
            self.done.set_result(None)


async def _posted(arguments: argparse.Namespace, requests: list[bytes]) -> dict[str, object]:
    load, loop = _Load(requests, arguments.connections), asyncio.get_running_loop()
    started, began = time.monotonic(), time.process_time()
    for _ in range(arguments.connections):
        await loop.create_connection(lambda: _Connection(load), "127.0.0.1", arguments.port)
    await load.done
    ordered = sorted(load.seconds)
    ended = time.monotonic()
    return {
        "seconds": ended - started,
        "ended": ended,
        "answered": len(ordered),
        "refused": load.refused,
        "p50_ms": 1000 * ordered[len(ordered) // 2],
        "p99_ms": 1000 * ordered[int(len(ordered) * 0.99)],
        "own_cpu_s": time.process_time() - began,
    }


if __name__ == "__main__":
    main()
