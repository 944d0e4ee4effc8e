"""Proof that an account works, at the end of `npsbridge connect`: its newest answers, or a test event it has taken."""

import asyncio
from datetime import datetime, timedelta
from typing import Any, Final

from npsbridge.app.parts import wire
from npsbridge.clock import Clock
from npsbridge.core.ports import Finding, Parser
from npsbridge.errors import BadRecord, VendorError
from npsbridge.metrics import Metrics
from npsbridge.net.client import open_session
from npsbridge.platforms import Platform
from npsbridge.settings import Connection

LOOK_BACK: Final = timedelta(days=30)
ENOUGH: Final = 500
"""Answers that are read at most."""
PATIENCE: Final = 30.0
"""Seconds."""


async def newest_answers(connection: Connection, platform: Platform[Any]) -> Finding:
    """Read some of the last month's answers, of which only their number and time are told; nothing is kept."""
    try:
        async with asyncio.timeout(PATIENCE):
            moments = await _moments(connection, platform)
    except VendorError as error:
        return Finding(subject=connection.name, is_good=False, text=str(error))
    except TimeoutError:
        text = f"no answers within {PATIENCE:.0f} s; they come by and by once the daemon runs"
        return Finding(subject=connection.name, is_good=False, text=text)
    if not moments:
        return Finding(subject=connection.name, is_good=True, text="the list of answers is open; none is of this month")
    newest = max(moments).strftime("%Y-%m-%d %H:%M UTC")
    more = "or more " if len(moments) >= ENOUGH else ""
    text = f"{len(moments)} {more}answers of the last 30 days can be read, the newest of {newest}"
    return Finding(subject=connection.name, is_good=True, text=text)


async def _moments(connection: Connection, platform: Platform[Any]) -> list[datetime]:
    """When the answers were given."""
    clock = Clock()
    since = {"backfill": True, "backfill_since": clock.now() - LOOK_BACK}
    recent = connection.model_copy(update={"settings": connection.settings.model_copy(update=since)})
    found: dict[str, datetime] = {}
    async with open_session() as session:
        wiring = wire(recent, platform, session, Metrics(), clock)
        if platform.source is None or platform.parse is None:
            return []
        async for page in platform.source(wiring).read(None):
            for record in page.records:
                _take(found, platform.parse, connection.name, record)
            if len(found) >= ENOUGH or not page.backfilling:
                break
    return list(found.values())


def _take(found: dict[str, datetime], parse: Parser, name: str, record: bytes) -> None:
    try:
        response = parse(name, record)
    except BadRecord:
        return
    if not response.viewed:
        found[response.id] = response.created_at


async def send_test_event(connection: Connection, platform: Platform[Any]) -> Finding:
    """Have the platform take one event, and say where to look for it."""
    if platform.try_out is None:
        return Finding(subject=connection.name, is_good=None, text="takes no test events")
    try:
        async with open_session() as session:
            text = await platform.try_out(wire(connection, platform, session, Metrics(), Clock()))
    except VendorError as error:
        return Finding(subject=connection.name, is_good=False, text=str(error))
    return Finding(subject=connection.name, is_good=True, text=text)
