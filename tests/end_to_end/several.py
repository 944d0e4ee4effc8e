"""What tests of several replicas on one database have in common."""

import re
from typing import Final

import aiohttp
import pytest

from end_to_end.harness import until
from end_to_end.outbound import PURCHASE, Outbound
from npsbridge.app import App
from npsbridge.engine import fleet, upkeep

SOON: Final = 20.0
"""Seconds."""


def beat_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heartbeats as in life, but five times as fast."""
    monkeypatch.setattr(fleet, "BEAT_SECONDS", 0.3)
    monkeypatch.setattr(fleet, "LEASE_SECONDS", 3.0)
    monkeypatch.setattr(fleet, "MARGIN_SECONDS", 0.6)
    monkeypatch.setattr(upkeep, "RING_ANYWAY", 1.0)


def holders(app: App) -> dict[str, str | None]:
    """Who does what, as one replica sees it."""
    return {one.name: one.holder for one in app.team.fleet.holdings}


async def shared_out(*apps: App) -> None:
    """Wait until everything is done by somebody, and everybody does something."""
    names = {app.team.name for app in apps}

    def is_even() -> bool:
        return all({*holders(app).values()} == names for app in apps)

    await until(is_even, within=SOON)


async def all_done(app: App) -> None:
    """Wait until nothing is owed any more."""

    async def nothing_waits() -> bool:
        return (await app.store.ledger()).waiting == 0

    await until(nothing_waits, within=SOON)


def a_purchase(line: Outbound, number: int) -> list[dict[str, object]]:
    """Somebody is described, and then asked about what they bought."""
    user, email = f"u{number}", f"u{number}@example.com"
    return [line.identify(user, email=email), line.track(user, PURCHASE)]


async def press(app: App, path: str) -> None:
    """Say yes on a page of a replica's dashboard."""
    async with aiohttp.ClientSession(f"http://{app.admin}", headers={"Accept": "text/html"}) as session:
        async with session.get(path) as page:
            form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', await page.text()))
        async with session.post(path.partition("?")[0], data=form, allow_redirects=False) as answer:
            assert answer.status == 303
