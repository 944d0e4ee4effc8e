"""A look-alike of Retently with a clock that stands still, and a caller with its key."""

from collections.abc import AsyncIterator

import pytest

from npsbridge.sandbox.retently import RetentlyServer
from unit.sandbox.calling import Caller, Hands


@pytest.fixture
async def retently(hands: Hands) -> AsyncIterator[RetentlyServer]:
    async with RetentlyServer(now=hands) as server:
        yield server


@pytest.fixture
async def api(retently: RetentlyServer) -> AsyncIterator[Caller]:
    async with Caller(retently.base_url, {"Authorization": f"api_key={retently.api_key}"}) as caller:
        yield caller
