"""Reading what vendors send."""

import json
from datetime import UTC, datetime
from itertools import product
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.core import reading
from npsbridge.errors import BadRecord

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def refusal(raw: bytes, kind: type[Any] = dict) -> BadRecord:
    with pytest.raises(BadRecord) as caught:
        reading.decode(raw, kind)
    return caught.value


# --- JSON -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spelt", "read"),
    [
        (rb'"\ud83d\ude00"', "\N{GRINNING FACE}"),
        (rb'"\uD83D"', "\ufffd"),
        (rb'"\ude00"', "\ufffd"),
        (rb'"\ud83d\ud83d\ude00"', "\ufffd\N{GRINNING FACE}"),
        (rb'"\ude00\ud83d"', "\ufffd\ufffd"),
        (rb'"\\ud83d"', r"\ud83d"),
        (rb'"\\\ud83d"', "\\\ufffd"),
        (rb'"a\u0000b"', "a\x00b"),
    ],
)
def test_escapes_are_read_and_lone_surrogates_replaced(spelt: bytes, read: str) -> None:
    assert reading.decode(spelt, str) == read


@given(text=st.text(st.characters(), max_size=30))
def test_any_text_that_json_can_spell_is_read(text: str) -> None:
    expected = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert reading.decode(json.dumps(text).encode(), str) == expected


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "truncated"),
        (b"<html>", "JSON is malformed"),
        (b'{"a":', "truncated"),
        (b'{"a":NaN}', "JSON is malformed"),
        (b'{"a":1e999}', "number out of range"),
        (b'{"a":%b}' % (b"9" * 5000), "integer value out of range"),
        (b'{"a":"\xff"}', "is not UTF-8"),
        (b'{"a":"\xed\xa0\x80"}', "is not UTF-8"),
        ('{"a":1}'.encode("utf-16"), "JSON is malformed"),
        (rb'{"a":"\ud8zz"}', "JSON is malformed"),
        (b'{"a":' * 100_000, "is nested too deeply"),
        (b"[]", "expected `object`, got `array`"),
    ],
)
def test_what_is_no_json_of_that_type_is_refused(raw: bytes, reason: str) -> None:
    assert reason in refusal(raw).reason


class _Outer(msgspec.Struct):
    inner: list[dict[str, int]]


def test_a_refusal_points_to_the_place() -> None:
    assert refusal(b'{"inner":[{"a":1},{"a":"x"}]}', _Outer).pointer == "/inner/1/-"


def test_i19_a_refusal_does_not_repeat_the_value() -> None:
    assert "secret" not in str(refusal(b'{"inner":[{"a":"secret"}]}', _Outer))


def test_of_two_equal_names_the_last_one_counts() -> None:
    assert reading.decode(b'{"a":1,"a":2}', dict) == {"a": 2}


def test_the_elements_of_an_array_keep_their_bytes() -> None:
    assert reading.split(b'[ {"b": 1.0,  "a":"\\u00e9"} , 2,[ ]]') == [b'{"b": 1.0,  "a":"\\u00e9"}', b"2", b"[ ]"]


@given(st.lists(st.sampled_from([b'{"a": 1}', b"2", b"[ ]", b'"x, y"'])))
def test_what_is_joined_is_split_into_the_same_elements(elements: list[bytes]) -> None:
    assert reading.split(reading.joined(elements)) == elements


@pytest.mark.parametrize("raw", [b"null", b"{}", b'"[]"', b"[1", b"[1,]", b""])
def test_what_is_no_array_is_not_split(raw: bytes) -> None:
    with pytest.raises(BadRecord):
        reading.split(raw)


@given(first=st.binary(), second=st.binary())
def test_only_equal_bytes_have_equal_digests(first: bytes, second: bytes) -> None:
    assert (reading.digest(first) == reading.digest(second)) is (first == second)


# --- times ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        1767225600,
        1767225600.0,
        1767225600000,
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00.000+00:00",
        "2026-01-01T02:00:00+02:00",
        "2025-12-31T19:00:00-0500",
        "2026-01-01T00:00:00",
        "2026-01-01 00:00",
        " 2026-01-01 ",
        "1767225600",
        "1767225600000",
        "2026-01-01 00:00:00 UTC",
        "2026-01-01 00:00:00 GMT",
        "2026-01-01 02:00:00 +0200",
    ],
)
def test_f16_a_time_is_read_in_every_usual_spelling(value: object) -> None:
    read = reading.instant(value, "/at")
    assert (read, read.tzinfo) == (NEW_YEAR, UTC)


def test_parts_of_a_second_are_kept() -> None:
    assert reading.instant(1767225600123, "/at").microsecond == 123_000


@pytest.mark.parametrize(
    "value", ["", "soon", "17672256", "2026-01-01 00:00 CET", "2026-13-01", 10**18, -(10**18), 1e300]
)
def test_what_is_no_time_is_refused_without_its_value(value: object) -> None:
    with pytest.raises(BadRecord, match=r"^/at: is not a time$"):
        reading.instant(value, "/at")


@pytest.mark.parametrize(
    ("value", "kind"), [(None, "nothing"), (True, "true or false"), ([], "a list"), ({}, "an object")]
)
def test_what_cannot_be_a_time_is_refused_by_its_kind(value: object, kind: str) -> None:
    with pytest.raises(BadRecord, match=f"^/at: is not a time but {kind}$"):
        reading.instant(value, "/at")


def test_a_time_may_be_missing_where_that_is_allowed() -> None:
    assert reading.optional_instant(None, "/at") is None
    assert reading.optional_instant(1767225600, "/at") == NEW_YEAR


# --- scores -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "survey_type", "read"),
    [
        (0, "nps", 0),
        (10, "nps", 10),
        ("9", "nps", 9),
        (" 9 ", "nps", 9),
        (9.0, "nps", 9),
        ("9.0", "enps", 9),
        (None, "nps", None),
        (11, "csat", 11),
        (-1, "ces", -1),
        (4.5, "star", 4.5),
    ],
)
def test_f34_a_score_is_a_number_or_a_number_in_text(value: object, survey_type: str, read: float | None) -> None:
    score = reading.score(value, survey_type)
    assert (score, type(score)) == (read, type(read))


@pytest.mark.parametrize(
    ("value", "survey_type"),
    [
        *product([11, -1, 9.5, [9], {}], ["nps", "enps"]),
        *product([True, "", "nine", "nan", "inf", "1e999"], ["nps", "csat"]),
    ],
)
def test_f34_what_is_no_score_is_refused(value: object, survey_type: str) -> None:
    with pytest.raises(BadRecord) as caught:
        reading.score(value, survey_type)
    assert caught.value.pointer == "/score"


# --- text and ids -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "read"), [("Slow", "Slow"), (" Slow\n", " Slow\n"), (" \n", None), ("", None)])
def test_text_is_kept_to_the_letter_and_blank_text_is_none(value: str, read: str | None) -> None:
    assert reading.text(value, "/comment") == read


@pytest.mark.parametrize(("value", "read"), [("7", "7"), (7, "7"), (2**70, str(2**70)), (" 7 ", "7")])
def test_an_id_is_text_or_a_whole_number(value: object, read: str) -> None:
    assert reading.identifier(value) == read


@pytest.mark.parametrize("value", [None, "", " "])
def test_an_id_must_not_be_missing(value: object) -> None:
    with pytest.raises(BadRecord, match=r"^/id: is missing$"):
        reading.identifier(value)


@pytest.mark.parametrize("value", [True, 1.5, [], {}])
def test_nothing_else_is_an_id(value: object) -> None:
    with pytest.raises(BadRecord, match=r"^/person: is not text but"):
        reading.optional_identifier(value, "/person")
