"""An account with a clock that goes only when it is told to, and an engine to read it."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest

from npsbridge.sandbox.promoter import PromoterServer
from unit.platforms.promoter.engine import Engine
from unit.sandbox.calling import Hands


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
async def server(hands: Hands) -> AsyncIterator[PromoterServer]:
    async with PromoterServer(now=hands) as server:
        yield server


@pytest.fixture
async def connect(server: PromoterServer, hands: Hands) -> AsyncIterator[Callable[..., Engine]]:
    async with aiohttp.ClientSession() as session:

        def connected(**settings: Any) -> Engine:
            return Engine(server, hands, session, **settings)

        yield connected


@pytest.fixture
def engine(connect: Callable[..., Engine]) -> Engine:
    return connect()
