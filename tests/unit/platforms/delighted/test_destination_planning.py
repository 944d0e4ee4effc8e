"""What is planned for a call: contract §5 and the words of Segment's page "Delighted Destination"."""

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from npsbridge.clock import Clock
from npsbridge.core.calls import Call, CallType
from npsbridge.core.model import PlannedDelivery
from npsbridge.core.people import Person
from npsbridge.core.ports import Awaited
from npsbridge.metrics import Metrics
from npsbridge.net.client import HttpClient
from npsbridge.platforms import Wiring
from npsbridge.platforms.delighted.destination import DelightedDestination
from npsbridge.platforms.delighted.people import NAME_LIMIT, TOO_MUCH
from npsbridge.platforms.delighted.settings import DelightedSettings
from unit.platforms.delighted.forwarding import BOUGHT, EMAIL, MAKERS, call, content, person, track

HOME = {"segment_user_id": "u_881"}
SMS = {BOUGHT: {"channel": "sms"}}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
TRAITS = st.dictionaries(st.sampled_from(["email", "name", "firstName", "plan", "phone"]) | st.text(), JSON, max_size=6)


def destination(surveys: Any = (BOUGHT,)) -> DelightedDestination:
    settings = DelightedSettings(
        api_key=SecretStr("k"), surveys=surveys if isinstance(surveys, dict) else list(surveys)
    )
    http = HttpClient(cast("Any", None), Metrics(), connection="shop")  # planning sends nothing
    return DelightedDestination(
        Wiring(name="shop", settings=settings, http=http, clock=Clock(), prefix="NPSBRIDGE_DELIGHTED__")
    )


def planned(of: Call, who: Person, surveys: Any = (BOUGHT,)) -> PlannedDelivery:
    deliveries = destination(surveys).plan_call(of, who)
    assert isinstance(deliveries, list)
    assert len(deliveries) == 1
    return deliveries[0]


def properties(traits: dict[str, Any]) -> Any:
    said = content(planned(call(), person(traits=traits)))["properties"]
    return {name: value for name, value in said.items() if name not in HOME}


# --- identify ---------------------------------------------------------------------------------------------------


def test_identify_adds_a_person_without_a_survey() -> None:
    said = planned(call(), person(traits={"plan": "free", "language": "EN"}))
    assert (said.connection, said.person, said.kind, said.message_id) == (
        "shop",
        "person:7",
        "identify",
        "m-1:identify",
    )
    assert content(said) == {
        "email": EMAIL,
        "send": False,
        "properties": {"plan": "free", "language": "EN", **HOME},
    }


def test_the_name_has_a_place_of_its_own() -> None:
    said = content(planned(call(), person(traits={"name": " Ana Petrov "})))
    assert (said["name"], said["properties"]) == ("Ana Petrov", HOME)


@pytest.mark.parametrize(
    "halves", [{"firstName": "Ana", "lastName": "Petrov"}, {"first_name": "Ana", "last_name": "Petrov"}]
)
def test_a_name_in_two_halves_is_put_together_and_the_halves_are_still_traits(halves: dict[str, str]) -> None:
    said = content(planned(call(), person(traits=halves)))
    assert (said["name"], said["properties"]) == ("Ana Petrov", {**halves, **HOME})


def test_a_person_known_only_by_anonymous_id_comes_home_by_it() -> None:
    who = person(user_id=None, anonymous_ids=("a-1", "a-2"))
    assert content(planned(call(user_id=None, anonymous_id="a-2"), who)) == {
        "email": EMAIL,
        "send": False,
        "properties": {"segment_anonymous_id": "a-2"},
    }


@pytest.mark.parametrize("make", MAKERS.values())
def test_nobody_says_who_they_are_in_our_place(make: Any) -> None:
    forged = make(properties={"segment_user_id": "forged"})
    said = content(planned(forged, person(traits={"segment_user_id": "forged"})))
    assert said["properties"] == HOME


def test_equal_traits_give_equal_bodies_whatever_the_call_and_the_order() -> None:
    one = planned(call(message_id="m-1"), person(traits={"plan": "free", "size": {"a": 1, "b": 2}}))
    two = planned(call(message_id="m-2"), person(traits={"size": {"b": 2, "a": 1}, "plan": "free"}))
    assert one.body == two.body


def test_suppressed_people_are_told_of_but_not_surveyed() -> None:
    who = person(suppressed_because="unsubscribed")
    assert planned(call(), who).filtered_because is None


# --- where it goes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", MAKERS.values())
@pytest.mark.parametrize(
    ("known", "said", "expected"),
    [
        ({"email": "stored@example.org"}, {"traits": {"email": "Stored@example.org"}}, "stored@example.org"),
        ({"email": "stored@example.org", "user_id": "id@example.org"}, {}, "stored@example.org"),
        ({"email": None}, {"traits": {"email": " Said@Example.org "}}, "said@example.org"),
        ({"email": None, "user_id": "Id@Example.org"}, {}, "id@example.org"),
    ],
)
def test_the_email_is_the_identified_one_else_the_one_in_the_context_else_a_user_id_that_is_one(
    make: Any, known: dict[str, Any], said: dict[str, Any], expected: str
) -> None:
    assert content(planned(make(**said), person(**known)))["email"] == expected


def test_an_email_among_the_properties_may_be_a_friends_and_is_not_surveyed() -> None:
    invited = track(properties={"email": "friend@example.org"}, email="friend@example.org")
    assert isinstance(destination().plan_call(invited, person(email=None)), Awaited)


NO_EMAIL = [None, "", "ana", "ana@", "@example.org", "a na@example.org", 17, ["a@example.org"]]


@pytest.mark.parametrize("email", NO_EMAIL)
def test_without_an_email_a_trigger_waits_for_one(email: object) -> None:
    waiting = destination().plan_call(track(traits={"email": email}), person(email=None, traits={"email": email}))
    assert waiting == Awaited(reason="no email is known of this person")


@pytest.mark.parametrize("email", NO_EMAIL)
def test_without_an_email_an_identify_is_filtered(email: object) -> None:
    said = planned(call(traits={"email": email}), person(email=None, traits={"email": email}))
    assert (said.kind, said.body, said.filtered_because) == ("identify", b"{}", "no email is known of this person")


@pytest.mark.parametrize("make", MAKERS.values())
@pytest.mark.parametrize("email", ["ana@localhost", "a@b@example.org", "a\x01@example.org", f"{'a' * 250}@x.org"])
def test_an_email_that_delighted_would_refuse_is_filtered_without_being_shown(make: Any, email: str) -> None:
    said = planned(make(), person(email=email))
    assert (said.filtered_because, said.body) == ("the email of this person is none that Delighted takes", b"{}")


@pytest.mark.parametrize("email", ["ana+test@example.org", "j.ö@bücher.example", "o'hara@example.co.uk"])
def test_unusual_emails_are_sent_as_they_are(email: str) -> None:
    assert content(planned(call(), person(email=email)))["email"] == email


# --- track ------------------------------------------------------------------------------------------------------


def test_a_configured_event_asks_for_a_survey() -> None:
    said = planned(track(properties={"total": 9.5}), person(traits={"name": "Ana", "plan": "free"}))
    assert (said.kind, said.message_id, said.filtered_because) == ("survey", "m-1:survey", None)
    assert content(said) == {
        "email": EMAIL,
        "name": "Ana",
        "send": True,
        "channel": "email",
        "delay": 0,
        "properties": {"plan": "free", "total": 9.5, **HOME},
    }


def test_the_property_of_the_event_goes_over_the_trait() -> None:
    said = content(planned(track(properties={"plan": "team"}), person(traits={"plan": "free"})))
    assert said["properties"]["plan"] == "team"


def test_a_name_among_the_properties_is_the_events_own() -> None:
    said = content(planned(track(properties={"name": "Umbrella"}), person(traits={"name": "Ana"})))
    assert (said["name"], said["properties"]["name"]) == ("Ana", "Umbrella")


@pytest.mark.parametrize("event", ["order completed", "Order Completed ", "Order", "", None])
def test_an_event_that_is_not_written_exactly_so_is_not_ours(event: str) -> None:
    assert destination().plan_call(track(event), person()) == []


@pytest.mark.parametrize("kind", [CallType.PAGE, CallType.SCREEN, CallType.GROUP, CallType.ALIAS, CallType.DELETE])
def test_other_calls_are_not_ours(kind: CallType) -> None:
    assert destination().plan_call(call(kind, event=BOUGHT), person()) == []


def test_a_suppressed_person_is_not_surveyed() -> None:
    said = planned(track(), person(suppressed_because="unsubscribed"))
    assert (said.filtered_because, said.body) == ("this person must not be surveyed: unsubscribed", b"{}")


def test_who_is_not_in_the_sample_is_filtered_even_before_an_email_is_known() -> None:
    said = planned(track(), person(email=None), {BOUGHT: {"sample_rate": 0}})
    assert (said.kind, said.filtered_because) == ("survey", "not in the sample of 0")


def test_i10_the_sample_is_the_same_under_any_key_of_the_person() -> None:
    rules = {BOUGHT: {"sample_rate": 0.5}}
    verdicts = [
        [
            planned(track(message_id=f"m-{number}"), Person(key=key, email=EMAIL), rules).filtered_because is None
            for number in range(200)
        ]
        for key in ("person:1", "person:2")
    ]
    assert verdicts[0] == verdicts[1]
    assert 60 < sum(verdicts[0]) < 140


def test_the_rule_gives_channel_and_delay() -> None:
    said = content(planned(track(), person(traits={"phone": "+1555"}), {BOUGHT: {"delay": 3600, "channel": "sms"}}))
    assert (said["delay"], said["channel"]) == (3600, "sms")


# --- by SMS -----------------------------------------------------------------------------------------------------


def test_by_sms_the_phone_number_goes_in_the_form_that_delighted_takes() -> None:
    said = content(planned(track(), person(traits={"phone": "+1 (555) 010-9988"}), SMS))
    assert (said["phone_number"], said["email"], said["properties"]["phone"]) == (
        "+15550109988",
        EMAIL,
        "+1 (555) 010-9988",
    )


def test_by_sms_no_email_is_needed() -> None:
    said = content(planned(track(), person(email="ana@localhost", traits={"phone_number": "+15550109988"}), SMS))
    assert "email" not in said


def test_by_sms_a_number_is_waited_for() -> None:
    waiting = destination(SMS).plan_call(track(), person())
    assert waiting == Awaited(reason="no phone number is known of this person")


@pytest.mark.parametrize("phone", ["5550109988", "+", "+1234567890123456", "+1555x"])
def test_a_number_that_is_not_e164_is_filtered(phone: str) -> None:
    said = planned(track(), person(traits={"phone": phone}), SMS)
    assert said.filtered_because == "the phone number of this person is none that Delighted takes"


# --- odd values -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", "text"),
        ("", ""),
        (7, 7),
        (7.5, 7.5),
        (False, False),
        (2**63, "9223372036854775808"),
        (-(2**200), str(-(2**200))),
        (1e300, "1e+300"),
        ([], ""),
        (["a", 1, True, None, 2.5], "a, 1, true, 2.5"),
        ({}, "{}"),
        ({"b": None, "a": ["ü"]}, '{"a": ["ü"], "b": null}'),
        ([["a"], {"b": 1}], '[["a"], {"b": 1}]'),
        ("lone \ud800, null \x00", "lone \ufffd, null "),
    ],
)
def test_values_that_are_no_plain_ones_become_text(value: object, expected: object) -> None:
    assert properties({"trait": value}) == {"trait": expected}


def test_null_says_nothing_and_hides_nothing() -> None:
    said = content(planned(track(properties={"plan": None, "coupon": None}), person(traits={"plan": "free"})))
    assert said["properties"] == {"plan": "free", **HOME}


def test_a_name_that_is_too_long_is_cut() -> None:
    said = content(planned(call(), person(traits={"name": "ü" * 300})))
    assert said["name"] == "ü" * NAME_LIMIT


@pytest.mark.parametrize("name", ["", "  ", "\x00"])
def test_a_blank_name_is_none(name: str) -> None:
    assert "name" not in content(planned(call(), person(traits={"name": name})))


@pytest.mark.parametrize("name", [17, {"first": "Ana"}])
def test_a_name_that_is_no_text_is_a_property_like_others(name: object) -> None:
    said = content(planned(call(), person(traits={"name": name})))
    assert "name" not in said
    assert "name" in said["properties"]


def test_what_is_nested_beyond_reason_is_left_out_and_says_so() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert properties({"deep": deep, "plan": "free"}) == {"deep": TOO_MUCH, "plan": "free"}


def test_property_names_of_300_characters_are_kept() -> None:
    assert properties({"n" * 300: 1}) == {"n" * 300: 1}


@given(TRAITS, TRAITS)
def test_any_traits_and_properties_make_a_request(traits: dict[str, Any], said: dict[str, Any]) -> None:
    body = content(planned(track(properties=said), person(traits=traits)))
    assert {type(value) for value in body["properties"].values()} <= {str, int, float, bool}
    left_out = {name for name in ("email", "name") if isinstance(traits.get(name), str)}
    expected = {name for name, value in traits.items() if value is not None and name not in left_out}
    expected |= {name for name, value in said.items() if value is not None} | {*HOME}
    assert set(body["properties"]) == {name.replace("\x00", "") for name in expected}
