"""From Delighted's own objects to responses."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from npsbridge.core.model import Answer, Respondent, Response
from npsbridge.errors import BadRecord
from npsbridge.platforms.delighted.parse import parse

ROW: dict[str, Any] = {
    "id": "430021",
    "person": "70114",
    "survey_type": "nps",
    "score": 0,
    "comment": "Fast setup",
    "permalink": "https://app.delighted.com/r/Zk3mQ8tVb1LcX0aYw7RfPd2Ns6HgJu4E",
    "created_at": 1767230000,
    "updated_at": 1767230455,
    "person_properties": {"plan": "team", "Delighted Source": "Email"},
    "notes": [{"id": "12", "text": "called back", "user_email": "cs@example.org", "created_at": 1767240000}],
    "tags": ["billing"],
    "additional_answers": [],
}
LONG = "\0\N{GRINNING FACE}\ud83dé" * 20_000
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def read(**changes: Any) -> Response:
    return parse("shop", json.dumps(ROW | changes).encode())


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in ROW.items() if name not in names}


def answer(question: Any, **value: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(["free_response", "scale", "select_one", "select_many"])
    return {"id": "88", "value": nothing | value, "question": question}


# --- the whole object -------------------------------------------------------------------------------------------


def test_the_documented_object_is_read_whole() -> None:
    assert read() == Response(
        platform="delighted",
        connection="shop",
        id="430021",
        survey_type="nps",
        score=0,
        comment="Fast setup",
        created_at=datetime(2026, 1, 1, 1, 13, 20, tzinfo=UTC),
        updated_at=datetime(2026, 1, 1, 1, 20, 55, tzinfo=UTC),
        person=Respondent(id="70114"),
        permalink="https://app.delighted.com/r/Zk3mQ8tVb1LcX0aYw7RfPd2Ns6HgJu4E",
        channel="email",
        tags=["billing"],
        answers=[],
        person_properties={"plan": "team", "Delighted Source": "Email"},
    )


def test_the_least_a_row_needs_is_an_id_and_a_time() -> None:
    least = parse("shop", b'{"id":"1","created_at":1767225600}')
    assert least == Response(platform="delighted", connection="shop", id="1", survey_type="nps", created_at=NEW_YEAR)


# --- odd input that is read -------------------------------------------------------------------------------------

ANA = {"id": "7", "email": "Ana@Example.org", "name": "Ana"}

ODD: list[tuple[str, dict[str, Any], str, Any]] = [
    ("id as number", {"id": 430021}, "id", "430021"),
    ("F34 score as text", {"score": "9"}, "score", 9),
    ("F34 score 9.0", {"score": 9.0}, "score", 9),
    ("F34 score null", {"score": None}, "score", None),
    ("F34 csat of 11", {"score": 11, "survey_type": "csat"}, "score", 11),
    ("F34 half a star", {"score": 4.5, "survey_type": "star"}, "score", 4.5),
    ("F34 unknown survey type", {"survey_type": "Smileys"}, "survey_type", "smileys"),
    ("survey type null", {"survey_type": None}, "survey_type", "nps"),
    ("F33 person as id", {"person": "70114"}, "person", Respondent(id="70114")),
    ("F33 person as number", {"person": 70114}, "person", Respondent(id="70114")),
    ("F33 person null", {"person": None}, "person", Respondent()),
    ("F33 person empty", {"person": {}}, "person", Respondent()),
    ("F33 person object", {"person": ANA}, "person", Respondent(id="7", email="Ana@Example.org", name="Ana")),
    ("F33 email blank", {"person": {"id": "7", "email": " "}}, "person", Respondent(id="7")),
    ("F33 email null", {"person": {"id": "7", "email": None}}, "person", Respondent(id="7")),
    ("F33 email in blanks", {"person": {"email": " a@b.org "}}, "person", Respondent(email="a@b.org")),
    ("F33 email with tag", {"person": {"email": "a+b@bücher.de"}}, "person", Respondent(email="a+b@bücher.de")),
    ("F33 email of 300", {"person": {"email": "a" * 300}}, "person", Respondent(email="a" * 300)),
    ("name of no text", {"person": {"id": "7", "name": 5}}, "person", Respondent(id="7")),
    ("F16 epoch in ms", {"created_at": 1767225600000}, "created_at", NEW_YEAR),
    ("F16 epoch as float", {"created_at": 1767225600.0}, "created_at", NEW_YEAR),
    ("F16 ISO with Z", {"created_at": "2026-01-01T00:00:00Z"}, "created_at", NEW_YEAR),
    ("F16 ISO with offset", {"created_at": "2026-01-01T01:00:00+01:00"}, "created_at", NEW_YEAR),
    ("F16 ISO without zone", {"created_at": "2026-01-01T00:00:00"}, "created_at", NEW_YEAR),
    ("updated_at null", {"updated_at": None}, "updated_at", None),
    ("comment blank", {"comment": " \n"}, "comment", None),
    ("comment to the letter", {"comment": " é \r\n"}, "comment", " é \r\n"),
    ("comment long and strange", {"comment": LONG}, "comment", LONG.replace("\ud83d", "\ufffd")),
    ("permalink of no text", {"permalink": 5}, "permalink", UNSET),
    ("tags null", {"tags": None}, "tags", UNSET),
    ("tags as text", {"tags": "billing"}, "tags", UNSET),
    ("tags of mixed kinds", {"tags": ["a", 5, None, "b"]}, "tags", ["a", "b"]),
    ("properties null", {"person_properties": None}, "person_properties", UNSET),
    ("properties as list", {"person_properties": []}, "person_properties", UNSET),
    ("no channel", {"person_properties": {"plan": "team"}}, "channel", UNSET),
    ("channel of no text", {"person_properties": {"Delighted Source": 5}}, "channel", UNSET),
    ("answers null", {"additional_answers": None}, "answers", UNSET),
    ("answers as object", {"additional_answers": {}}, "answers", UNSET),
    ("answers of wrong kinds", {"additional_answers": [5, {}, {"question": "?", "value": {}}]}, "answers", []),
    ("F34 unknown fields", {"new_field": {"deep": [1]}}, "id", "430021"),
]


@pytest.mark.parametrize(("changes", "field", "expected"), [row[1:] for row in ODD], ids=[row[0] for row in ODD])
def test_f33_f34_odd_input_is_read(changes: dict[str, Any], field: str, expected: Any) -> None:
    assert getattr(read(**changes), field) == expected


@pytest.mark.parametrize("names", [["score"], ["comment"], ["person", "tags", "permalink", "additional_answers"]])
def test_missing_fields_are_unknown(names: list[str]) -> None:
    assert parse("shop", json.dumps(without(*names)).encode()).id == "430021"


@pytest.mark.parametrize(
    ("name", "given", "read_as"),
    [
        ("user_id", "u_881", "u_881"),
        ("user_id", 881, "881"),
        ("anonymous_id", "a-1", "a-1"),
        ("user_id", " ", None),
        ("user_id", True, None),
        ("user_id", None, None),
        ("anonymous_id", [], None),
    ],
)
def test_our_own_ids_find_their_way_home(name: str, given: Any, read_as: str | None) -> None:
    person = read(person_properties={f"segment_{name}": given}).person
    assert getattr(person, name) == read_as


# --- additional answers -----------------------------------------------------------------------------------------

YES, NO = {"id": "o1", "text": "Yes"}, {"id": "o2", "text": "No"}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"free_response": "slow export"}, "slow export"),
        ({"scale": 4}, 4),
        ({"scale": 0}, 0),
        ({"select_one": YES}, "Yes"),
        ({"select_many": [YES, NO]}, ["Yes", "No"]),
        ({"select_many": []}, []),
        ({"select_one": {"id": "o1", "text": None}}, "o1"),
        ({"select_many": ["Yes", {"id": 2}]}, ["Yes", "2"]),
        ({"scale": True}, None),
        ({}, None),
    ],
)
def test_each_type_of_question_has_its_answer(value: dict[str, Any], said: Any) -> None:
    asked = answer({"id": "q1", "type": "free_response", "text": "What went wrong?"}, **value)
    assert read(additional_answers=[asked]).answers == [Answer(question="What went wrong?", answer=said)]


@pytest.mark.parametrize(("question", "name"), [({"id": "q1", "text": None}, "q1"), ({}, "")])
def test_a_question_without_text_is_called_by_its_id(question: dict[str, Any], name: str) -> None:
    answers = read(additional_answers=[answer(question, scale=1)]).answers
    assert answers == [Answer(question=name, answer=1)]


# --- bad input --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"id": None}, "/id"),
        ({"id": ""}, "/id"),
        ({"id": True}, "/id"),
        ({"id": {}}, "/id"),
        ({"score": 11}, "/score"),
        ({"score": -1}, "/score"),
        ({"score": 9.5}, "/score"),
        ({"score": True}, "/score"),
        ({"score": "nine"}, "/score"),
        ({"score": [9]}, "/score"),
        ({"survey_type": 5}, "/survey_type"),
        ({"comment": 5}, "/comment"),
        ({"comment": {"text": "x"}}, "/comment"),
        ({"created_at": None}, "/created_at"),
        ({"created_at": "soon"}, "/created_at"),
        ({"created_at": True}, "/created_at"),
        ({"created_at": 10**18}, "/created_at"),
        ({"updated_at": "soon"}, "/updated_at"),
        ({"updated_at": {}}, "/updated_at"),
        ({"person": True}, "/person"),
        ({"person": [1]}, "/person"),
        ({"person": 1.5}, "/person"),
        ({"person": {"id": {}}}, "/person/id"),
        ({"person": {"id": "7", "email": 5}}, "/person/email"),
    ],
)
def test_f33_f34_bad_input_is_refused_with_its_place(changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(BadRecord) as caught:
        read(**changes)
    assert caught.value.pointer == pointer


@pytest.mark.parametrize("name", ["id", "created_at"])
def test_what_a_row_needs_is_missed_by_name(name: str) -> None:
    with pytest.raises(BadRecord) as caught:
        parse("shop", json.dumps(without(name)).encode())
    assert caught.value.pointer == f"/{name}"


@pytest.mark.parametrize("record", [b"", b"7", b"null", b"[]", b'{"id":"1"', b'{"id":NaN}', b'{"id":"\xff"}'])
def test_what_is_no_object_is_refused(record: bytes) -> None:
    with pytest.raises(BadRecord):
        parse("shop", record)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def outcome(changes: dict[str, Any]) -> Response | BadRecord:
    try:
        return read(**changes)
    except BadRecord as error:
        return error


@given(changes=st.dictionaries(st.sampled_from(sorted(ROW)), JSON))
def test_whatever_comes_is_read_or_refused_with_its_place(changes: dict[str, Any]) -> None:
    found = outcome(changes)
    assert isinstance(found, Response) or found.pointer.split("/")[1] in changes


@given(value=JSON.filter(lambda value: value is not None))
def test_i19_a_refusal_never_says_the_value(value: Any) -> None:
    found = outcome({"comment": {"canary-7": value}})
    assert isinstance(found, BadRecord)
    assert "canary-7" not in str(found)
