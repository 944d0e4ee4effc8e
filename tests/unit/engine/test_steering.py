"""What a person decides about deliveries: what follows for each of them."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from contract.store.examples import START, response
from npsbridge.core.callreading import read_calls
from npsbridge.core.calls import Call, CallType
from npsbridge.core.envelope import INGEST
from npsbridge.core.model import Delivery, State
from npsbridge.engine.doubt import DROPPED
from npsbridge.engine.steering import (
    IN_DOUBT,
    IN_DOUBT_AND_DEAD,
    NO_JSON,
    ON_ITS_WAY,
    OWN_CALL,
    OWN_RECORD,
    RETRIED,
    Choice,
    judge_confirmations,
    judge_drops,
    judge_retries,
)

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


# --- what is taken for done -------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", State)
def test_only_what_is_held_is_taken_for_done(state: State) -> None:
    verdicts = judge_confirmations([a_delivery(state=state)])
    assert (verdicts.change, verdicts.left) == (
        ((1,), {}) if state is State.HELD else ((), {1: f"is {state.value}, not held"})
    )
