"""How a message becomes what a destination would get."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.sandbox.segment.intake import DropReason, cleaned, corrected, downstream, iso, jitsu_message_id, seconds
from npsbridge.sandbox.segment.switches import SegmentSwitches

TRACK = {"type": "track", "userId": "u1", "event": "E", "messageId": "m1"}
ELEVEN = 1_763_810_760.0
moments = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ("text", DropReason.NO_OBJECT),
        ({**TRACK, "type": "trick"}, DropReason.UNKNOWN_TYPE),
        ({**TRACK, "type": None}, DropReason.UNKNOWN_TYPE),
        ({**TRACK, "userId": None}, DropReason.NO_IDENTITY),
        ({**TRACK, "userId": "", "anonymousId": None}, DropReason.NO_IDENTITY),
        ({**TRACK, "event": ""}, DropReason.NO_EVENT),
        ({"type": "group", "userId": "u1"}, DropReason.NO_GROUP),
        ({"type": "alias", "userId": "u1"}, DropReason.NO_PREVIOUS),
        ({"type": "alias", "anonymousId": "a", "previousId": "p"}, DropReason.NO_USER),
    ],
)
def test_a_message_that_says_too_little_is_dropped(item: object, reason: DropReason) -> None:
    assert cleaned(item, SegmentSwitches()) is reason


@pytest.mark.parametrize(
    "item",
    [
        TRACK,
        {"type": "identify", "anonymousId": "a"},
        {"type": "page", "userId": 42},
        {"type": "group", "userId": "u1", "groupId": "g"},
        {"type": "alias", "userId": "u1", "previousId": "p"},
    ],
)
def test_a_message_that_says_enough_is_kept(item: object) -> None:
    assert isinstance(cleaned(item, SegmentSwitches()), dict)


def test_null_ids_are_absent_numbers_are_text_and_inner_write_keys_go() -> None:
    item: dict[str, Any] = {**TRACK, "anonymousId": None, "userId": 42, "writeKey": "secret", "_metadata": {}}
    assert cleaned(item, SegmentSwitches()) == {**TRACK, "userId": "42", "_metadata": {}}


@pytest.mark.parametrize(("reading", "kept"), [("accept", True), ("drop", False)])
def test_a_long_message_id_is_taken_or_dropped(reading: str, *, kept: bool) -> None:
    switches = SegmentSwitches(long_message_ids="accept" if reading == "accept" else "drop")
    assert isinstance(cleaned({**TRACK, "messageId": "x" * 101}, switches), dict) is kept


def test_a_late_batch_is_moved_back_by_its_own_clock() -> None:
    # The client's clock is an hour fast, and the event lay about for ten minutes.
    assert corrected("2025-11-22T12:20:00Z", "2025-11-22T12:30:00Z", seconds("2025-11-22T11:30:05Z") or 0) == (
        "2025-11-22T11:20:05.000Z"
    )


@given(original=moments, received=moments)
def test_a_history_sent_now_keeps_its_time(original: datetime, received: datetime) -> None:
    sent_at = received.isoformat(timespec="milliseconds")
    kept = seconds(corrected(original.isoformat(timespec="milliseconds"), sent_at, received.timestamp()))
    assert kept == pytest.approx(original.timestamp(), abs=0.002)


@pytest.mark.parametrize(
    ("claimed", "sent_at", "expected"),
    [
        ("2020-01-01T00:00:00Z", None, "2020-01-01T00:00:00.000Z"),
        ("2020-01-01T00:00:00Z", "just now", "2020-01-01T00:00:00.000Z"),
        ("2020-01-01T02:00:00+02:00", None, "2020-01-01T00:00:00.000Z"),
        ("2020-01-01T00:00:00", None, "2020-01-01T00:00:00.000Z"),
        (None, "2020-01-01T00:00:00Z", "2025-11-22T11:26:00.000Z"),
        ("yesterday", None, "2025-11-22T11:26:00.000Z"),
        (1577836800, None, "2025-11-22T11:26:00.000Z"),
    ],
)
def test_without_both_times_there_is_nothing_to_correct(claimed: object, sent_at: object, expected: str) -> None:
    assert corrected(claimed, sent_at, ELEVEN) == expected


def test_batch_fields_are_merged_and_the_events_own_win() -> None:
    event = {**TRACK, "context": {"library": "own"}, "timestamp": "2020-01-01T00:00:00Z"}
    body = {"sentAt": iso(ELEVEN), "context": {"library": "shared", "ip": "1"}, "integrations": {"All": False}}
    handed_on = downstream(event, body, received_at=ELEVEN, project_id="p")
    assert handed_on["context"] == {"library": "own", "ip": "1"}
    assert handed_on["integrations"] == {"All": False}
    assert (handed_on["timestamp"], handed_on["originalTimestamp"]) == (
        "2020-01-01T00:00:00.000Z",
        "2020-01-01T00:00:00Z",
    )
    assert handed_on["receivedAt"] == handed_on["sentAt"] == "2025-11-22T11:26:00.000Z"


def test_an_events_own_sent_at_wins() -> None:
    event = {**TRACK, "timestamp": iso(ELEVEN - 60), "sentAt": iso(ELEVEN - 30)}
    handed_on = downstream(event, {"sentAt": iso(ELEVEN)}, received_at=ELEVEN, project_id="p")
    assert handed_on["timestamp"] == iso(ELEVEN - 30)


@given(message_id=st.text(max_size=200))
def test_jitsu_keeps_at_most_64_plain_characters(message_id: str) -> None:
    kept = jitsu_message_id(message_id)
    assert len(kept) <= 64
    assert kept.isascii()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ("type", "event", "userId", "anonymousId", "messageId", "groupId", "timestamp", "sentAt", "context", "channel")
times = st.datetimes().map(datetime.isoformat) | st.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z"])
messages = st.dictionaries(
    st.sampled_from(FIELDS), json_values | times | st.sampled_from(["track", "identify", "group"]), max_size=10
)


@given(message=messages, envelope=messages)
def test_f37_whatever_is_sent_is_kept_or_dropped_and_never_an_accident(
    message: dict[str, Any], envelope: dict[str, Any]
) -> None:
    event = cleaned({"type": "identify", "userId": "u", **message}, SegmentSwitches())
    if isinstance(event, dict):
        handed_on = downstream(event, envelope, received_at=ELEVEN, project_id="p")
        assert seconds(handed_on["timestamp"]) is not None
    else:
        assert event in DropReason
