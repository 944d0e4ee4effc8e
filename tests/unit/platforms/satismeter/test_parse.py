"""SatisMeter's objects in all their shapes, and what becomes of them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from msgspec import UNSET

from npsbridge.core.model import Answer, Campaign, Respondent, Response
from npsbridge.core.revise import same_content
from npsbridge.errors import BadRecord
from npsbridge.platforms.satismeter.parse import parse

ANSWERED = datetime(2026, 5, 2, 10, 11, 12, 345_000, tzinfo=UTC)
RATING = {"id": "q-nps", "label": "How likely?", "value": 9, "type": "scale", "metric": "nps"}
WHY = {"id": "q-why", "label": "Why?", "value": "Fast exports", "type": "long-text", "metric": None}
USE = {"id": "q-use", "label": "Use?", "value": ["Export", "API"], "type": "multiple-choice", "metric": None}
V3: dict[str, Any] = {
    "id": "64aa00000000000000000001",
    "project": "5f0000000000000000000001",
    "campaign": "5f00000000000000000000c1",
    "created": "2026-05-02T10:11:12.345Z",
    "method": "In-app",
    "user": {
        "id": "5f00000000000000000000aa",
        "deleted": False,
        "userId": "u-1842",
        "anonymousId": None,
        "traits": {"email": "ada@example.test", "name": "Ada Kern", "plan": "Gold"},
    },
    "answers": [RATING, WHY, USE],
}
FLAT: dict[str, Any] = {
    "id": "64aa00000000000000000001",
    "rating": 9,
    "feedback": "Fast exports",
    "category": "promoter",
    "created": "2026-05-02T10:11:12.345Z",
    "method": "In-app",
    "user": {"name": "Ada Kern", "email": "ada@example.test", "userId": "u-1842", "traits": {}},
    "answers": [{"id": "q-why", "label": "Why?", "value": "Fast exports"}],
}


def read(row: Mapping[str, Any]) -> Response:
    return parse("shop", orjson.dumps(row))


def v3(**other: Any) -> Response:
    return read(V3 | other)


def flat(**other: Any) -> Response:
    return read(FLAT | other)


def hook(event: object, **other: Any) -> Response:
    return read({"event": event, "response": FLAT | other})


def measured(value: object, metric: object = "nps") -> Response:
    return v3(answers=[RATING | {"value": value, "metric": metric}])


def test_a_response_of_v3_is_read_whole() -> None:
    assert v3() == Response(
        platform="satismeter",
        connection="shop",
        id="64aa00000000000000000001",
        survey_type="nps",
        score=9,
        comment="Fast exports",
        created_at=ANSWERED,
        person=Respondent(id="5f00000000000000000000aa", email="ada@example.test", name="Ada Kern", user_id="u-1842"),
        campaign=Campaign(id="5f00000000000000000000c1"),
        channel="in-app",
        answers=[
            Answer(question="How likely?", answer=9),
            Answer(question="Why?", answer="Fast exports"),
            Answer(question="Use?", answer=["Export", "API"]),
        ],
        person_properties={"email": "ada@example.test", "name": "Ada Kern", "plan": "Gold"},
    )


def test_no_permalink_is_invented() -> None:
    assert (v3().permalink, flat().permalink, hook("completed").permalink) == (UNSET, UNSET, UNSET)


# --- scores -------------------------------------------------------------------------------------------------------

SCORES = [(0, 0), (10, 10), ("9", 9), (9.0, 9), (None, None), ("", None)]
NO_SCORES = [11, -1, 9.5, True, "many", [9], {"is": 9}, float(10**30)]


@pytest.mark.parametrize(("value", "score"), SCORES)
def test_f34_an_nps_score_is_a_whole_number_however_it_is_written(value: object, score: float | None) -> None:
    assert measured(value).score == score
    assert flat(rating=value, answers=None).score == score


@pytest.mark.parametrize("value", NO_SCORES)
def test_f34_what_is_no_nps_score_is_refused_with_its_place(value: object) -> None:
    with pytest.raises(BadRecord) as refused:
        measured(value)
    assert refused.value.pointer == "/answers/0/value"
    with pytest.raises(BadRecord) as refused:
        flat(rating=value)
    assert refused.value.pointer == "/rating"


@pytest.mark.parametrize(
    ("metric", "value", "kind", "score"),
    [
        ("csat", 4, "csat", 4),
        ("ces", "6", "ces", 6),
        ("CSAT", 11, "csat", 11),
        ("pmf", "Very disappointed", "pmf", None),
        ("pmf", ["Somewhat"], "pmf", None),
        ("joy", 3, "joy", 3),
        (None, 9, "custom", None),
    ],
)
def test_the_metric_is_the_survey_type_and_texts_are_no_scores(
    metric: object, value: object, kind: str, score: float | None
) -> None:
    found = measured(value, metric)
    assert (found.survey_type, found.score) == (kind, score)


def test_nps_goes_before_any_other_metric() -> None:
    found = v3(answers=[RATING | {"metric": "csat", "value": 2}, RATING])
    assert (found.survey_type, found.score) == ("nps", 9)


def test_without_any_answer_it_is_taken_for_nps_unanswered() -> None:
    found = v3(answers=[])
    assert (found.survey_type, found.score, found.comment, found.answers) == ("nps", None, None, [])


@pytest.mark.parametrize(
    ("other", "kind"),
    [
        ({}, "nps"),
        ({"category": None}, "custom"),
        ({"category": None, "rating": None}, "nps"),
        ({"campaign": {"id": "c1", "type": "CSAT"}}, "csat"),
        ({"answers": [RATING | {"metric": "ces"}]}, "ces"),
    ],
)
def test_the_old_shape_names_no_metric_but_only_nps_has_categories(other: dict[str, Any], kind: str) -> None:
    assert flat(**other).survey_type == kind


def test_a_metric_without_a_value_leaves_the_rating_to_say_it() -> None:
    found = flat(answers=[RATING | {"value": None, "metric": "csat"}], rating=4)
    assert (found.survey_type, found.score) == ("csat", 4)


# --- comments and answers -----------------------------------------------------------------------------------------


def test_the_comment_is_the_first_long_text_that_says_something() -> None:
    blank = WHY | {"value": "  "}
    later = WHY | {"value": "Slow search"}
    assert v3(answers=[RATING, blank, WHY, later]).comment == "Fast exports"
    assert v3(answers=[RATING, blank]).comment is None


def test_a_huge_comment_with_nul_and_emoji_comes_through() -> None:
    text = "\0👍" * 50_000
    assert v3(answers=[RATING, WHY | {"value": text}]).comment == text
    assert flat(feedback=text).comment == text


def test_a_comment_that_is_no_text_is_refused() -> None:
    with pytest.raises(BadRecord, match="/feedback: is not text"):
        flat(feedback=7)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (True, "true"),
        (None, None),
        ({"a": 1}, '{"a":1}'),
        (["Export", 3], ["Export", "3"]),
        (2.5, 2.5),
    ],
)
def test_an_answer_of_any_kind_is_kept(value: object, kept: object) -> None:
    answers = v3(answers=[RATING, USE | {"value": value, "label": None}]).answers
    assert answers is not UNSET
    assert answers[1] == Answer(question="q-use", answer=kept)  # type: ignore[arg-type]


@pytest.mark.parametrize(("answers", "pointer"), [("none", "/answers"), ([RATING, 4], "/answers/1")])
def test_answers_that_are_none_are_refused(answers: object, pointer: str) -> None:
    with pytest.raises(BadRecord) as refused:
        v3(answers=answers)
    assert refused.value.pointer == pointer


# --- who, when, where ---------------------------------------------------------------------------------------------

NOBODY = Respondent()


@pytest.mark.parametrize(
    ("user", "person"),
    [
        (None, NOBODY),
        ({"id": "aa", "deleted": True, "userId": "u-1", "traits": {"email": "a@b.test"}}, NOBODY),
        ({"id": "aa", "userId": None, "anonymousId": "anon", "traits": None}, Respondent(id="aa", anonymous_id="anon")),
        ({"anonymousId": "anon", "traits": {"email": "a@b.test"}}, Respondent(email="a@b.test")),
        ({"userId": 17}, Respondent(user_id="17")),
        ({"email": " a@b.test "}, Respondent(email="a@b.test")),
        ({"traits": {"email": 5, "name": ""}}, NOBODY),
        (
            {"userId": "theirs", "traits": {"segment_user_id": "u-1", "segment_anonymous_id": "an"}},
            Respondent(user_id="u-1", anonymous_id="an"),
        ),
        ("aa", Respondent(id="aa")),
    ],
)
def test_f33_a_person_is_what_can_be_known_of_them(user: object, person: Respondent) -> None:
    assert v3(user=user).person == person


def test_an_id_of_a_user_that_is_neither_text_nor_number_is_refused() -> None:
    with pytest.raises(BadRecord, match="/user/userId"):
        v3(user={"userId": True})


def test_the_traits_of_a_user_are_the_properties_of_the_person() -> None:
    traits = {"email": "ada@example.test", "name": "Ada Kern", "plan": "Gold"}
    assert v3().person_properties == traits
    assert v3(user={"id": "aa", "traits": {}}).person_properties is UNSET
    assert v3(user={"id": "aa", "deleted": True, "traits": traits}).person_properties is UNSET


def test_traits_are_no_content_because_they_are_those_of_today() -> None:
    later = v3(user={"userId": "u-1842", "traits": {"email": "ada@example.test", "plan": "Silver"}})
    assert same_content(v3(), later)


@pytest.mark.parametrize(
    "created",
    [
        "2026-05-02T10:11:12.345Z",
        "2026-05-02T12:11:12.345+02:00",
        "2026-05-02T10:11:12.345",
        1777716672.345,
        1777716672345,
    ],
)
def test_f16_a_time_is_read_in_seconds_milliseconds_and_iso_with_and_without_zone(created: object) -> None:
    assert v3(created=created).created_at == ANSWERED


@pytest.mark.parametrize("created", [None, "yesterday", True, 10**18])
def test_f16_what_is_no_time_is_refused(created: object) -> None:
    with pytest.raises(BadRecord, match="/created"):
        v3(created=created)


@pytest.mark.parametrize("number", [None, "", True, ["x"]])
def test_a_response_without_an_id_is_refused(number: object) -> None:
    with pytest.raises(BadRecord, match="/id"):
        v3(id=number)


@pytest.mark.parametrize("record", [b"", b"[]", b"null", b"{", b'{"id":"1"}', b'{"response":null}'])
def test_f37_what_is_no_response_is_refused(record: bytes) -> None:
    with pytest.raises(BadRecord):
        parse("shop", record)


def test_unknown_fields_are_passed_over() -> None:
    assert v3(mood={"of": ["the", "day"]}) == v3()


# --- webhooks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "flags", "expected"),
    [
        ("completed", {}, (True, False)),
        ("dismissed", {}, (False, True)),
        ("Dismissed", {"completed": True}, (False, True)),
        (None, {"completed": True}, (True, False)),
        (None, {"dismissed": True}, (False, True)),
        (None, {}, (False, False)),
    ],
)
def test_a_webhook_says_how_the_survey_ended(
    event: object, flags: dict[str, bool], expected: tuple[bool, bool]
) -> None:
    found = hook(event, **flags)
    assert (found.completed, found.dismissed) == expected


def test_a_dismissed_survey_needs_no_rating() -> None:
    found = hook("dismissed", rating=None, feedback=None, category=None, answers=[])
    assert (found.survey_type, found.score, found.comment, found.dismissed) == ("nps", None, None, True)


def test_what_a_webhook_cannot_tell_stays_untold() -> None:
    found = hook("completed")
    assert (found.campaign, found.answers, found.person_properties) == (UNSET, UNSET, UNSET)
    assert (found.id, found.score, found.comment, found.channel) == (v3().id, 9, "Fast exports", "in-app")


def test_what_is_wrong_in_a_webhook_is_pointed_at_from_its_top() -> None:
    with pytest.raises(BadRecord, match="/response/rating"):
        hook("dismissed", rating=11)


def test_a_flag_that_was_added_to_a_response_of_v3_is_read() -> None:
    assert v3(completed=True).completed
