"""What Segment heard is counted as it comes in."""

from typing import Any

from npsbridge.cli.demo.heard import Heard, nps
from unit.cli.demo.examples import call, identified, submitted


def test_calls_are_counted_by_name_and_only_once() -> None:
    events: list[dict[str, Any]] = [submitted("1", 9), identified("a@example.com", 9)]
    heard = Heard(events).catch_up()
    events.append(call("Answered NPS Survey"))
    assert heard.catch_up().calls == {"Submit Survey": 1, "identify": 1, "Answered NPS Survey": 1}


def test_the_newest_revision_of_a_response_counts_in_whatever_order_they_come() -> None:
    heard = Heard([submitted("1", 3, revision=2, comment="b"), submitted("1", 9, comment="a")]).catch_up()
    assert (heard.revision("1"), heard.responses["1"].score, heard.responses["1"].comment) == (2, 3, "b")
    assert heard.camps == {"detractor": 1}


def test_a_response_that_was_not_told_has_no_revision() -> None:
    assert Heard([]).revision("1") == 0


def test_the_last_rating_of_a_person_counts() -> None:
    heard = Heard([identified("a@example.com", 3), identified("a@example.com", 9)]).catch_up()
    assert heard.ratings == {"a@example.com": 9}


def test_the_nps_is_promoters_minus_detractors_in_per_cent() -> None:
    assert nps({"promoter": 690, "passive": 392, "detractor": 1271}) == 100 * (690 - 1271) / 2353


def test_without_scores_there_is_no_nps() -> None:
    assert nps({}) is None
