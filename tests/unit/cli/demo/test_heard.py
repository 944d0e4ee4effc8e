"""What Segment heard is counted as it comes in."""

from typing import Any

from npsbridge.cli.demo.heard import Heard, nps, told_of
from unit.cli.demo.examples import call, identified, submitted


def test_calls_are_counted_by_name_and_only_once() -> None:
    events: list[dict[str, Any]] = [submitted("1", 9), identified("a@example.com", 9)]
    heard = Heard(events).catch_up()
    events.append(call("Answered NPS Survey"))
    assert heard.catch_up().calls == {"Submit Survey": 1, "identify": 1, "Answered NPS Survey": 1}


def test_the_newest_revision_of_a_response_counts_in_whatever_order_they_come() -> None:
    heard = Heard([submitted("1", 3, revision=2, comment="b"), submitted("1", 9, comment="a")]).catch_up()
    said = heard.responses["delighted", "1"]
    assert (heard.revision("delighted", "1"), said.score, said.comment) == (2, 3, "b")
    assert heard.camps == {"detractor": 1}


def test_whose_a_response_is_is_known() -> None:
    heard = Heard([submitted("1", 9) | {"userId": "u-1"}, submitted("2", 9) | {"anonymousId": "a"}]).catch_up()
    assert [said.user_id for said in heard.responses.values()] == ["u-1", None]


def test_a_response_that_was_not_told_has_no_revision() -> None:
    assert Heard([]).revision("delighted", "1") == 0


def test_responses_of_the_same_id_are_told_apart_by_their_connection() -> None:
    heard = Heard(
        [submitted("1", 9), submitted("1", 3, connection="promoter"), submitted("1", 8, revision=2)]
    ).catch_up()
    assert heard.by_connection == {"delighted": 1, "promoter": 1}
    assert heard.revision("promoter", "1") == 1


def test_events_at_heap_count_for_the_platform_of_their_person() -> None:
    counts = told_of({"a": 2, "b": 1, "stray": 1}, {"a": "retently", "b": "promoter"})
    assert counts == {"retently": 2, "promoter": 1, "nobody": 1}


def test_the_last_rating_of_a_person_counts() -> None:
    heard = Heard([identified("a@example.com", 3), identified("a@example.com", 9)]).catch_up()
    assert heard.ratings == {"a@example.com": 9}


def test_the_nps_is_promoters_minus_detractors_in_per_cent() -> None:
    assert nps({"promoter": 690, "passive": 392, "detractor": 1271}) == 100 * (690 - 1271) / 2353


def test_without_scores_there_is_no_nps() -> None:
    assert nps({}) is None
