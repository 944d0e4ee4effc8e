"""What `status` shows beside a daemon, and without one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from npsbridge.store.sqlite.lock import held_alone
from unit.cli.commands import Ended, started

Command = Callable[..., Ended]


def snapshot(npsbridge: Command) -> dict[str, Any]:
    shown = npsbridge("status", "--json")
    assert shown.code == 0
    found: dict[str, Any] = json.loads(shown.out)
    return found


@pytest.mark.usefixtures("store")
def test_the_status_is_one_object_with_a_ledger_that_balances(npsbridge: Command) -> None:
    found = snapshot(npsbridge)
    assert list(found) == ["daemon", "replicas", "unheld", "warnings", "connections", "ledger", "deliveries"]
    assert (found["ledger"]["accepted"], found["ledger"]["imbalance"]) == (4, 0)


@pytest.mark.usefixtures("store")
def test_connections_are_shown_as_they_were_noted_last(npsbridge: Command) -> None:
    assert snapshot(npsbridge)["connections"] == [
        {
            "connection": "segment",
            "direction": "forward",
            "state": "retrying",
            "since": "1970-01-01T00:00:00.000Z",
            "reason": None,
            "progress": None,
        }
    ]


@pytest.mark.usefixtures("store")
def test_unfinished_deliveries_are_counted_by_state(npsbridge: Command) -> None:
    assert snapshot(npsbridge)["deliveries"] == [
        {"connection": "delighted", "state": "dead", "count": 1},
        {"connection": "segment", "state": "dead", "count": 1},
        {"connection": "segment", "state": "queued", "count": 1},
    ]


@pytest.mark.usefixtures("store")
def test_without_a_daemon_the_states_are_told_as_past(npsbridge: Command) -> None:
    assert snapshot(npsbridge)["daemon"] == {"running": False}
    assert npsbridge("status").out.startswith("No daemon is running")


@pytest.mark.usefixtures("store")
def test_a_daemon_is_running_while_the_store_is_held(npsbridge: Command, tmp_path: Path) -> None:
    with held_alone(tmp_path / "npsbridge.db"):
        assert snapshot(npsbridge)["daemon"] == {"running": True}
        assert npsbridge("status").out.startswith("The daemon is running")


def test_looking_does_not_make_a_store(npsbridge: Command, tmp_path: Path) -> None:
    refused = npsbridge("status")
    assert refused.code == 65
    assert "npsbridge run" in refused.err
    assert list(tmp_path.iterdir()) == []


async def test_a_watched_status_is_a_document_a_line_until_interrupted(tmp_path: Path) -> None:
    from unit.cli.conftest import fill  # noqa: PLC0415

    await fill(f"sqlite:///{tmp_path}/npsbridge.db")
    async with started("status", "--watch", "--json") as watching:
        line = await watching.line_with("ledger")
        ended = await watching.end()
    assert json.loads(line)["daemon"] == {"running": False}
    assert ended.err == ""
