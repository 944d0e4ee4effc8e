"""What a call leads to: the rules of Segment's page on its Retently destination, and of bad input."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.core.calls import Call, CallType
from npsbridge.core.forward import SURVEY
from npsbridge.core.model import PlannedDelivery
from npsbridge.core.people import Person
from npsbridge.core.ports import Awaited
from unit.platforms.retently.forwarding import NOON, PURCHASE, VISIT, destination, planned, somebody, track

EMAIL = "ana@example.org"


def request_of(found: list[PlannedDelivery]) -> dict[str, Any]:
    [one] = found
    request: dict[str, Any] = orjson.loads(one.body)
    return request


def asked_for(person: Person | None = None, **properties: Any) -> dict[str, Any]:
    [row] = request_of(planned(track(**properties), person))["subscribers"]
    return dict(row)


# --- what triggers ----------------------------------------------------------------------------------------------


def test_a_listed_event_surveys_the_customer_that_its_properties_describe() -> None:
    """The example of Segment's page, whole."""
    call = track(
        email="john.doe@example.com",
        firstName="John",
        lastName="Doe",
        companyName="ACME",
        tags="foo, bar, baz",
        subscription_name="Professional",
        signup_date="01/30/2020",
    )
    assert request_of(planned(call, somebody(user_id="u1"))) == {
        "campaign": PURCHASE,
        "subscribers": [
            {
                "email": "john.doe@example.com",
                "first_name": "John",
                "last_name": "Doe",
                "company": "ACME",
                "tags": ["foo", "bar", "baz"],
                "properties": [
                    {"label": "subscription_name", "type": "string", "value": "Professional"},
                    {"label": "signup_date", "type": "date", "value": "2020-01-30T00:00:00.000Z"},
                    {"label": "segment_user_id", "type": "string", "value": "u1"},
                ],
            }
        ],
    }


def test_who_is_known_by_an_anonymous_id_only_is_surveyed_by_email_and_carries_it() -> None:
    properties = [{"label": "segment_anonymous_id", "type": "string", "value": "a1"}]
    assert asked_for(somebody(anonymous_ids=("a0", "a1")), email=EMAIL) == {"email": EMAIL, "properties": properties}


@pytest.mark.parametrize("event", ["trial ended", "Trial Ended ", " Trial Ended", "Trial  Ended", "Unlisted", "", None])
def test_an_event_that_is_not_listed_exactly_so_is_dismissed(event: str | None) -> None:
    assert planned(track(event, email=EMAIL)) == []


@pytest.mark.parametrize("kind", [kind for kind in CallType if kind is not CallType.TRACK])
def test_only_a_track_call_triggers(kind: CallType) -> None:
    call = Call(type=kind, message_id="m", event="Trial Ended", email=EMAIL, traits={"email": EMAIL}, timestamp=NOON)
    assert planned(call, somebody(email=EMAIL)) == []


def test_an_event_listed_under_several_campaigns_asks_for_one_survey_of_each() -> None:
    found = planned(track("Order Completed", email=EMAIL))
    assert [orjson.loads(one.body)["campaign"] for one in found] == [PURCHASE, VISIT]
    assert [one.message_id for one in found] == [f"m-1:survey:{PURCHASE}", f"m-1:survey:{VISIT}"]


def test_an_event_named_twice_in_one_campaign_asks_once() -> None:
    assert len(planned(track("A", email=EMAIL), campaigns={"c1": "A, A"})) == 1


def test_a_planned_survey_belongs_to_the_person_and_goes_at_once() -> None:
    [found] = planned(track(email=EMAIL), somebody(7))
    assert (found.connection, found.person, found.kind) == ("retently", "person:7", SURVEY)
    assert (found.not_before, found.subject, found.filtered_because) == (None, None, None)


def test_the_same_trigger_gives_the_same_request_however_often_it_comes() -> None:
    call, person = track(email=EMAIL, plan="pro"), somebody(user_id="u1")
    assert planned(call, person) == planned(call, person)


def test_the_name_of_the_destination_is_segment_s() -> None:
    assert destination().label == "Retently"
    assert destination().once == {SURVEY}


# --- whom it goes to --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "stored", "used"),
    [
        (EMAIL, None, EMAIL),
        (EMAIL, "stored@example.org", EMAIL),
        (" Ana+NPS@Example.ORG ", None, "ana+nps@example.org"),
        ("ana@bücher.example", None, "ana@bücher.example"),
        (None, EMAIL, EMAIL),
        ("nobody", EMAIL, EMAIL),
        ("", EMAIL, EMAIL),
        (7, EMAIL, EMAIL),
        (["x@example.org"], EMAIL, EMAIL),
        ("a" * 300 + "@example.org", EMAIL, EMAIL),
        ("a b@example.org", EMAIL, EMAIL),
        ("a\x00@example.org", EMAIL, EMAIL),
        ("\ud800@example.org", EMAIL, EMAIL),
    ],
)
def test_f33_the_email_of_the_event_goes_before_the_stored_one_if_it_is_one(
    given: object, stored: str | None, used: str
) -> None:
    assert asked_for(somebody(email=stored), email=given)["email"] == used


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({}, "the event has no properties.email, and no identify call has told one"),
        ({"email": None}, "the event has no properties.email, and no identify call has told one"),
        ({"email": "Nobody"}, "properties.email is no email address, and no identify call has told one"),
    ],
    ids=str,
)
def test_without_any_email_the_trigger_waits_for_an_identify(properties: dict[str, Any], reason: str) -> None:
    assert destination().plan_call(track(**properties), somebody(user_id="u1")) == Awaited(reason=reason)


def test_somebody_who_was_known_without_an_email_is_surveyed_once_an_identify_has_told_it() -> None:
    call = track("Order Completed", plan="pro")
    assert isinstance(destination().plan_call(call, somebody(user_id="u1")), Awaited)
    assert len(planned(call, somebody(user_id="u1", email=EMAIL))) == 2


def test_who_must_not_be_surveyed_is_not_and_the_operator_reads_why() -> None:
    person = somebody(email=EMAIL, suppressed_because="unsubscribed")
    found = planned(track("Order Completed", email=EMAIL), person)
    assert {one.filtered_because for one in found} == {"the person is not to be surveyed: unsubscribed"}
    assert [(one.message_id, one.body) for one in found] == [
        (f"m-1:survey:{PURCHASE}", b"{}"),
        (f"m-1:survey:{VISIT}", b"{}"),
    ]


def test_who_must_not_be_surveyed_and_has_no_email_does_not_wait_for_one() -> None:
    [found] = planned(track(), somebody(suppressed_because="erased"))
    assert found.filtered_because == "the person is not to be surveyed: erased"


def test_an_unlisted_event_of_somebody_suppressed_is_nobody_s_business() -> None:
    assert planned(track("Unlisted"), somebody(suppressed_because="erased")) == []


def test_stored_traits_are_not_part_of_the_customer() -> None:
    person = somebody(email=EMAIL, traits={"firstName": "Ana", "plan": "pro"})
    assert asked_for(person) == {"email": EMAIL}


# --- whatever comes ---------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text() | st.sampled_from(["email", "tags", "company", "firstName"]), json_values))
def test_no_properties_break_planning(properties: dict[str, Any]) -> None:
    call = Call(type=CallType.TRACK, message_id="m", event="Trial Ended", properties=properties, timestamp=NOON)
    [row] = request_of(planned(call, somebody(email=EMAIL, user_id="u1")))["subscribers"]
    assert "@" in row["email"]
    types = {item["type"] for item in row["properties"]}
    assert types <= {"string", "integer", "boolean", "date", "collection"}
    labels = [item["label"] for item in row["properties"]]
    assert len({label.casefold() for label in labels}) == len(labels)
    assert all(0 < len(label) <= 255 for label in labels)
