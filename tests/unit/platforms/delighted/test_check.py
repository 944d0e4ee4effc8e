"""Whether an account works, as far as it can be asked."""

import pytest

from npsbridge.core.ports import Finding
from npsbridge.platforms.delighted.check import check
from unit.platforms.delighted.driving import Bench, bench


async def findings(shop: Bench) -> list[Finding]:
    return await check(shop.wiring())


async def test_a_good_key_is_known_and_webhooks_cannot_be_proved() -> None:
    async with bench() as shop:
        good, unknown = await findings(shop)
    assert (good.is_good, good.text) == (True, "NPSBRIDGE_DELIGHTED__API_KEY is good")
    assert (unknown.is_good, "webhooks" in unknown.text) == (None, True)


@pytest.mark.parametrize(
    ("standing", "words"),
    [
        ("unauthorized", "NPSBRIDGE_DELIGHTED__API_KEY"),
        ("forbidden", "NPSBRIDGE_DELIGHTED__API_KEY"),
        ("retired", "HTTP 410"),
    ],
)
async def test_f23_a_refusal_is_told(standing: str, words: str) -> None:
    async with bench(standing=standing) as shop:
        (finding,) = await findings(shop)
    assert (finding.subject, finding.is_good) == ("shop", False)
    assert words in finding.text


async def test_f17_an_account_out_of_reach_is_told() -> None:
    async with bench() as shop:
        await shop.server.stop()
        (finding,) = await findings(shop)
    assert finding.is_good is False
    assert "no connection to 127.0.0.1" in finding.text


async def test_asking_costs_one_request() -> None:
    async with bench() as shop:
        await findings(shop)
        assert [request.path for request in shop.server.requests] == ["/v1/metrics.json"]
