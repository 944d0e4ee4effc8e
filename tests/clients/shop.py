"""A shop that uses an SDK: the SDK at one end, Delighted's look-alike at the other, the daemon between them."""

import asyncio
import json
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clients.door import Cut, Door, door_before
from clients.sdk import Call, Sdk
from end_to_end.harness import World, at_rest, until, world
from npsbridge.app import App
from npsbridge.core.records import Ledger

WRITE_KEY = "key-of-the-web-shop"
PURCHASE = "Order Completed"
"""Triggers a survey."""

SETTINGS = {
    "DELIGHTED__PULL": "false",
    "DELIGHTED__SURVEYS": json.dumps([PURCHASE]),
    "INGEST__WRITE_KEYS": json.dumps([WRITE_KEY]),
}

ONE_OF_EACH: list[Call] = [
    {"type": "identify", "userId": "u1", "traits": {"email": "ana@example.org", "name": "Ana Lee", "plan": "team"}},
    {"type": "page", "userId": "u1", "name": "Cart", "properties": {"path": "/cart"}},
    {"type": "group", "userId": "u1", "groupId": "g1", "traits": {"name": "Lee Ltd", "plan": "enterprise"}},
    {"type": "alias", "previousId": "visitor-1", "userId": "u1"},
    {"type": "track", "userId": "u1", "event": PURCHASE, "properties": {"order_id": "o-7", "revenue": 39.95}},
]
ANA: dict[str, Any] = {"email": "ana@example.org", "name": "Ana Lee"}
ASKED_FOR_ONE_OF_EACH: list[dict[str, Any]] = [
    {**ANA, "send": False, "properties": {"plan": "team", "segment_user_id": "u1"}},
    {
        **ANA,
        "send": True,
        "channel": "email",
        "delay": 0,
        "properties": {"plan": "team", "order_id": "o-7", "revenue": 39.95, "segment_user_id": "u1"},
    },
]
"""What contract §5 makes of these calls at Delighted."""


def basic(write_key: str) -> str:
    """The header that says a key."""
    return f"Basic {b64encode(f'{write_key}:'.encode()).decode()}"


def visits(people: int) -> Iterator[Call]:
    """Ten calls for each of so many people: who they are, what they look at, what they buy."""
    for number in range(people):
        who = {"userId": f"u{number}"}
        yield {"type": "identify", **who, "traits": {"email": f"p{number}@example.org"}}
        yield from ({"type": "page", **who, "name": f"Page {page}"} for page in range(8))
        yield {"type": "track", **who, "event": PURCHASE, "properties": {"number": number}}


def asked(both: World) -> list[Any]:
    """What Delighted was asked for, in order."""
    return [request.body for request in both.delighted.requests if request.method == "POST"]


@dataclass(kw_only=True)
class Shop:
    """One SDK before one daemon. Made by `shop`."""

    sdk: Sdk
    both: World
    app: App
    door: Door

    async def send(self, calls: Sequence[Call], *, write_key: str = WRITE_KEY) -> list[str]:
        """Send calls by the SDK, which ends when it is done; the errors that it reported."""
        return await self.sdk.send(calls, url=self.door.url, write_key=write_key)

    async def send_through(self, calls: Sequence[Call], cut: Cut) -> list[str]:
        """The same, but the first request meets a mishap; the door lets nobody in before that is over."""
        async with asyncio.TaskGroup() as group:
            with self.door.cutting(cut):
                sending = group.create_task(self.send(calls))
                await until(self.door.has_cut.is_set)
        return sending.result()

    async def rests(self) -> Ledger:
        """Wait until nothing is left to do; the ledger."""
        await until(lambda: at_rest(self.app))
        return await self.app.store.ledger()

    def asked(self) -> list[Any]:
        """What Delighted was asked for, in order."""
        return asked(self.both)

    def surveyed(self) -> Counter[str]:
        """How many surveys Delighted was asked for, by email."""
        return Counter(request["email"] for request in self.asked() if request["send"])

    def arrived(self, result: str) -> int:
        """How many calls, or refused requests, the daemon has counted at its own door."""
        value = self.app.metrics.registry.get_sample_value(
            "npsbridge_ingest_events_total", {"source": "sdk", "result": result}
        )
        return int(value or 0)

    async def check_each_counts_once(self, calls: Sequence[Call]) -> Ledger:
        """Every call arrived under the messageId that the SDK gave it, and none was dealt with twice.

        A page that somebody known looks at leaves nothing but a count.
        """
        ledger, message_ids = await self.rests(), set(self.door.message_ids)
        assert len(message_ids) == len(calls)
        wanted = {call["messageId"] for call in self.door.calls if call["type"] != "page"}
        assert await self.app.store.seen(wanted) == wanted
        assert ledger.accepted - ledger.duplicate == len(calls)
        assert ledger.accepted == ledger.delivered + ledger.filtered + ledger.duplicate
        return ledger


@asynccontextmanager
async def shop(folder: Path, sdk: Sdk) -> AsyncIterator[Shop]:
    """All that a test needs; its ledger must balance at the end."""
    sdk.command()  # before anything else, for it may skip the test
    async with world(folder, **SETTINGS) as both, both.daemon() as app, door_before(app.public_port) as door:
        yield Shop(sdk=sdk, both=both, app=app, door=door)
