"""From journal entries to everything that follows from them."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.core.model import Identity, Kind
from npsbridge.core.people import IdKind, PersonId
from npsbridge.core.records import Origin, Recall, Routing
from npsbridge.core.route import Rules, emails, people, read, route
from npsbridge.core.translate import EventRules
from unit.core.routing import (
    ANA,
    ANSWERED,
    NOW,
    SECOND,
    SETTLE,
    Line,
    accounted,
    entry,
    moment,
    plan,
    plan_briefly,
    plan_what_fits,
    reading,
    said,
)

# --- reading ----------------------------------------------------------------------------------------------------


def test_records_are_understood_in_their_order() -> None:
    understood = reading({"id": "2"}, {"id": "1"}, number=7, origin=Origin.WEBHOOK)
    assert [response.id for response in understood.responses] == ["2", "1"]
    assert (understood.journal_id, understood.origin) == (7, Origin.WEBHOOK)


def test_i3_a_bad_record_is_shelved_and_the_others_go_on() -> None:
    understood = reading({"id": "1"}, {"bad": 1}, {"id": "2"})
    assert [response.id for response in understood.responses] == ["1", "2"]
    (item,) = understood.shelved
    assert (item.connection, item.kind, item.reason, item.body) == ("shop", "record", "/bad: is bad", b'{"bad": 1}')


def test_a_parser_that_fails_costs_only_its_record() -> None:
    understood = reading({"break": "the secret"}, {"id": "2"})
    assert [response.id for response in understood.responses] == ["2"]
    assert understood.shelved[0].reason == "/: the parser failed with KeyError"


def test_f44_records_of_a_connection_that_is_gone_are_shelved_by_name() -> None:
    understood = read(entry({"id": "1"}, {"id": "2"}), None)
    assert [item.reason for item in understood.shelved] == ["/: connection shop is no longer configured"] * 2


def test_the_same_bad_record_has_the_same_key_on_the_shelf() -> None:
    first, second, other = reading({"bad": 1}, {"bad": 1}, {"bad": 2}).shelved
    assert first.key == second.key != other.key


# --- what has to be recalled ------------------------------------------------------------------------------------


def test_identities_are_recalled_by_lower_cased_email() -> None:
    rows: list[dict[str, Any]] = [
        {"id": "1", "email": " Ana@Example.org"},
        {"id": "2", "email": ""},
        {"id": "3", "email": None},
    ]
    assert emails(reading(*rows).responses) == {"ana@example.org"}


def test_newest_answers_are_recalled_by_every_key_of_the_person() -> None:
    known = {"ana@example.org": Identity(user_id="u1")}
    assert people(reading({"id": "1"}).responses, known, Rules()) == {ANA, "user:u1"}


# --- every verdict ----------------------------------------------------------------------------------------------


def test_a_new_response_fans_out_and_is_remembered() -> None:
    routing = Line().route({"id": "1", "comment": "Fast"})
    assert said(routing) == ["1/identify/1", "1/submit/1", "1/answered/1", "1/completed/1"]
    (remembered,) = routing.responses
    assert (remembered.revision, remembered.settle_at) == (1, None)
    assert remembered.milestones == (Kind.ANSWERED, Kind.COMPLETED)
    assert (routing.journal_id, routing.fanned_out) == (1, 1)


def test_an_edited_response_is_the_next_revision_and_repeats_no_milestone() -> None:
    line = Line()
    line.route({"id": "1"})
    routing = line.route({"id": "1", "comment": "Late thought", "edited": 60})
    assert said(routing) == ["1/identify/2", "1/submit/2", "1/completed/2"]
    assert (line.responses["1"].revision, routing.fanned_out) == (2, 1)


def test_f32_the_same_again_is_a_duplicate() -> None:
    line = Line()
    line.route({"id": "1"})
    routing = line.route({"id": "1"}, origin=Origin.WEBHOOK)
    assert (routing.deliveries, routing.responses, routing.duplicates) == ((), (), 1)


def test_a_duplicate_with_a_later_time_moves_the_time_and_says_nothing() -> None:
    line = Line()
    line.route({"id": "1"})
    routing = line.route({"id": "1", "edited": 60})
    assert (routing.deliveries, routing.duplicates) == ((), 1)
    assert (line.responses["1"].response.updated_at, line.responses["1"].revision) == (moment(60), 1)


def test_f32_an_older_version_is_stale() -> None:
    line = Line()
    line.route({"id": "1", "comment": "New", "edited": 60})
    routing = line.route({"id": "1", "comment": "Old", "edited": 30}, origin=Origin.WEBHOOK)
    assert (routing.deliveries, routing.responses, routing.duplicates) == ((), (), 1)


def test_what_nobody_wants_is_filtered_and_still_remembered() -> None:
    line = Line(Rules(events=EventRules(names=frozenset())))
    routing = line.route({"id": "1", "type": "csat"})
    assert (routing.deliveries, routing.filtered, list(line.responses)) == ((), 1, ["1"])


def test_an_edit_that_is_not_wanted_is_filtered() -> None:
    line = Line(Rules(events=EventRules(on_update="ignore")))
    line.route({"id": "1"})
    routing = line.route({"id": "1", "comment": "Late thought", "edited": 60})
    assert (routing.deliveries, routing.filtered, line.responses["1"].revision) == ((), 1, 2)


# --- several entries in one run ---------------------------------------------------------------------------------


def test_later_entries_of_a_run_know_what_earlier_ones_decided() -> None:
    first, second = Line().routes(
        reading({"id": "1"}, number=1), reading({"id": "1", "comment": "More", "edited": 60}, number=2)
    )
    assert (first.journal_id, said(first)) == (1, ["1/identify/1", "1/submit/1", "1/answered/1"])
    assert (second.journal_id, said(second)) == (2, ["1/identify/2", "1/submit/2", "1/completed/2"])


def test_each_routing_holds_only_what_its_own_entry_led_to() -> None:
    first, second = Line().routes(reading({"id": "1"}, {"bad": 1}), reading({"id": "2", "at": 5}, number=2))
    assert ([one.response.id for one in first.responses], len(first.shelved)) == (["1"], 1)
    assert ([one.response.id for one in second.responses], len(second.shelved)) == (["2"], 0)
    assert (accounted(first), accounted(second)) == (2, 1)


def test_a_run_in_pieces_says_the_same_as_a_run_as_a_whole() -> None:
    entries = [reading({"id": str(n % 3), "comment": str(n), "edited": n}, number=n) for n in range(9)]
    whole = Line().routes(*entries)
    line = Line()
    assert [line.routes(one)[0] for one in entries] == whole


# --- the newest answer wins the traits --------------------------------------------------------------------------


def identified(routing: Routing) -> bool:
    return any(delivery.kind == Kind.IDENTIFY for delivery in routing.deliveries)


def test_i14_an_older_answer_of_the_same_person_sets_no_traits() -> None:
    line = Line()
    assert identified(line.route({"id": "new", "at": 60}))
    assert not identified(line.route({"id": "old", "at": 0}))
    assert line.newest[ANA] == ANSWERED + 60 * SECOND


def test_i14_an_edit_of_an_older_answer_sets_no_traits() -> None:
    line = Line()
    line.route({"id": "old", "at": 0}, {"id": "new", "at": 60})
    assert not identified(line.route({"id": "old", "comment": "More", "edited": 120}))


@given(order=st.permutations(range(6)))
def test_i14_the_last_traits_said_are_those_of_the_newest_answer(order: list[int]) -> None:
    line = Line()
    told = [routing for n in order if identified(routing := line.route({"id": str(n), "at": n}))]
    assert told[-1].deliveries[0].message_id.startswith("5/")


def test_i14_another_person_is_not_concerned() -> None:
    line = Line()
    line.route({"id": "new", "at": 60})
    assert identified(line.route({"id": "old", "at": 0, "email": "bo@example.org"}))


def test_a_score_of_another_survey_does_not_make_an_nps_answer_old() -> None:
    line = Line()
    line.route({"id": "csat", "type": "csat", "score": 4, "at": 60})
    assert identified(line.route({"id": "nps", "at": 0}))


def test_the_person_is_reported_under_the_known_identity() -> None:
    line = Line(identities={"ana@example.org": Identity(user_id="u1", email="ana@example.org")})
    assert line.route({"id": "1", "email": "ANA@example.org"}).deliveries[0].person == "u1"


# --- held back for a comment ------------------------------------------------------------------------------------


def test_a_response_without_comment_is_held_back() -> None:
    routing = Line(SETTLE).route({"id": "1"})
    assert (routing.deliveries, routing.settling) == ((), 1)
    (held,) = routing.responses
    assert (held.revision, held.settle_at) == (0, ANSWERED + SETTLE.settle_ms)


def test_a_response_with_a_comment_is_not_held_back() -> None:
    routing = Line(SETTLE).route({"id": "1", "comment": "Fast"})
    assert (routing.settling, routing.fanned_out) == (0, 1)


def test_a_dismissed_survey_is_not_held_back() -> None:
    assert Line(SETTLE).route({"id": "1", "dismissed": True, "score": None}).settling == 0


def test_history_older_than_the_time_of_settling_is_not_held_back() -> None:
    assert Line(SETTLE).route({"id": "1", "at": -86_400}).fanned_out == 1


def test_an_answer_dated_in_the_future_is_held_no_longer_than_any_other() -> None:
    line = Line(SETTLE)
    line.route({"id": "1", "at": 86_400})
    assert line.responses["1"].settle_at == NOW + SETTLE.settle_ms


def test_without_a_time_of_settling_nothing_is_held_back_whatever_its_date() -> None:
    assert Line().route({"id": "1", "at": 86_400}).fanned_out == 1


def test_a_comment_in_time_sends_the_response_out_as_its_first_revision() -> None:
    line = Line(SETTLE)
    line.route({"id": "1"})
    routing = line.route({"id": "1", "comment": "Fast", "edited": 60})
    assert said(routing) == ["1/identify/1", "1/submit/1", "1/answered/1", "1/completed/1"]
    assert (routing.duplicates, routing.settling, routing.fanned_out) == (1, -1, 1)
    assert line.responses["1"].settle_at is None


def test_another_edit_without_comment_keeps_the_response_held_until_the_same_time() -> None:
    line = Line(SETTLE)
    line.route({"id": "1", "score": 3})
    due = line.responses["1"].settle_at
    routing = line.route({"id": "1", "score": 8, "edited": 60})
    assert (routing.deliveries, routing.duplicates, routing.settling) == ((), 1, 0)
    assert (line.responses["1"].response.score, line.responses["1"].settle_at) == (8, due)


def test_the_same_again_leaves_a_held_response_held() -> None:
    line = Line(SETTLE)
    line.route({"id": "1"})
    routing = line.route({"id": "1", "edited": 60})
    assert (routing.deliveries, routing.duplicates, routing.settling) == ((), 1, 0)
    assert line.responses["1"].revision == 0


def test_when_nobody_comments_the_response_goes_out_as_it_is() -> None:
    line = Line(SETTLE)
    line.route({"id": "1"})
    line.now += SETTLE.settle_ms
    routing = line.release()
    assert said(routing) == ["1/identify/1", "1/submit/1", "1/answered/1"]
    assert (routing.journal_id, routing.settling, routing.fanned_out) == (None, -1, 1)
    assert (line.responses["1"].revision, line.responses["1"].settle_at) == (1, None)


def test_a_comment_after_the_release_is_a_second_revision() -> None:
    line = Line(SETTLE)
    line.route({"id": "1"})
    line.now += SETTLE.settle_ms
    line.release()
    assert said(line.route({"id": "1", "comment": "Late", "edited": 60}))[-1] == "1/completed/2"


# --- who was erased ---------------------------------------------------------------------------------------------


def test_nothing_is_kept_of_an_answer_whose_person_was_erased() -> None:
    line = Line()
    line.erased = frozenset({"ana@example.org"})
    routing = line.route({"id": "1", "email": "Ana@Example.org"}, {"id": "2", "email": "bo@example.org"})
    assert (routing.erased, [one.response.id for one in routing.responses]) == (1, ["2"])
    assert PersonId(IdKind.EMAIL, "ana@example.org") in routing.erased_ids
    assert not line.route({"id": "3", "email": "bo@example.org"}).erased_ids


# --- what cannot be put into words ------------------------------------------------------------------------------


def test_an_emission_that_does_not_fit_is_shelved_and_the_others_go_on() -> None:
    routing = Line().route({"id": "1", "comment": "x" * 21}, {"id": "2", "comment": "Fast"})
    (item,) = routing.shelved
    assert (item.kind, item.reason) == ("record", "too large: comment (21 bytes)")
    assert json.loads(item.body)["id"] == "1"
    assert {delivery.message_id[0] for delivery in routing.deliveries} == {"2"}


def test_what_was_shelved_was_not_said_so_a_shorter_edit_says_it() -> None:
    line = Line()
    line.route({"id": "1", "comment": "x" * 21})
    routing = line.route({"id": "1", "comment": "Fast", "edited": 60})
    assert said(routing) == ["1/identify/2", "1/submit/2", "1/answered/2", "1/completed/2"]


def test_what_one_sink_cannot_say_keeps_no_other_from_saying_it() -> None:
    line = Line(plans=[plan_what_fits, plan_briefly])
    routing = line.route({"id": "1", "comment": "x" * 21})
    assert [(one.connection, one.kind) for one in routing.deliveries] == [("heap", "submit")]
    assert (len(routing.shelved), routing.partly_shelved, routing.fanned_out) == (1, 1, 1)


def test_what_no_sink_can_say_is_shelved_for_each_and_accounted_for_once() -> None:
    routing = Line(plans=[plan_what_fits, plan_what_fits]).route({"id": "1", "comment": "x" * 21})
    assert (len(routing.shelved), routing.partly_shelved, routing.fanned_out, accounted(routing)) == (2, 1, 0, 1)


# --- the ledger -------------------------------------------------------------------------------------------------

ROWS = st.fixed_dictionaries(
    {"id": st.sampled_from("abc"), "at": st.integers(-3, 3)},
    optional={
        "comment": st.sampled_from([None, "", "Fast", "Slow", "x" * 21]),
        "score": st.sampled_from([None, 0, 9]),
        "edited": st.integers(0, 9),
        "type": st.sampled_from(["nps", "csat"]),
        "dismissed": st.booleans(),
        "bad": st.just(1),
        "break": st.just("x"),
        "email": st.sampled_from(["ana@example.org", "bo@example.org", "", None]),
    },
)
RULES = st.builds(
    Rules,
    settle_ms=st.sampled_from([0, SETTLE.settle_ms]),
    events=st.builds(
        EventRules,
        names=st.sampled_from([frozenset(), EventRules().names]),
        on_update=st.sampled_from(["emit", "traits", "ignore"]),
    ),
)
ENTRIES = st.lists(st.tuples(st.lists(ROWS, max_size=4), st.sampled_from(list(Origin))), max_size=6)


def held(line: Line) -> int:
    return sum(one.revision == 0 for one in line.responses.values())


@given(entries=ENTRIES, rules=RULES, releases=st.booleans())
def test_i2_every_record_is_accounted_for_once(
    *, entries: list[tuple[list[dict[str, Any]], Origin]], rules: Rules, releases: bool
) -> None:
    line, settling = Line(rules), 0
    for rows, origin in entries:
        routing = line.route(*rows, origin=origin)
        assert accounted(routing) == len(rows)
        settling += routing.settling
        assert settling == held(line)
        if releases:
            line.now += SETTLE.settle_ms
            released = line.release()
            assert accounted(released) == 0
            settling += released.settling
    assert settling == held(line)


@given(entries=ENTRIES, rules=RULES)
def test_i12_no_message_is_said_twice(entries: list[tuple[list[dict[str, Any]], Origin]], rules: Rules) -> None:
    line = Line(rules)
    told: list[str] = [word for rows, origin in entries for word in said(line.route(*rows, origin=origin))]
    line.now += SETTLE.settle_ms
    told += said(line.release())
    assert sorted(told) == sorted(set(told))


def test_several_sinks_are_owed_each() -> None:
    routings = route([reading({"id": "1"})], Recall(), rules=Rules(), plans=[plan, plan], now=NOW)
    assert (len(routings[0].deliveries), routings[0].fanned_out) == (6, 1)


@pytest.mark.parametrize("plans", [[], [lambda _: []]])
def test_without_anybody_to_tell_everything_is_filtered(plans: Iterable[Any]) -> None:
    routings = route([reading({"id": "1"})], Recall(), rules=Rules(), plans=list(plans), now=NOW)
    assert routings[0].filtered == 1
