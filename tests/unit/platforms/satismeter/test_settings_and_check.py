"""What can be set, and what a check finds out."""

from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from npsbridge.platforms.satismeter import platform
from npsbridge.platforms.satismeter.check import check
from npsbridge.platforms.satismeter.settings import SatisMeterSettings
from npsbridge.sandbox.faults import html, status
from unit.platforms.satismeter.driving import DAY, Bench, bench


def test_the_defaults_are_those_of_the_contract() -> None:
    settings = SatisMeterSettings()
    assert settings.base_url == "https://app.satismeter.com/api"
    assert (settings.api_key, settings.project_id, settings.write_key, settings.webhook_token) == (None,) * 4
    assert (settings.events, settings.rescan, settings.rate_limit, settings.on_unknown) == ([], 30 * DAY, 60, "hold")
    assert SatisMeterSettings.key_fields == ("api_key", "project_id")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("project_id", "5f00/../x"),
        ("project_id", ""),
        ("base_url", "app.satismeter.com"),
        ("events", [""]),
        ("events", "Order Completed"),
        ("poll_interval", 0.5),
        ("rate_limit", -1),
        ("overlap", "soon"),
        ("colour", "red"),
    ],
)
def test_a_bad_value_is_refused_with_its_name(field: str, value: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        SatisMeterSettings(**{field: value})
    assert [error["loc"][0] for error in refused.value.errors()] == [field]


def test_the_rate_limit_is_that_of_the_settings() -> None:
    assert platform.requests_per_minute(SatisMeterSettings(rate_limit=12)) == 12


def test_the_platform_has_every_inbound_part() -> None:
    assert platform.name == "satismeter"
    assert None not in (platform.parse, platform.source, platform.hook, platform.compose, platform.check)


async def test_a_good_key_is_one_request_and_what_cannot_be_proved_is_said(project: Bench) -> None:
    good, hooks, segment = await check(project.wiring(webhook_token=SecretStr("tok")))
    assert (good.is_good, hooks.is_good, segment.is_good) == (True, None, None)
    assert "NPSBRIDGE_SATISMETER__API_KEY" in good.text
    assert "Segment integration must be off" in segment.text
    assert project.asked == 1


async def test_without_a_token_the_check_says_what_stays_unknown(project: Bench) -> None:
    _, hooks, _ = await check(project.wiring())
    assert "NPSBRIDGE_SATISMETER__WEBHOOK_TOKEN" in hooks.text


async def test_an_old_key_is_good_with_a_remark() -> None:
    async with bench(key_generation="old") as project:
        assert "old export" in (await check(project.wiring()))[0].text


@pytest.mark.parametrize(
    ("fault", "words"),
    [(status(401), "API_KEY"), (status(404), "PROJECT_ID"), (status(503), "503"), (html(), "not a list")],
)
async def test_trouble_is_told_in_one_finding(project: Bench, fault: Any, words: str) -> None:
    project.server.faults.add(fault, times=None)
    [finding] = await check(project.wiring())
    assert finding.is_good is False
    assert words in finding.text
