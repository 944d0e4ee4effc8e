"""`outbox retry` and `outbox drop`: what is decided for each delivery, and what the store then shows."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
import pytest
import typer

from contract.store.examples import NOON, START, owe, planned, response, settle, shelved
from npsbridge.cli.steering import (
    IN_DOUBT,
    IN_DOUBT_AND_DEAD,
    NO_JSON,
    ON_ITS_WAY,
    OWN_CALL,
    OWN_RECORD,
    RETRIED,
    Choice,
    judge_drops,
    judge_retries,
)
from npsbridge.clock import Clock
from npsbridge.core.callreading import read_calls
from npsbridge.core.calls import Call, CallType
from npsbridge.core.envelope import INGEST
from npsbridge.core.model import Delivery, State
from npsbridge.core.records import Ledger
from npsbridge.core.storage import Store
from npsbridge.engine.doubt import DROPPED
from npsbridge.store import open_store
from unit.cli.commands import Ended

Command = Callable[..., Ended]
T = TypeVar("T")

EVERYTHING = Choice(states=RETRIED)


def a_delivery(number: int = 1, state: State = State.DEAD, **fields: Any) -> Delivery:
    usual: dict[str, Any] = {"connection": "delighted", "person": "p", "kind": "survey", "message_id": "m"}
    return Delivery(**{"id": number, "state": state, "body": b"{}", "created_at": START, **usual, **fields})


def from_shelf(kind: str, body: bytes) -> Delivery:
    return a_delivery(person="", kind=kind, body=body)


def why_left(one: Delivery, choice: Choice = EVERYTHING) -> str | None:
    return judge_retries([one], choice, now=START).left.get(one.id)


# --- what is tried again ----------------------------------------------------------------------------------------


def test_what_is_dead_is_tried_again() -> None:
    assert judge_retries([a_delivery(1), a_delivery(2)], EVERYTHING, now=START).change == (1, 2)


def test_i8_what_is_held_is_only_asked_for_again_when_it_is_meant() -> None:
    held = a_delivery(state=State.HELD)
    assert why_left(held) == IN_DOUBT
    for meant in (Choice(ids=(1,), states=RETRIED), Choice(states=(State.HELD,), is_explicit=True)):
        assert judge_retries([held], meant, now=START).change == (1,)


def test_i8_what_was_dropped_in_doubt_is_dead_and_only_asked_for_again_by_its_id() -> None:
    dead = a_delivery(reason=f"no answer; {DROPPED}")
    assert why_left(dead, Choice(states=(State.DEAD,), is_explicit=True)) == IN_DOUBT_AND_DEAD
    assert judge_retries([dead], Choice(ids=(1,), states=RETRIED), now=START).change == (1,)


@pytest.mark.parametrize("state", sorted(set(State) - set(RETRIED)))
def test_what_is_neither_is_left_alone_and_told_why(state: State) -> None:
    named = Choice(ids=(1,), states=RETRIED)
    expected = ON_ITS_WAY if state is State.INFLIGHT else f"is {state.value}, neither dead nor held"
    assert why_left(a_delivery(state=state), named) == expected


def test_a_shelved_record_arrives_again_as_the_array_it_was_part_of() -> None:
    verdicts = judge_retries([from_shelf("record", b'{"score":"x"}')], EVERYTHING, now=START + 1)
    arrival = verdicts.unshelve[1]
    assert arrival is not None
    assert (arrival.connection, arrival.body, arrival.count) == ("delighted", b'[{"score":"x"}]', 1)
    assert arrival.received_at == START + 1


def test_a_shelved_call_arrives_again_as_a_call() -> None:
    body = b'{"type":"track","event":"Order Completed","userId":"u1","messageId":"m1"}'
    arrival = judge_retries([from_shelf("call", body)], EVERYTHING, now=START).unshelve[1]
    assert arrival is not None
    (call,) = read_calls(arrival.body, received_at=START)
    assert isinstance(call, Call)
    assert (arrival.connection, call.event, call.user_id) == (INGEST, "Order Completed", "u1")


def test_a_page_is_forgotten() -> None:
    assert judge_retries([from_shelf("page", b"<html>")], EVERYTHING, now=START).unshelve == {1: None}


def test_what_we_had_made_of_a_record_or_call_is_not_taken_for_one() -> None:
    call = Call(type=CallType.TRACK, message_id="m1", user_id="u1", timestamp=datetime(2026, 3, 1, tzinfo=UTC))
    assert why_left(from_shelf("record", msgspec.json.encode(response()))) == OWN_RECORD
    assert why_left(from_shelf("call", msgspec.json.encode(call))) == OWN_CALL


def test_what_is_no_json_cannot_be_a_call() -> None:
    assert why_left(from_shelf("call", b"{oops")) == NO_JSON


# --- what is dropped --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", State)
def test_only_what_is_not_finished_and_not_on_its_way_is_dropped(state: State) -> None:
    verdicts = judge_drops([a_delivery(state=state)])
    is_droppable = state in {State.QUEUED, State.WAITING, State.HELD, State.DEAD}
    assert (verdicts.change == (1,), 1 in verdicts.left) == (is_droppable, not is_droppable)


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
