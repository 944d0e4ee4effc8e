"""Which request plays which fault."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.sandbox.faults import Answer, FaultScript, Hang, Rule, Truncated, status


def test_a_fault_is_played_once_by_default() -> None:
    script = FaultScript()
    script.add(status(500))
    assert [script.take("GET", "/") is None for _ in range(3)] == [False, True, True]


def test_faults_are_played_in_the_order_they_were_added() -> None:
    script = FaultScript()
    script.add(status(500), status(502), times=2)
    taken = [script.take("GET", "/") for _ in range(5)]
    assert [fault.status if isinstance(fault, Answer) else None for fault in taken] == [500, 500, 502, 502, None]


def test_a_fault_waits_for_its_method_and_path() -> None:
    script = FaultScript()
    script.add(Truncated(), method="GET", path="page=2")
    assert script.take("POST", "/v1/people?page=2") is None
    assert script.take("GET", "/v1/people?page=1") is None
    assert script.take("GET", "/v1/people?page=2") == Truncated()


def test_a_path_may_be_a_predicate() -> None:
    script = FaultScript()
    script.add(Truncated(), path=lambda target: target.endswith("/batch"))
    assert script.take("POST", "/v1/track") is None
    assert script.take("POST", "/v1/batch") is not None


def test_a_fault_for_other_requests_does_not_hold_up_the_next_one() -> None:
    script = FaultScript()
    script.add(Truncated(), path="never")
    script.add(Hang())
    assert script.take("GET", "/now") == Hang()


@given(every=st.integers(1, 7), requests=st.integers(0, 50))
def test_every_nth_request_plays_a_standing_fault(every: int, requests: int) -> None:
    script = FaultScript()
    script.add(status(429), times=None, every=every)
    played = [number for number in range(1, requests + 1) if script.take("GET", "/")]
    assert played == list(range(every, requests + 1, every))


def test_what_is_pending_says_how_often_it_is_still_played() -> None:
    script = FaultScript()
    script.add(Truncated(), times=3)
    script.take("GET", "/")
    assert script.pending == [Rule(fault=Truncated(), times=2)]


def test_clearing_forgets_standing_faults() -> None:
    script = FaultScript()
    script.add(Truncated(), times=None)
    script.clear()
    assert script.take("GET", "/") is None


async def test_a_wait_says_that_it_was_released() -> None:
    script = FaultScript()
    waiting = asyncio.create_task(script.hold(600))
    await asyncio.sleep(0)
    script.release()
    assert await waiting is True


@pytest.mark.looptime
async def test_no_wait_is_longer_than_ten_minutes() -> None:
    started = asyncio.get_running_loop().time()
    assert await FaultScript().hold(10**9) is False
    assert asyncio.get_running_loop().time() - started == pytest.approx(600)
