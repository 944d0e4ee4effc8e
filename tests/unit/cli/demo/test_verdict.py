"""A demo that cannot fail would prove nothing: each kind of difference between both ends is seen."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from npsbridge.cli.demo.figure import counted, disagreements
from npsbridge.cli.demo.heard import AtHeap, Heard
from npsbridge.cli.demo.titles import TITLES
from npsbridge.cli.demo.truth import Given, Truth
from npsbridge.cli.demo.verdict import Verdict, figures, ledger_figure, places, shown_nps
from npsbridge.cli.demo.way_out import Way
from npsbridge.core.records import Ledger
from npsbridge.sandbox.account_state import Asked
from unit.cli.demo.examples import call, given, heap, identified, submitted

ANSWERS = [given("a", 9, comment="Good"), given("b", 3, platform="promoter")]
TRUTH = Truth(answers=ANSWERS, edits=0, opened=1, closed=1)
HEAP = heap(a=9, b=3)
STATES = dict.fromkeys(TITLES, "connected")


def told() -> list[dict[str, Any]]:
    """Everything that has to be told of `TRUTH`."""
    return [
        identified("a@example.com", 9),
        submitted("a", 9, comment="Good"),
        call("Answered NPS Survey"),
        call("Completed NPS Survey"),
        identified("b@example.com", 3),
        submitted("b", 3, connection="promoter"),
        call("Answered NPS Survey"),
        call("Closed NPS Survey"),
        call("Viewed NPS Survey"),
    ]


def differences(
    events: list[dict[str, Any]], *, truth: Truth = TRUTH, at_heap: AtHeap = HEAP, dropped: int = 0
) -> list[str]:
    """The names of the figures that do not agree."""
    found = disagreements(figures(truth, Heard(events).catch_up(), at_heap, dropped=dropped))
    return [text.rpartition(":")[0] for text in found]


def of_platforms(
    events: Sequence[dict[str, Any]] = (), *, at_heap: AtHeap = HEAP, states: dict[str, str] = STATES
) -> list[str]:
    """What the table of platforms finds."""
    found = places(TRUTH, Heard(events or told()).catch_up(), at_heap, states)
    return Verdict(places=found).disagreements


def test_both_ends_agree_when_everything_was_told_once() -> None:
    assert differences(told()) == []
    assert of_platforms() == []


@pytest.mark.parametrize(
    ("missing", "seen"),
    [
        (0, ["people with their newest score"]),
        (2, ["Answered NPS Survey"]),
        (3, ["Completed NPS Survey"]),
        (7, ["Closed NPS Survey (SatisMeter)"]),
        (8, ["Viewed NPS Survey (Retently)"]),
    ],
)
def test_a_call_that_is_missing_is_seen(missing: int, seen: list[str]) -> None:
    events = told()
    del events[missing]
    assert differences(events) == seen


def test_whatever_does_not_agree_on_the_way_out_is_a_disagreement() -> None:
    asked, other = Asked(people=1, surveys=1, throttled=0), Asked(people=2, surveys=1, throttled=0)
    counts = dict.fromkeys(("requests", "twice", "waiting", "expired", "held", "dead"), 0)
    line = Way(platform="delighted", state="connected", asked=other, expected=asked, **counts)
    found = Verdict(ways=[line], sent=[counted("calls", 2, 1)]).disagreements
    assert found == ["people at Delighted: 1 is true, 2 was told", "calls: 2 is true, 1 was told"]


def test_a_response_that_is_missing_is_seen() -> None:
    events = told()
    del events[5]
    assert set(differences(events)) >= {"answers", "detractors", "NPS", "score and comment to the letter"}
    assert of_platforms(events) == ["Promoter.io's answers at Segment: 1 is true, 0 was told"]


def test_a_response_told_for_another_platform_is_seen() -> None:
    events = told()
    events[5] = submitted("b", 3, connection="retently")
    assert differences(events) == ["score and comment to the letter"]
    assert len(of_platforms(events)) == 2


def test_a_comment_that_differs_by_a_letter_is_seen() -> None:
    events = told()
    events[1] = submitted("a", 9, comment="good")
    assert differences(events) == ["score and comment to the letter"]


def test_an_edit_that_was_told_and_never_made_is_seen() -> None:
    assert differences([*told(), submitted("b", 3, revision=2, connection="promoter")]) == ["edits and late comments"]


def test_an_edit_that_was_made_and_never_told_is_seen() -> None:
    edited = msgspec.structs.replace(TRUTH, edits=1)
    assert differences(told(), truth=edited) == ["edits and late comments"]


def test_a_call_that_came_twice_is_seen() -> None:
    assert differences(told(), dropped=1) == ["calls doubled or refused"]


def test_an_event_that_is_missing_at_heap_is_seen() -> None:
    one = heap(a=9)
    at_heap = AtHeap(events=one.events, ratings=HEAP.ratings)
    assert differences(told(), at_heap=at_heap) == ["Heap: events"]
    assert of_platforms(at_heap=at_heap) == ["Promoter.io's answers at Heap: 1 is true, 0 was told"]


def test_an_event_that_heap_has_twice_is_seen() -> None:
    twice = AtHeap(events={**HEAP.events, "a@example.com": 2}, ratings=HEAP.ratings)
    assert differences(told(), at_heap=twice) == ["Heap: events"]


def test_an_older_score_at_heap_is_seen() -> None:
    assert differences(told(), at_heap=heap(a=9, b=4)) == ["Heap: people with their newest score"]


@pytest.mark.parametrize("platform", TITLES)
def test_a_platform_that_is_not_connected_is_seen(platform: str) -> None:
    found = of_platforms(states={**STATES, platform: "retrying"})
    assert found == [f"the state of {TITLES[platform]}: connected is true, retrying was told"]


def test_a_platform_that_nobody_knows_of_is_seen() -> None:
    assert len(of_platforms(states={})) == len(TITLES)


def test_the_newest_of_several_answers_of_a_person_is_the_one_that_counts() -> None:
    rows: list[Given] = [given("1", 9, at=20.0, email="a"), given("2", 3, at=10.0, email="a")]
    assert msgspec.structs.replace(TRUTH, answers=rows).newest_scores == {"a": 9}


@pytest.mark.parametrize("lost", ["waiting", "dead", "held"])
def test_a_ledger_in_which_something_is_left_does_not_agree(lost: str) -> None:
    assert ledger_figure(Ledger(accepted=3, delivered=2, duplicate=1)).agrees
    assert not ledger_figure(Ledger(accepted=3, delivered=2, **{lost: 1})).agrees


def test_a_ledger_that_does_not_balance_does_not_agree() -> None:
    assert not ledger_figure(Ledger(accepted=3, delivered=2)).agrees


def test_the_nps_is_shown_with_its_sign() -> None:
    assert [shown_nps(camps) for camps in ({"promoter": 1}, {"detractor": 1}, {})] == ["+100.0", "-100.0", "none yet"]
