"""Which calls a revision is told in, and what they say."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from npsbridge.core.model import Answer, Campaign, Emission, Identity, Kind, Respondent, Response
from npsbridge.core.records import RememberedResponse
from npsbridge.core.translate import (
    DELIGHTED_SOURCE,
    EVENT_NAMES,
    Call,
    EventRules,
    call,
    category,
    kinds,
    milestones,
)

ANSWERED_AT = datetime(2026, 3, 4, 11, 20, 30, 5000, tzinfo=timezone(timedelta(hours=1)))
EDITED_AT = datetime(2026, 3, 4, 10, 25, 2, tzinfo=UTC)
PERSON = Respondent(id="70114", email="ana@example.org", user_id="u_1")
IDENTITY = Identity(user_id="u_1", email="ana@example.org")
RESPONSE = Response(
    platform="delighted",
    connection="shop",
    id="430021",
    survey_type="nps",
    score=9,
    created_at=ANSWERED_AT,
    person=PERSON,
)
IDENTIFY, SUBMIT, ANSWERED, COMPLETED, CLOSED = list(Kind)[:5]


def response(**other: Any) -> Response:
    return msgspec.structs.replace(RESPONSE, **other)


def remembered(of: Response, revision: int = 1) -> RememberedResponse:
    return RememberedResponse(response=of, revision=revision, milestones=milestones(of))


def said(
    of: Response, previous: RememberedResponse | None = None, *, is_newest: bool = True, **rules: Any
) -> tuple[Kind, ...]:
    return kinds(of, previous, is_newest=is_newest, rules=EventRules(**rules))


def told(
    kind: Kind, of: Response = RESPONSE, *, identity: Identity = IDENTITY, revision: int = 1, **other: Any
) -> Call:
    emission = Emission(response=of, revision=revision, identity=identity, is_newest=True, kinds=())
    return call(emission, kind, **({"integrations": None, "library_version": "1.2.3"} | other))


# --- what is said -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({}, (IDENTIFY, SUBMIT, ANSWERED)),
        ({"score": 0}, (IDENTIFY, SUBMIT, ANSWERED)),
        ({"comment": "Fast"}, (IDENTIFY, SUBMIT, ANSWERED, COMPLETED)),
        ({"comment": " "}, (IDENTIFY, SUBMIT, ANSWERED)),
        ({"completed": True}, (IDENTIFY, SUBMIT, ANSWERED, COMPLETED)),
        ({"score": None}, (SUBMIT,)),
        ({"score": None, "comment": "Fast", "completed": True}, (SUBMIT,)),
        ({"score": None, "dismissed": True}, (CLOSED,)),
        ({"dismissed": True}, (IDENTIFY, SUBMIT, ANSWERED, CLOSED)),
        ({"score": None, "comment": "Later", "dismissed": True}, (SUBMIT, CLOSED)),
        ({"dismissed": True, "completed": True}, (IDENTIFY, SUBMIT, ANSWERED, COMPLETED)),
        ({"survey_type": "csat", "score": 5, "comment": "Fast"}, (SUBMIT,)),
        ({"survey_type": "csat", "score": None, "dismissed": True}, ()),
        ({"score": None, "dismissed": True, "answers": []}, (CLOSED,)),
        ({"score": None, "dismissed": True, "answers": [Answer(question="Why?", answer=None)]}, (CLOSED,)),
        ({"score": None, "dismissed": True, "answers": [Answer(question="Why?", answer="So")]}, (SUBMIT, CLOSED)),
        ({"person": Respondent()}, (SUBMIT, ANSWERED)),
    ],
)
def test_what_a_new_response_is_told_in(content: dict[str, Any], expected: tuple[Kind, ...]) -> None:
    assert said(response(**content)) == expected


def test_i14_an_answer_with_a_newer_one_known_sets_no_traits() -> None:
    assert said(RESPONSE, is_newest=False) == (SUBMIT, ANSWERED)


def test_an_edit_is_submitted_again_and_reaches_the_next_milestone_only() -> None:
    assert said(response(comment="Fast"), remembered(RESPONSE)) == (IDENTIFY, SUBMIT, COMPLETED)


def test_milestones_said_once_are_not_said_again() -> None:
    edited = response(comment="Faster", updated_at=EDITED_AT)
    assert said(edited, remembered(response(comment="Fast"))) == (IDENTIFY, SUBMIT)


@pytest.mark.parametrize(("on_update", "expected"), [("traits", (IDENTIFY,)), ("ignore", ())])
def test_an_edit_says_less_where_the_operator_wants_less(on_update: str, expected: tuple[Kind, ...]) -> None:
    assert said(response(comment="Fast"), remembered(RESPONSE), on_update=on_update) == expected


@pytest.mark.parametrize("on_update", ["emit", "traits", "ignore"])
def test_a_flag_that_comes_later_says_its_milestone_and_no_more(on_update: str) -> None:
    assert said(response(completed=True), remembered(RESPONSE), on_update=on_update) == (COMPLETED,)


def test_a_response_closed_first_and_answered_later_is_submitted_then() -> None:
    closed = response(score=None, dismissed=True)
    assert said(response(dismissed=True), remembered(closed)) == (IDENTIFY, SUBMIT, ANSWERED)


@pytest.mark.parametrize("on_update", ["emit", "traits", "ignore"])
def test_of_a_held_back_response_nothing_has_been_said(on_update: str) -> None:
    held = remembered(RESPONSE, revision=0)
    assert said(RESPONSE, held, on_update=on_update) == (IDENTIFY, SUBMIT, ANSWERED)


def test_only_the_named_events_are_emitted_but_traits_always_are() -> None:
    assert said(response(comment="Fast"), names=frozenset({"Completed NPS Survey"})) == (IDENTIFY, COMPLETED)


def test_all_five_events_are_named_by_default() -> None:
    assert EventRules().names == set(EVENT_NAMES.values())
    assert len(EVENT_NAMES) == 5


def test_a_milestone_reached_while_switched_off_is_not_told_once_it_is_switched_on() -> None:
    assert ANSWERED not in said(RESPONSE, names=frozenset())
    assert milestones(RESPONSE) == (ANSWERED,)
    assert said(response(score=3), remembered(RESPONSE)) == (IDENTIFY, SUBMIT)


def test_milestones_are_kept_though_the_content_falls_back_behind_them() -> None:
    assert milestones(RESPONSE, remembered(response(comment="Fast"))) == (ANSWERED, COMPLETED)


def test_milestones_of_a_held_back_response_do_not_count() -> None:
    held = remembered(response(comment="Fast"), revision=0)
    assert milestones(RESPONSE, held) == (ANSWERED,)


# --- how it is said ---------------------------------------------------------------------------------------------


def test_an_identify_carries_the_three_traits_and_does_not_touch_last_seen() -> None:
    assert told(IDENTIFY, response(comment="Fast", score=9.0)) == {
        "type": "identify",
        "userId": "u_1",
        "timestamp": "2026-03-04T10:20:30.005Z",
        "traits": {"NPS_rating": 9, "NPS_comment": "Fast", "NPS_date": "2026-03-04T10:20:30.005Z"},
        "context": {
            "library": {"name": "npsbridge", "version": "1.2.3"},
            "active": False,
            "traits": {"email": "ana@example.org"},
        },
    }


def test_an_answer_without_comment_clears_the_old_comment_on_purpose() -> None:
    assert told(IDENTIFY)["traits"]["NPS_comment"] is None


def test_the_rating_is_an_integer_even_if_the_vendor_sends_a_float() -> None:
    assert isinstance(told(IDENTIFY, response(score=9.0))["traits"]["NPS_rating"], int)


def test_a_response_without_score_has_no_traits_to_tell() -> None:
    with pytest.raises(ValueError, match="only an NPS response"):
        told(IDENTIFY, response(score=None))


def test_a_track_says_what_is_known_and_null_for_what_is_not() -> None:
    assert told(SUBMIT) == {
        "type": "track",
        "event": "Submit Survey",
        "userId": "u_1",
        "timestamp": "2026-03-04T10:20:30.005Z",
        "properties": {
            "score": 9,
            "comment": None,
            "permalink": None,
            "created_at": "2026-03-04T10:20:30.005Z",
            "updated_at": None,
            "survey_type": "nps",
            "category": "promoter",
            "platform": "delighted",
            "connection": "shop",
            "response_id": "430021",
            "revision": 1,
        },
        "context": {
            "library": {"name": "npsbridge", "version": "1.2.3"},
            "traits": {"email": "ana@example.org"},
        },
    }


def test_a_track_carries_what_the_vendor_knows_beyond_that() -> None:
    full = response(
        campaign=Campaign(id="c1"),
        channel="email",
        tags=["billing"],
        answers=[
            Answer(question="Why?", answer=3.0),
            Answer(question="Left out?", answer=None),
            Answer(question="Which?", answer=["a", "b"]),
        ],
        person_properties={"plan": "team"},
    )
    properties = told(SUBMIT, full)["properties"]
    assert list(properties)[-5:] == ["campaign", "channel", "tags", "answers", "person_properties"]
    assert properties["campaign"] == {"id": "c1", "name": None}
    assert properties["answers"] == [{"question": "Why?", "answer": 3}, {"question": "Which?", "answer": ["a", "b"]}]
    assert isinstance(properties["answers"][0]["answer"], int)
    assert properties["person_properties"] == {"plan": "team"}


def test_a_campaign_of_which_nothing_is_known_is_left_out() -> None:
    assert "campaign" not in told(SUBMIT, response(campaign=Campaign()))["properties"]


@pytest.mark.parametrize(
    ("score", "camp"),
    [(0, "detractor"), (6, "detractor"), (7, "passive"), (8, "passive"), (9, "promoter"), (10, "promoter")],
)
def test_the_category_follows_the_score(score: int, camp: str) -> None:
    assert category(score) == camp
    assert told(SUBMIT, response(score=score))["properties"]["category"] == camp


@pytest.mark.parametrize("content", [{"score": None}, {"survey_type": "csat", "score": 5}])
def test_without_an_nps_score_there_is_no_category(content: dict[str, Any]) -> None:
    assert "category" not in told(SUBMIT, response(**content))["properties"]


def test_score_0_is_a_score() -> None:
    properties = told(SUBMIT, response(score=0))["properties"]
    assert properties["score"] == 0
    assert properties["category"] == "detractor"


@pytest.mark.parametrize(
    ("revision", "updated_at", "timestamp"),
    [
        (1, None, "2026-03-04T10:20:30.005Z"),
        (1, EDITED_AT, "2026-03-04T10:20:30.005Z"),
        (2, EDITED_AT, "2026-03-04T10:25:02.000Z"),
        (2, None, "2026-03-04T10:20:30.005Z"),
        (2, ANSWERED_AT - timedelta(days=1), "2026-03-04T10:20:30.005Z"),
    ],
)
def test_a_revision_is_dated_by_its_edit_and_never_before_the_answer(
    revision: int, updated_at: datetime | None, timestamp: str
) -> None:
    assert told(SUBMIT, response(updated_at=updated_at), revision=revision)["timestamp"] == timestamp


def test_the_nps_date_stays_the_date_of_the_answer() -> None:
    edited = told(IDENTIFY, response(updated_at=EDITED_AT), revision=2)
    assert edited["traits"]["NPS_date"] == "2026-03-04T10:20:30.005Z"


def test_someone_without_user_id_goes_out_under_the_anonymous_id_alone() -> None:
    message = told(SUBMIT, identity=Identity(anonymous_id="a_1"))
    assert message["anonymousId"] == "a_1"
    assert "userId" not in message
    assert "traits" not in message["context"]


def test_a_call_about_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="userId or an anonymousId"):
        told(SUBMIT, identity=Identity(email="ana@example.org"))


def test_integrations_are_copied_when_given() -> None:
    wanted = {"All": False, "BigQuery": True}
    assert told(SUBMIT, integrations=wanted)["integrations"] == wanted
    assert told(IDENTIFY, integrations={})["integrations"] == {}


def test_a_viewed_survey_has_a_request_and_no_response() -> None:
    properties = told(Kind.VIEWED, response(id="m-1", score=None))["properties"]
    assert properties["response_id"] is None
    assert properties["request_id"] == "m-1"


# --- Delighted's own vocabulary ---------------------------------------------------------------------------------


ALSO = frozenset({DELIGHTED_SOURCE})


def test_the_question_event_is_said_only_when_asked_for() -> None:
    assert said(RESPONSE, also=ALSO) == (IDENTIFY, SUBMIT, ANSWERED, Kind.QUESTION)
    assert Kind.QUESTION not in said(RESPONSE)


def test_the_question_event_does_not_depend_on_the_other_names() -> None:
    assert said(response(survey_type="csat"), names=frozenset(), also=ALSO) == (Kind.QUESTION,)


@pytest.mark.parametrize(("on_update", "is_said"), [("emit", True), ("traits", False), ("ignore", False)])
def test_the_question_event_of_an_edit_follows_the_rule_for_edits(on_update: str, *, is_said: bool) -> None:
    assert (Kind.QUESTION in said(response(score=1), remembered(RESPONSE), on_update=on_update, also=ALSO)) is is_said


def test_a_flag_alone_answers_no_question_again() -> None:
    assert said(response(completed=True), remembered(RESPONSE), also=ALSO) == (COMPLETED,)


def test_a_closed_survey_answers_no_question() -> None:
    assert said(response(score=None, dismissed=True), also=ALSO) == (CLOSED,)


def test_the_question_event_speaks_as_delighted_did() -> None:
    full = response(campaign=Campaign(id="c1", name="Spring"), channel="email", tags=["billing"], permalink="https://x")
    message = told(Kind.QUESTION, full)
    assert message["event"] == "Survey Question Answered"
    assert message["context"]["traits"] == {"email": "ana@example.org", "delighted_person_id": "70114"}
    assert message["properties"] == {
        "survey_id": "c1",
        "survey_name": "Spring",
        "survey_type": "NPS",
        "survey_medium": "Email",
        "survey_tool": "Delighted",
        "survey_permalink": "https://x",
        "survey_tags": ["billing"],
        "survey_properties": {},
    }
