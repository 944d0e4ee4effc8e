"""The arithmetic of NPS."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.core.views import Scored
from npsbridge.web.dashboard.score import MOST_STRETCHES, Camps, camps_of, distribution, mean, stretches

TODAY = 20_500


def on(day: int, score: float, count: int = 1) -> Scored:
    return Scored(key=(day,), score=score, count=count)


BY_DAY = st.lists(
    st.builds(on, st.integers(TODAY - 200, TODAY + 5), st.integers(0, 10), st.integers(1, 9)), max_size=40
).map(lambda found: sorted(found, key=lambda one: (one.key, one.score)))


def test_camps_are_those_of_the_definition() -> None:
    assert camps_of([on(1, score) for score in range(11)]) == Camps(promoters=2, passives=2, detractors=7)


@pytest.mark.parametrize(
    ("camps", "nps"),
    [
        (Camps(), None),
        (Camps(promoters=3), 100),
        (Camps(detractors=3), -100),
        (Camps(promoters=1, passives=1, detractors=2), -25),
        (Camps(passives=4), 0),
    ],
)
def test_nps_is_promoters_minus_detractors_in_percent_of_all(camps: Camps, nps: float | None) -> None:
    assert camps.nps == nps


def test_the_mean_weighs_by_count() -> None:
    assert mean([on(1, 10, 3), on(2, 0)]) == 7.5
    assert mean([]) is None


def test_the_distribution_has_every_score_and_nothing_beyond() -> None:
    found = distribution([on(1, 0, 2), on(1, 10), on(1, 3.5), on(1, 11), on(1, -1)])
    assert found == [2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1]


@given(BY_DAY, st.integers(0, 3000))
def test_stretches_hold_each_answer_of_the_time_once(by_day: list[Scored], days: int) -> None:
    first = TODAY - days
    found = stretches(by_day, first, TODAY, window=30)
    assert 1 <= len(found) <= MOST_STRETCHES
    assert (found[0].first, found[-1].last) == (first, TODAY)
    assert all(one.last + 1 == other.first for one, other in pairwise(found))
    inside = [one for one in by_day if first <= one.day <= TODAY]
    total = Camps()
    for one in found:
        total += one.camps
    assert total == camps_of(inside)


@given(BY_DAY, st.sampled_from([7, 30, 90]))
def test_the_moving_window_is_the_nps_of_the_days_up_to_the_end(by_day: list[Scored], window: int) -> None:
    for one in stretches(by_day, TODAY - 30, TODAY, window=window):
        inside = [found for found in by_day if one.last - window < found.day <= one.last]
        assert one.moving == camps_of(inside).nps


def test_a_day_is_called_by_its_date_and_a_week_from_when_to_when() -> None:
    (day,) = stretches([], 0, 0, window=7)
    assert (day.label, day.short_label) == ("1 Jan", "1 Jan")
    week = stretches([], 0, 69, window=7)[0]
    assert (week.last - week.first + 1, week.label) == (7, "1 Jan \N{EN DASH} 7 Jan 1970")
    assert stretches([], 0, 700, window=7)[1].short_label == "Jan 1970"
