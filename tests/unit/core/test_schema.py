"""The schema in the package holds every call that is emitted, and refuses wrong ones."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import jsonschema
import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from npsbridge.core.identity import resolve
from npsbridge.core.keys import message_id
from npsbridge.core.model import Answer, Campaign, Emission, Identity, Kind, Respondent, Response
from npsbridge.core.schema import schema, schema_text
from npsbridge.core.translate import Call, EventRules, Wording, call, fit, kinds

VALIDATOR = jsonschema.Draft202012Validator(schema())
RESPONSE = Response(
    platform="delighted",
    connection="shop",
    id="430021",
    survey_type="nps",
    score=9,
    comment="Fast",
    created_at=datetime(2026, 3, 4, tzinfo=UTC),
    updated_at=datetime(2026, 3, 5, tzinfo=UTC),
    person=Respondent(id="70114", email="ana@example.org"),
    permalink="https://vendor.example/r/1",
    campaign=Campaign(id="c1", name="Spring"),
    channel="email",
    tags=["billing"],
    answers=[Answer(question="Why?", answer="So"), Answer(question="Which?", answer=["a"])],
    person_properties={"plan": "team"},
)


def message(emission: Emission, kind: Kind) -> Call:
    response = emission.response
    made = call(emission, kind, integrations={"All": True}, library_version="1.2.3")
    made["messageId"] = message_id("key", response.platform, response.connection, response.id, kind, emission.revision)
    return made


def a_call(kind: Kind) -> Call:
    identity = Identity(user_id="u_1", email="ana@example.org")
    return message(Emission(response=RESPONSE, revision=1, identity=identity, is_newest=True, kinds=()), kind)


def test_the_document_is_a_schema_of_draft_2020_12() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_the_text_is_the_document_as_it_ships() -> None:
    assert orjson.loads(schema_text()) == schema()


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_of_call_is_valid(kind: Kind) -> None:
    VALIDATOR.validate(a_call(kind))


def test_a_cut_call_is_valid() -> None:
    long = a_call(Kind.SUBMIT)
    long["properties"]["comment"] = "x" * 40_000
    cut = orjson.loads(fit(long))
    assert cut["properties"]["comment_truncated"]
    VALIDATOR.validate(cut)


def without(path: str) -> Callable[[Call], None]:
    def spoil(message: Call) -> None:
        *groups, name = path.split(".")
        for group in groups:
            message = message[group]
        del message[name]

    return spoil


def with_value(path: str, value: Any) -> Callable[[Call], None]:
    def spoil(message: Call) -> None:
        *groups, name = path.split(".")
        for group in groups:
            message = message[group]
        message[name] = value

    return spoil


WRONG: dict[str, tuple[Kind, Callable[[Call], None]]] = {
    "score as text": (Kind.SUBMIT, with_value("properties.score", "9")),
    "score as boolean": (Kind.SUBMIT, with_value("properties.score", True)),
    "no score": (Kind.SUBMIT, without("properties.score")),
    "no revision": (Kind.SUBMIT, without("properties.revision")),
    "revision 0": (Kind.SUBMIT, with_value("properties.revision", 0)),
    "no comment": (Kind.SUBMIT, without("properties.comment")),
    "response id as number": (Kind.SUBMIT, with_value("properties.response_id", 430021)),
    "no response id": (Kind.SUBMIT, with_value("properties.response_id", None)),
    "request id of a response": (Kind.SUBMIT, with_value("properties.request_id", "1")),
    "property of another name": (Kind.SUBMIT, with_value("properties.Score", 9)),
    "both ids": (Kind.SUBMIT, with_value("anonymousId", "a_1")),
    "no id": (Kind.SUBMIT, without("userId")),
    "empty id": (Kind.SUBMIT, with_value("userId", "")),
    "no messageId": (Kind.SUBMIT, without("messageId")),
    "messageId of somebody else": (Kind.SUBMIT, with_value("messageId", "svy-1")),
    "another event": (Kind.SUBMIT, with_value("event", "submit survey")),
    "a write key inside": (Kind.SUBMIT, with_value("writeKey", "key")),
    "time without zone": (Kind.SUBMIT, with_value("timestamp", "2026-03-04T10:20:30.000")),
    "time without milliseconds": (Kind.SUBMIT, with_value("properties.created_at", "2026-03-04T10:20:30Z")),
    "track that says active": (Kind.SUBMIT, with_value("context.active", False)),
    "another library": (Kind.SUBMIT, with_value("context.library.name", "analytics-python")),
    "NPS score without category": (Kind.SUBMIT, without("properties.category")),
    "wrong category": (Kind.SUBMIT, with_value("properties.category", "passive")),
    "category without score": (Kind.SUBMIT, with_value("properties.score", None)),
    "category of a CSAT": (Kind.SUBMIT, with_value("properties.survey_type", "csat")),
    "survey type in capitals": (Kind.CLOSED, with_value("properties.survey_type", "NPS")),
    "answer without question": (Kind.SUBMIT, with_value("properties.answers", [{"answer": "So"}])),
    "tags in one text": (Kind.SUBMIT, with_value("properties.tags", "billing")),
    "campaign without id": (Kind.SUBMIT, with_value("properties.campaign", {"name": "Spring"})),
    "truncated: false": (Kind.SUBMIT, with_value("properties.comment_truncated", False)),
    "answered without score": (Kind.ANSWERED, with_value("properties.score", None)),
    "completed of half a score": (Kind.COMPLETED, with_value("properties.score", 8.5)),
    "viewed with a response id": (Kind.VIEWED, with_value("properties.response_id", "1")),
    "viewed without a request id": (Kind.VIEWED, without("properties.request_id")),
    "rating of 11": (Kind.IDENTIFY, with_value("traits.NPS_rating", 11)),
    "rating as text": (Kind.IDENTIFY, with_value("traits.NPS_rating", "9")),
    "trait in lower case": (Kind.IDENTIFY, with_value("traits.nps_rating", 9)),
    "traits without comment": (Kind.IDENTIFY, without("traits.NPS_comment")),
    "identify that counts as a visit": (Kind.IDENTIFY, without("context.active")),
    "identify with properties": (Kind.IDENTIFY, with_value("properties", {})),
    "an invented answer": (Kind.QUESTION, with_value("properties.survey_question_answer", "9")),
    "survey type in small letters": (Kind.QUESTION, with_value("properties.survey_type", "nps")),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_call_is_refused(wrong: str) -> None:
    kind, spoil = WRONG[wrong]
    spoiled = a_call(kind)
    spoil(spoiled)
    assert not VALIDATOR.is_valid(spoiled)


def known_or_not(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.just(UNSET), strategy)


TEXT = st.text(max_size=5)
RESPONSES = st.builds(
    Response,
    platform=st.just("retently"),
    connection=st.text(min_size=1, max_size=5),
    id=st.text(min_size=1, max_size=5),
    survey_type=st.sampled_from(["nps", "csat", "ces", "star", "enps", "pmf"]),
    score=st.one_of(st.none(), st.integers(-1, 11), st.floats(0, 10)),
    comment=st.none() | TEXT,
    created_at=st.datetimes(timezones=st.just(UTC)),
    updated_at=st.none() | st.datetimes(timezones=st.just(UTC)),
    person=st.builds(Respondent, id=st.none() | TEXT, email=st.none() | st.emails() | TEXT, user_id=st.none() | TEXT),
    permalink=known_or_not(st.none() | TEXT),
    campaign=known_or_not(st.builds(Campaign, id=st.none() | TEXT, name=st.none() | TEXT)),
    channel=known_or_not(TEXT),
    tags=known_or_not(st.lists(TEXT, max_size=2)),
    answers=known_or_not(st.lists(st.builds(Answer, question=TEXT, answer=st.none() | TEXT | st.lists(TEXT)))),
    person_properties=known_or_not(st.dictionaries(TEXT, TEXT | st.booleans())),
    completed=st.booleans(),
    dismissed=st.booleans(),
)


@given(response=RESPONSES, is_newest=st.booleans(), allow=st.booleans(), revision=st.integers(1, 3))
def test_f34_every_call_of_every_response_is_valid(
    response: Response, *, is_newest: bool, allow: bool, revision: int
) -> None:
    rules = EventRules(also=frozenset({"delighted_source"}))
    identity = resolve(response, None, allow_email_user_id=allow)
    said = kinds(response, None, is_newest=is_newest, rules=rules)
    emission = Emission(response=response, revision=revision, identity=identity, is_newest=is_newest, kinds=said)
    for kind in said:
        VALIDATOR.validate(orjson.loads(fit(message(emission, kind))))


@given(response=RESPONSES, viewed=st.booleans(), revision=st.integers(1, 3), size=st.sampled_from([0, 31_000, 40_000]))
def test_i12_what_is_put_into_bytes_once_for_many_calls_is_the_same_as_call_by_call(
    response: Response, *, viewed: bool, revision: int, size: int
) -> None:
    comment = (response.comment or "") + "x" * size
    response = msgspec.structs.replace(response, comment=comment, viewed=viewed)
    identity = resolve(response, None, allow_email_user_id=False)
    emission = Emission(response=response, revision=revision, identity=identity, is_newest=True, kinds=())
    words = Wording(emission, integrations={"All": True}, library_version="1.2.3")
    for kind in kinds(response, None, is_newest=True, rules=EventRules(also=frozenset({"delighted_source"}))):
        made = message(emission, kind)
        assert words.body(kind, made["messageId"]) == fit(made)
