"""The account's limit, in virtual time on real sockets."""

import asyncio

import aiohttp
import pytest

from npsbridge.clock import Clock
from npsbridge.core.pace import RateWindow
from npsbridge.metrics import Metrics
from npsbridge.net.client import HttpClient
from npsbridge.platforms.base import Wiring
from npsbridge.platforms.promoter import platform
from npsbridge.platforms.promoter.settings import PromoterSettings
from npsbridge.platforms.promoter.source import PromoterSource
from npsbridge.sandbox.promoter import PromoterServer
from npsbridge.sandbox.rate import RateLimit
from unit.platforms.promoter.engine import load
from unit.sandbox.calling import NEW_YEAR


def _now() -> float:
    return NEW_YEAR + asyncio.get_running_loop().time()


async def _read_for(source: PromoterSource, seconds: float) -> None:
    """Round after round, with the pauses of a poller."""
    checkpoint: bytes | None = None
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + seconds
    while loop.time() < ends_at:
        async for page in source.read(checkpoint):
            checkpoint = page.checkpoint
        await asyncio.sleep(source.poll_interval)


@pytest.mark.looptime(noop_cycles=8)
async def test_a_limit_that_is_the_vendors_own_is_never_refused() -> None:
    settings = PromoterSettings.model_validate({"api_key": "sandbox-promoter-key"})
    async with PromoterServer(now=_now) as server, aiohttp.ClientSession() as session:
        server.change_switches({"rate_limit": RateLimit(requests=30)})
        load(server, [900 - at / 10 for at in range(8_990)])
        window = RateWindow(platform.requests_per_minute(settings), 60.0)
        http = HttpClient(session, Metrics(), connection="promoter", window=window)
        settings = settings.model_copy(update={"base_url": server.base_url})
        wiring = Wiring(name="promoter", settings=settings, http=http, clock=Clock(_now), prefix="NPSBRIDGE_PROMOTER__")
        await _read_for(PromoterSource(wiring), 600)
        assert len(server.requests) > 100
        assert {request.status for request in server.requests} == {200}
