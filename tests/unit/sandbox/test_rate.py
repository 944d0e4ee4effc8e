"""The token bucket."""

from hypothesis import given
from hypothesis import strategies as st

from npsbridge.sandbox.rate import RateGate, RateLimit
from unit.sandbox.calling import Hands

TEN_A_MINUTE = RateLimit(requests=10, seconds=60)


def test_without_a_limit_nobody_waits() -> None:
    gate = RateGate(Hands())
    assert [gate.wait_for_next("key", None) for _ in range(1000)] == [0.0] * 1000


def test_after_a_burst_the_next_one_waits_for_its_share() -> None:
    gate = RateGate(Hands())
    waits = [gate.wait_for_next("key", TEN_A_MINUTE) for _ in range(11)]
    assert waits == [0.0] * 10 + [6.0]


def test_waiting_as_told_is_enough() -> None:
    hands = Hands()
    gate = RateGate(hands)
    waits = [gate.wait_for_next("key", TEN_A_MINUTE) for _ in range(11)]
    hands.forward(waits[-1])
    assert gate.wait_for_next("key", TEN_A_MINUTE) == 0.0


def test_each_caller_has_a_bucket_of_its_own() -> None:
    gate = RateGate(Hands())
    for _ in range(10):
        gate.wait_for_next("one", TEN_A_MINUTE)
    assert gate.wait_for_next("two", TEN_A_MINUTE) == 0.0


@given(pauses=st.lists(st.floats(0, 30), max_size=80))
def test_the_rate_is_never_exceeded(pauses: list[float]) -> None:
    hands = Hands(0)
    gate = RateGate(hands)
    granted = 0
    for pause in pauses:
        hands.forward(pause)
        granted += gate.wait_for_next("key", TEN_A_MINUTE) == 0.0
    assert granted <= 10 + hands.at / 6 + 1e-6
