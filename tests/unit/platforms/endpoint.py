"""How the tests drive the destination: a scripted endpoint, or a look-alike on loopback."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from pydantic import SecretStr

from npsbridge.clock import Clock
from npsbridge.core.model import Delivery, State
from npsbridge.core.outcome import Delivered, Outcome
from npsbridge.metrics import Metrics
from npsbridge.net.client import HttpClient, Reply, open_session
from npsbridge.platforms import Wiring
from npsbridge.platforms.segment import (
    US,
    SegmentDestination,
    SegmentSettings,
)
from npsbridge.sandbox import SegmentServer
from unit.sandbox.calling import Hands

KEY = "canary-write-key"
OK = Reply(status=200, headers={}, body=b'{"success":true}')
GOOD = Delivered()


def delivery(number: int, body: bytes | None = None) -> Delivery:
    event = {"type": "track", "event": "Submit Survey", "userId": "u1", "messageId": f"m{number}"}
    return Delivery(
        id=number,
        connection="segment",
        person="user:u1",
        kind="submit",
        message_id=f"m{number}",
        body=json.dumps(event).encode() if body is None else body,
        state=State.QUEUED,
        created_at=0,
    )


def batch(count: int) -> list[Delivery]:
    return [delivery(number) for number in range(count)]


def wiring(http: object, hands: Hands | None = None, **given: Any) -> Wiring[SegmentSettings]:
    settings = SegmentSettings(**{"write_key": SecretStr(KEY), **given})
    return Wiring(
        name="segment",
        settings=settings,
        http=cast("HttpClient", http),
        clock=Clock(hands or Hands()),
        prefix="NPSBRIDGE_SEGMENT__",
    )


class Endpoint:
    """Answers a batch by its numbers, and remembers what it took."""

    def __init__(self, judge: Callable[[list[int]], Reply | Exception] = lambda _: OK) -> None:
        self.judge = judge
        self.got: list[list[int]] = []
        self.taken: list[int] = []

    async def request(self, method: str, url: str, *, body: bytes, **_: Any) -> Reply:
        assert (method, url) == ("POST", f"{US}/v1/batch")
        numbers = [int(event["messageId"][1:]) for event in json.loads(body)["batch"]]
        self.got.append(numbers)
        answer = self.judge(numbers)
        if isinstance(answer, Exception):
            raise answer
        if answer.status == 200:
            self.taken += numbers
        return answer


def reply(code: int, body: bytes = b"", **headers: str) -> Reply:
    return Reply(status=code, headers={name.replace("_", "-"): value for name, value in headers.items()}, body=body)


def refusing(*poison: int, code: int = 400) -> Endpoint:
    """One bad event sinks its whole batch."""
    return Endpoint(lambda numbers: reply(code) if set(numbers) & set(poison) else OK)


async def deliver(endpoint: Endpoint, deliveries: Sequence[Delivery], **given: Any) -> list[Outcome]:
    return await SegmentDestination(wiring(endpoint, **given)).deliver(deliveries)


def kinds_of(outcomes: Sequence[Outcome]) -> list[type[Outcome]]:
    return [type(outcome) for outcome in outcomes]


@asynccontextmanager
async def live(hands: Hands, **given: Any) -> AsyncIterator[tuple[SegmentServer, SegmentDestination]]:
    server = SegmentServer(write_keys=[KEY], now=hands)
    server.change_switches(given.pop("switches", {}))
    async with server, open_session() as session:
        http = HttpClient(session, Metrics(), connection="segment")
        yield server, SegmentDestination(wiring(http, hands, base_url=server.base_url, **given))
