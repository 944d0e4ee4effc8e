"""What an operator can set of a Delighted account."""

import base64
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from npsbridge.platforms.delighted.settings import DelightedSettings, SurveyRule, authorized


def settings(**given: Any) -> DelightedSettings:
    return DelightedSettings(**given)


def test_a_list_of_events_takes_the_defaults() -> None:
    rules = settings(surveys=["Order Completed", "Signed Up"]).surveys
    assert rules == {"Order Completed": SurveyRule(), "Signed Up": SurveyRule()}
    assert SurveyRule() == SurveyRule(sample_rate=1.0, delay=0, channel="email")


def test_an_event_may_have_rules_of_its_own() -> None:
    rules = settings(surveys={"Signed Up": {"sample_rate": 0.5, "delay": 60, "channel": "sms"}}).surveys
    assert rules["Signed Up"] == SurveyRule(sample_rate=0.5, delay=60, channel="sms")


@pytest.mark.parametrize(("written", "seconds"), [(90, 90), ("90", 90), ("90s", 90), ("15m", 900), ("2d", 172_800)])
def test_a_delay_is_written_like_any_duration(written: object, seconds: int) -> None:
    assert settings(surveys={"Signed Up": {"delay": written}}).surveys["Signed Up"].delay == seconds


@pytest.mark.parametrize(
    "rule",
    [
        {"sample_rate": 1.1},
        {"sample_rate": -0.1},
        {"delay": -1},
        {"delay": "soon"},
        {"channel": "pigeon"},
        {"sample_rat": 1},
        {"sample_rate": True},
        {"delay": True},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(surveys={"Signed Up": rule})


@pytest.mark.parametrize("surveys", [[""], ["Signed Up", "  "], {"": {}}])
def test_an_event_without_a_name_is_refused(surveys: object) -> None:
    with pytest.raises(ValidationError, match="must not be an empty name"):
        settings(surveys=surveys)


@pytest.mark.parametrize("given", [{"poll_interval": 0.5}, {"overlap": -1}, {"rate_limit": -1}, {"rescan": "soon"}])
def test_figures_out_of_range_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**given)


def test_durations_may_be_written_with_units() -> None:
    given = settings(poll_interval="90s", overlap="15m", rescan="30d")
    assert (given.poll_interval, given.overlap, given.rescan) == (90, 900, 30 * 86_400)


@pytest.mark.parametrize(("given", "can"), [({}, False), ({"api_key": "k"}, True), ({"webhook_secret": "s"}, True)])
def test_webhooks_can_prove_themselves_with_a_key_or_a_secret(given: dict[str, str], *, can: bool) -> None:
    assert settings(**given).authenticates_hooks is can


def test_i19_the_keys_do_not_show() -> None:
    shown = repr(settings(api_key="canary-1", webhook_secret="canary-2"))
    assert "canary" not in shown


def test_a_key_of_any_letters_fits_the_header() -> None:
    header = authorized(settings(api_key=SecretStr("schlüssel")))["Authorization"]
    assert base64.b64decode(header.removeprefix("Basic ")).decode() == "schlüssel:"
