"""What an operator can set of a Retently account."""

from typing import Any

import pytest
from pydantic import ValidationError

from npsbridge.platforms.retently.settings import RetentlySettings, authorized


def settings(**fields: Any) -> RetentlySettings:
    return RetentlySettings.model_validate({"api_key": "k", **fields})


def test_the_defaults_are_the_vendor_s() -> None:
    found = settings()
    assert (found.base_url, found.rate_limit) == ("https://app.retently.com/api/v2", 150)
    assert (found.poll_interval, found.overlap, found.rescan) == (60, 600, 30 * 86_400)
    assert (found.on_unknown, found.campaigns) == ("verify", {})


def test_hooks_are_authentic_by_their_token() -> None:
    assert not settings().authenticates_hooks
    assert settings(webhook_token="t0ken").authenticates_hooks


@pytest.mark.parametrize("token", ["with/slash", "with?mark", "with space", "ümlaut", ""])
def test_a_token_that_no_url_can_end_with_is_refused(token: str) -> None:
    with pytest.raises(ValidationError):
        settings(webhook_token=token)


@pytest.mark.parametrize("names", [["Order Completed", "Signed Up"], "Order Completed, Signed Up ,"], ids=repr)
def test_the_events_of_a_campaign_are_a_list_or_one_string(names: object) -> None:
    assert settings(campaigns={"c1": names}).campaigns == {"c1": ("Order Completed", "Signed Up")}


@pytest.mark.parametrize(
    "campaigns", [{"c1": []}, {"c1": " , "}, {" ": ["a"]}, {"c1": [""]}, ["c1"], {"c1": 7}], ids=str
)
def test_a_campaign_without_events_is_refused(campaigns: object) -> None:
    with pytest.raises(ValidationError):
        settings(campaigns=campaigns)


@pytest.mark.parametrize(
    "fields", [{"poll_interval": "0.5"}, {"overlap": "-1"}, {"rate_limit": -1}, {"on_unknown": "guess"}], ids=str
)
def test_a_value_that_cannot_be_meant_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        settings(**fields)


def test_durations_are_written_with_units() -> None:
    found = settings(poll_interval="2m", overlap="1h")
    assert (found.poll_interval, found.overlap) == (120, 3600)


def test_the_key_goes_into_the_header_with_the_vendor_s_prefix() -> None:
    assert authorized(settings())["Authorization"] == "api_key=k"
