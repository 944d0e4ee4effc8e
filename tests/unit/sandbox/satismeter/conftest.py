"""A project with a caller that holds its key."""

from collections.abc import AsyncIterator

import pytest

from npsbridge.sandbox.satismeter import SatisMeterServer
from unit.sandbox.calling import Caller, Hands


@pytest.fixture
async def satismeter(hands: Hands) -> AsyncIterator[SatisMeterServer]:
    async with SatisMeterServer(now=hands) as server:
        yield server


@pytest.fixture
async def project(satismeter: SatisMeterServer) -> AsyncIterator[Caller]:
    headers = {"Authorization": f"Bearer {satismeter.api_key}"}
    async with Caller(satismeter.base_url, headers) as caller:
        yield caller
