"""One store for each engine; the tests here know the port and nothing of what is below it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contract.store.examples import ENGINES, Wall
from npsbridge.clock import Clock
from npsbridge.core.storage import Store
from npsbridge.store import open_store


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def clock(wall: Wall) -> Clock:
    return Clock(wall)


@pytest.fixture(params=sorted(ENGINES))
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a fresh store of the engine can be."""
    return ENGINES[request.param](tmp_path)


@pytest.fixture
async def store(store_url: str, clock: Clock) -> AsyncIterator[Store]:
    async with open_store(store_url, clock=clock) as opened:
        yield opened
