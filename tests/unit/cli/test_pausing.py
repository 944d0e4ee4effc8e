"""`pause` and `resume` beside no daemon."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from contract.store.examples import sqlite_url
from npsbridge.clock import Clock
from npsbridge.core.records import Health
from npsbridge.engine.pauses import paused_in
from npsbridge.store import open_store
from unit.cli.commands import Ended

Command = Callable[..., Ended]

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture(autouse=True)
def _configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPSBRIDGE_SEGMENT__WRITE_KEY", "key-of-the-test")


def paused(url: str) -> frozenset[str]:
    async def look() -> frozenset[str]:
        async with open_store(url, clock=Clock(), exclusive=False) as opened:
            return paused_in(await opened.facts())

    return asyncio.run(look())


def shown(npsbridge: Command) -> list[tuple[str, str, str | None]]:
    """The lines of `status`."""
    lines = json.loads(npsbridge("status", "--json").out)["connections"]
    return [(f"{one['connection']}:{one['direction']}", one["state"], one["reason"]) for one in lines]


def test_a_pause_is_durable_and_shown_by_status(npsbridge: Command, store: str) -> None:
    ended = npsbridge("pause", "segment")
    assert ended.code == 0
    assert paused(store) == {"segment"}
    assert "when the next daemon starts; none is running" in ended.out
    assert shown(npsbridge) == [("segment:forward", "paused", "paused by hand; npsbridge resume segment")]


def test_a_resumed_connection_is_paused_no_more(npsbridge: Command, store: str) -> None:
    npsbridge("pause", "segment")
    assert npsbridge("resume", "segment").code == 0
    assert (paused(store), shown(npsbridge)) == (frozenset(), [("segment:forward", "waiting_for_data", None)])


def test_what_had_been_delivered_to_is_connected_again(npsbridge: Command, store: str) -> None:
    async def deliver() -> None:
        async with open_store(store, clock=Clock()) as opened:
            await opened.note_fact("first_delivery_at:segment", "1")

    asyncio.run(deliver())
    npsbridge("pause", "segment")
    npsbridge("resume", "segment")
    assert shown(npsbridge) == [("segment:forward", "connected", None)]


def test_a_retired_direction_stays_retired(npsbridge: Command, store: str) -> None:
    async def retire() -> None:
        async with open_store(store, clock=Clock()) as opened:
            await opened.note_health(Health(connection="segment", direction="forward", state="retired", since=0))

    asyncio.run(retire())
    npsbridge("pause", "segment")
    assert [state for _, state, _ in shown(npsbridge)] == ["retired"]


@pytest.mark.parametrize(
    ("before", "verb", "said"),
    [("pause", "pause", "segment is paused already.\n"), ("resume", "resume", "segment is not paused.\n")],
)
def test_doing_it_twice_is_no_mistake(npsbridge: Command, before: str, verb: str, said: str) -> None:
    npsbridge(before, "segment")
    again = npsbridge(verb, "segment")
    assert (again.code, again.out) == (0, said)


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_an_unknown_connection_is_a_mistake(npsbridge: Command, store: str, verb: str) -> None:
    refused = npsbridge(verb, "segmnt")
    assert (refused.code, refused.err) == (64, "npsbridge: there is no connection segmnt; configured: segment\n")
    assert paused(store) == frozenset()


def test_a_connection_can_be_paused_before_the_first_start(
    npsbridge: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "new").mkdir()
    monkeypatch.setenv("NPSBRIDGE_STORE_URL", sqlite_url(tmp_path / "new"))
    assert npsbridge("pause", "segment").code == 0
    assert paused(sqlite_url(tmp_path / "new")) == {"segment"}


def test_as_json_it_says_what_holds_from_now_on_and_whether_that_is_news(npsbridge: Command) -> None:
    said = [json.loads(npsbridge("pause", "segment", "--json").out) for _ in range(2)]
    assert said[0] == {"connection": "segment", "paused": True, "changed": True, "daemon": {"running": False}}
    assert said[1] == said[0] | {"changed": False}
