"""How the tests drive the source: against the look-alike, with the server's clock and ours in two hands."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from pydantic import SecretStr

from npsbridge.clock import Clock
from npsbridge.core.ports import Page
from npsbridge.metrics import Metrics
from npsbridge.net.client import HttpClient, open_session
from npsbridge.platforms import Wiring
from npsbridge.platforms.delighted.parse import parse
from npsbridge.platforms.delighted.place import Place
from npsbridge.platforms.delighted.settings import DelightedSettings
from npsbridge.platforms.delighted.source import DelightedSource
from npsbridge.sandbox import DelightedServer, PastAnswer
from unit.sandbox.calling import NEW_YEAR, Hands

MINUTE, HOUR, DAY = 60, 3600, 86_400
LONG_AGO = NEW_YEAR - 100 * DAY

Said = tuple[str, str | None]
"""Id and comment: one version of a response."""


class Bench:
    """A look-alike on its own clock (`theirs`), and sources that read it on ours."""

    def __init__(self, server: DelightedServer, theirs: Hands, http: HttpClient) -> None:
        self.server = server
        self.theirs = theirs
        self.ours = Hands()
        self.http = http

    def wiring(self, **settings: Any) -> Wiring[DelightedSettings]:
        given = {"api_key": SecretStr(self.server.api_key), "base_url": self.server.base_url, **settings}
        return Wiring(
            name="shop",
            settings=DelightedSettings(**given),
            http=self.http,
            clock=Clock(self.ours),
            prefix="NPSBRIDGE_DELIGHTED__",
        )

    def source(self, **settings: Any) -> DelightedSource:
        return DelightedSource(self.wiring(**settings))

    def pages(self, checkpoint: bytes | None = None, **settings: Any) -> AsyncIterator[Page]:
        """One round by a fresh source, as after a restart."""
        return self.source(**settings).read(checkpoint)

    async def read(self, checkpoint: bytes | None = None, **settings: Any) -> list[Page]:
        return [page async for page in self.pages(checkpoint, **settings)]

    async def some(self, checkpoint: bytes | None = None, *, count: int = 3, **settings: Any) -> list[Page]:
        """The first pages of a round that is then cut short."""
        kept = []
        async for page in self.pages(checkpoint, **settings):
            kept.append(page)
            if len(kept) == count:
                break
        return kept

    async def caught_up(self, **settings: Any) -> bytes:
        """The checkpoint once history is read."""
        return (await self.read(**settings))[-1].checkpoint

    async def next_round(self, checkpoint: bytes, **settings: Any) -> tuple[list[Page], bytes]:
        """What the next round brings, and the checkpoint after it."""
        pages = await self.read(checkpoint, **settings)
        return pages, pages[-1].checkpoint if pages else checkpoint

    def forward(self, seconds: float) -> None:
        """Time passes everywhere."""
        self.theirs.forward(seconds)
        self.ours.forward(seconds)

    def load(self, count: int, *, since: int = LONG_AGO, every: int = MINUTE, **more: Any) -> list[str]:
        """Answers at regular intervals, oldest first."""
        return self.server.load(
            PastAnswer(email=f"p{number}@example.org", score=number % 11, created_at=since + number * every, **more)
            for number in range(count)
        )

    @property
    def truth(self) -> set[Said]:
        return {(row.id, row.comment) for row in self.server.responses.values()}

    def asked(self) -> list[dict[str, str]]:
        """The queries so far."""
        queries = (request.target.partition("?")[2] for request in self.server.requests)
        return [dict(pair.split("=", 1) for pair in query.split("&")) for query in queries]


@asynccontextmanager
async def bench(**switches: Any) -> AsyncIterator[Bench]:
    theirs = Hands()
    async with DelightedServer(now=theirs) as server, open_session() as session:
        server.change_switches(switches)
        yield Bench(server, theirs, HttpClient(session, Metrics(), connection="shop"))


def said(pages: Iterable[Page]) -> list[Said]:
    responses = [parse("shop", record) for page in pages for record in page.records]
    return [(response.id, response.comment) for response in responses]


def ids(pages: Iterable[Page]) -> set[str]:
    return {response_id for response_id, _ in said(pages)}


def backfilled(pages: Sequence[Page]) -> list[Page]:
    return [page for page in pages if page.backfilling]


def place(page: Page) -> Place:
    return Place.decode(page.checkpoint)
