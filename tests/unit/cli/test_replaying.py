"""`replay`: what was sent is sent again, and what a sink never heard of is told to it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
import typer

from contract.store.examples import owe, planned, remembered, route, settle, sqlite_url
from npsbridge.clock import Clock
from npsbridge.core.model import State
from npsbridge.core.people import IdKind, PersonId
from npsbridge.core.records import Ledger
from npsbridge.core.storage import Store
from npsbridge.store import open_store
from npsbridge.store.sqlite.store import SqliteStore
from unit.cli.commands import Ended

Command = Callable[..., Ended]
T = TypeVar("T")
ANN = "ann@example.com"
AGAIN, FIRST = "sent again", "sent for the first time"
LONG_AGO = datetime(2020, 5, 17, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def url(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store with an answer that was told to Segment, one that never was, and a survey that was asked for."""
    monkeypatch.setenv("NPSBRIDGE_SEGMENT__WRITE_KEY", "key-of-the-test")
    monkeypatch.setenv("NPSBRIDGE_DELIGHTED__API_KEY", "other-key-of-the-test")
    made = sqlite_url(tmp_path)

    async def fill(store: Store) -> None:
        known = (remembered("1", email=ANN), remembered("2", email="bob@example.com", comment="Good"))
        about = [planned(f"m-{kind}", kind=kind, subject="delighted/1") for kind in ("identify", "submit")]
        await route(store, responses=known, deliveries=tuple(about), fanned_out=1, newest={})
        asked = [planned("m-people", "person:1", "delighted", kind="identify")]
        asked += [planned("m-survey", "person:1", "delighted", kind="survey")]
        await owe(store, *asked)
        await settle(store, [one.id for one in await store.deliveries()])

    on(made, fill, exclusive=True)
    return made


def on(url: str, act: Callable[[Store], Awaitable[T]], *, exclusive: bool = False) -> T:
    async def main() -> T:
        async with open_store(url, clock=Clock(), exclusive=exclusive) as opened:
            return await act(opened)

    return asyncio.run(main())


def balanced(url: str) -> Ledger:
    ledger = on(url, lambda store: store.ledger())
    assert ledger.imbalance == 0
    return ledger


def states(url: str) -> dict[str, State]:
    return {one.message_id: one.state for one in on(url, lambda store: store.deliveries())}


def replayed(npsbridge: Command, *arguments: str) -> list[tuple[str, str, int, str]]:
    """What `replay` says that it does."""
    ended = npsbridge("replay", *arguments, "--json")
    assert ended.code == 0, ended.err
    return [(row["connection"], row["kind"], row["count"], row["what"]) for row in json.loads(ended.out)]


def test_i2_what_sinks_were_sent_is_owed_again_under_the_same_ids(npsbridge: Command, url: str) -> None:
    before = balanced(url)
    assert replayed(npsbridge, "--since", "1h") == [("segment", "identify", 1, AGAIN), ("segment", "submit", 1, AGAIN)]
    after = balanced(url)
    assert (after.accepted - before.accepted, after.waiting - before.waiting) == (2, 2)
    assert states(url) == {
        "m-identify": State.QUEUED,
        "m-submit": State.QUEUED,
        "m-people": State.DELIVERED,
        "m-survey": State.DELIVERED,
    }


@pytest.mark.parametrize("window", [("--since", "1h", "--until", "30m"), ("--since", "2030-01-01")])
def test_what_was_sent_at_another_time_is_left_alone(npsbridge: Command, url: str, window: tuple[str, ...]) -> None:
    assert replayed(npsbridge, *window) == []
    assert balanced(url).waiting == 0


def test_a_dry_run_says_the_same_and_changes_nothing(npsbridge: Command, url: str) -> None:
    before, owed = balanced(url), states(url)
    would = replayed(npsbridge, "--since", "2026-01-01", "--to", "segment", "--dry-run")
    assert (balanced(url), states(url)) == (before, owed)
    assert replayed(npsbridge, "--since", "2026-01-01", "--to", "segment") == would


def test_i8_a_survey_platform_is_told_of_people_again_and_asks_nobody(npsbridge: Command, url: str) -> None:
    assert replayed(npsbridge, "--since", "1h", "--to", "delighted") == [
        ("delighted", "identify", 1, AGAIN),
        ("delighted", "survey", 1, "left out: --surveys asks people again"),
    ]
    assert (states(url)["m-people"], states(url)["m-survey"]) == (State.QUEUED, State.DELIVERED)


def test_people_are_asked_again_when_that_is_wished_for(npsbridge: Command, url: str) -> None:
    replayed(npsbridge, "--since", "1h", "--to", "delighted", "--surveys")
    assert states(url)["m-survey"] is State.QUEUED


def test_i8_before_people_are_asked_again_the_operator_is(
    npsbridge: Command, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(typer, "confirm", lambda *_, **__: False)
    assert npsbridge("replay", "--since", "1h", "--to", "delighted", "--surveys").code == 130
    assert states(url)["m-survey"] is State.DELIVERED


def test_i14_traits_of_an_older_answer_do_not_replace_those_of_a_newer(npsbridge: Command, url: str) -> None:
    newer = Clock().now_ms() + 1
    on(url, lambda store: route(store, filtered=1, newest={f"email:{ANN}": newer}))
    said = replayed(npsbridge, "--since", "1h")
    assert ("segment", "identify", 1, "left out: something newer was sent since") in said
    assert (states(url)["m-identify"], states(url)["m-submit"]) == (State.DELIVERED, State.QUEUED)


def test_a_sink_is_told_of_answers_that_it_has_never_heard_of(npsbridge: Command, url: str) -> None:
    said = replayed(npsbridge, "--since", "2026-02-01", "--to", "segment")
    kinds = [kind for _, kind, _, what in said if what == FIRST]
    assert kinds == ["answered", "completed", "identify", "submit"]
    waiting = on(url, lambda store: store.claim("segment", now=Clock().now_ms(), limit=99))
    assert {one.subject for one in waiting} == {"delighted/1", "delighted/2"}
    assert balanced(url).duplicate == 0


def test_i20_a_sink_is_told_of_nobody_who_is_erased_meanwhile(
    npsbridge: Command, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    untold = SqliteStore.untold

    async def erased_meanwhile(self: SqliteStore, connection: str, **wish: Any) -> Any:
        found = await untold(self, connection, **wish)
        if found:
            await self.forget(PersonId(IdKind.EMAIL, "bob@example.com"))
        return found

    monkeypatch.setattr(SqliteStore, "untold", erased_meanwhile)
    replayed(npsbridge, "--since", "2026-02-01", "--to", "segment")
    waiting = on(url, lambda store: store.claim("segment", now=Clock().now_ms(), limit=99))
    assert {one.subject for one in waiting} == {"delighted/1"}
    balanced(url)


def test_a_sink_is_told_only_of_answers_given_in_that_time(npsbridge: Command, url: str) -> None:
    old = remembered("3", email="cid@example.com")
    old = type(old)(response=_at(old.response, LONG_AGO), revision=1)
    on(url, lambda store: route(store, responses=(old,), filtered=1))
    replayed(npsbridge, "--since", "2020-05-17", "--until", "2020-05-17", "--to", "segment")
    waiting = on(url, lambda store: store.claim("segment", now=Clock().now_ms(), limit=99))
    assert {one.subject for one in waiting} == {"delighted/3"}


def _at(response: Any, moment: datetime) -> Any:
    return type(response)(
        **{name: getattr(response, name) for name in response.__struct_fields__} | {"created_at": moment}
    )


def test_what_was_told_once_is_not_told_for_the_first_time_again(npsbridge: Command, url: str) -> None:
    replayed(npsbridge, "--since", "2026-02-01", "--to", "segment")
    before = balanced(url)
    assert replayed(npsbridge, "--since", "2026-02-01", "--to", "segment") == []
    assert balanced(url) == before


def test_a_heap_that_was_configured_later_is_told_of_history(
    npsbridge: Command, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPSBRIDGE_HEAP__APP_ID", "11")
    monkeypatch.setenv("NPSBRIDGE_HEAP__IDENTITY", "email")
    said = replayed(npsbridge, "--since", "2026-02-01", "--to", "heap")
    assert sum(count for _, _, count, what in said if what == FIRST) > 2
    assert {name for name, *_ in said} == {"heap"}
    assert balanced(url).waiting == len(on(url, lambda store: store.claim("heap", now=Clock().now_ms(), limit=99)))


def test_many_are_sent_again_piece_by_piece(npsbridge: Command, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("npsbridge.cli.replaying._AT_ONCE", 2)

    async def more(store: Store) -> None:
        await settle(store, await owe(store, *(planned(f"n{number}", f"p{number}") for number in range(7))))

    on(url, more)
    assert ("segment", "submit", 8, AGAIN) in replayed(npsbridge, "--since", "1h")
    assert len(on(url, lambda store: store.claim("segment", now=Clock().now_ms(), limit=99))) == 9


def test_people_read_how_far_back_it_reaches_and_who_sends_it(npsbridge: Command) -> None:
    month = (datetime.now(UTC) - timedelta(days=30)).date().isoformat()
    shown = npsbridge("replay", "--since", month).out
    assert "The outbox reaches back 7d (NPSBRIDGE_RETENTION__DELIVERED)" in shown
    assert shown.endswith("No daemon is running; the next one sends it.\n")
    assert npsbridge("replay", "--since", "1h", "--dry-run").out.endswith("Nothing was changed or sent.\n")


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--since", "yesterday"], "--since yesterday: is no ISO 8601 date or time"),
        (["--since", "1h", "--until", "soon"], "--until soon: is no ISO 8601 date or time"),
        (["--since", "1h", "--to", "haep"], "there is no connection haep; configured: delighted, segment"),
        (["--since", "1h", "--surveys"], "--surveys asks people again who were asked already"),
    ],
)
def test_what_makes_no_sense_is_refused(npsbridge: Command, url: str, arguments: list[str], fault: str) -> None:
    before = balanced(url)
    refused = npsbridge("replay", *arguments)
    assert refused.code == 64
    assert refused.err.startswith(f"npsbridge: {fault}")
    assert balanced(url) == before


def test_without_any_sink_there_is_nothing_to_replay(npsbridge: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NPSBRIDGE_SEGMENT__WRITE_KEY")
    refused = npsbridge("replay", "--since", "1h")
    assert (refused.code, refused.err.startswith("npsbridge: there is no sink")) == (64, True)
