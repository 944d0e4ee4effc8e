"""What follows from the outcomes of one attempt."""

from collections.abc import Sequence
from itertools import permutations

import msgspec
import pytest

from npsbridge.core.model import Delivery, State
from npsbridge.core.outcome import (
    Blame,
    Declined,
    Delivered,
    Outcome,
    Paused,
    Rejected,
    Retired,
    RetryLater,
    Undone,
    Unknown,
)
from npsbridge.core.records import Settlement
from npsbridge.core.settle import (
    FIRST_PROBE,
    LONGEST_BACKOFF,
    LONGEST_PROBE,
    Pace,
    Verdict,
    next_pace,
    settlements,
    singled_out,
)

NOW = 1_767_225_600_000
WEEK = 7 * 86_400.0

DOWN = RetryLater(reason="no connection")
UNCLEAR = RetryLater(reason="HTTP 500", blame=Blame.UNCLEAR)
OWN = RetryLater(reason="HTTP 409", blame=Blame.DELIVERY)
PAUSED = Paused(reason="HTTP 401")
RETIRED = Retired(reason="HTTP 410")
POISON = Rejected(reason="HTTP 400")
IN_DOUBT = Unknown(reason="no answer")
GOOD = Delivered()


def delivery(number: int = 1, *, attempts: int = 0, age_ms: int = 0) -> Delivery:
    return Delivery(
        id=number,
        connection="segment",
        person="user:1",
        kind="submit",
        message_id=f"m{number}",
        body=b"{}",
        state=State.QUEUED,
        attempts=attempts,
        created_at=NOW - age_ms,
    )


def settle(*outcomes: Outcome, attempts: int = 0, age_ms: int = 0) -> list[Settlement]:
    batch = [delivery(number, attempts=attempts, age_ms=age_ms) for number, _ in enumerate(outcomes, 1)]
    return settlements(batch, outcomes, now=NOW, aged=NOW, jitter=0.0, give_up_after=WEEK)


def pace(outcomes: Sequence[Outcome], before: Pace | None = None) -> Pace:
    return next_pace(before or Pace(size=100), outcomes, limit=250, jitter=0.0)


def test_what_a_person_had_tried_again_is_not_given_up_for_its_age() -> None:
    old = msgspec.structs.replace(delivery(age_ms=30 * 86_400_000), retried_at=NOW - 1000)
    (one,) = settlements([old], [DOWN], now=NOW, aged=NOW, jitter=0.0, give_up_after=WEEK)
    assert one.state is State.QUEUED


def test_what_a_person_had_tried_again_is_given_up_in_the_end() -> None:
    old = msgspec.structs.replace(delivery(age_ms=30 * 86_400_000), retried_at=NOW - int(WEEK * 1000))
    (one,) = settlements([old], [DOWN], now=NOW, aged=NOW, jitter=0.0, give_up_after=WEEK)
    assert one.state is State.DEAD


# --- the state of each delivery ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "state", "reason"),
    [
        (GOOD, State.DELIVERED, None),
        (POISON, State.DEAD, "HTTP 400"),
        (IN_DOUBT, State.HELD, "no answer"),
        (PAUSED, State.QUEUED, "HTTP 401"),
        (RETIRED, State.QUEUED, "HTTP 410"),
        (DOWN, State.QUEUED, "no connection"),
        (UNCLEAR, State.QUEUED, "HTTP 500"),
        (OWN, State.WAITING, "HTTP 409"),
    ],
)
def test_each_outcome_in_company_has_its_state(outcome: Outcome, state: State, reason: str | None) -> None:
    assert [(one.state, one.reason) for one in settle(outcome, outcome)] == [(state, reason)] * 2


def test_each_delivery_gets_its_own_outcome() -> None:
    assert [(one.id, one.state) for one in settle(GOOD, POISON, GOOD)] == [
        (1, State.DELIVERED),
        (2, State.DEAD),
        (3, State.DELIVERED),
    ]


@pytest.mark.parametrize(("outcome", "state"), [(UNCLEAR, State.WAITING), (DOWN, State.QUEUED)])
def test_i5_alone_with_unclear_trouble_a_delivery_steps_aside(outcome: Outcome, state: State) -> None:
    assert settle(outcome)[0].state is state


@pytest.mark.parametrize(("attempts", "seconds"), [(0, 1), (1, 2), (3, 8), (10, LONGEST_BACKOFF)])
def test_a_delivery_that_steps_aside_waits_longer_each_time(attempts: int, seconds: float) -> None:
    assert settle(OWN, attempts=attempts)[0].next_attempt_at == NOW + seconds * 1000


def test_f22_a_delivery_waits_as_long_as_the_destination_asks() -> None:
    asked = RetryLater(reason="HTTP 429", after=90, blame=Blame.DELIVERY)
    assert settle(asked)[0].next_attempt_at == NOW + 90_000


@pytest.mark.parametrize("outcome", [DOWN, UNCLEAR, OWN])
def test_f28_beyond_its_horizon_a_failed_attempt_is_the_last(outcome: RetryLater) -> None:
    (one,) = settle(outcome, age_ms=int(WEEK * 1000))
    assert (one.state, one.reason) == (State.DEAD, f"given up after 604800 s: {outcome.reason}")


@pytest.mark.parametrize("outcome", [DOWN, UNCLEAR, OWN])
def test_f28_up_to_its_horizon_a_delivery_stays_owed(outcome: RetryLater) -> None:
    assert settle(outcome, age_ms=int(WEEK * 1000) - 1)[0].state is not State.DEAD


@pytest.mark.parametrize("outcome", [PAUSED, RETIRED])
def test_f23_nothing_dies_of_a_destination_that_refuses_us(outcome: Outcome) -> None:
    assert settle(outcome, age_ms=10 * int(WEEK * 1000))[0].state is State.QUEUED


def test_a_missing_outcome_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="zip"):
        settlements([delivery()], [], now=NOW, aged=NOW, jitter=0.0, give_up_after=WEEK)


# --- the pace of the lane ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcomes", [[GOOD], [POISON], [GOOD, POISON], []])
def test_without_trouble_the_lane_flows_and_takes_more(outcomes: list[Outcome]) -> None:
    assert pace(outcomes, Pace(size=4, failures=3, pause=9.0, verdict=Verdict.RETRYING)) == Pace(size=8)


def test_what_answers_nothing_clear_is_asked_ever_less() -> None:
    first = pace([GOOD, IN_DOUBT])
    assert (first.size, first.verdict) == (1, Verdict.RETRYING)
    assert pace([IN_DOUBT], first).pause > first.pause > 0


def test_the_lane_never_takes_more_than_its_limit() -> None:
    assert pace([GOOD], Pace(size=200)).size == 250


def test_when_nobody_gets_through_the_lane_rests_and_keeps_its_size() -> None:
    assert pace([DOWN] * 100) == Pace(size=100, failures=1, pause=0.5, verdict=Verdict.RETRYING, reason="no connection")


def test_when_it_is_unclear_half_as_many_go_next() -> None:
    assert pace([UNCLEAR] * 100) == Pace(size=50, failures=1, pause=0.5, verdict=Verdict.RETRYING, reason="HTTP 500")


def test_one_alone_stays_one() -> None:
    assert pace([UNCLEAR], Pace(size=1)).size == 1


def test_the_trouble_of_one_delivery_stops_nobody() -> None:
    assert pace([GOOD, OWN, GOOD], Pace(size=10)) == Pace(size=10)


def test_f22_the_lane_rests_as_long_as_the_destination_asks() -> None:
    assert pace([RetryLater(reason="HTTP 429", after=7)], Pace(size=10, failures=9)).pause == 7


def test_rests_grow_up_to_a_ceiling() -> None:
    rests = [pace([DOWN], Pace(size=1, failures=failures)).pause for failures in (0, 1, 2, 20)]
    assert rests == [0.5, 1.0, 2.0, LONGEST_BACKOFF]


def test_f23_a_paused_lane_probes_with_one() -> None:
    assert pace([PAUSED] * 9) == Pace(size=1, failures=1, pause=FIRST_PROBE, verdict=Verdict.PAUSED, reason="HTTP 401")


def test_probes_become_rare() -> None:
    assert pace([PAUSED], Pace(size=1, failures=20)).pause == LONGEST_PROBE


def test_a_retired_destination_gets_no_further_attempt() -> None:
    assert pace([RETIRED]).verdict is Verdict.RETIRED


def test_the_gravest_outcome_decides_wherever_it_stands() -> None:
    passing: list[Outcome] = [OWN, UNCLEAR, DOWN]
    orders = [list(order) for order in permutations([GOOD, PAUSED, *passing])]
    assert {pace(outcomes).verdict for outcomes in orders} == {Verdict.PAUSED}
    assert {pace([RETIRED, *outcomes]).verdict for outcomes in orders} == {Verdict.RETIRED}
    assert {pace(outcomes).reason for outcomes in permutations(passing)} == {DOWN.reason}


# --- side by side -----------------------------------------------------------------------------------------------

ITS_OWN = RetryLater(reason="HTTP 500", blame=Blame.DELIVERY)


@pytest.mark.parametrize("passed", [GOOD, POISON, Declined(reason="throttled")])
def test_i6_trouble_of_few_is_their_own_when_most_passed(passed: Outcome) -> None:
    assert singled_out([passed, UNCLEAR, passed, Undone()]) == [passed, ITS_OWN, passed, Undone()]


@pytest.mark.parametrize(
    "outcomes",
    [
        [UNCLEAR, GOOD],
        [UNCLEAR, Undone(), Undone()],
        [UNCLEAR, UNCLEAR, GOOD],
        [GOOD, GOOD, DOWN],
        [GOOD, GOOD, IN_DOUBT],
        [GOOD, GOOD, RetryLater(reason="HTTP 503", after=5.0, blame=Blame.UNCLEAR)],
        [],
    ],
)
def test_other_trouble_says_what_it_said(outcomes: list[Outcome]) -> None:
    assert singled_out(outcomes) == outcomes
