"""What `outbox` shows of deliveries."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from contract.store.examples import NOON, START, route
from npsbridge.clock import Clock
from npsbridge.core.calls import Call, CallType
from npsbridge.core.records import AwaitedCall
from npsbridge.store import open_store
from unit.cli.commands import Ended

Command = Callable[..., Ended]

FIELDS = ["id", "connection", "kind", "state", "message_id", "attempts", "reason", "next_attempt_at", "created_at"]

pytestmark = pytest.mark.usefixtures("store")


def listed(npsbridge: Command, *arguments: str) -> list[dict[str, Any]]:
    shown = npsbridge("outbox", "list", "--json", *arguments)
    assert shown.code == 0
    found: list[dict[str, Any]] = json.loads(shown.out)
    return found


def test_the_list_is_an_array_newest_first_of_the_fields_of_the_contract(npsbridge: Command) -> None:
    rows = listed(npsbridge)
    assert [list(row) for row in rows] == [FIELDS] * 4
    assert [row["message_id"] for row in rows[:3]] == ["nps-dead", "nps-submit", "nps-identify"]


def test_dead_ones_are_those_that_were_refused_and_those_that_came_unreadable(npsbridge: Command) -> None:
    reasons = [row["reason"] for row in listed(npsbridge, "--state", "dead")]
    assert reasons == ["HTTP 400 invalid", "/score: no number"]


def test_a_list_can_be_of_one_connection_and_short(npsbridge: Command) -> None:
    rows = listed(npsbridge, "--connection", "segment", "--limit", "1")
    assert [row["message_id"] for row in rows] == ["nps-dead"]


def test_an_empty_list_is_an_empty_array(npsbridge: Command) -> None:
    assert listed(npsbridge, "--state", "held") == []


def test_in_a_pipe_each_delivery_is_one_line_without_control_codes(npsbridge: Command) -> None:
    shown = npsbridge("outbox", "list").out
    assert len(shown.splitlines()) == 5
    assert "\x1b" not in shown


def test_a_delivery_is_shown_with_its_body(npsbridge: Command) -> None:
    number = listed(npsbridge)[0]["id"]
    shown = json.loads(npsbridge("outbox", "show", str(number), "--json").out)
    assert list(shown) == [*FIELDS, "body"]
    assert shown["body"] == "{}"


def test_an_unreadable_record_is_shown_as_it_came(npsbridge: Command) -> None:
    number = listed(npsbridge, "--connection", "delighted")[0]["id"]
    assert '"score": "x"' in npsbridge("outbox", "show", str(number)).out


def test_a_delivery_that_does_not_exist_is_a_mistake(npsbridge: Command) -> None:
    refused = npsbridge("outbox", "show", "999")
    assert (refused.code, refused.err) == (64, "npsbridge: there is no delivery 999\n")


def await_a_call(url: str) -> None:
    """Let a call wait for its person, beside what is in the store."""

    async def wait() -> None:
        call = Call(type=CallType.TRACK, message_id="m-1", user_id="u1", event="Order Completed", timestamp=NOON)
        waiting = AwaitedCall(
            connection="delighted", person="person:1", call=call, reason="no email is known", expires_at=START
        )
        async with open_store(url, clock=Clock(), exclusive=False) as opened:
            await route(opened, awaited=(waiting,), fanned_out=1)

    asyncio.run(wait())


def test_a_call_that_waits_for_its_person_is_listed_in_the_words_of_a_delivery(npsbridge: Command, store: str) -> None:
    await_a_call(store)
    (row,) = listed(npsbridge, "--state", "waiting")
    assert list(row) == FIELDS
    assert row == {
        "id": None,
        "connection": "delighted",
        "kind": "call",
        "state": "waiting",
        "message_id": "m-1",
        "attempts": 0,
        "reason": "no email is known",
        "next_attempt_at": None,
        "created_at": "2026-03-01T12:00:00.000Z",
    }


def test_a_list_of_everything_has_only_what_has_an_id_and_says_that_calls_wait(npsbridge: Command, store: str) -> None:
    await_a_call(store)
    assert None not in [row["id"] for row in listed(npsbridge)]
    assert "--state waiting lists them" in npsbridge("outbox", "list").err
    assert npsbridge("outbox", "list", "--connection", "segment").err == ""


def test_a_trace_tells_of_a_call_that_waits_and_until_when(npsbridge: Command, store: str) -> None:
    await_a_call(store)
    found = json.loads(npsbridge("trace", "m-1", "--json").out)
    assert [(one["reason"], one["expires_at"]) for one in found["waiting"]] == [
        ("no email is known", "2026-03-01T12:00:00.000Z")
    ]
    shown = npsbridge("trace", "m-1").out
    assert "no email is known" in shown
    assert "RETENTION" not in shown
