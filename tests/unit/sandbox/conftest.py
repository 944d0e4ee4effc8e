"""Look-alikes on free ports, with a clock that stands still."""

from collections.abc import AsyncIterator

import pytest

from npsbridge.sandbox import DelightedServer, SegmentServer
from unit.sandbox.calling import Caller, Hands, basic


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
async def delighted(hands: Hands) -> AsyncIterator[DelightedServer]:
    async with DelightedServer(now=hands) as server:
        yield server


@pytest.fixture
async def api(delighted: DelightedServer) -> AsyncIterator[Caller]:
    headers = basic(delighted.api_key) | {"Accept": "application/json"}
    async with Caller(delighted.base_url, headers) as caller:
        yield caller


@pytest.fixture
async def segment(hands: Hands) -> AsyncIterator[SegmentServer]:
    async with SegmentServer(now=hands) as server:
        yield server


@pytest.fixture
async def tracking(segment: SegmentServer) -> AsyncIterator[Caller]:
    async with Caller(segment.base_url, basic(segment.write_keys[0])) as caller:
        yield caller
