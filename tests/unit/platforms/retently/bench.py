"""An account of the look-alike, a source that reads it, and a clock that both go by."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, NamedTuple

import aiohttp
import orjson

from npsbridge.core.ports import Page
from npsbridge.errors import VendorError
from npsbridge.metrics import Metrics
from npsbridge.net.client import HttpClient
from npsbridge.platforms.base import Wiring
from npsbridge.platforms.retently.settings import RetentlySettings
from npsbridge.platforms.retently.source import RetentlySource
from npsbridge.sandbox.retently import PastFeedback, RetentlyServer
from unit.sandbox.calling import NEW_YEAR, Hands, OneClock

DAY = 86_400
NOW_MS = NEW_YEAR * 1000


class Round(NamedTuple):
    """What one reading brought."""

    pages: list[Page]

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [orjson.loads(record) for page in self.pages for record in page.records]

    @property
    def ids(self) -> list[str]:
        """Of answers, in the order they came."""
        return [row["id"] for row in self.rows if "id" in row]

    @property
    def opened(self) -> list[str]:
        """Emails of those who opened a survey."""
        return [row["email"] for row in self.rows if "sentDate" in row]

    @property
    def checkpoint(self) -> bytes:
        return self.pages[-1].checkpoint


class Bench:
    """One account, read through one session."""

    def __init__(self, server: RetentlyServer, session: aiohttp.ClientSession, hands: Hands) -> None:
        self.server = server
        self.hands = hands
        self.clock = OneClock(hands)
        self._session = session

    def wiring(self, **settings: Any) -> Wiring[RetentlySettings]:
        given = {"api_key": self.server.api_key, "base_url": self.server.base_url, "rate_limit": 0} | settings
        return Wiring(
            name="retently",
            settings=RetentlySettings.model_validate(given),
            http=HttpClient(self._session, Metrics(), connection="retently"),
            clock=self.clock,
            prefix="NPSBRIDGE_RETENTLY__",
        )

    def source(self, *, reads_outbox: bool = False, **settings: Any) -> RetentlySource:
        events = frozenset({"Submit Survey", "Viewed NPS Survey"} if reads_outbox else {"Submit Survey"})
        return RetentlySource(replace(self.wiring(**settings), events=events))

    def load(self, count: int, *, days: float = 1.0, step_ms: int = 1000, **fields: Any) -> list[str]:
        """Answers from `days` ago on, one each `step_ms`."""
        first = NOW_MS - int(days * DAY * 1000)
        return self.server.load(
            PastFeedback(email=f"p{n}@example.org", score=n % 11, created_ms=first + n * step_ms, **fields)
            for n in range(count)
        )

    @property
    def asked(self) -> list[str]:
        """The paths of all requests, with their queries."""
        return [request.target.removeprefix("/api/v2") for request in self.server.requests]


async def read(source: RetentlySource, checkpoint: bytes | None = None) -> Round:
    """One whole round."""
    return Round([page async for page in source.read(checkpoint)])


def without_repeats(ids: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(ids))


async def read_until_trouble(
    source: RetentlySource, checkpoint: bytes | None = None
) -> tuple[Round, VendorError | None]:
    """What a round brought before it ended in an error, and the error if there was one."""
    pages: list[Page] = []
    try:
        async for page in source.read(checkpoint):
            pages += [page]
    except VendorError as trouble:
        return Round(pages), trouble
    return Round(pages), None


async def read_while(source: RetentlySource, checkpoint: bytes | None, act: Callable[[int], object]) -> Round:
    """One whole round; `act` is told the number of each page once it is stored."""
    pages: list[Page] = []
    async for page in source.read(checkpoint):
        pages.append(page)
        act(len(pages))
    return Round(pages)
