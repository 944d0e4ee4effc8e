"""Trying the key, and saying what cannot be proved."""

import pytest

from npsbridge.platforms.retently import platform
from npsbridge.platforms.retently.check import check
from npsbridge.sandbox.faults import Answer, html, status
from unit.platforms.retently.bench import Bench


@pytest.mark.parametrize("has_ping", [True, False])
async def test_a_good_key_is_good(bench: Bench, *, has_ping: bool) -> None:
    bench.server.change_switches({"has_ping": has_ping})
    first, *rest = await check(bench.wiring())
    assert (first.is_good, first.text) == (True, "NPSBRIDGE_RETENTLY__API_KEY is good")
    assert {finding.is_good for finding in rest} == {None}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (status(401), "NPSBRIDGE_RETENTLY__API_KEY"),
        (status(403), "NPSBRIDGE_RETENTLY__API_KEY"),
        (status(410), "ended"),
        (status(503), "503"),
        (html(), "NPSBRIDGE_RETENTLY__BASE_URL"),
    ],
)
async def test_a_bad_one_is_told_with_its_setting(bench: Bench, fault: Answer, words: str) -> None:
    bench.server.faults.add(fault)
    [finding] = await check(bench.wiring())
    assert finding.is_good is False
    assert words in finding.text


async def test_a_wrong_address_is_told(bench: Bench) -> None:
    [finding] = await check(bench.wiring(base_url=bench.server.origin + "/elsewhere"))
    assert "NPSBRIDGE_RETENTLY__BASE_URL" in finding.text


async def test_with_a_token_it_says_what_the_webhook_should_send(bench: Bench) -> None:
    texts = [finding.text for finding in await check(bench.wiring(webhook_token="t0ken"))]
    assert any('"metricsType"' in text for text in texts)


async def test_no_key_is_in_what_it_says(bench: Bench) -> None:
    bench.server.change_switches({"standing": "unauthorized"})
    assert all(bench.server.api_key not in finding.text for finding in await check(bench.wiring()))


def test_the_platform_has_all_its_parts(bench: Bench) -> None:
    assert platform.name == "retently"
    assert platform.requests_per_minute(bench.wiring(rate_limit=150).settings) == 150
    assert platform.source is not None
    assert platform.source(bench.wiring()).connection == "retently"
