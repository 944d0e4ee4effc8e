"""`outbox retry`, `outbox drop` and `outbox confirm`: what the store shows when they have been said."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
import typer

from contract.store.examples import NOON, owe, planned, settle, shelved
from npsbridge.clock import Clock
from npsbridge.core.model import State
from npsbridge.core.records import Ledger
from npsbridge.core.storage import Store
from npsbridge.engine.steering import IN_DOUBT, ON_ITS_WAY
from npsbridge.store import open_store
from npsbridge.store.sqlite.lock import held_alone
from unit.cli.commands import Ended

Command = Callable[..., Ended]
T = TypeVar("T")

# --- the verbs --------------------------------------------------------------------------------------------------


def on(url: str, act: Callable[[Store], Awaitable[T]]) -> T:
    async def main() -> T:
        async with open_store(url, clock=Clock(NOON.timestamp), exclusive=False) as opened:
            return await act(opened)

    return asyncio.run(main())


def balanced(url: str) -> Ledger:
    ledger = on(url, lambda store: store.ledger())
    assert ledger.imbalance == 0
    return ledger


def told(ended: Ended, code: int = 0) -> dict[str, Any]:
    assert ended.code == code, ended.err
    document: dict[str, Any] = json.loads(ended.out)
    return document


def number_of(url: str, message: str) -> int:
    found = on(url, lambda store: store.deliveries())
    return next(one.id for one in found if one.message_id == message)


def state_of(url: str, message: str) -> State:
    found = on(url, lambda store: store.deliveries())
    return next(one.state for one in found if one.message_id == message)


def test_i2_retry_sends_the_dead_again_and_routes_the_shelved_again(npsbridge: Command, store: str) -> None:
    before = balanced(store)
    done = told(npsbridge("outbox", "retry", "--json"))
    assert done == {"queued": 1, "journaled": 1, "forgotten": 0, "left": [], "outrun": 0, "unknown": []}
    after = balanced(store)
    assert (before.dead, after.dead, after.waiting - before.waiting) == (2, 0, 2)


@pytest.mark.usefixtures("store")
def test_it_is_said_that_somebody_has_to_start_a_daemon_and_only_then(npsbridge: Command, tmp_path: Path) -> None:
    with held_alone(tmp_path / "npsbridge.db"):
        assert "No daemon is running" not in npsbridge("outbox", "retry", "--connection", "segment").out
    assert npsbridge("outbox", "retry").out.endswith("No daemon is running; the next one does it.\n")


def test_of_many_that_are_left_alone_some_are_named_and_all_are_counted(npsbridge: Command, store: str) -> None:
    async def hold(opened: Store) -> list[int]:
        numbers = await owe(opened, *(planned(f"nps-held-{number}", f"p{number}") for number in range(12)))
        await settle(opened, numbers, State.HELD, reason="no answer")
        return numbers

    numbers = on(store, hold)
    (left,) = told(npsbridge("outbox", "retry", "--json"))["left"]
    assert left == {"because": IN_DOUBT, "count": 12, "ids": numbers[:10]}
    assert ", ...): " in npsbridge("outbox", "retry").out


def test_retry_is_of_one_connection_when_told_so(npsbridge: Command, store: str) -> None:
    assert told(npsbridge("outbox", "retry", "--connection", "segment", "--json"))["journaled"] == 0
    assert state_of(store, "nps-dead") is State.QUEUED


def test_retry_names_ids_that_are_not_there_and_does_the_others(npsbridge: Command, store: str) -> None:
    dead = number_of(store, "nps-dead")
    ended = npsbridge("outbox", "retry", "998", str(dead), "999", "--json")
    assert ended.err == "npsbridge: there is no delivery 998, 999\n"
    assert told(ended, 64)["queued"] == 1
    assert state_of(store, "nps-dead") is State.QUEUED


def test_i8_retry_leaves_the_held_alone_and_names_them(npsbridge: Command, store: str) -> None:
    async def hold(opened: Store) -> None:
        await settle(opened, await owe(opened, planned("nps-held")), State.HELD, reason="no answer")

    on(store, hold)
    shown = npsbridge("outbox", "retry").out
    assert f"1 left alone ({number_of(store, 'nps-held')}): {IN_DOUBT}" in shown
    assert told(npsbridge("outbox", "retry", "--state", "held", "--json"))["queued"] == 1
    assert state_of(store, "nps-held") is State.QUEUED


def test_without_a_daemon_it_is_said_that_the_next_one_sends_them(npsbridge: Command, store: str) -> None:
    assert balanced(store).dead
    assert npsbridge("outbox", "retry").out.endswith("No daemon is running; the next one does it.\n")


def test_a_page_is_forgotten_by_retry(npsbridge: Command, store: str) -> None:
    page = msgspec.structs.replace(shelved("page-1"), kind="page")
    on(store, lambda opened: opened.shelve(page))
    assert told(npsbridge("outbox", "retry", "--json"))["forgotten"] == 1
    balanced(store)


def test_when_there_is_nothing_to_retry_it_says_so(npsbridge: Command, store: str) -> None:
    assert balanced(store).held == 0
    assert npsbridge("outbox", "retry", "--state", "held").out == "There is no such delivery.\n"


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["retry", "--state", "delivered"], "--state delivered: there are dead, held"),
        (["retry", "7", "--state", "dead"], "name ids, or say --state and --connection, but not both"),
        (["drop", "--state", "inflight"], "--state inflight: there are queued, waiting, held, dead"),
        (["drop"], "say what is to be dropped: ids, --state or --connection"),
    ],
)
def test_a_choice_that_makes_no_sense_is_refused(
    npsbridge: Command, store: str, arguments: list[str], fault: str
) -> None:
    before = balanced(store)
    refused = npsbridge("outbox", *arguments)
    assert (refused.code, refused.err) == (64, f"npsbridge: {fault}\n")
    assert balanced(store) == before


def test_i2_drop_filters_with_the_reason(npsbridge: Command, store: str) -> None:
    dead = number_of(store, "nps-dead")
    assert told(npsbridge("outbox", "drop", str(dead), "--json"))["dropped"] == 1
    found = on(store, lambda opened: opened.delivery(dead))
    assert found is not None
    assert (found.state, found.reason) == (State.FILTERED, "dropped by hand")
    balanced(store)


def test_drop_of_a_state_leaves_the_others(npsbridge: Command, store: str) -> None:
    assert told(npsbridge("outbox", "drop", "--state", "queued", "--json"))["dropped"] == 1
    assert (state_of(store, "nps-submit"), state_of(store, "nps-dead")) == (State.FILTERED, State.DEAD)


def test_drop_leaves_alone_what_is_on_its_way_and_says_so(npsbridge: Command, store: str) -> None:
    number = number_of(store, "nps-submit")
    on(store, lambda opened: settle(opened, [number], State.INFLIGHT))
    assert f"1 left alone ({number}): {ON_ITS_WAY}" in npsbridge("outbox", "drop", str(number)).out
    assert state_of(store, "nps-submit") is State.INFLIGHT


def test_confirm_takes_what_is_held_for_done_and_leaves_the_rest_alone(npsbridge: Command, store: str) -> None:
    held, other = number_of(store, "nps-submit"), number_of(store, "nps-dead")
    on(store, lambda opened: settle(opened, [held], State.HELD))
    answer = told(npsbridge("outbox", "confirm", str(held), str(other), "--json"))
    assert (answer["confirmed"], answer["left"]) == (1, [{"because": "is dead, not held", "count": 1, "ids": [other]}])
    assert (state_of(store, "nps-submit"), state_of(store, "nps-dead")) == (State.DELIVERED, State.DEAD)
    balanced(store)


def test_confirm_of_what_does_not_exist_says_so(npsbridge: Command, store: str) -> None:
    assert store
    assert npsbridge("outbox", "confirm", "99").code == 64


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Standard input is a terminal where somebody says no; the questions that were asked."""
    asked: list[str] = []

    def refuse(question: str, **_: object) -> bool:
        asked.append(question)
        return False

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(typer, "confirm", refuse)
    return asked


def test_drop_asks_on_a_terminal_and_obeys(npsbridge: Command, store: str, terminal: list[str]) -> None:
    refused = npsbridge("outbox", "drop", "--state", "queued")
    assert (terminal, refused.code) == (["Deliveries to drop for good: 1. Go on?"], 130)
    assert refused.err == "Nothing was done.\n"
    assert state_of(store, "nps-submit") is State.QUEUED


def test_yes_is_not_asked(npsbridge: Command, store: str, terminal: list[str]) -> None:
    assert npsbridge("outbox", "drop", "--state", "queued", "--yes").code == 0
    assert (terminal, state_of(store, "nps-submit")) == ([], State.FILTERED)


def test_retry_is_never_asked_about(npsbridge: Command, store: str, terminal: list[str]) -> None:
    assert npsbridge("outbox", "retry").code == 0
    assert (terminal, state_of(store, "nps-dead")) == ([], State.QUEUED)
