"""What an operator can set of a Promoter.io account."""

from typing import Any

import pytest

from npsbridge.errors import ConfigurationError
from npsbridge.platforms.promoter.settings import PromoterSettings
from npsbridge.settings import describe, load

PREFIX = "NPSBRIDGE_PROMOTER__"


def loaded(**variables: str) -> Any:
    environ = {PREFIX + name: text for name, text in {"API_KEY": "k", **variables}.items()}
    return load({"promoter": PromoterSettings}, environ=environ).connections["promoter"].settings


def problem(**variables: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        loaded(**variables)
    return str(caught.value)


def test_the_defaults_are_those_of_the_contract() -> None:
    settings = loaded()
    assert settings.base_url == "https://app.promoter.io/api"
    assert (settings.campaign_id, settings.list_id, settings.webhook_token, settings.surveys) == (None, None, None, [])
    assert (settings.rate_limit, settings.rescan, settings.on_unknown) == (30, 30 * 86400, "verify")
    assert (settings.backfill, settings.pull, settings.authenticates_hooks) == (True, True, False)


def test_every_setting_says_what_it_is_for() -> None:
    documented = [doc for doc in describe({"promoter": PromoterSettings}) if doc.platform == "promoter"]
    assert {doc.name.removeprefix(PREFIX) for doc in documented} >= {"CAMPAIGN_ID", "LIST_ID", "SURVEYS", "OVERLAP"}
    assert [doc.name for doc in documented if not doc.meaning] == []
    assert {doc.name.removeprefix(PREFIX): doc.default for doc in documented}["SURVEYS"] == "[]"


def test_only_the_key_is_needed() -> None:
    with pytest.raises(ConfigurationError, match="NPSBRIDGE_PROMOTER__API_KEY"):
        load({"promoter": PromoterSettings}, environ={PREFIX + "LIST_ID": "599"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('["Order Completed"]', [("Order Completed", None)]),
        ('["A",{"event":"B","campaign_id":79}]', [("A", None), ("B", 79)]),
        ('{"A":79,"B":null}', [("A", 79), ("B", None)]),
    ],
)
def test_surveys_are_names_or_name_their_own_campaign(text: str, expected: list[tuple[str, int | None]]) -> None:
    found = loaded(SURVEYS=text, CAMPAIGN_ID="78").surveys
    assert [(trigger.event, trigger.campaign_id) for trigger in found] == expected


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("SURVEYS", '["A","A"]', "twice"),
        ("SURVEYS", '[{"event":""}]', "SURVEYS"),
        ("SURVEYS", '["  "]', "must not be an empty name"),
        ("SURVEYS", '[{"event":"A","campaign_id":true}]', "must be a number"),
        ("SURVEYS", '[{"event":"A","campaign":3}]', "SURVEYS"),
        ("CAMPAIGN_ID", "-1", "CAMPAIGN_ID"),
        ("CAMPAIGN_ID", "spring", "CAMPAIGN_ID"),
        ("LIST_ID", "0", "LIST_ID"),
        ("WEBHOOK_TOKEN", "a/b", "stands in a URL"),
        ("POLL_INTERVAL", "0.5", "1 second or more"),
    ],
)
def test_a_bad_value_is_refused_by_name(name: str, text: str, words: str) -> None:
    said = problem(**{name: text})
    assert PREFIX + name in said
    assert words in said


def test_a_survey_without_any_campaign_is_refused() -> None:
    assert "NPSBRIDGE_PROMOTER__CAMPAIGN_ID" in problem(SURVEYS='["A",{"event":"B","campaign_id":79}]')
    assert loaded(SURVEYS='[{"event":"B","campaign_id":79}]').surveys[0].campaign_id == 79


def test_a_webhook_token_authenticates_hooks() -> None:
    assert loaded(WEBHOOK_TOKEN="s3cret-token").authenticates_hooks
