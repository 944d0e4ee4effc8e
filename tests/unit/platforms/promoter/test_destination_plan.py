"""What Promoter.io is owed for a call: the rules of Segment's page of its destination, and what people really send."""

from typing import Any, cast

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.clock import Clock
from npsbridge.core.calls import CallType
from npsbridge.core.ports import Awaited, Forwarder
from npsbridge.net.client import HttpClient
from npsbridge.platforms.base import Wiring
from npsbridge.platforms.promoter import platform
from npsbridge.platforms.promoter.contact import NAME_LIMIT, is_address, plain
from npsbridge.platforms.promoter.destination import PromoterDestination
from npsbridge.platforms.promoter.settings import PromoterSettings
from unit.platforms.promoter.forwarding import TED, bodies, call, planned, ted, track
from unit.sandbox.calling import Hands

SURVEYS = ["Friend Invited", {"event": "Trial Ended", "campaign_id": 79}]


def made(**settings: Any) -> PromoterDestination:
    wiring = Wiring(
        name="promoter",
        settings=PromoterSettings.model_validate({"campaign_id": 78, "surveys": SURVEYS, **settings}),
        http=cast("HttpClient", None),
        clock=Clock(Hands()),
        prefix="NPSBRIDGE_PROMOTER__",
    )
    return PromoterDestination(wiring)


# --- identify ---------------------------------------------------------------------------------------------------


def test_an_identify_is_a_contact_with_names_and_all_other_traits_as_attributes() -> None:
    [plan] = planned(made(), call(), ted())
    assert orjson.loads(plan.body) == {
        "email": "ted@mosbiusdesigns.com",
        "first_name": "Ted",
        "last_name": "Mosby",
        "attributes": {"plan": "Premium", "segment_user_id": "12345"},
        "campaign": 78,
        "send": False,
    }
    assert (plan.kind, plan.message_id, plan.person) == ("identify", "m-1:identify", "person:1")
    assert (plan.connection, plan.subject, plan.filtered_because) == ("promoter", None, None)


def test_a_contact_joins_the_list_that_is_set() -> None:
    [body] = bodies(made(list_id=599, campaign_id=None, surveys=[]), call(), ted())
    assert (body["contact_list"], "campaign" in body) == ([599], False)


def test_names_are_optional() -> None:
    [body] = bodies(made(), call(), ted(traits={"email": TED["email"]}))
    assert not {"first_name", "last_name"} & set(body)


def test_the_ids_that_bring_answers_home_go_before_traits_of_that_name() -> None:
    person = ted(traits={"segment_user_id": "forged"}, anonymous_ids=("a-1",))
    [body] = bodies(made(), call(), person)
    assert body["attributes"] == {"segment_user_id": "12345"}


@pytest.mark.parametrize(("lacking", "word"), [("user_id", "userId"), ("email", "email")])
def test_an_identify_without_userid_or_email_is_kept_with_the_reason_and_not_sent(lacking: str, word: str) -> None:
    [plan] = planned(made(), call(), ted(**{lacking: None}))
    assert plan.body == b"{}"
    assert f"no {word} is known" in (plan.filtered_because or "")


def test_equal_traits_in_another_order_make_an_equal_body() -> None:
    turned = ted(traits=dict(reversed(TED.items())))
    assert planned(made(), call(), ted())[0].body == planned(made(), call(message_id="m-2"), turned)[0].body


def test_somebody_who_is_not_to_be_surveyed_is_still_a_contact() -> None:
    [plan] = planned(made(), call(), ted(suppressed_because="unsubscribed"))
    assert plan.filtered_because is None


@pytest.mark.parametrize("kind", [CallType.PAGE, CallType.SCREEN, CallType.GROUP, CallType.ALIAS])
def test_other_calls_are_none_of_its_business(kind: CallType) -> None:
    assert made().plan_call(call(kind), ted()) == []


# --- track ------------------------------------------------------------------------------------------------------


def test_a_listed_event_surveys_the_contact_of_the_identify() -> None:
    [plan] = planned(made(), track("Friend Invited", category="viral", totalInvites=50), ted())
    assert orjson.loads(plan.body) == {
        "campaign_id": 78,
        "contact": {
            "email": "ted@mosbiusdesigns.com",
            "first_name": "Ted",
            "last_name": "Mosby",
            "attributes": {"plan": "Premium", "segment_user_id": "12345"},
        },
        "attributes": {
            "category": "viral",
            "totalInvites": 50,
            "event": "Friend Invited",
            "request_id": "m-1:survey",
        },
    }
    assert (plan.kind, plan.message_id) == ("survey", "m-1:survey")


def test_an_event_can_name_another_campaign() -> None:
    [body] = bodies(made(), track("Trial Ended"), ted())
    assert body["campaign_id"] == 79


@pytest.mark.parametrize("event", ["friend invited", "Friend Invited ", "Signed Up"])
def test_an_event_that_is_not_exactly_listed_is_none_of_its_business(event: str) -> None:
    assert made().plan_call(track(event), ted()) == []


@pytest.mark.parametrize(
    ("known", "word"),
    [({"user_id": None}, "userId"), ({"email": None}, "email"), ({"is_identified": False}, "identify")],
)
@pytest.mark.parametrize("event", ["Friend Invited", "Order Completed"])
def test_a_track_waits_for_the_identify_that_says_who_it_is(known: dict[str, Any], word: str, event: str) -> None:
    plan = made().plan_call(track(event), ted(**known))
    assert isinstance(plan, Awaited)
    assert word in plan.reason


def test_an_order_is_stored_with_the_contact_though_it_triggers_nothing() -> None:
    order = track("Order Completed", order_id="A-1001", total=99.5, currency="EUR", products=[{"sku": "1"}])
    [plan] = planned(made(), order, ted())
    assert (plan.kind, plan.message_id) == ("event", "m-1:event")
    assert orjson.loads(plan.body)["attributes"] == {
        "plan": "Premium",
        "segment_user_id": "12345",
        "last_order_id": "A-1001",
        "last_order_total": "99.5",
        "last_order_currency": "EUR",
        "last_order_at": "2026-01-01T00:00:00.000Z",
    }
    assert orjson.loads(plan.body)["send"] is False


def test_an_order_that_also_triggers_a_survey_is_stored_first() -> None:
    plans = planned(made(surveys=["Order Completed"]), track("Order Completed", order_id="A-1001"), ted())
    assert [plan.kind for plan in plans] == ["event", "survey"]
    assert orjson.loads(plans[1].body)["attributes"]["order_id"] == "A-1001"
    assert len({plan.message_id for plan in plans}) == 2


def test_who_unsubscribed_is_not_surveyed_and_the_order_is_kept_all_the_same() -> None:
    person = ted(suppressed_because="unsubscribed")
    event, survey = planned(made(surveys=["Order Completed"]), track("Order Completed"), person)
    assert event.filtered_because is None
    assert (survey.body, survey.filtered_because) == (b"{}", "this person is not to be surveyed: unsubscribed")


def test_who_unsubscribed_does_not_wait_for_an_identify() -> None:
    [plan] = planned(made(), track("Friend Invited"), ted(email=None, suppressed_because="bounced"))
    assert "bounced" in (plan.filtered_because or "")


def test_the_properties_cannot_pose_as_the_requests_own_words() -> None:
    [body] = bodies(made(), track("Friend Invited", request_id="forged", event="forged"), ted())
    assert (body["attributes"]["request_id"], body["attributes"]["event"]) == ("m-1:survey", "Friend Invited")


# --- what people really send ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "attributes"),
    [
        (5, {"x": "5"}),
        (2.0, {"x": "2"}),
        (2.5, {"x": "2.5"}),
        (True, {"x": "true"}),
        (10**30, {"x": str(10**30)}),
        ("", {"x": ""}),
        ("a\0b\ud800", {"x": "ab\ufffd"}),
        (None, {}),
        ({}, {}),
        ({"city": "Brno", "geo": {"lat": 49.2}, "none": None}, {"x_city": "Brno", "x_geo_lat": "49.2"}),
        (["a", 1, None, True], {"x": "a, 1, true"}),
        ([], {"x": ""}),
        ([{"sku": "1"}], {}),
        ([[1]], {}),
    ],
)
def test_attributes_are_texts_of_plain_values(value: Any, attributes: dict[str, str]) -> None:
    [body] = bodies(made(), call(), ted(traits={"x": value}))
    assert body["attributes"] == {**attributes, "segment_user_id": "12345"}


def test_of_two_objects_with_a_trait_of_one_name_the_same_one_is_taken_in_any_order() -> None:
    told = {"a": {"b_c": 1}, "a_b": {"c": 2}}
    assert plain(told) == plain(dict(reversed(told.items()))) == {"a_b_c": 2}


def test_a_trait_of_its_own_goes_before_one_out_of_an_object() -> None:
    assert plain({"a_b": 1, "a": {"b": 2}}) == plain({"a": {"b": 2}, "a_b": 1}) == {"a_b": 1}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("N" * 300, "N" * NAME_LIMIT), ("  Ted ", "Ted"), ("\0", None), (7, "7"), ([], None), ({"a": 1}, None)],
)
def test_a_name_is_a_text_of_bearable_length(name: Any, expected: str | None) -> None:
    [body] = bodies(made(), call(), ted(traits={"firstName": name}))
    assert body.get("first_name") == expected


def test_the_name_of_a_trait_is_cut_and_one_without_letters_left_out() -> None:
    [body] = bodies(made(), call(), ted(traits={"n" * 300: 1, " ": 1, "\0": 1}))
    assert set(body["attributes"]) == {"n" * NAME_LIMIT, "segment_user_id"}


@pytest.mark.parametrize("kind", ["identify", "survey"])
@pytest.mark.parametrize(
    "email", ["a@b", "a@b..de", "a@" + "b" * 260 + ".de", "a,b@c.de", "a@c.d,e", "é" * 65 + "@c.de"]
)
def test_an_email_that_nobody_can_write_to_is_kept_with_the_reason(email: str, kind: str) -> None:
    told = call() if kind == "identify" else track("Friend Invited")
    [plan] = planned(made(), told, ted(email=email))
    assert plan.body == b"{}"
    assert plan.filtered_because is not None
    assert email not in plan.filtered_because


@pytest.mark.parametrize("email", ["ann+tag@acme.test", "o'hara.x@mail.acme.test", "ann@bücher.example", "ünal@a.de"])
def test_unusual_emails_are_emails(email: str) -> None:
    assert is_address(email)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(traits=st.dictionaries(st.text(), JSON, max_size=5), properties=st.dictionaries(st.text(), JSON, max_size=5))
def test_whatever_is_sent_becomes_a_body_of_plain_values(traits: dict[str, Any], properties: dict[str, Any]) -> None:
    destination = made(surveys=["Order Completed"])
    for told in (call(), track("Order Completed", **properties)):
        for body in bodies(destination, told, ted(traits=traits)):
            assert all(isinstance(text, str) for text in body.get("contact", body)["attributes"].values())
            assert not any(isinstance(value, dict | list) for value in body["attributes"].values())


# --- the destination as such ------------------------------------------------------------------------------------


def test_it_is_wired_under_the_name_that_segment_has_for_it() -> None:
    forwarder: Forwarder = made()
    assert platform.forwarder is PromoterDestination
    assert (forwarder.label, forwarder.once, forwarder.batch_limit) == ("Promoter.io", frozenset({"survey"}), 1)
