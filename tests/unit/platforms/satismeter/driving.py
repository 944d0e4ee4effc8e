"""How the tests drive the source: against the look-alike, on a clock that goes only when it is told to."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from pydantic import SecretStr

from npsbridge.clock import Clock
from npsbridge.core.model import Response
from npsbridge.core.pace import RateWindow
from npsbridge.core.ports import Page
from npsbridge.metrics import Metrics
from npsbridge.net.client import HttpClient, open_session
from npsbridge.platforms import Wiring
from npsbridge.platforms.satismeter.parse import parse
from npsbridge.platforms.satismeter.settings import SatisMeterSettings
from npsbridge.platforms.satismeter.source import SatisMeterSource
from npsbridge.sandbox.satismeter import PastAnswer, SatisMeterServer
from unit.sandbox.calling import NEW_YEAR, Hands

MINUTE, HOUR, DAY = 60, 3600, 86_400


class Bench:
    """A look-alike, a clock, and sources that read the one by the other."""

    def __init__(self, server: SatisMeterServer, hands: Hands, http: HttpClient) -> None:
        self.server = server
        self.hands = hands
        self.http = http

    def wiring(self, **settings: Any) -> Wiring[SatisMeterSettings]:
        given: dict[str, Any] = {
            "api_key": SecretStr(self.server.api_key),
            "project_id": self.server.project_id,
            "base_url": self.server.base_url,
            **settings,
        }
        return Wiring(
            name="satismeter",
            settings=SatisMeterSettings(**given),
            http=self.http,
            clock=Clock(self.hands),
            prefix="NPSBRIDGE_SATISMETER__",
        )

    def source(self, **settings: Any) -> SatisMeterSource:
        return SatisMeterSource(self.wiring(**settings))

    async def read(self, checkpoint: bytes | None = None, **settings: Any) -> list[Page]:
        """One round by a fresh source, as after a restart."""
        return [page async for page in self.source(**settings).read(checkpoint)]

    async def read_into(self, seen: list[Page], checkpoint: bytes | None = None, **settings: Any) -> None:
        """One round whose pages are kept even when it breaks off."""
        async for page in self.source(**settings).read(checkpoint):
            seen.append(page)  # noqa: PERF401 - a comprehension would lose them

    async def caught_up(self, **settings: Any) -> bytes:
        """The checkpoint once history and the look back behind it are read."""
        return (await self.read(**settings))[-1].checkpoint

    def load(self, count: int, *, since: float = NEW_YEAR - 20 * DAY, every: float = HOUR, **more: Any) -> list[str]:
        return self.server.load(
            PastAnswer(email=f"p{number}@example.org", score=number % 11, created_at=since + number * every, **more)
            for number in range(count)
        )

    @property
    def asked(self) -> int:
        """Requests so far; the names of surveys are looked up aside (test_surveys)."""
        return sum(not request.path.endswith("/campaigns") for request in self.server.requests)


@asynccontextmanager
async def bench(**switches: Any) -> AsyncIterator[Bench]:
    hands = Hands()
    async with SatisMeterServer(now=hands) as server, open_session() as session:
        server.change_switches(switches)
        yield Bench(server, hands, HttpClient(session, Metrics(), connection="satismeter", window=RateWindow(0, 60)))


def responses(pages: Sequence[Page]) -> list[Response]:
    return [parse("satismeter", record) for page in pages for record in page.records]


def ids(pages: Sequence[Page]) -> list[str]:
    return [response.id for response in responses(pages)]


def new(pages: Sequence[Page], known: Sequence[Page]) -> list[Response]:
    """What is not byte for byte as it was before, as intake tells it."""
    before = {record for page in known for record in page.records}
    return [parse("satismeter", record) for page in pages for record in page.records if record not in before]


def place(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(page.checkpoint)
    return found
