"""The look-alike on a free port, with a clock that stands still."""

from collections.abc import AsyncIterator

import pytest

from npsbridge.sandbox.heap import HeapServer
from unit.sandbox.calling import Caller, Hands


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
async def heap(hands: Hands) -> AsyncIterator[HeapServer]:
    async with HeapServer(now=hands) as server:
        yield server


@pytest.fixture
async def api(heap: HeapServer) -> AsyncIterator[Caller]:
    async with Caller(heap.base_url) as caller:
        yield caller
