"""The look-alike on a free port, with a clock that stands still, and a caller with its key."""

from collections.abc import AsyncIterator

import pytest

from npsbridge.sandbox.promoter import PromoterServer
from unit.sandbox.calling import Caller, Hands


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
async def promoter(hands: Hands) -> AsyncIterator[PromoterServer]:
    async with PromoterServer(now=hands) as server:
        yield server


@pytest.fixture
async def api(promoter: PromoterServer) -> AsyncIterator[Caller]:
    headers = {"Authorization": f"Token {promoter.api_key}"}
    async with Caller(promoter.base_url, headers) as caller:
        yield caller
