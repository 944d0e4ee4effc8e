"""How the tests drive the sink: emissions as routing makes them, deliveries as the store numbers them."""

import itertools
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, cast

from npsbridge.clock import Clock
from npsbridge.core.model import Delivery, Emission, Identity, Kind, PlannedDelivery, Response, State
from npsbridge.core.outcome import Outcome
from npsbridge.metrics import Metrics
from npsbridge.net.client import HttpClient, Reply, open_session
from npsbridge.platforms.base import Wiring
from npsbridge.platforms.heap import US, HeapDestination, HeapSettings
from npsbridge.sandbox.heap import SANDBOX_APP_ID, HeapServer
from unit.sandbox.calling import NEW_YEAR, Hands

PREFIX = "NPSBRIDGE_HEAP__"
BOTH = (Kind.IDENTIFY, Kind.SUBMIT)


def wiring(http: object = None, hands: Hands | None = None, **given: Any) -> Wiring[HeapSettings]:
    return Wiring(
        name="heap",
        settings=HeapSettings.model_validate({"app_id": SANDBOX_APP_ID, **given}),
        http=cast("HttpClient", http),
        clock=Clock(hands or Hands()),
        prefix=PREFIX,
    )


def emission(
    number: int = 1,
    *,
    user_id: str | None = "u1",
    email: str | None = "ana@example.org",
    kinds: tuple[Kind, ...] = BOTH,
    revision: int = 1,
    **fields: Any,
) -> Emission:
    content = {"survey_type": "nps", "score": 9, "comment": "Fast", "created_at": at(number), **fields}
    response = Response(platform="delighted", connection="shop", id=str(number), **content)
    anonymous_id = None if user_id else "a1"
    identity = Identity(user_id=user_id, anonymous_id=anonymous_id, email=email)
    return Emission(response=response, revision=revision, identity=identity, is_newest=True, kinds=kinds)


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(NEW_YEAR + seconds, UTC)


def plan(of: Emission, **given: Any) -> list[PlannedDelivery]:
    return HeapDestination(wiring(**given)).plan(of)


def said(planned: PlannedDelivery) -> Any:
    return json.loads(planned.body)


def numbered(planned: Sequence[PlannedDelivery], first: int = 1) -> list[Delivery]:
    """As the store has them."""
    return [
        Delivery(
            id=number,
            connection=one.connection,
            person=one.person,
            kind=one.kind,
            message_id=one.message_id,
            body=one.body,
            state=State.QUEUED,
            created_at=0,
        )
        for number, one in zip(itertools.count(first), planned, strict=False)
    ]


def owed(*emissions: Emission, **given: Any) -> list[Delivery]:
    destination = HeapDestination(wiring(**given))
    return numbered([planned for one in emissions for planned in destination.plan(one)])


def events(count: int, user: Callable[[int], str] = lambda number: f"u{number}") -> list[Delivery]:
    """Events of somebody else each, if nothing is said."""
    return owed(*(emission(number, user_id=user(number), kinds=(Kind.SUBMIT,)) for number in range(count)))


class Endpoint:
    """Answers by the path and the entries, and remembers what it was asked."""

    def __init__(self, judge: Callable[[str, list[Any]], Reply | Exception]) -> None:
        self.judge = judge
        self.asked: list[tuple[str, list[Any]]] = []

    async def request(self, method: str, url: str, *, body: bytes, **_: Any) -> Reply:
        assert method == "POST"
        path = url.removeprefix(US)
        content = json.loads(body)
        entries = content.get("events", content.get("users"))
        self.asked.append((path, entries))
        answer = self.judge(path, entries)
        if isinstance(answer, Exception):
            raise answer
        return answer


def reply(code: int, body: bytes = b"{}", **headers: str) -> Reply:
    return Reply(status=code, headers={name.replace("_", "-"): value for name, value in headers.items()}, body=body)


def always(answer: Reply | Exception) -> Endpoint:
    return Endpoint(lambda _path, _entries: answer)


async def deliver(endpoint: Endpoint, deliveries: Sequence[Delivery]) -> list[Outcome]:
    return await HeapDestination(wiring(endpoint)).deliver(deliveries)


@asynccontextmanager
async def live(hands: Hands | None = None, **switches: Any) -> AsyncIterator[tuple[HeapServer, HeapDestination]]:
    """A look-alike, and the sink that is pointed at it."""
    hands = hands or Hands()
    server = HeapServer(now=hands)
    server.change_switches(switches)
    async with server, open_session() as session:
        http = HttpClient(session, Metrics(), connection="heap")
        yield server, HeapDestination(wiring(http, hands, base_url=server.base_url))
