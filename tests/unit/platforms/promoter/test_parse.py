"""What becomes of every kind of feedback that Promoter.io is known, or has to be expected, to send."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from msgspec import UNSET

from npsbridge.core.model import Campaign, Response
from npsbridge.errors import BadRecord
from npsbridge.platforms.promoter.parse import parse

V2: dict[str, Any] = {
    "id": 880123,
    "href": "https://app.promoter.test/api/feedback/880123/",
    "followup_href": "https://app.promoter.test/org/50/campaign/78/responses/all/response/880123/",
    "score": 9,
    "score_type": "promoter",
    "comment": "Quick help.",
    "posted_date": "2026-03-04T10:20:30Z",
    "created": "2026-03-04T10:20:30Z",
    "comment_updated_date": "2026-03-04T10:25:02Z",
    "score_created": "2026-03-04T10:20:29Z",
    "score_modified": None,
    "status": "OPEN",
    "contact": {
        "id": 3162999,
        "email": "mara@acme.test",
        "first_name": "Mara",
        "last_name": "Lind",
        "attributes": {"plan": "growth", "segment_user_id": "u_918"},
    },
    "campaign": {"id": 78, "name": "Post purchase"},
    "survey": {"sent_date": "2026-03-03T09:00:00Z", "attributes": {"order_id": "A-1001", "plan": "old"}},
    "tags": ["support"],
}
V1: dict[str, Any] = {
    "id": 880123,
    "href": V2["href"],
    "followup_href": V2["followup_href"],
    "score": 9,
    "comment": "Quick help.",
    "posted_date": "2026-03-04T10:20:30Z",
    "comment_updated_date": None,
    "contact": {"id": 3162999, "email": "mara@acme.test", "attributes": {"segment_anonymous_id": "a-1"}},
    "campaign": 78,
}


def read(base: dict[str, Any] = V2, /, **changes: Any) -> Response:
    fields = {name: value for name, value in {**base, **changes}.items() if value is not ...}
    return parse("promoter", orjson.dumps(fields))


def refused(**changes: Any) -> str:
    with pytest.raises(BadRecord) as caught:
        read(**changes)
    return caught.value.pointer


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_feedback_of_v2_is_read_whole() -> None:
    found = read()
    assert (found.platform, found.connection, found.id, found.survey_type) == ("promoter", "promoter", "880123", "nps")
    assert (found.score, found.comment, found.tags) == (9, "Quick help.", ["support"])
    assert (found.created_at, found.updated_at) == (at("2026-03-04T10:20:29"), at("2026-03-04T10:25:02"))
    assert found.permalink == V2["followup_href"]
    assert found.campaign == Campaign(id="78", name="Post purchase")
    person = found.person
    assert (person.id, person.email, person.name) == ("3162999", "mara@acme.test", "Mara Lind")
    assert (person.user_id, person.anonymous_id) == ("u_918", None)


def test_attributes_of_the_survey_join_those_of_the_contact_and_replace_none() -> None:
    assert read().person_properties == {"plan": "growth", "segment_user_id": "u_918", "order_id": "A-1001"}


def test_a_feedback_of_v1_has_no_tags_and_no_attributes_of_the_survey() -> None:
    found = read(V1)
    assert (found.created_at, found.updated_at) == (at("2026-03-04T10:20:30"), at("2026-03-04T10:20:30"))
    assert (found.campaign, found.tags) == (Campaign(id="78"), UNSET)
    assert (found.person.anonymous_id, found.person_properties) == ("a-1", {"segment_anonymous_id": "a-1"})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"id": "78", "name": "A"}, Campaign(id="78", name="A")),
        ({"name": " "}, Campaign()),
        (78, Campaign(id="78")),
        ("78", Campaign(id="78")),
        ("Post purchase", Campaign(name="Post purchase")),
        (None, UNSET),
        (..., UNSET),
    ],
)
def test_a_campaign_is_an_object_an_id_or_a_name(value: Any, expected: Any) -> None:
    assert read(campaign=value).campaign == expected


@pytest.mark.parametrize(("score", "expected"), [(0, 0), (10, 10), ("9", 9), (9.0, 9), (" 7 ", 7), (None, None)])
def test_f34_a_score_is_a_whole_number_from_0_to_10(score: Any, expected: int | None) -> None:
    found = read(score=score).score
    assert found == expected
    assert found is None or isinstance(found, int)


@pytest.mark.parametrize("score", [11, -1, 9.5, "", "nine", True, [9], {"value": 9}])
def test_f34_any_other_score_is_refused_with_its_place(score: Any) -> None:
    assert refused(score=score) == "/score"


@pytest.mark.parametrize(
    ("contact", "id_", "email"),
    [
        ({"id": 1}, "1", None),
        ({"email": "Plus+Tag@Acme.test "}, None, "Plus+Tag@Acme.test"),
        ({"id": "", "email": ""}, None, None),
        ({"id": 1, "email": None}, "1", None),
        ({}, None, None),
        (None, None, None),
        (..., None, None),
        (3162999, "3162999", None),
    ],
)
def test_f33_a_person_may_lack_the_email_the_id_or_both(contact: Any, id_: str | None, email: str | None) -> None:
    person = read(contact=contact).person
    assert (person.id, person.email) == (id_, email)


@pytest.mark.parametrize(
    ("first", "last", "name"),
    [("Mara", "Lind", "Mara Lind"), ("Mara", None, "Mara"), ("", " Lind", "Lind"), (None, "", None), (7, "x\0", "x")],
)
def test_a_name_is_made_of_what_there_is(first: Any, last: Any, name: str | None) -> None:
    assert read(contact={"first_name": first, "last_name": last}).person.name == name


@pytest.mark.parametrize("attributes", [None, [], "plan=growth", 5])
def test_attributes_that_are_no_object_are_no_properties(attributes: Any) -> None:
    assert read(V1, contact={"id": 1, "attributes": attributes}).person_properties is UNSET


@pytest.mark.parametrize(("value", "user_id"), [(" u_1 ", "u_1"), (17, "17"), (True, None), ("", None), (None, None)])
def test_the_id_that_came_back_is_text(value: Any, user_id: str | None) -> None:
    assert read(contact={"attributes": {"segment_user_id": value}}).person.user_id == user_id


def test_an_id_that_came_back_with_the_survey_counts_as_well() -> None:
    assert read(contact=None, survey={"attributes": {"segment_user_id": "u_2"}}).person.user_id == "u_2"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2018-03-04T8:20:00Z", "2018-03-04T08:20:00"),
        ("2018-3-4T8:5:7Z", "2018-03-04T08:05:07"),
        ("2018-03-04T08:20:00.5Z", "2018-03-04T08:20:00.500000"),
        ("2018-03-04T08:20:00+02:00", "2018-03-04T06:20:00"),
        ("2018-03-04T08:20:00+2:00", "2018-03-04T06:20:00"),
        ("2018-03-04 08:20:00", "2018-03-04T08:20:00"),
        ("2018-03-04", "2018-03-04T00:00:00"),
        (1520151600, "2018-03-04T08:20:00"),
        (1520151600000, "2018-03-04T08:20:00"),
    ],
)
def test_f16_a_time_is_iso_or_an_epoch_padded_or_not(text: Any, expected: str) -> None:
    assert read(V1, posted_date=text).created_at == at(expected)


@pytest.mark.parametrize("time", ["soon", True, [], "99999-01-01", "2018-13-01T00:00:00Z", 1e30])
def test_a_time_that_is_none_is_refused_with_its_place(time: Any) -> None:
    assert refused(posted_date=time) == "/posted_date"
    assert refused(comment_updated_date=time) == "/comment_updated_date"


def test_one_time_is_enough_and_none_is_too_few() -> None:
    times = dict.fromkeys(("posted_date", "created", "score_created", "comment_updated_date"), ...)
    assert read(**{**times, "created": "2026-03-04T10:20:30Z"}).created_at == at("2026-03-04T10:20:30")
    assert read(**{**times, "posted_date": "", "created": "2026-03-04T10:20:30Z"}).updated_at is not None
    assert refused(**times) == "/posted_date"


@pytest.mark.parametrize("field", ["comment_updated_date", "score_modified", "score_created", "posted_date", "created"])
def test_the_latest_of_all_times_is_when_it_changed(field: str) -> None:
    assert read(**{field: "2026-05-01T00:00:00Z"}).updated_at == at("2026-05-01T00:00:00")


@pytest.mark.parametrize(
    ("comment", "expected"),
    [(None, None), (..., None), ("", None), (" \n", None), ("\0", None), ("a\0b", "ab"), (" 😀 ", " 😀 ")],
)
def test_a_comment_loses_its_nul_characters_and_nothing_else(comment: Any, expected: str | None) -> None:
    assert read(comment=comment).comment == expected


def test_a_comment_of_100_kb_stays_whole() -> None:
    comment = "😀é\0x" * 12_500
    assert read(comment=comment).comment == comment.replace("\0", "")


def test_half_a_surrogate_does_not_stop_a_comment() -> None:
    record = orjson.dumps(V2).replace(b"Quick help.", b"\\ud83d broken")
    assert parse("promoter", record).comment == "\ufffd broken"


def test_a_comment_that_is_no_text_is_refused() -> None:
    assert refused(comment=["no"]) == "/comment"


@pytest.mark.parametrize(
    ("followup", "href", "expected"),
    [("https://a.test/1", "https://b.test/2", "https://a.test/1"), (None, "https://b.test/2", "https://b.test/2"),
     ("", ..., UNSET), (..., None, UNSET), (5, "https://b.test/2", "https://b.test/2")],
)  # fmt: skip
def test_the_permalink_is_the_page_of_the_dashboard_else_the_one_of_the_api(
    followup: Any, href: Any, expected: Any
) -> None:
    assert read(followup_href=followup, href=href).permalink == expected


@pytest.mark.parametrize(
    ("tags", "expected"),
    [(["a", "b"], ["a", "b"]), ([{"id": 1, "name": "a"}, {"id": 2}, 5], ["a"]), ([], []), (None, UNSET), ("a", UNSET)],
)
def test_tags_are_texts_or_objects_with_a_name(tags: Any, expected: Any) -> None:
    assert read(tags=tags).tags == expected


@pytest.mark.parametrize("id_", [None, ..., "", True, 1.5, []])
def test_without_an_id_there_is_no_response(id_: Any) -> None:
    assert refused(id=id_) == "/id"


def test_another_survey_type_is_not_believed_and_unknown_fields_are_passed_over() -> None:
    found = read(survey_type="csat", metric="ces", brand_new={"field": [1, 2, {"deep": None}]})
    assert (found.survey_type, found.score) == ("nps", 9)


@pytest.mark.parametrize("record", [b"", b"null", b"[]", b'"x"', b"{", b"<html>", b'{"id":1,"id"', b"\xff"])
def test_what_is_no_object_is_refused(record: bytes) -> None:
    with pytest.raises(BadRecord):
        parse("promoter", record)
