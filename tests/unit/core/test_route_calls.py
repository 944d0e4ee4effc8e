"""From Segment calls to what is owed to survey platforms."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.core.envelope import CallSource
from npsbridge.core.familiar import Familiar
from npsbridge.core.people import ERASED, IdKind, PersonId
from npsbridge.core.route_calls import calls_of, deletions, read_entry
from unit.core.forwarding import DAY, NOW, CallLine, Vendor, at, balance, identify, parts, track
from unit.counting import growth


def test_an_identify_is_owed_to_every_platform() -> None:
    line = CallLine(Vendor(), Vendor("promoter", "Promoter.io"))
    routing = line.route(identify())
    assert [(one.connection, one.message_id) for one in routing.deliveries] == [
        ("delighted", "m1:identify"),
        ("promoter", "m1:identify"),
    ]
    assert (routing.fanned_out, routing.filtered) == (1, 0)


def test_a_trigger_of_somebody_known_is_owed_at_once() -> None:
    line = CallLine()
    line.route(identify())
    assert parts(line.route(track())) == ["m2:survey"]


def test_what_no_platform_wants_is_filtered_and_leaves_no_row() -> None:
    routing = CallLine().route(track("Page Read"))
    assert (parts(routing), routing.filtered, routing.fanned_out) == ([], 1, 0)


def test_i3_the_same_message_again_is_a_duplicate_wherever_it_comes_in() -> None:
    line = CallLine()
    again = identify(messageId="same")
    first, second = line.routes([again], [again, track()])
    assert (parts(first), second.duplicates, parts(second)) == (["same:identify"], 1, ["m3:survey"])
    assert line.route(again).duplicates == 1


def test_identical_traits_are_told_once() -> None:
    line = CallLine()
    routings = [line.route(identify()) for _ in range(3)]
    assert [parts(routing) for routing in routings] == [["m1:identify"], [], []]
    assert [routing.filtered for routing in routings] == [0, 1, 1]


def test_other_traits_are_told_and_the_old_ones_again() -> None:
    line = CallLine()
    told = [parts(line.route(identify(traits={"plan": plan}))) for plan in ("free", "pro", "free")]
    assert told == [["m1:identify"], ["m2:identify"], ["m3:identify"]]


def test_why_somebody_is_not_told_of_is_listed_once() -> None:
    line = CallLine()
    assert parts(line.route(identify(email=None))) == ["m1:identify-"]
    assert parts(line.route(identify(email=None))) == []


# --- calls that wait ------------------------------------------------------------------------------------------------


def test_a_trigger_of_somebody_unknown_waits() -> None:
    line = CallLine()
    routing = line.route(track())
    (waiting,) = routing.awaited
    assert (waiting.connection, waiting.reason) == ("delighted", "no email is known")
    assert waiting.expires_at == NOW + int(DAY * 1000)
    assert (parts(routing), routing.fanned_out) == ([], 1)


def test_i3_a_waiting_trigger_goes_out_right_after_the_identify_that_releases_it() -> None:
    line = CallLine()
    line.route(track())
    routing = line.route(track("Page Read"), identify())
    assert parts(routing) == ["m3:identify", "m1:survey"]
    assert [one.call.message_id for one in routing.no_longer_awaited] == ["m1"]


def test_waiting_triggers_go_out_in_their_order() -> None:
    line = CallLine()
    line.route(track(), track())
    assert parts(line.route(identify())) == ["m3:identify", "m1:survey", "m2:survey"]


def test_a_trigger_and_its_identify_may_come_in_one_request() -> None:
    routing = CallLine().route(track(), identify())
    assert (parts(routing), routing.awaited, routing.no_longer_awaited) == (["m2:identify", "m1:survey"], (), ())


def test_an_anonymous_trigger_waits_for_the_identify_that_names_its_anonymous_id() -> None:
    line = CallLine()
    line.route({"type": "track", "anonymousId": "a1", "event": "Order Completed", "timestamp": at(NOW)})
    assert parts(line.route(identify(anonymousId="a1"))) == ["m2:identify", "m1:survey"]


def test_triggers_of_two_who_turn_out_to_be_one_go_out_in_their_order() -> None:
    line = CallLine()
    by_device: dict[str, Any] = {"userId": None, "anonymousId": "a1"}
    line.route(track(**by_device), track(), track(**by_device))
    assert parts(line.route(identify(anonymousId="a1"))) == ["m4:identify", "m1:survey", "m2:survey", "m3:survey"]


def test_who_is_identified_costs_as_much_however_many_others_wait() -> None:
    def several(count: int) -> Callable[[], object]:
        line = CallLine()
        users = [f"u{number}" for number in range(count)]
        line.route(*(track(user_id=one) for one in users))
        return lambda: line.route(*(identify(one, f"{one}@example.org") for one in users))

    assert growth(several) < 1.2


def test_who_identifies_as_somebody_else_releases_nothing() -> None:
    line = CallLine()
    line.route(track())
    assert parts(line.route(identify("u2", "bob@example.org"))) == ["m2:identify"]
    assert list(line.awaited) == [("delighted", "m1")]


def test_what_waited_too_long_is_expired_and_listed() -> None:
    line = CallLine()
    line.route(track())
    line.now += int(DAY * 1000)
    assert parts(line.expire()) == ["m1:survey!"]
    assert line.awaited == {}


def test_an_identify_that_comes_too_late_releases_nothing() -> None:
    line = CallLine()
    line.route(track())
    line.now += int(DAY * 1000)
    assert parts(line.route(identify(timestamp=at(line.now)))) == ["m2:identify"]


@pytest.mark.parametrize("known", [True, False])
def test_a_trigger_older_than_allowed_asks_nobody(known: bool) -> None:  # noqa: FBT001 - a parameter of the table
    line = CallLine()
    if known:
        line.route(identify())
    routing = line.route(track(timestamp=at(NOW - int(DAY * 1000) - 1000)))
    (expired,) = routing.deliveries
    assert "INGEST__MAX_TRIGGER_AGE" in (expired.expired_because or "")


# --- who is left alone ----------------------------------------------------------------------------------------------


def test_our_own_calls_that_come_back_lead_nowhere() -> None:
    own = identify(context={"library": {"name": "npsbridge"}})
    routing = CallLine().route(own)
    assert (parts(routing), routing.filtered, routing.people.persons) == ([], 1, ())


def test_a_platform_that_the_sender_switched_off_is_told_nothing() -> None:
    line = CallLine(Vendor(), Vendor("promoter", "Promoter.io"))
    routing = line.route(identify(integrations={"All": False, "Promoter.io": True}))
    assert [one.connection for one in routing.deliveries] == ["promoter"]


def test_a_deletion_is_known_before_the_run_is_decided_and_counts_as_erased() -> None:
    line = CallLine()
    entry = read_entry(line.entry({"type": "delete", "userId": "u1"}, identify()), Familiar(()))
    assert deletions(calls_of([entry])) == [PersonId(IdKind.USER, "u1")]
    assert line.route({"type": "delete", "userId": "u1"}).erased == 1


def test_an_sdk_whose_key_is_public_can_delete_nobody() -> None:
    entry = read_entry(CallLine().entry({"type": "delete", "userId": "u1"}, source=CallSource.SDK), Familiar(()))
    assert deletions(calls_of([entry])) == []


def test_nobody_writes_to_a_suppressed_address_whoever_asks() -> None:
    line = CallLine()
    line.route(identify())
    unsubscribed = {PersonId(IdKind.EMAIL, "friend@example.org"): "unsubscribed"}
    line.known = msgspec.structs.replace(line.known, suppressed=unsubscribed)
    (survey,) = line.route(track(properties={"email": "friend@example.org"})).deliveries
    assert survey.filtered_because == "nobody may survey this address: unsubscribed"


def test_nothing_is_kept_of_the_calls_of_somebody_who_was_erased() -> None:
    line = CallLine()
    line.known = msgspec.structs.replace(line.known, suppressed={PersonId(IdKind.USER, "u1"): ERASED})
    routing = line.route(identify(), track())
    assert (parts(routing), routing.erased, routing.awaited, routing.people.persons) == ([], 2, (), ())
    assert routing.erased_ids == {PersonId(IdKind.USER, "u1")}


# --- what cannot be used --------------------------------------------------------------------------------------------


def test_a_broken_call_is_shelved_and_its_neighbours_go_on() -> None:
    routing = CallLine().route(identify(), {"type": "dance", "userId": "u1"}, track())
    assert parts(routing) == ["m1:identify", "m3:survey"]
    assert [(item.connection, item.kind) for item in routing.shelved] == [("ingest", "call")]


def test_a_mistake_of_one_platform_keeps_no_other_from_being_told() -> None:
    line = CallLine(Vendor(), Vendor("promoter", "Promoter.io"))
    routing = line.route(track("Broken"), identify())
    assert [item.reason for item in routing.shelved] == [
        "delighted cannot plan it: ZeroDivisionError",
        "promoter cannot plan it: ZeroDivisionError",
    ]
    assert len(routing.deliveries) == 2


# --- the ledger -----------------------------------------------------------------------------------------------------

CALLS = st.one_of(
    st.builds(
        identify,
        user_id=st.sampled_from(["u1", "u2"]),
        email=st.sampled_from([None, "ana@example.org", "bob@example.org"]),
        anonymousId=st.sampled_from([None, "a1"]),
        messageId=st.sampled_from(["x", "y", "z", "v", "w"]),
    ),
    st.builds(
        track,
        event=st.sampled_from(["Order Completed", "Broken", "Page Read"]),
        user_id=st.sampled_from(["u1", "u2", "u3"]),
        messageId=st.sampled_from(["o", "p", "q", "r", "s"]),
        timestamp=st.sampled_from([at(NOW), at(NOW - 200_000_000)]),
    ),
    st.just({"type": "dance", "userId": "u1"}),
    st.just({"type": "delete", "userId": "u9"}),
)


@given(st.lists(st.lists(CALLS, max_size=4), max_size=6))
def test_i2_every_call_is_accounted_for_once(requests: list[list[dict[str, Any]]]) -> None:
    line = CallLine(Vendor(), Vendor("promoter", "Promoter.io"))
    for request in requests:
        routing = line.route(*[dict(call) for call in request])
        assert balance(routing) == len(request)
    line.now += int(DAY * 1000) + 1
    assert balance(line.expire()) == 0
    assert line.awaited == {}


@given(st.lists(st.lists(CALLS, max_size=4), max_size=6))
def test_i4_no_trigger_leads_to_two_surveys(requests: list[list[dict[str, Any]]]) -> None:
    line = CallLine()
    asked = [
        one.message_id
        for request in requests
        for one in line.route(*[dict(call) for call in request]).deliveries
        if one.kind == "survey"
    ]
    assert len(asked) == len(set(asked))
