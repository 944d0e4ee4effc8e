"""From the vendor's objects to responses, one row of the table for each quirk."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from msgspec import UNSET

from npsbridge.core.model import Answer, Campaign, Respondent, Response
from npsbridge.errors import BadRecord
from npsbridge.platforms.retently.parse import parse

ROW: dict[str, Any] = {
    "id": "66d200000000000000000010",
    "customerId": "66b0c1d2e3f4a5b6c7d8e9f0",
    "email": "mara@acme.test",
    "firstName": "Mara",
    "lastName": "Lind",
    "companyName": "Acme",
    "tags": ["beta"],
    "customProps": [{"name": "plan", "type": "text", "value": "growth"}],
    "campaignId": "66c100000000000000000001",
    "campaignName": "Post purchase NPS",
    "createdDate": "2026-03-04T10:20:30.456Z",
    "score": 9,
    "comment": "Quick help.",
    "checkbox": None,
    "additionalQuestions": [],
    "feedbackTopics": [{"name": "Support", "sentiment": "positive"}],
    "feedbackTags": ["old"],
    "feedbackTagsNew": ["vip", "old"],
    "ratingCategory": "promoter",
    "channel": "email",
    "metricsType": "nps",
    "isBogus": False,
}
SENT: dict[str, Any] = {
    "email": "Mara@Acme.test",
    "customerId": "66b0c1d2e3f4a5b6c7d8e9f0",
    "firstName": "Mara",
    "lastName": None,
    "sentDate": "2026-03-04T10:00:00.000Z",
    "channel": "email",
    "campaign": "Post purchase NPS",
    "campaignId": "66c100000000000000000001",
    "attributes": {"customerTags": [], "customProps": [{"label": "Segment user id", "value": "u_918"}]},
    "mandrillMessageId": "abc123",
    "detailedStatus": {"isOpened": True, "openedDate": "2026-03-04T10:05:00.000Z", "isResponded": False},
}


def read(**changes: Any) -> Response:
    return parse("retently", orjson.dumps(ROW | changes))


def viewed(**changes: Any) -> Response:
    return parse("retently", orjson.dumps(SENT | changes))


def test_a_whole_answer() -> None:
    assert read() == Response(
        platform="retently",
        connection="retently",
        id="66d200000000000000000010",
        survey_type="nps",
        score=9,
        comment="Quick help.",
        created_at=datetime(2026, 3, 4, 10, 20, 30, 456_000, tzinfo=UTC),
        person=Respondent(id="66b0c1d2e3f4a5b6c7d8e9f0", email="mara@acme.test", name="Mara Lind"),
        campaign=Campaign(id="66c100000000000000000001", name="Post purchase NPS"),
        channel="email",
        tags=["old", "vip"],
        answers=[],
        person_properties={"plan": "growth"},
    )


def test_the_least_an_answer_must_have() -> None:
    response = parse("retently", b'{"id":"a1","createdDate":"2026-03-04"}')
    assert (response.survey_type, response.score, response.comment) == ("nps", None, None)
    assert (response.campaign, response.tags, response.answers) == (UNSET, UNSET, UNSET)
    assert (response.channel, response.person_properties, response.person) == (UNSET, UNSET, Respondent())


def test_no_permalink_is_invented() -> None:
    assert read().permalink is UNSET


@pytest.mark.parametrize(
    ("score", "expected"), [(9, 9), ("9", 9), (9.0, 9), (" 10 ", 10), (0, 0), (None, None)], ids=repr
)
def test_f34_a_score_is_read(score: object, expected: int | None) -> None:
    found = read(score=score).score
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("score", [11, -1, True, "nine", "", 7.5, [9], {"value": 9}], ids=repr)
def test_f34_what_is_no_nps_score_is_refused(score: object) -> None:
    with pytest.raises(BadRecord) as caught:
        read(score=score)
    assert caught.value.pointer == "/score"


@pytest.mark.parametrize(
    ("metric", "score", "expected"), [("CSAT", 4, "csat"), ("Ces", 6.5, "ces"), ("STAR", 5, "star"), ("pmf", -1, "pmf")]
)
def test_other_metrics_have_scales_of_their_own(metric: str, score: float, expected: str) -> None:
    response = read(metricsType=metric, score=score)
    assert (response.survey_type, response.score) == (expected, score)


@pytest.mark.parametrize("metric", ["NPS", "nps", "Nps ", None, ""], ids=repr)
def test_the_case_of_the_metric_means_nothing(metric: str | None) -> None:
    assert read(metricsType=metric).survey_type == "nps"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ("66b0c1d2e3f4a5b6c7d8e9f0", "mara@acme.test", "Mara Lind")),
        ({"email": None}, ("66b0c1d2e3f4a5b6c7d8e9f0", None, "Mara Lind")),
        ({"email": "  "}, ("66b0c1d2e3f4a5b6c7d8e9f0", None, "Mara Lind")),
        ({"customerId": None}, (None, "mara@acme.test", "Mara Lind")),
        ({"customerId": 17, "email": " A@b.c "}, ("17", "A@b.c", "Mara Lind")),
        ({"customerId": None, "email": None, "firstName": None, "lastName": ""}, (None, None, None)),
        ({"lastName": None}, ("66b0c1d2e3f4a5b6c7d8e9f0", "mara@acme.test", "Mara")),
    ],
)
def test_f33_a_person_may_lack_anything(changes: dict[str, Any], expected: tuple[str | None, ...]) -> None:
    person = read(**changes).person
    assert (person.id, person.email, person.name) == expected


@pytest.mark.parametrize(
    "written",
    [
        "2026-03-04T10:20:30.456Z",
        "2026-03-04T10:20:30.456",
        "2026-03-04T12:20:30.456+02:00",
        1_772_619_630.456,
        1_772_619_630_456,
    ],
    ids=repr,
)
def test_f16_a_time_is_read_however_it_is_written(written: object) -> None:
    assert read(createdDate=written).created_at == datetime(2026, 3, 4, 10, 20, 30, 456_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"id": None}, "/id"),
        ({"id": " "}, "/id"),
        ({"id": True}, "/id"),
        ({"createdDate": None}, "/createdDate"),
        ({"createdDate": "yesterday"}, "/createdDate"),
        ({"createdDate": 1e300}, "/createdDate"),
        ({"comment": 7}, "/comment"),
        ({"comment": ["a"]}, "/comment"),
        ({"email": 7}, "/email"),
        ({"firstName": {}}, "/firstName"),
        ({"customerId": 1.5}, "/customerId"),
        ({"campaignId": False}, "/campaignId"),
        ({"metricsType": 3}, "/metricsType"),
    ],
    ids=str,
)
def test_a_record_that_cannot_be_meant_is_refused_with_the_place(changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(BadRecord) as caught:
        read(**changes)
    assert caught.value.pointer == pointer


@pytest.mark.parametrize("raw", [b"7", b"[]", b"null", b"{", b"\xff"], ids=repr)
def test_what_is_no_object_is_refused(raw: bytes) -> None:
    with pytest.raises(BadRecord):
        parse("retently", raw)


def test_a_long_comment_with_nul_and_emoji_comes_whole() -> None:
    comment = "a\x00🎉 é" * 20_000
    assert read(comment=comment).comment == comment


@pytest.mark.parametrize("comment", [None, "", " \n"], ids=repr)
def test_no_comment_is_none(comment: str | None) -> None:
    assert read(comment=comment).comment is None


def test_unknown_fields_and_odd_lists_are_passed_over() -> None:
    response = read(somethingNew={"deep": [1]}, feedbackTags=None, feedbackTagsNew=[7, "vip", None], customProps=["x"])
    assert (response.tags, response.person_properties) == (["vip"], {})


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("yes", "yes"),
        (4, 4),
        (4.5, 4.5),
        (["a", "b"], ["a", "b"]),
        ([{"text": "a"}, 2, None], ["a", "2"]),
        ({"label": "often"}, "often"),
        (True, "yes"),
        (None, None),
    ],
    ids=repr,
)
def test_additional_questions_become_answers(answer: object, expected: object) -> None:
    asked = [{"questionText": "How often?", "type": "any", "metricsType": "nps", "answer": answer}]
    assert read(additionalQuestions=asked).answers == [Answer(question="How often?", answer=expected)]  # type: ignore[arg-type] # the table's own types


@pytest.mark.parametrize(
    ("prop", "user_id", "anonymous_id"),
    [
        ({"name": "segment_user_id", "value": "u_918"}, "u_918", None),
        ({"label": "Segment user id", "name": "p17", "value": "u_918"}, "u_918", None),
        ({"name": "segmentUserId", "value": 918}, "918", None),
        ({"name": "segment_anonymous_id", "value": " a-1 "}, None, "a-1"),
        ({"name": "segment_user_id", "value": ""}, None, None),
        ({"name": "segment_user_id", "value": None}, None, None),
        ({"name": "segment_user_id", "value": True}, None, None),
        ({"name": "user_id", "value": "u"}, None, None),
    ],
)
def test_the_ids_we_gave_come_back(prop: dict[str, Any], user_id: str | None, anonymous_id: str | None) -> None:
    person = read(customProps=[{"name": "plan", "value": "x"}, prop]).person
    assert (person.user_id, person.anonymous_id) == (user_id, anonymous_id)


def test_properties_keep_their_values_under_the_server_s_names() -> None:
    props = [{"name": "seats", "value": 12}, {"label": "Only label", "value": ["a"]}, {"value": "nameless"}]
    assert read(customProps=props).person_properties == {"seats": 12, "Only label": ["a"]}


# --- sent surveys -----------------------------------------------------------------------------------------------


def test_an_opened_survey_is_a_view_and_no_answer() -> None:
    assert viewed() == Response(
        platform="retently",
        connection="retently",
        id="request:abc123",
        survey_type="nps",
        created_at=datetime(2026, 3, 4, 10, 5, tzinfo=UTC),
        person=Respondent(id="66b0c1d2e3f4a5b6c7d8e9f0", email="Mara@Acme.test", name="Mara", user_id="u_918"),
        campaign=Campaign(id="66c100000000000000000001", name="Post purchase NPS"),
        channel="email",
        person_properties={"Segment user id": "u_918"},
        viewed=True,
    )


def test_a_survey_without_a_message_id_has_one_made_of_person_campaign_and_time() -> None:
    plain = viewed(mandrillMessageId=None)
    assert plain.id == "request:8c8c8cb1e03afbbc3de7bac05ef77db2"
    assert viewed(mandrillMessageId="", email="mara@acme.test ").id == plain.id
    assert viewed(mandrillMessageId=None, sentDate="2026-03-04T11:00:00+01:00").id == plain.id
    others = [{"email": "x@acme.test"}, {"campaignId": "other"}, {"sentDate": "2026-03-04T10:00:00.001Z"}]
    assert len({plain.id, *(viewed(mandrillMessageId=None, **other).id for other in others)}) == 4


def test_a_survey_opened_at_an_unknown_time_counts_from_when_it_was_sent() -> None:
    response = viewed(detailedStatus={"isOpened": True, "openedDate": None})
    assert response.created_at == datetime(2026, 3, 4, 10, tzinfo=UTC)


def test_the_time_of_opening_alone_says_that_a_survey_was_opened() -> None:
    assert viewed(detailedStatus={"openedDate": "2026-03-04T10:05:00.000Z"}).viewed


@pytest.mark.parametrize("status", [None, {}, {"isOpened": False, "openedDate": None}], ids=repr)
def test_a_survey_that_nobody_opened_is_no_news(status: object) -> None:
    with pytest.raises(BadRecord) as caught:
        viewed(detailedStatus=status)
    assert caught.value.pointer == "/detailedStatus/isOpened"


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"mandrillMessageId": None, "email": None, "customerId": None}, "/customerId"),
        ({"mandrillMessageId": None, "sentDate": None}, "/sentDate"),
        ({"detailedStatus": {"isOpened": True, "openedDate": "soon"}}, "/detailedStatus/openedDate"),
        ({"detailedStatus": "opened"}, "/detailedStatus"),
    ],
    ids=str,
)
def test_a_sent_survey_that_cannot_be_meant_is_refused(changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(BadRecord) as caught:
        viewed(**changes)
    assert caught.value.pointer == pointer


@pytest.mark.parametrize("attributes", [None, [], {"customProps": None}, {}], ids=repr)
def test_a_sent_survey_may_say_nothing_of_the_person_s_properties(attributes: object) -> None:
    assert viewed(attributes=attributes).person_properties is UNSET
