"""What can be done with at a glance, and that nothing else is."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.core.envelope import EVENT_LIMIT, Envelope
from npsbridge.core.familiar import (
    LONGEST_ID,
    MESSAGES_REMEMBERED,
    PAIRS_REMEMBERED,
    Familiar,
    Glance,
    Met,
    Pair,
    ids_differ,
)
from npsbridge.core.people import Person
from npsbridge.core.records import Routing
from unit.core.forwarding import NOW, ORDER, CallLine, Vendor, at, balance, parts

ANA = Pair("u1", "a1")
SEEN: dict[str, Any] = {"type": "track", "event": "Seen", "userId": "u1", "anonymousId": "a1", "messageId": "m1"}


def met(pair: Pair | None = ANA, *, person: str = "person:1", message_id: str = "m0", is_news: bool = False) -> Met:
    return Met(person=person, pair=pair, message_id=message_id, is_news=is_news)


def knowing(*known: Met) -> Familiar:
    """Familiar with whom these calls were about."""
    familiar = Familiar(["Order Completed"])
    familiar.begin()
    familiar.commit(known or [met()], [])
    familiar.begin()
    return familiar


def entry(*calls: Any, **batch: Any) -> bytes:
    raw = [msgspec.Raw(json.dumps(call).encode()) for call in calls]
    return Envelope(batch=raw, **batch).encode()


def seen(call: dict[str, Any], familiar: Familiar | None = None, **batch: Any) -> Glance | None:
    found = (familiar or knowing()).glance(entry(call, **batch))
    return found[0] if found else None


@pytest.mark.parametrize(
    "call",
    [
        SEEN,
        {**SEEN, "properties": {"total": 1, "email": None}},
        {**SEEN, "context": {"library": {"name": "x"}, "traits": {}}},
        {**SEEN, "type": "page", "event": None, "name": "Home"},
        {**SEEN, "type": "screen"},
    ],
)
def test_a_call_that_nobody_wants_of_somebody_familiar_is_filtered_at_a_glance(call: dict[str, Any]) -> None:
    assert seen(call) is Glance.FILTERED


@pytest.mark.parametrize(
    "changed",
    [
        {"event": "Order Completed"},
        {"event": ""},
        {"event": "  "},
        {"event": None},
        {"event": 7},
        {"type": "identify"},
        {"type": "group", "groupId": "g"},
        {"type": "alias", "previousId": "u0"},
        {"type": "delete"},
        {"type": "Track"},
        {"type": None},
        {"userId": "u2"},
        {"userId": None},
        {"userId": 1},
        {"anonymousId": "a2"},
        {"anonymousId": None},
        {"messageId": None},
        {"messageId": ""},
        {"messageId": 5},
        {"user_id": "u2"},
        {"anonymous_id": "a2"},
        {"context": {"traits": {"email": "ana@example.org"}}},
        {"context": {"traits": "?"}},
        {"context": "?"},
        {"properties": {"email": "ana@example.org"}},
        {"properties": "?"},
    ],
)
def test_whatever_may_matter_is_read(changed: dict[str, Any]) -> None:
    assert seen({**SEEN, **changed}) is None


def test_the_type_may_stand_in_the_path() -> None:
    call = {name: value for name, value in SEEN.items() if name != "type"}
    assert seen(call, type="track") is Glance.FILTERED
    assert seen(call, type="identify") is None
    assert seen(call) is None


def test_traits_of_the_whole_batch_are_read() -> None:
    assert seen(SEEN, context=msgspec.Raw(b'{"traits":{"email":"ana@example.org"}}')) is None
    assert seen(SEEN, context=msgspec.Raw(b'{"locale":"de"}')) is Glance.FILTERED


def test_a_call_that_is_too_large_is_read_and_so_are_those_beside_it() -> None:
    large = {**SEEN, "messageId": "m2", "properties": {"text": "x" * EVENT_LIMIT}}
    assert knowing().glance(entry(SEEN, large)) == []
    many = [{**SEEN, "messageId": f"m{number}", "properties": {"text": "x" * 999}} for number in range(1, 50)]
    assert knowing().glance(entry(*many)) == [Glance.FILTERED] * 49


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"batch":7}', b'{"batch":["x"]}', b'{"batch":[{"type":"\xff"}]}']
)
def test_what_is_no_envelope_of_calls_is_left_to_who_reads_it(body: bytes) -> None:
    assert knowing().glance(body) == []


def test_what_is_nested_without_end_is_left_to_who_reads_it() -> None:
    deep = b'{"batch":[{"type":"track","properties":{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}}]}"
    assert knowing().glance(deep) == []


def test_a_broken_call_does_not_hide_that_its_neighbours_have_to_be_read() -> None:
    assert knowing().glance(entry(SEEN, 7)) == []


# --- who is familiar --------------------------------------------------------------------------------------------


def test_nobody_is_familiar_before_a_call_of_theirs_is_committed() -> None:
    assert seen(SEEN, Familiar([])) is None


def test_other_ids_of_the_same_person_are_no_longer_familiar_once_a_call_told_news() -> None:
    familiar = knowing(met(), met(Pair("u1", "a2"), message_id="m9", is_news=True))
    assert seen(SEEN, familiar) is None
    assert seen({**SEEN, "anonymousId": "a2"}, familiar) is Glance.FILTERED


def test_who_turned_out_to_be_somebody_else_is_no_longer_familiar() -> None:
    familiar = knowing()
    familiar.commit([met(Pair("u1", None), person="person:0", is_news=True)], ["person:1"])
    assert seen(SEEN, familiar) is None


def test_an_alias_makes_nobody_familiar() -> None:
    assert seen(SEEN, knowing(met(None))) is None


def test_after_an_erasure_nobody_is_familiar() -> None:
    familiar = knowing()
    familiar.forget()
    assert seen(SEEN, familiar) is None


def test_only_so_many_are_remembered_and_the_oldest_go_first() -> None:
    familiar = knowing(*(met(Pair(f"u{one}", None), person=f"person:{one}") for one in range(PAIRS_REMEMBERED + 1)))
    assert seen({**SEEN, "userId": "u0", "anonymousId": None}, familiar) is None
    assert seen({**SEEN, "userId": "u1", "anonymousId": None}, familiar) is Glance.FILTERED


def test_one_person_with_ever_new_devices_does_not_fill_the_memory() -> None:
    familiar = knowing(*(met(Pair("u1", f"a{one}")) for one in range(PAIRS_REMEMBERED + 1)))
    assert seen({**SEEN, "anonymousId": "a0"}, familiar) is None
    assert seen({**SEEN, "anonymousId": f"a{PAIRS_REMEMBERED}"}, familiar) is Glance.FILTERED


def test_ids_without_end_are_not_remembered() -> None:
    long = "x" * (LONGEST_ID + 1)
    assert seen({**SEEN, "messageId": long}) is None
    assert seen({**SEEN, "messageId": long[1:]}) is Glance.FILTERED
    for pair in (Pair(long, "a1"), Pair("u1", long), Pair(None, long)):
        call = {**SEEN, "userId": pair.user_id, "anonymousId": pair.anonymous_id}
        assert seen(call, knowing(met(pair))) is None


# --- what came before -------------------------------------------------------------------------------------------


def test_the_same_message_again_is_a_duplicate_within_a_request_and_after_it() -> None:
    familiar = knowing()
    assert familiar.glance(entry(SEEN, SEEN)) == [Glance.FILTERED, Glance.DUPLICATE]
    familiar.commit([], [])
    familiar.begin()
    assert seen(SEEN, familiar) is Glance.DUPLICATE


def test_a_message_that_was_read_in_full_is_a_duplicate_when_it_comes_again() -> None:
    assert seen({**SEEN, "messageId": "m0"}) is Glance.DUPLICATE


def test_what_was_not_committed_did_not_come_before() -> None:
    familiar = knowing()
    assert seen(SEEN, familiar) is Glance.FILTERED
    familiar.begin()
    assert seen(SEEN, familiar) is Glance.FILTERED


def test_messages_are_remembered_for_a_while_and_not_for_ever() -> None:
    familiar = knowing()
    assert seen(SEEN, familiar) is Glance.FILTERED
    found = list[Glance | None]()
    for first in range(0, 3 * MESSAGES_REMEMBERED, MESSAGES_REMEMBERED // 2):
        familiar.commit([met(message_id=f"x{one}") for one in range(first, first + MESSAGES_REMEMBERED // 2)], [])
        familiar.begin()
        found.append(seen(SEEN, familiar))
        familiar.begin()
    assert found[0] is Glance.DUPLICATE
    assert found[-1] is Glance.FILTERED


# --- whether a call told news -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "differ"),
    [
        ({}, False),
        ({"traits": {"plan": "x"}, "email": "ana@example.org", "is_identified": True}, False),
        ({"key": "person:0"}, True),
        ({"user_id": "u2"}, True),
        ({"former_user_ids": ("u0",)}, True),
        ({"anonymous_ids": ("a2", "a1")}, True),
    ],
)
def test_what_counts_is_by_which_ids_somebody_is_known(change: dict[str, Any], *, differ: bool) -> None:
    before = Person(key="person:1", user_id="u1", anonymous_ids=("a1", "a2"))
    assert ids_differ(msgspec.structs.replace(before, **change), before) is differ


def test_somebody_new_is_news() -> None:
    assert ids_differ(Person(key="person:1"), None)


def test_a_call_that_names_nobody_is_unusable_although_one_with_an_email_alone_came_before() -> None:
    line = CallLine(familiar=Familiar(Vendor.events))
    line.route({"type": "page", "context": {"traits": {"email": "ana@example.org"}}})
    assert [one.reason for one in line.route({"type": "page"}).shelved] == [
        "/userId: is missing or stands for nobody, and so does anonymousId, and there is no email"
    ]


# --- against a line that reads everything -------------------------------------------------------------------------

MAIL = st.sampled_from([None, "ana@example.org", "ben@example.org"])
PLAIN: dict[str, Any] = {"type": "track", "event": "Seen"}
BEFORE = [
    {**PLAIN, "userId": "u1", "anonymousId": "a1", "messageId": "b1"},
    {**PLAIN, "userId": "u2", "messageId": "b2"},
    {**PLAIN, "anonymousId": "a2", "messageId": "b3"},
]
"""Three who are familiar at the beginning."""
IDS = {
    "userId": st.sampled_from(["u1", "u2", None, "", 7]),
    "anonymousId": st.sampled_from([None, "a1", "a2"]),
    "context": st.sampled_from([None, {}, {"traits": {"email": "ben@example.org"}}, {"traits": {"plan": "pro"}}]),
}
CALLS = st.one_of(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["track", "page", "screen", "Track"]),
            "event": st.sampled_from(["Seen", "Left", ORDER]),
            "properties": st.sampled_from([None, {"total": 1}, {"email": "ana@example.org"}]),
            **IDS,
        }
    ),
    st.fixed_dictionaries({"type": st.just("identify"), "traits": st.fixed_dictionaries({"email": MAIL}), **IDS}),
    st.fixed_dictionaries({"type": st.just("alias"), "previousId": st.sampled_from(["u1", "a1", "u3"]), **IDS}),
    st.fixed_dictionaries({"type": st.just("group"), "groupId": st.just("g1"), **IDS}),
)
REQUESTS = st.lists(st.tuples(CALLS, st.sampled_from("ab")), min_size=1, max_size=5)
"""Beside each call what makes another messageId of the same words."""
RUNS = st.lists(st.lists(REQUESTS, min_size=1, max_size=2), max_size=6)


def with_ids(request: list[tuple[dict[str, Any], str]]) -> list[dict[str, Any]]:
    """A message that comes again says the same again."""
    return [{**call, "timestamp": at(NOW), "messageId": f"{which} {json.dumps(call)}"} for call, which in request]


def outcome(routing: Routing) -> tuple[Any, ...]:
    """All that follows; whether a call without consequences is filtered or a duplicate may differ."""
    idle = routing.filtered + routing.duplicates
    return parts(routing), sorted(one.key for one in routing.awaited), idle, routing.shelved, balance(routing)


def learned(line: CallLine) -> Any:
    """Who is known; which of somebody's devices was the last one may lag behind by a run."""
    persons = {
        key: msgspec.structs.replace(person, anonymous_ids=tuple(sorted(person.anonymous_ids)))
        for key, person in line.known.persons.items()
    }
    return persons, line.known.owners


@given(RUNS)
def test_who_is_familiar_changes_nothing_of_what_follows_from_calls(runs: list[list[Any]]) -> None:
    glancing, reading = CallLine(familiar=Familiar(Vendor.events)), CallLine()
    for requests in [[BEFORE], *([with_ids(request) for request in run] for run in runs)]:
        found, expected = glancing.routes(*requests), reading.routes(*requests)
        assert [outcome(routing) for routing in found] == [outcome(routing) for routing in expected]
    assert learned(glancing) == learned(reading)
