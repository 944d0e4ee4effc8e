"""What SatisMeter is owed for a call: the words of Segment's page of its destination, and what people really send."""

from datetime import UTC, datetime
from typing import Any, cast

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.clock import Clock
from npsbridge.core.calls import Call, CallType
from npsbridge.core.model import PlannedDelivery
from npsbridge.core.people import Person
from npsbridge.core.ports import Awaited, Forwarder
from npsbridge.net.client import HttpClient
from npsbridge.platforms import Wiring
from npsbridge.platforms.satismeter import platform
from npsbridge.platforms.satismeter.destination import SatisMeterDestination, flat
from npsbridge.platforms.satismeter.settings import SatisMeterSettings
from unit.sandbox.calling import NEW_YEAR, Hands

BOND = {"name": "James Bond", "email": "007@sis.gov.uk", "createdAt": "2015-06-16T09:19:47.155Z"}
"""The traits of the example on Segment's page."""
PROJECT = "5f0000000000000000000001"
NOW = datetime.fromtimestamp(NEW_YEAR, UTC)


def made() -> SatisMeterDestination:
    settings = SatisMeterSettings(project_id=PROJECT, events=["Paid"])
    nowhere = cast("HttpClient", None)
    prefix = "NPSBRIDGE_SATISMETER__"
    wiring = Wiring(name="satismeter", settings=settings, http=nowhere, clock=Clock(Hands()), prefix=prefix)
    return SatisMeterDestination(wiring)


def bond(**known: Any) -> Person:
    known = {"user_id": "007", "email": BOND["email"], "traits": BOND, "is_identified": True, **known}
    return Person(key="person:1", **known)


def call(kind: CallType = CallType.IDENTIFY, message_id: str = "m-1", **said: Any) -> Call:
    return Call(type=kind, message_id=message_id, timestamp=NOW, **said)


def paid(event: str = "Paid") -> Call:
    return call(CallType.TRACK, event=event, properties={"total": 5})


def planned(told: Call, person: Person) -> list[PlannedDelivery]:
    plan = made().plan_call(told, person)
    assert not isinstance(plan, Awaited)
    return plan


def traits(person: Person) -> dict[str, Any]:
    [plan] = planned(call(), person)
    found: dict[str, Any] = orjson.loads(plan.body)["traits"]
    return found


# --- identify ---------------------------------------------------------------------------------------------------


def test_an_identify_is_a_user_with_name_email_createdat_and_any_other_trait() -> None:
    [plan] = planned(call(), bond(traits={**BOND, "plan": "Gold", "seats": 3, "vip": True}))
    assert orjson.loads(plan.body) == {
        "project": PROJECT,
        "userId": "007",
        "traits": {**BOND, "plan": "Gold", "seats": 3, "vip": True, "segment_user_id": "007"},
    }
    assert (plan.kind, plan.message_id, plan.person) == ("identify", "m-1:identify", "person:1")
    assert (plan.connection, plan.subject, plan.filtered_because) == ("satismeter", None, None)


def test_the_ids_that_bring_answers_home_go_before_traits_of_that_name() -> None:
    found = traits(bond(traits={"segment_user_id": "forged"}, anonymous_ids=("a-1",)))
    assert (found["segment_user_id"], found.get("segment_anonymous_id")) == ("007", None)


def test_equal_traits_in_another_order_make_an_equal_body() -> None:
    turned = bond(traits=dict(reversed(BOND.items())))
    assert planned(call(), bond())[0].body == planned(call(message_id="m-2"), turned)[0].body


def test_who_has_no_email_is_a_user_all_the_same() -> None:
    assert traits(bond(email=None, traits={"email": "nobody", "name": "J"})) == {"name": "J", "segment_user_id": "007"}


def test_somebody_who_is_not_to_be_surveyed_is_still_a_user() -> None:
    assert planned(call(), bond(suppressed_because="bounced"))[0].filtered_because is None


# --- track ------------------------------------------------------------------------------------------------------


def test_a_listed_event_follows_the_user_as_they_are_now() -> None:
    user, event = planned(paid(), bond())
    assert user.body == planned(call(), bond())[0].body
    assert orjson.loads(event.body) == {"project": PROJECT, "type": "track", "userId": "007", "event": "Paid"}
    assert [one.kind for one in (user, event)] == ["identify", "survey"]
    assert [one.message_id for one in (user, event)] == ["m-1:identify", "m-1:survey"]


@pytest.mark.parametrize("event", ["paid", "Paid ", "Refunded"])
def test_an_event_that_is_not_exactly_listed_is_none_of_its_business(event: str) -> None:
    assert planned(paid(event), bond()) == []


def test_an_event_of_somebody_who_was_never_identified_waits() -> None:
    plan = made().plan_call(paid(), bond(is_identified=False, email=None, traits={}))
    assert isinstance(plan, Awaited)
    assert "no identify call" in plan.reason


def test_an_event_of_a_visitor_who_has_not_signed_in_yet_waits_for_the_identify_as_well() -> None:
    visitor = bond(user_id=None, anonymous_ids=("a-1",), is_identified=False, email=None, traits={})
    assert isinstance(made().plan_call(paid(), visitor), Awaited)


def test_an_event_of_somebody_who_is_not_to_be_surveyed_is_kept_with_the_reason() -> None:
    [plan] = planned(paid(), bond(suppressed_because="unsubscribed", is_identified=False))
    assert (plan.kind, plan.body) == ("survey", b"{}")
    assert plan.filtered_because == "this person is not to be surveyed: unsubscribed"


@pytest.mark.parametrize(("told", "kind"), [(call(), "identify"), (paid(), "survey")])
def test_people_known_only_by_an_anonymousid_are_kept_with_the_reason(told: Call, kind: str) -> None:
    [plan] = planned(told, bond(user_id=None, anonymous_ids=("a-1",)))
    assert (plan.kind, plan.body) == (kind, b"{}")
    assert "no userId is known" in (plan.filtered_because or "")


@pytest.mark.parametrize("kind", [CallType.PAGE, CallType.SCREEN, CallType.GROUP, CallType.ALIAS])
def test_other_calls_are_none_of_its_business(kind: CallType) -> None:
    assert planned(call(kind), bond()) == []


# --- what people really send ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x" * 300, {"x": "x" * 300}),
        (5, {"x": 5}),
        (2.5, {"x": 2.5}),
        (False, {"x": False}),
        (10**30, {"x": str(10**30)}),
        ("a\0b\ud800", {"x": "ab\ufffd"}),
        (None, {}),
        ({}, {}),
        ({"name": "Acme", "hq": {"city": "Brno"}, "none": None}, {"x_name": "Acme", "x_hq_city": "Brno"}),
        (["a", 1, None, True], {"x": "a, 1, true"}),
        ([{"sku": "1"}], {}),
    ],
)
def test_traits_are_plain_values(value: Any, expected: dict[str, Any]) -> None:
    assert traits(bond(email=None, traits={"x": value})) == {**expected, "segment_user_id": "007"}


def test_of_two_objects_with_a_trait_of_one_name_the_same_one_is_taken_in_any_order() -> None:
    told = {"a": {"b_c": 1}, "a_b": {"c": 2}}
    assert flat(told) == flat(dict(reversed(told.items()))) == {"a_b_c": 2}


def test_a_trait_of_its_own_goes_before_one_out_of_an_object() -> None:
    assert flat({"a_b": 1, "a": {"b": 2}}) == flat({"a": {"b": 2}, "a_b": 1}) == {"a_b": 1}


@pytest.mark.parametrize(
    ("given_at", "expected"),
    [
        ("2015-06-16T09:19:47.155Z", "2015-06-16T09:19:47.155Z"),
        ("last summer", "last summer"),
        (1434446387, "2015-06-16T09:19:47.000Z"),
        (1434446387155, "2015-06-16T09:19:47.155Z"),
        (10**18, 10**18),
        (True, True),
    ],
)
def test_createdat_is_a_text_in_iso_8601_when_it_is_a_time(given_at: Any, expected: Any) -> None:
    assert traits(bond(traits={"createdAt": given_at}))["createdAt"] == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.text() | st.just("createdAt") | st.just("email")


@given(known=st.dictionaries(NAMES, JSON, max_size=5))
def test_whatever_is_sent_becomes_a_body_of_plain_values(known: dict[str, Any]) -> None:
    assert not any(isinstance(value, dict | list | None) for value in traits(bond(traits=known)).values())


# --- the destination as such ------------------------------------------------------------------------------------


def test_it_is_wired_and_no_event_may_be_repeated() -> None:
    forwarder: Forwarder = made()
    assert platform.forwarder is SatisMeterDestination
    assert (forwarder.label, forwarder.once, forwarder.batch_limit) == ("SatisMeter", frozenset({"survey"}), 1)
