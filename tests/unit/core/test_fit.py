"""Calls are made to fit into what Segment takes, and lose as little as possible."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.core.translate import EVENT_LIMIT, Call, fit

ID = "nps-" + "0" * 40


def track(**properties: Any) -> Call:
    return {"type": "track", "event": "Submit Survey", "messageId": ID, "userId": "u", "properties": properties}


def identify(comment: str | None) -> Call:
    return {"type": "identify", "messageId": ID, "userId": "u", "traits": {"NPS_rating": 9, "NPS_comment": comment}}


def size(message: Call) -> int:
    return len(orjson.dumps(message))


def fitted(message: Call, limit: int = EVENT_LIMIT) -> dict[str, Any]:
    body = fit(message, limit)
    assert len(body) <= limit
    properties: dict[str, Any] = orjson.loads(body)["properties"]
    return properties


def test_a_call_that_fits_goes_out_as_it_is() -> None:
    message = track(score=9, comment="Fast")
    assert orjson.loads(fit(message)) == message


@pytest.mark.parametrize("letter", ["x", "é", "€", "🙂", "\x00", '"'])
def test_i15_a_call_of_exactly_the_limit_is_whole_and_one_byte_more_is_cut(letter: str) -> None:
    message = track(comment=letter * 100)
    assert fit(message, size(message)) == orjson.dumps(message)
    assert fitted(message, size(message) - 1)["comment_truncated"] is True


@pytest.mark.parametrize("letter", ["x", "é", "€", "🙂", "\x00", '"'])
def test_i15_a_comment_is_cut_between_characters_and_keeps_all_that_fits(letter: str) -> None:
    message = track(comment=letter * 40_000)
    body = fit(message)
    kept = orjson.loads(body)["properties"]["comment"]
    width = size(track(comment=letter)) - size(track(comment=""))
    assert set(kept) == {letter}
    assert EVENT_LIMIT - width < len(body) <= EVENT_LIMIT


@pytest.mark.parametrize("spare", range(5))
def test_i15_half_an_emoji_is_never_kept(spare: int) -> None:
    whole = size(track(comment="ab", comment_truncated=True))
    assert fitted(track(comment="ab🙂" + "c" * 40), whole + spare)["comment"] == ("ab🙂" if spare == 4 else "ab")


def test_i15_the_traits_comment_is_cut_without_another_trait() -> None:
    body = fit(identify("x" * 40_000))
    traits = orjson.loads(body)["traits"]
    assert len(body) == EVENT_LIMIT
    assert traits.keys() == {"NPS_rating", "NPS_comment"}


def test_i15_a_comment_goes_to_the_last_character_before_anything_is_dropped() -> None:
    message = track(comment="x" * 100, tags=["billing"])
    only_room_for_none = size(track(comment="", tags=["billing"], comment_truncated=True))
    assert fitted(message, only_room_for_none) == {"comment": "", "comment_truncated": True, "tags": ["billing"]}


def test_i15_the_handed_in_call_is_left_alone() -> None:
    message = track(comment="x" * 40_000, tags=["y" * 40_000])
    fit(message)
    assert len(message["properties"]["comment"]) == 40_000
    assert "tags" in message["properties"]


BIG = "x" * 40_000
REST = {"score": 9, "comment": "Fast"}


@pytest.mark.parametrize(
    ("large", "left"),
    [
        (["person_properties"], {"answers", "tags"}),
        (["person_properties", "answers"], {"tags"}),
        (["person_properties", "answers", "tags"], set()),
        (["answers"], {"tags"}),
        (["tags"], set()),
    ],
)
def test_i15_properties_go_one_after_the_other_until_it_fits(large: list[str], left: set[str]) -> None:
    small: dict[str, Any] = {"person_properties": {}, "answers": [], "tags": []}
    properties = fitted(track(**REST, **(small | {name: [BIG] for name in large})))
    assert properties.keys() == {*REST, *left}


def test_i15_a_comment_gets_the_room_that_a_dropped_property_leaves() -> None:
    properties = fitted(track(comment="Fast", person_properties={"note": BIG}))
    assert properties == {"comment": "Fast"}


def test_i15_a_long_comment_is_cut_before_anything_is_dropped() -> None:
    properties = fitted(track(comment=BIG, person_properties={"plan": "team"}, tags=["billing"]))
    assert properties.keys() == {"comment", "comment_truncated", "person_properties", "tags"}


def test_i15_a_long_comment_beside_large_properties_keeps_what_fits() -> None:
    properties = fitted(track(comment=BIG, person_properties={"note": BIG}))
    assert properties.keys() == {"comment", "comment_truncated"}
    assert len(properties["comment"]) > 31_000


def test_i15_the_question_event_can_lose_its_properties_and_tags() -> None:
    properties = fitted(track(survey_tool="Delighted", survey_properties={"note": BIG}, survey_tags=[BIG]))
    assert properties == {"survey_tool": "Delighted"}


@pytest.mark.parametrize("message", [track(comment="Fast", permalink=BIG), identify(None) | {"context": BIG}])
def test_i15_what_cannot_be_made_to_fit_is_refused_with_sizes_and_without_content(message: Call) -> None:
    with pytest.raises(
        ValueError, match=r"\d+ bytes remain where 32000 are allowed; largest: \S+ \(40002 bytes\)"
    ) as e:
        fit(message)
    assert "xxx" not in str(e.value)
    assert "Fast" not in str(e.value)


def test_lone_surrogates_become_replacement_characters_in_values_and_names() -> None:
    message = track(comment="a\ud83d", person_properties={"\ude42": ["\ud83d\ude42"]})
    assert fitted(message) == {"comment": "a\ufffd", "person_properties": {"\ufffd": ["🙂"]}}


def test_integers_beyond_64_bits_become_text() -> None:
    assert fitted(track(person_properties={"n": 2**64, "m": -(2**63), "yes": True})) == {
        "person_properties": {"n": str(2**64), "m": -(2**63), "yes": True}
    }


def test_nul_is_a_character_like_any_other() -> None:
    assert fitted(track(comment="a\x00b")) == {"comment": "a\x00b"}


def test_a_nesting_that_no_reader_takes_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(300):
        deep = [deep]
    with pytest.raises(ValueError, match="cannot be written as JSON"):
        fit(track(person_properties={"deep": deep}))


@given(st.text(st.characters()), st.dictionaries(st.text(), st.text(), max_size=3), st.integers(200, 400))
def test_i15_whatever_the_comment_the_result_fits_and_is_a_beginning_of_it(
    comment: str, person_properties: dict[str, str], limit: int
) -> None:
    kept = fitted(track(comment=comment * 20, person_properties=person_properties), limit)
    clean = (comment * 20).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert clean.startswith(kept["comment"])
    assert ("comment_truncated" in kept) == (kept["comment"] != clean)
