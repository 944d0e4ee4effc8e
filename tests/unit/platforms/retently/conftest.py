"""A look-alike of Retently and the means to read it."""

from collections.abc import AsyncIterator

import pytest

from npsbridge.net.client import open_session
from npsbridge.sandbox.retently import RetentlyServer, RetentlySwitches
from unit.platforms.retently.bench import Bench
from unit.sandbox.calling import Hands


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    hands = Hands()
    async with (
        RetentlyServer(now=hands, switches=RetentlySwitches(rate_limit=None)) as server,
        open_session() as session,
    ):
        yield Bench(server, session, hands)
