"""Plays the engine to the source under test: stores pages, remembers the checkpoint, knows what came before."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec

from npsbridge.core.ports import Page
from npsbridge.metrics import Metrics
from npsbridge.net.client import HttpClient
from npsbridge.platforms.base import Wiring
from npsbridge.platforms.promoter.parse import parse
from npsbridge.platforms.promoter.settings import PromoterSettings
from npsbridge.platforms.promoter.source import PromoterSource
from npsbridge.sandbox.promoter import PastFeedback, PromoterServer
from unit.sandbox.calling import Hands, OneClock

DAY = 86_400


class Engine:
    """One connection to a look-alike, on the look-alike's clock.

    Attributes:
        clock: Ours, which can be set.
        checkpoint: Of the last stored page.
        stored: Every record that was not stored before, byte for byte, in order.
        pages: All pages, in order.
    """

    def __init__(self, server: PromoterServer, hands: Hands, session: aiohttp.ClientSession, **settings: Any) -> None:
        self.server = server
        self.hands = hands
        self.clock = OneClock(hands)
        self._session = session
        self._settings = {"api_key": server.api_key, "base_url": server.base_url, **settings}
        self.checkpoint: bytes | None = None
        self.stored: list[bytes] = []
        self.pages: list[Page] = []
        self.source = self.restarted()

    def wiring(self) -> Wiring[PromoterSettings]:
        http = HttpClient(self._session, Metrics(), connection="promoter")
        settings = PromoterSettings.model_validate(self._settings)
        return Wiring(name="promoter", settings=settings, http=http, clock=self.clock, prefix="NPSBRIDGE_PROMOTER__")

    def restarted(self) -> PromoterSource:
        """As after a crash: nothing is known but the checkpoint."""
        self.source = PromoterSource(self.wiring())
        return self.source

    async def steps(self) -> AsyncIterator[Page]:
        """A round, page by page; each is stored before it is shown."""
        async for page in self.source.read(self.checkpoint):
            self.pages.append(page)
            self.checkpoint = page.checkpoint
            self.stored += [record for record in page.records if record not in self.stored]
            yield page

    async def poll(self) -> list[int]:
        """A whole round; the ids of what came new or changed, in order."""
        before = len(self.stored)
        async for _ in self.steps():
            pass
        return [number_of(record) for record in self.stored[before:]]

    async def cost(self) -> int:
        """How many requests a round takes."""
        before = len(self.server.requests)
        await self.poll()
        return len(self.server.requests) - before

    @property
    def place(self) -> Any:
        """What the checkpoint says."""
        return msgspec.json.decode(self.checkpoint or b"null")

    def comment(self, feedback_id: int) -> str | None:
        """The comment that was stored last."""
        records = [record for record in self.stored if number_of(record) == feedback_id]
        return parse("promoter", records[-1]).comment

    def asked(self, start: int = 0) -> list[str]:
        """The targets of the requests from one on."""
        return [request.target for request in self.server.requests[start:]]


def number_of(record: bytes) -> int:
    """The id of a record."""
    return int(parse("promoter", record).id)


def load(server: PromoterServer, days_ago: list[float], **fields: Any) -> list[int]:
    """Answers so many days before now, each of somebody else."""
    now = int(server.now())
    return server.load(
        PastFeedback(email=f"p{at}@acme.test", score=at % 11, posted_at=now - int(days * DAY), **fields)
        for at, days in enumerate(days_ago)
    )
