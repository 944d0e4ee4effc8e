"""What `check` finds out, alone and with the vendors."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from npsbridge.sandbox import DelightedServer, SegmentServer
from unit.cli.commands import Ended, between

Command = Callable[..., Ended]
Online = Callable[..., Awaitable[tuple[int, list[dict[str, Any]]]]]


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPSBRIDGE_DELIGHTED__API_KEY", "a-delighted-key")
    monkeypatch.setenv("NPSBRIDGE_SEGMENT__WRITE_KEY", "a-segment-key")


@pytest.fixture
def online(beside: Callable[..., Awaitable[Ended]]) -> Online:
    """Exit code and findings against two look-alikes."""

    async def check(**changes: str) -> tuple[int, list[dict[str, Any]]]:
        async with DelightedServer() as delighted, SegmentServer() as segment:
            named = {f"NPSBRIDGE_{name}": value for name, value in changes.items()}
            checked = await beside("check", "--online", "--json", environ=between(delighted, segment) | named)
        return checked.code, findings(checked)

    return check


def findings(ended: Ended) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(ended.out)
    return found


@pytest.mark.usefixtures("configured")
def test_good_settings_are_said_to_be_good(npsbridge: Command) -> None:
    checked = npsbridge("check")
    assert checked.code == 0
    assert checked.out.startswith("ok      settings: every setting can be used\n")


@pytest.mark.usefixtures("configured")
def test_the_webhook_url_is_made_of_the_public_url(npsbridge: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPSBRIDGE_PUBLIC_URL", "https://nps.example.com/bridge/")
    assert "https://nps.example.com/bridge/hooks/delighted\n" in npsbridge("check").out


@pytest.mark.usefixtures("configured")
def test_the_url_of_a_token_hook_names_the_setting_and_never_shows_the_token(
    npsbridge: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPSBRIDGE_RETENTLY__API_KEY", "a-retently-key")
    monkeypatch.setenv("NPSBRIDGE_RETENTLY__WEBHOOK_TOKEN", "a-long-secret-token")
    shown = npsbridge("check").out
    assert "/hooks/retently/<NPSBRIDGE_RETENTLY__WEBHOOK_TOKEN>\n" in shown
    assert "a-long-secret-token" not in shown


@pytest.mark.usefixtures("configured")
def test_where_calls_are_to_be_sent_is_said(npsbridge: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPSBRIDGE_PUBLIC_URL", "https://nps.example.com")
    monkeypatch.setenv("NPSBRIDGE_INGEST__WRITE_KEYS", '["a-key-of-the-shop"]')
    monkeypatch.setenv("NPSBRIDGE_INGEST__WEBHOOK_SECRET", "a-shared-secret")
    shown = npsbridge("check").out
    assert "https://nps.example.com/hooks/segment\n" in shown
    assert "SDKs send to https://nps.example.com (" in shown
    assert "a-key-of-the-shop" not in shown


@pytest.mark.usefixtures("configured")
def test_without_a_public_url_the_webhook_url_is_said_to_be_of_no_use(npsbridge: Command) -> None:
    subjects = [found["subject"] for found in findings(npsbridge("check", "--json")) if found["good"] is None]
    assert subjects == ["NPSBRIDGE_PUBLIC_URL"]


def test_nothing_configured_is_a_wrong_configuration(npsbridge: Command) -> None:
    checked = npsbridge("check")
    assert checked.code == 78
    assert "NPSBRIDGE_DELIGHTED__API_KEY" in checked.out


def test_a_daemon_that_only_passes_calls_on_needs_no_sink(npsbridge: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPSBRIDGE_DELIGHTED__API_KEY", "a-delighted-key")
    monkeypatch.setenv("NPSBRIDGE_INGEST__WRITE_KEYS", '["a-key-of-the-shop"]')
    checked = npsbridge("check", "--json")
    assert checked.code == 0
    assert next(one["text"] for one in findings(checked) if one["good"] is None).startswith("there is nowhere to send")


def test_f42_every_fault_is_a_finding(npsbridge: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPSBRIDGE_LISTEM", "x")
    monkeypatch.setenv("NPSBRIDGE_LOG_LEVEL", "LOUD")
    checked = npsbridge("check", "--json")
    assert checked.code == 78
    assert [(found["subject"], found["good"]) for found in findings(checked)] == [
        ("NPSBRIDGE_LISTEM", False),
        ("NPSBRIDGE_LOG_LEVEL", False),
    ]


@pytest.mark.usefixtures("configured")
def test_a_store_whose_driver_is_not_installed_is_found_before_it_is_needed(
    npsbridge: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPSBRIDGE_STORE_URL", "postgresql://nps:secret-word@localhost/nps")
    monkeypatch.setattr("npsbridge.store.find_spec", lambda _: None)
    checked = npsbridge("check")
    assert checked.code == 78
    assert "wrong   NPSBRIDGE_STORE_URL" in checked.out
    assert "pip install 'npsbridge[postgres]'" in checked.out
    assert "secret-word" not in checked.out + checked.err


@pytest.mark.usefixtures("configured")
def test_i19_no_key_is_shown(npsbridge: Command) -> None:
    checked = npsbridge("check")
    assert "a-delighted-key" not in checked.out + checked.err


async def test_good_keys_are_good_and_what_cannot_be_proved_is_said(online: Online) -> None:
    code, found = await online()
    assert code == 0
    assert [(one["subject"], one["good"]) for one in found if one["subject"] in ("delighted", "segment")][1:] == [
        ("delighted", True),
        ("delighted", None),
        ("segment", True),
        ("segment", None),
    ]


async def test_a_key_that_delighted_refuses_is_69_and_names_its_setting(online: Online) -> None:
    code, found = await online(DELIGHTED__API_KEY="another-key")
    assert code == 69
    assert [one["subject"] for one in found if one["good"] is False] == ["delighted"]
    assert any("NPSBRIDGE_DELIGHTED__API_KEY" in one["text"] for one in found)


async def test_f45_a_write_key_that_segment_does_not_know_is_found_although_it_answers_200(online: Online) -> None:
    code, found = await online(SEGMENT__WRITE_KEY="another-write-key")
    assert code == 69
    assert any("cannot be proved" in one["text"] for one in found)
