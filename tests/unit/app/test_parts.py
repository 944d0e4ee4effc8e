"""From settings to working parts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from npsbridge.app.parts import Parts, assemble, idle_warnings, rules
from npsbridge.clock import Clock
from npsbridge.metrics import Metrics
from npsbridge.net.client import open_session
from npsbridge.platforms import settings_classes
from npsbridge.settings import Settings, load

BOTH = {"DELIGHTED__API_KEY": "key-of-delighted", "SEGMENT__WRITE_KEY": "key-of-segment"}


def settings(**wanted: str) -> Settings:
    return load(settings_classes(), environ={f"NPSBRIDGE_{name}": value for name, value in wanted.items()})


@asynccontextmanager
async def parts_of(**wanted: str) -> AsyncIterator[Parts]:
    async with open_session() as session:
        yield assemble(settings(**wanted), session, Metrics(), Clock())


async def test_a_survey_platform_is_read_and_heard_and_segment_is_told() -> None:
    async with parts_of(**BOTH) as parts:
        assert [source.connection for source in parts.sources] == ["delighted"]
        assert list(parts.receivers) == ["delighted"]
        assert "delighted" in parts.parsers
        assert [sink.connection for sink in parts.sinks] == ["segment"]


async def test_further_accounts_have_parts_of_their_own() -> None:
    account = {"CONNECTIONS__EU__PLATFORM": "delighted", "CONNECTIONS__EU__API_KEY": "key-of-eu"}
    async with parts_of(**BOTH, **account) as parts:
        assert sorted(source.connection for source in parts.sources) == ["delighted", "eu"]
        assert sorted(parts.receivers) == ["delighted", "eu"]


async def test_a_direction_that_is_switched_off_has_no_part() -> None:
    async with parts_of(**BOTH, DELIGHTED__PULL="false") as parts:
        assert parts.sources == []
        assert list(parts.receivers) == ["delighted"]


async def test_who_signs_nothing_is_heard_by_token_and_read_back() -> None:
    account = {"RETENTLY__API_KEY": "key-of-retently", "RETENTLY__WEBHOOK_TOKEN": "a-long-token"}
    async with parts_of(**BOTH, **account) as parts:
        assert {name: hook.token for name, hook in parts.hooks.items()} == {"retently": "a-long-token"}
        assert id(parts.lookups["retently"]) in map(id, parts.sources)


async def test_without_a_token_there_is_no_hook() -> None:
    async with parts_of(**BOTH, RETENTLY__API_KEY="key-of-retently") as parts:
        assert (parts.hooks, parts.lookups) == ({}, {})


async def test_hints_are_read_back_even_where_nothing_is_polled() -> None:
    account = {"RETENTLY__API_KEY": "k", "RETENTLY__WEBHOOK_TOKEN": "a-long-token", "RETENTLY__PULL": "false"}
    async with parts_of(**BOTH, **account) as parts:
        assert [source.connection for source in parts.sources] == ["delighted"]
        assert list(parts.lookups) == ["retently"]


async def test_the_sinks_know_what_their_first_delivery_freezes() -> None:
    async with parts_of(**BOTH, HEAP__APP_ID="123") as parts:
        assert parts.frozen == {"segment": {}, "heap": {"frozen:heap:identity": "user_id"}}


async def test_without_a_sink_nothing_is_taken_in() -> None:
    async with parts_of(DELIGHTED__API_KEY="key-of-delighted") as parts:
        working = parts.with_work()
        assert (working.sources, working.receivers, working.sinks) == ([], {}, [])
        assert "delighted" in working.parsers


async def test_with_a_sink_everything_stays() -> None:
    async with parts_of(**BOTH) as parts:
        assert parts.with_work() is parts


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({}, ["no connection is configured"]),
        (BOTH, []),
        ({"DELIGHTED__API_KEY": "key-of-delighted"}, ["nowhere to send answers"]),
    ],
)
async def test_what_has_nothing_to_do_is_said(wanted: dict[str, str], said: list[str]) -> None:
    async with parts_of(**wanted) as parts:
        warnings = idle_warnings(settings(**wanted), parts)
    assert len(warnings) == len(said)
    assert all(part in warning for part, warning in zip(said, warnings, strict=True))


def test_the_operators_wishes_reach_the_rules() -> None:
    made = rules(
        settings(
            EVENTS__NAMES='["Submit Survey"]',
            EVENTS__ON_UPDATE="traits",
            EVENTS__SETTLE="90s",
            EVENTS__ALSO='["delighted_source"]',
            IDENTITY__ALLOW_EMAIL_USER_ID="true",
        )
    )
    assert made.events.names == {"Submit Survey"}
    assert made.events.on_update == "traits"
    assert made.events.also == {"delighted_source"}
    assert (made.settle_ms, made.allow_email_user_id) == (90_000, True)
