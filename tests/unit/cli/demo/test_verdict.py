"""A demo that cannot fail would prove nothing: each kind of difference between both ends is seen."""

from typing import Any

import pytest

from npsbridge.cli.demo.heard import Heard
from npsbridge.cli.demo.verdict import Truth, disagreements, figures, ledger_figure, shown_nps
from npsbridge.core.ports import Ledger
from unit.cli.demo.examples import call, identified, row, submitted

EMAILS = {"p1": "a@example.com", "p2": "b@example.com"}
TRUTH = Truth(
    responses={"1": row("1", 9, comment="Good"), "2": row("2", 3, edits=1)}, emails=dict(EMAILS), edits_before=1
)


def told() -> list[dict[str, Any]]:
    """Everything that has to be told of `TRUTH`."""
    return [
        identified("a@example.com", 9),
        submitted("1", 9, comment="Good"),
        call("Answered NPS Survey"),
        call("Completed NPS Survey"),
        identified("b@example.com", 3),
        submitted("2", 3),
        call("Answered NPS Survey"),
    ]


def differences(events: list[dict[str, Any]], *, truth: Truth = TRUTH, dropped: int = 0) -> list[str]:
    """The names of the figures that do not agree."""
    found = disagreements(figures(truth, Heard(events).catch_up(), dropped=dropped))
    return [text.partition(":")[0] for text in found]


def test_both_ends_agree_when_everything_was_told_once() -> None:
    assert differences(told()) == []


@pytest.mark.parametrize(
    ("missing", "seen"),
    [
        (0, ["people with their newest score"]),
        (2, ["Answered NPS Survey"]),
        (3, ["Completed NPS Survey"]),
    ],
)
def test_a_call_that_is_missing_is_seen(missing: int, seen: list[str]) -> None:
    events = told()
    del events[missing]
    assert differences(events) == seen


def test_a_response_that_is_missing_is_seen() -> None:
    events = told()
    del events[5]
    assert set(differences(events)) >= {"responses", "detractors", "NPS", "score and comment to the letter"}


def test_a_comment_that_differs_by_a_letter_is_seen() -> None:
    events = told()
    events[1] = submitted("1", 9, comment="good")
    assert differences(events) == ["score and comment to the letter"]


def test_an_edit_that_was_told_and_never_made_is_seen() -> None:
    assert differences([*told(), submitted("2", 3, revision=2)]) == ["edits"]


def test_an_edit_that_was_made_and_never_told_is_seen() -> None:
    edited = Truth(responses=TRUTH.responses, emails=EMAILS, edits_before=0)
    assert differences(told(), truth=edited) == ["edits"]


def test_a_call_that_came_twice_is_seen() -> None:
    assert differences(told(), dropped=1) == ["calls doubled or refused"]


def test_the_newest_of_several_answers_of_a_person_is_the_one_that_counts() -> None:
    rows = {"1": row("1", 9, at=20, person_id="p1"), "2": row("2", 3, at=10, person_id="p1")}
    assert Truth(responses=rows, emails=EMAILS, edits_before=0).newest_scores == {"a@example.com": 9}


@pytest.mark.parametrize("lost", ["waiting", "dead", "held"])
def test_a_ledger_in_which_something_is_left_does_not_agree(lost: str) -> None:
    assert ledger_figure(Ledger(accepted=3, delivered=2, duplicate=1)).agrees
    assert not ledger_figure(Ledger(accepted=3, delivered=2, **{lost: 1})).agrees


def test_a_ledger_that_does_not_balance_does_not_agree() -> None:
    assert not ledger_figure(Ledger(accepted=3, delivered=2)).agrees


def test_the_nps_is_shown_with_its_sign() -> None:
    assert [shown_nps(camps) for camps in ({"promoter": 1}, {"detractor": 1}, {})] == ["+100.0", "-100.0", "none yet"]
