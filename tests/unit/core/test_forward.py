"""The rules that forwarding to every survey platform shares."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.core.calls import Call, CallType
from npsbridge.core.forward import (
    IDENTIFY,
    SURVEY,
    call_id,
    came_back,
    forward_id,
    is_sampled,
    superseded,
    switched_off,
    too_old,
)
from npsbridge.core.model import Delivery, State
from npsbridge.core.people import Person

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def call(**fields: Any) -> Call:
    given: dict[str, Any] = {"type": CallType.TRACK, "message_id": "m-1", "event": "Order Completed", "timestamp": NOON}
    return Call(**(given | fields))


def delivery(number: int, person: str, kind: str = IDENTIFY) -> Delivery:
    return Delivery(
        id=number,
        connection="delighted",
        person=person,
        kind=kind,
        message_id=f"m{number}",
        body=b"{}",
        state=State.QUEUED,
        created_at=0,
    )


# --- sampling ---------------------------------------------------------------------------------------------------


@given(st.text(), st.text(), st.text(), st.floats(0, 1))
def test_a_sample_is_the_same_on_every_retry_and_grows_with_its_rate(
    event: str, person: str, message_id: str, rate: float
) -> None:
    first = is_sampled(event, person, message_id, rate)
    assert is_sampled(event, person, message_id, rate) is first
    assert not first or is_sampled(event, person, message_id, min(1.0, rate * 1.5))


def test_everybody_is_in_a_whole_sample_and_nobody_in_an_empty_one() -> None:
    triggers = [f"m{number}" for number in range(1000)]
    assert all(is_sampled("Order Completed", "p", one, 1.0) for one in triggers)
    assert not any(is_sampled("Order Completed", "p", one, 0.0) for one in triggers)


def test_a_sample_of_a_quarter_is_about_a_quarter() -> None:
    chosen = sum(is_sampled("Order Completed", f"p{number}", "m", 0.25) for number in range(10_000))
    assert 2300 < chosen < 2700


def test_a_sample_is_the_same_on_every_machine_and_in_every_release() -> None:
    chosen = [number for number in range(20) if is_sampled("Order Completed", "p1", f"m{number}", 0.3)]
    assert chosen == [0, 2, 6, 8, 12, 19]


# --- too late, switched off ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("age", [86_400, 0, -3600])
def test_a_trigger_that_is_young_enough_may_ask(age: int) -> None:
    assert too_old(call(), received_at=NOON + timedelta(seconds=age), most=86_400) is None


def test_a_trigger_older_than_allowed_is_too_late_by_name_of_the_setting() -> None:
    reason = too_old(call(), received_at=NOON + timedelta(seconds=86_401), most=86_400)
    assert reason is not None
    assert "INGEST__MAX_TRIGGER_AGE" in reason


@pytest.mark.parametrize(
    "integrations", [{"All": False}, {"all": False}, {"Delighted": False}, {"delighted": False, "All": True}]
)
def test_the_sender_can_switch_a_destination_off(integrations: dict[str, Any]) -> None:
    assert switched_off(integrations, "Delighted")


@pytest.mark.parametrize(
    "integrations",
    [
        {},
        {"All": True},
        {"All": None},
        {"Delighted": None},
        {"Retently": False},
        {"Delighted": True, "All": False},
        {"Delighted": {"channel": "sms"}, "All": False},
    ],
)
def test_a_destination_that_is_not_switched_off_is_told(integrations: dict[str, Any]) -> None:
    assert not switched_off(integrations, "Delighted")


# --- ids ------------------------------------------------------------------------------------------------------------


def test_a_delivery_has_the_message_id_of_its_call() -> None:
    assert forward_id(call(), SURVEY) == "m-1:survey"


@pytest.mark.parametrize("kind", [SURVEY, "identify"])
@pytest.mark.parametrize("message_id", ["m-1", "a:survey:b", ""])
def test_the_message_id_of_a_call_can_be_read_off_its_deliveries(kind: str, message_id: str) -> None:
    assert call_id(forward_id(call(message_id=message_id), kind), kind) == message_id
    assert call_id(forward_id(call(message_id=message_id), f"{SURVEY}:66c1"), SURVEY) == message_id


def test_a_message_id_of_a_sinks_delivery_is_its_own() -> None:
    assert call_id("nps-0123", "submit") == "nps-0123"


def test_a_message_id_of_any_length_has_one_that_fits() -> None:
    long = forward_id(call(message_id="x" * 10_000), SURVEY)
    assert len(long) < 100
    assert long != forward_id(call(message_id="x" * 10_001), SURVEY)


def test_the_ids_that_bring_an_answer_home_are_those_that_are_known() -> None:
    assert came_back(Person(key="p")) == {}
    assert came_back(Person(key="p", anonymous_ids=("a1", "a2"))) == {"segment_anonymous_id": "a2"}


def test_a_new_device_of_somebody_with_a_user_id_is_no_news_to_a_vendor() -> None:
    devices = [Person(key="p", user_id="u1", anonymous_ids=("a1", name)) for name in ("a2", "a3")]
    assert [came_back(person) for person in devices] == [{"segment_user_id": "u1"}] * 2


def test_promoter_may_be_switched_off_by_either_of_its_names() -> None:
    assert switched_off({"Promoter": False}, "Promoter.io")
    assert switched_off({"Promoter.io": False}, "Promoter.io")


# --- what a newer identify makes superfluous ------------------------------------------------------------------------


def test_only_the_newest_of_several_identifies_in_a_row_is_worth_a_request() -> None:
    assert superseded([delivery(1, "ann"), delivery(2, "bob"), delivery(3, "ann"), delivery(4, "ann")]) == {1, 3}


def test_a_survey_in_between_keeps_what_was_said_before_it() -> None:
    assert superseded([delivery(1, "ann"), delivery(2, "ann", SURVEY), delivery(3, "ann")]) == set()


def test_surveys_are_never_superfluous() -> None:
    assert superseded([delivery(1, "ann", SURVEY), delivery(2, "ann", SURVEY)]) == set()
