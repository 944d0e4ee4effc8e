"""What a call says, whoever sent it: the rules of reading, one by one."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.core.callreading import LATE, MESSAGE_ID_LIMIT, read_calls
from npsbridge.core.calls import BadCall, Call, CallType
from npsbridge.core.envelope import EVENT_LIMIT, CallSource, Envelope, unwrap
from npsbridge.core.times import milliseconds
from npsbridge.core.translate import LIBRARY_NAME

ARRIVED = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TRACK: dict[str, Any] = {"type": "track", "event": "Order Completed", "userId": "u1", "messageId": "m1"}
IDENTIFY: dict[str, Any] = {"type": "identify", "userId": "u1", "messageId": "m1"}


def read(
    *items: Any, at: datetime = ARRIVED, source: CallSource = CallSource.SDK, **batch: Any
) -> list[Call | BadCall]:
    """Batch members by their names in Envelope."""
    raws = [item if isinstance(item, bytes) else json.dumps(item).encode() for item in items]
    for name in batch.keys() & {"context", "integrations"}:
        batch[name] = msgspec.Raw(json.dumps(batch[name]).encode())
    envelope = Envelope(batch=[msgspec.Raw(raw) for raw in raws], source=source, **batch)
    return read_calls(envelope.encode(), received_at=milliseconds(at))


def good(item: Any, **rest: Any) -> Call:
    (found,) = read(item, **rest)
    assert isinstance(found, Call), found
    return found


def bad(item: Any, **rest: Any) -> BadCall:
    (found,) = read(item, **rest)
    assert isinstance(found, BadCall), found
    return found


# --- one broken item among good ones ----------------------------------------------------------------------------

BROKEN: list[tuple[Any, str, str]] = [
    (5, "", "expected `object`, got `int`"),
    (None, "", "expected `object`, got `null`"),
    ([TRACK], "", "expected `object`, got `array`"),
    ({**TRACK, "userId": ["u"]}, "/userId", "expected `int | float | str | null`, got `array`"),
    ({**TRACK, "userId": True}, "/userId", "expected `int | float | str | null`, got `bool`"),
    ({**TRACK, "traits": "many"}, "/traits", "expected `object | null`, got `str`"),
    ({**TRACK, "properties": []}, "/properties", "expected `object | null`, got `array`"),
    ({**TRACK, "context": {"traits": 5}}, "/context/traits", "expected `object | null`, got `int`"),
    ({**TRACK, "event": 5}, "/event", "expected `str | null`, got `int`"),
    ({**TRACK, "event": None}, "/event", "is missing: a track needs the name of its event"),
    ({**TRACK, "event": " "}, "/event", "is missing: a track needs the name of its event"),
    ({**TRACK, "type": None}, "/type", "is missing"),
    ({**TRACK, "type": "merge"}, "/type", "is no method of Segment's Spec"),
    ({**TRACK, "userId": "a\0b"}, "/userId", "contains a NUL character"),
    ({**TRACK, "type": "group"}, "/groupId", "is missing, or stands for no group"),
    ({**TRACK, "type": "alias"}, "/previousId", "is missing, or stands for nobody"),
    ({"type": "alias", "previousId": "a", "anonymousId": "b"}, "/userId", "is missing, or stands for nobody"),
    (
        {"type": "page"},
        "/userId",
        "is missing or stands for nobody, and so does anonymousId, and there is no email",
    ),
    (b'{"type":"track","event":"x","userId":"u","properties":{"a":1e999}}', "/properties/-", "number out of range"),
    (b'{"type":"track","event":"x","userId":"\xff"}', "", "is not UTF-8"),
]


@pytest.mark.parametrize(("item", "pointer", "reason"), BROKEN)
def test_i3_f37_a_broken_item_is_named_and_its_neighbours_are_read(item: Any, pointer: str, reason: str) -> None:
    before, broken, after = read(TRACK, item, IDENTIFY)
    assert isinstance(broken, BadCall)
    assert (broken.pointer, broken.reason) == (pointer, reason)
    assert broken.raw == (item if isinstance(item, bytes) else json.dumps(item).encode())
    assert [call.type for call in (before, after) if isinstance(call, Call)] == [CallType.TRACK, CallType.IDENTIFY]


def test_i15_a_call_of_33_kilobytes_is_a_bad_call_and_its_neighbour_is_not() -> None:
    large = {**TRACK, "properties": {"note": "x" * 33 * 1024}}
    oversize, neighbour = read(large, TRACK)
    assert isinstance(oversize, BadCall)
    assert oversize.reason.endswith("32768 are the most that a call may have")
    assert isinstance(neighbour, Call)


def test_i15_what_segment_let_pass_and_then_enlarged_is_read() -> None:
    assert good({**TRACK, "properties": {"note": "x" * EVENT_LIMIT}}, source=CallSource.WEBHOOK).properties


@pytest.mark.parametrize(("depth", "is_read"), [(62, True), (63, False), (900, False)])
def test_f37_nesting_has_an_end(depth: int, *, is_read: bool) -> None:
    value = b"[" * depth + b"]" * depth
    (found,) = read(b'{"type":"track","event":"x","userId":"u","properties":{"a":%b}}' % value)
    assert isinstance(found, Call) is is_read
    assert is_read or (isinstance(found, BadCall) and found.reason == "is nested deeper than 64")


def test_f37_many_brackets_side_by_side_are_no_nesting() -> None:
    assert good({**TRACK, "properties": {"a": [[], {}] * 100}}).properties == {"a": [[], {}] * 100}


def test_f37_the_context_of_a_batch_is_bounded_like_that_of_a_call() -> None:
    assert good(TRACK, context={"traits": {"a": 2**64}}).traits == {"a": str(2**64)}
    nested: list[Any] = []
    for _ in range(70):
        nested = [nested]
    assert bad(TRACK, context={"traits": {"a": nested}}).pointer == "/context"


def test_f37_brackets_in_a_text_are_no_nesting() -> None:
    note = 'say \\"[[{{' * 20
    assert good({**TRACK, "properties": {"note": note}}).properties == {"note": note}


def test_f37_numbers_beyond_64_bits_become_text_wherever_they_stand() -> None:
    large = 2**63
    call = good({**IDENTIFY, "traits": {"a": large, "b": [{"c": -large - 1}], "d": large - 1, "e": True}})
    assert call.traits == {"a": str(large), "b": [{"c": str(-large - 1)}], "d": large - 1, "e": True}


@pytest.mark.parametrize("place", [{"properties": {"a": 2**64}}, {"context": {"traits": {"a": 2**64}}}])
def test_f37_numbers_beyond_64_bits_become_text_in_properties_and_in_the_context(place: dict[str, Any]) -> None:
    call = good({**TRACK, **place})
    assert {**call.properties, **call.traits} == {"a": str(2**64)}


def test_f37_a_lone_surrogate_becomes_a_replacement_character() -> None:
    assert good(b'{"type":"track","event":"a\\ud800","userId":"u"}').event == "a\ufffd"


@given(st.binary(max_size=60))
def test_i3_f37_bytes_that_are_no_utf8_cost_a_call_and_not_its_neighbour(noise: bytes) -> None:
    text = bytes(byte for byte in noise if byte >= 0x20 and byte not in b'"\\')
    item, neighbour = read(b'{"type":"track","event":"x","userId":"u","properties":{"a":"%b"}}' % text, TRACK)
    is_text = text.decode(errors="replace").encode() == text
    assert isinstance(item, Call if is_text else BadCall)
    assert isinstance(neighbour, Call)


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
NAMES = st.sampled_from(
    ["type", "userId", "event", "traits", "context", "properties", "timestamp", "sentAt", "messageId"]
)


@given(st.dictionaries(NAMES, JSON, max_size=5))
def test_i3_whatever_json_an_item_is_made_of_it_gives_one_result(item: dict[str, Any]) -> None:
    assert len(read(item, TRACK)) == 2


# --- type -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "path", "found"),
    [
        ({"type": "identify"}, None, CallType.IDENTIFY),
        ({"type": "IdentiFy"}, None, CallType.IDENTIFY),
        ({}, "identify", CallType.IDENTIFY),
        ({"type": "identify"}, "page", CallType.IDENTIFY),
        ({"action": "identify"}, None, CallType.IDENTIFY),
        ({"action": "buy"}, "identify", CallType.IDENTIFY),
    ],
)
def test_the_type_is_what_the_call_says_else_the_path_else_action(
    said: dict[str, Any], path: str | None, found: CallType
) -> None:
    assert good({"userId": "u", **said}, type=path).type is found


def test_i20_only_the_signed_webhook_may_delete_because_write_keys_are_public() -> None:
    assert good({"type": "delete", "userId": "u"}, source=CallSource.WEBHOOK).type is CallType.DELETE
    assert bad({"type": "delete", "userId": "u"}, source=CallSource.SDK).pointer == "/type"


# --- ids --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("usr_8841", "usr_8841"),
        (" Ann ", " Ann "),
        (42, "42"),
        (42.0, "42"),
        (4.5, "4.5"),
        (10**25, str(10**25)),
        *((value, None) for value in (None, "", "  ", "null", "NULL", "undefined", "anonymous", "-1", "000-000", 0)),
    ],
)
def test_f33_an_id_is_text_and_what_is_no_id_is_none(value: object, found: str | None) -> None:
    call = good({"type": "page", "userId": value, "anonymousId": "a", "messageId": "m"})
    assert (call.user_id, call.anonymous_id) == (found, "a")


def test_other_spellings_count_only_where_the_right_one_is_missing() -> None:
    other = {"user_id": "u2", "anonymous_id": 7, "message_id": "m2"}
    call = good({"type": "page", "userId": "null", **other})
    assert (call.user_id, call.anonymous_id, call.message_id) == ("u2", "7", "m2")
    assert good({**TRACK, **other}).user_id == "u1"


def test_a_person_known_by_nothing_but_an_email_is_somebody() -> None:
    call = good({"type": "track", "event": "x", "properties": {"email": "ann@example.test"}})
    assert (call.user_id, call.anonymous_id, call.email) == (None, None, "ann@example.test")


def test_an_alias_and_a_group_carry_their_ids() -> None:
    assert good({"type": "alias", "previousId": 7, "userId": "u"}).previous_id == "7"
    assert good({"type": "group", "groupId": "g", "userId": "u"}).group_id == "g"


# --- traits and email -------------------------------------------------------------------------------------------


def test_the_traits_of_an_identify_go_over_those_of_its_context_and_of_its_batch() -> None:
    item = {
        **IDENTIFY,
        "traits": {"plan": "pro", "address": {"city": "Bern"}},
        "context": {"traits": {"plan": "free", "name": "Ann", "address": {"zip": "3000"}}},
    }
    call = good(item, context={"traits": {"name": "?", "source": "shop"}})
    assert call.traits == {
        "plan": "pro",
        "name": "Ann",
        "source": "shop",
        "address": {"city": "Bern", "zip": "3000"},
    }


def test_the_traits_of_a_rudderstack_identify_stand_only_in_its_context() -> None:
    call = good({**IDENTIFY, "context": {"traits": {"email": "Ann@Example.test", "plan": "pro"}}})
    assert (call.traits["plan"], call.email) == ("pro", "ann@example.test")


def test_the_traits_of_a_group_are_the_companys_and_its_email_is_nobodys() -> None:
    item = {"type": "group", "groupId": "g", "userId": "u", "traits": {"email": "office@example.test"}}
    call = good({**item, "context": {"traits": {"name": "Ann"}}})
    assert (call.group_traits, call.traits, call.email) == ({"email": "office@example.test"}, {"name": "Ann"}, None)


def test_a_null_trait_is_kept_because_it_removes_one() -> None:
    assert good({**IDENTIFY, "traits": {"plan": None}}).traits == {"plan": None}


@pytest.mark.parametrize(
    ("item", "email"),
    [
        ({"traits": {"email": "A@x.test"}, "context": {"traits": {"email": "b@x.test"}}}, "a@x.test"),
        ({"traits": {"email": None}, "context": {"traits": {"email": "b@x.test"}}}, "b@x.test"),
        ({"traits": {"email": 5}, "properties": {"email": "c@x.test"}}, "c@x.test"),
        ({"traits": {"email": "no email"}, "properties": {"email": " c+Tag@x.test "}}, "c+tag@x.test"),
        ({"traits": {"email": "jörg@bücher.test"}}, "jörg@bücher.test"),
        ({"traits": {"email": "a" * 300 + "@x.test"}}, "a" * 300 + "@x.test"),
        ({}, None),
    ],
)
def test_f33_the_email_is_sought_in_traits_then_context_then_properties(
    item: dict[str, Any], email: str | None
) -> None:
    assert good({**IDENTIFY, **item}).email == email


def test_f33_a_user_id_that_looks_like_an_email_is_not_taken_for_one_here() -> None:
    assert good({**TRACK, "userId": "ann@example.test"}).email is None


def test_event_names_and_nested_properties_stay_exactly_as_they_are() -> None:
    properties = {"a": {"b": [1, None, {"c": ""}]}, "d": None, "e": 39.95}
    call = good({**TRACK, "event": " order completed ", "properties": properties})
    assert (call.event, call.properties) == (" order completed ", properties)


def test_switched_off_integrations_of_the_batch_and_of_the_call_are_told_together() -> None:
    call = good({**TRACK, "integrations": {"Retently": True}}, integrations={"All": False, "Retently": False})
    assert call.integrations == {"All": False, "Retently": True}


@pytest.mark.parametrize(
    ("library", "is_ours"),
    [({"name": LIBRARY_NAME, "version": "9"}, True), ({"name": "analytics-python"}, False), ("npsbridge", False)],
)
def test_our_own_calls_are_known_by_their_library(library: object, *, is_ours: bool) -> None:
    assert good({**TRACK, "context": {"library": library}}).is_ours is is_ours
    assert good(TRACK, context={"library": library}).is_ours is is_ours


def test_the_context_of_a_batch_that_is_none_makes_its_calls_bad_and_loses_none() -> None:
    results = read(TRACK, IDENTIFY, context="nonsense")
    assert [(one.pointer, one.reason) for one in results if isinstance(one, BadCall)] == [
        ("/context", "expected `object | null`, got `str` (of the whole batch)")
    ] * 2


# --- time -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("times", "sent_at", "minutes"),
    [
        ({"timestamp": "2026-11-22T11:30:00.000Z"}, None, -30),
        ({"timestamp": "2026-11-22T12:30:00.000+01:00"}, None, -30),
        ({"timestamp": "2026-11-22T11:30:00"}, None, -30),
        ({"timestamp": 1795347000}, None, -30),
        ({"timestamp": 1795347000000}, None, -30),
        ({"originalTimestamp": "2026-11-22T11:30:00Z"}, None, -30),
        ({"timestamp": "2026-11-22T11:30:00Z", "originalTimestamp": "2026-11-22T11:00:00Z"}, None, -30),
        ({"timestamp": "2026-11-22T09:00:00Z"}, "2026-11-22T09:10:00Z", -10),
        ({"timestamp": "2026-11-22T15:00:00Z", "sentAt": "2026-11-22T15:05:00Z"}, "2026-11-22T12:00:00Z", -5),
        ({"timestamp": "2026-11-22T09:00:00Z", "receivedAt": "2026-11-22T09:11:00Z"}, "2026-11-22T09:10:00Z", -180),
        ({"timestamp": "2026-11-22T11:30:00Z"}, "nonsense", -30),
        ({"timestamp": "nonsense", "originalTimestamp": "2026-11-22T11:30:00Z"}, None, -30),
        ({"timestamp": "nonsense"}, None, 0),
        ({"timestamp": True}, None, 0),
        ({}, "2026-11-22T09:10:00Z", 0),
        ({"timestamp": "2026-11-25T00:00:00Z"}, None, 60),
        ({"timestamp": "2026-11-22T12:00:00Z"}, "2026-11-22T06:00:00Z", 60),
        ({"timestamp": "9999-12-31T23:59:59Z"}, "0001-01-01T00:00:00Z", 60),
    ],
)
def test_f16_the_time_is_by_our_clock_and_never_far_ahead(
    times: dict[str, Any], sent_at: str | None, minutes: int
) -> None:
    assert good({**TRACK, **times}, sent_at=sent_at).timestamp - ARRIVED == timedelta(minutes=minutes)


@pytest.mark.parametrize(("slow", "minutes"), [(LATE, -1), (LATE + timedelta(seconds=1), None)])
def test_f39_a_sender_whose_clock_is_slower_than_messages_are_remembered_is_not_corrected(
    slow: timedelta, minutes: int | None
) -> None:
    sent = ARRIVED - slow
    claimed = sent - timedelta(minutes=1)
    call = good({**TRACK, "timestamp": claimed.isoformat()}, sent_at=sent.isoformat())
    assert call.timestamp == (claimed if minutes is None else ARRIVED + timedelta(minutes=minutes))


def test_f16_a_claim_that_cannot_be_corrected_counts_as_it_stands() -> None:
    call = good({**TRACK, "timestamp": "0001-01-01T00:00:00Z"}, sent_at="9999-12-31T23:59:59Z")
    assert call.timestamp == datetime(1, 1, 1, tzinfo=UTC)


# --- messageId --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", ["node-next-1-abc", "x" * MESSAGE_ID_LIMIT, 42])
def test_a_message_id_stays_as_it_was_sent(sent: object) -> None:
    assert good({**TRACK, "messageId": sent}).message_id == str(sent)


def test_a_message_id_that_is_too_long_becomes_a_digest_of_itself() -> None:
    first, second = (good({**TRACK, "messageId": "x" * 101 + end}).message_id for end in ("a", "b"))
    assert first != second
    assert len(first) == 47


UNNAMED = {"type": "track", "event": "Order Completed", "userId": "u1", "timestamp": "2026-11-22T11:00:00Z"}


def test_i12_the_digest_of_a_call_without_message_id_is_the_same_in_every_release() -> None:
    assert good(UNNAMED).message_id == "digest-83acf1742725cdb3ccae8122ec20292f4bf97d9a"


@pytest.mark.parametrize(
    "change",
    [
        {"sentAt": "2026-11-22T11:00:09Z"},
        {"messageId": ""},
        {"messageId": "null"},
        {"receivedAt": "2026-11-22T11:00:09Z"},
        {"_metadata": {"nodeVersion": "22"}},
        {"type": "Track"},
    ],
)
def test_i4_what_differs_between_two_sendings_of_a_call_does_not_change_its_digest(change: dict[str, Any]) -> None:
    turned = dict(reversed({**UNNAMED, **change}.items()))
    assert good(turned, at=ARRIVED + timedelta(days=3)).message_id == good(UNNAMED).message_id


@pytest.mark.parametrize("change", [{"userId": "u2"}, {"event": "x"}, {"timestamp": "2026-11-22T11:00:01Z"}, {"a": 1}])
def test_i4_calls_that_say_different_things_have_different_digests(change: dict[str, Any]) -> None:
    assert good({**UNNAMED, **change}).message_id != good(UNNAMED).message_id


def test_i4_a_call_that_says_neither_which_nor_when_is_the_same_only_within_a_day() -> None:
    undated = {name: value for name, value in UNNAMED.items() if name != "timestamp"}
    first, again, next_day = (good(undated, at=ARRIVED + timedelta(hours=hours)) for hours in (0, 11, 12))
    assert first.message_id == again.message_id != next_day.message_id


def test_a_request_kept_and_read_twice_gives_the_same_calls() -> None:
    body = json.dumps({"batch": [TRACK, IDENTIFY, {"type": "page", "userId": "u"}], "writeKey": "k"}).encode()
    entry = unwrap(body).envelope.encode()
    assert read_calls(entry, received_at=0) == read_calls(entry, received_at=0)
