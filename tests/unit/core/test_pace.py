"""When to go next."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.core.pace import RateWindow, backoff

Asked = list[tuple[float, int]]
"""(seconds since the one before, cost)"""


def granted(window: RateWindow, asked: Asked) -> Asked:
    """When each cost was let through, as (time, cost); the next one is asked for after the one before has gone."""
    now, times = 0.0, []
    for pause, cost in asked:
        now += pause
        now += window.reserve(now, cost)
        times.append((now, cost))
    return times


def booked(window: RateWindow, asked: Asked) -> Asked:
    """The same for callers that ask without waiting for each other."""
    now, times = 0.0, []
    for pause, cost in asked:
        now += pause
        times.append((now + window.reserve(now, cost), cost))
    return times


def fullest(times: Asked, seconds: float) -> int:
    """The most that goes through in any window of that length; a hair shorter, for the sake of rounding."""
    starts = [at for at, _ in times]
    return max(sum(cost for at, cost in times if start <= at < start + seconds - 1e-6) for start in starts)


@given(
    asked=st.lists(st.tuples(st.floats(0, 3), st.integers(1, 10)), min_size=1, max_size=60),
    limit=st.integers(10, 25),
    seconds=st.sampled_from([0.5, 1.0, 60.0]),
    ways=st.sampled_from([granted, booked]),
)
def test_i7_no_window_ever_holds_more_than_the_limit(asked: Asked, limit: int, seconds: float, ways: object) -> None:
    window = RateWindow(limit, seconds)
    times = granted(window, asked) if ways is granted else booked(window, asked)
    assert fullest(times, seconds) <= limit


@given(asked=st.lists(st.tuples(st.floats(0, 3), st.integers(1, 30)), min_size=1, max_size=60))
def test_those_who_ask_first_go_first(asked: Asked) -> None:
    times = [at for at, _ in booked(RateWindow(10, 1.0), asked)]
    # A hair of rounding is no overtaking.
    assert all(later >= earlier - 1e-9 for earlier, later in pairwise(times))


def test_nobody_waits_longer_than_needed() -> None:
    window = RateWindow(10, 1.0)
    assert [window.reserve(0.0, 5), window.reserve(0.25, 5), window.reserve(0.5, 5)] == [0.0, 0.0, 0.5]


def test_i7_a_backlog_drains_at_the_limit() -> None:
    times = granted(RateWindow(10, 1.0), [(0.0, 1)] * 1001)
    assert times[-1][0] == pytest.approx(100.0)


def test_a_cost_above_the_limit_fills_as_many_windows_as_it_needs() -> None:
    window = RateWindow(10, 1.0)
    assert [window.reserve(0.0, 25), window.reserve(0.0, 1)] == [0.0, 2.5]


def test_a_limit_below_one_is_kept() -> None:
    window = RateWindow(0.5, 60.0)
    assert [at for at, _ in granted(window, [(0.0, 1)] * 3)] == [0.0, 120.0, 240.0]


def test_without_a_limit_nobody_waits() -> None:
    window = RateWindow(0, 1.0)
    assert [window.reserve(0.0, 10_000) for _ in range(3)] == [0.0] * 3


def test_without_a_failure_there_is_no_backoff() -> None:
    assert backoff(0, jitter=0.0) == 0.0


def test_a_backoff_doubles_up_to_its_ceiling() -> None:
    waits = [backoff(failures, jitter=0.0, base=0.5, cap=3.0) for failures in range(1, 6)]
    assert waits == [0.5, 1.0, 2.0, 3.0, 3.0]


@given(failures=st.integers(1, 10**9), jitter=st.floats(0, 1))
def test_jitter_takes_away_at_most_half(failures: int, jitter: float) -> None:
    full = backoff(failures, jitter=0.0)
    assert full / 2 <= backoff(failures, jitter=jitter) <= full
