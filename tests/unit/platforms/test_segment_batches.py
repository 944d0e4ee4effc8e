"""Batches: how they are packed, and how a bad event is found in one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from npsbridge.core.outcome import Delivered, Paused, Rejected, RetryLater
from npsbridge.errors import AnswerLost
from npsbridge.net.client import Reply
from npsbridge.platforms.segment import (
    ALL_REFUSED,
    BATCH_BYTES,
    SegmentDestination,
    packed,
)
from unit.platforms.endpoint import (
    GOOD,
    OK,
    Endpoint,
    batch,
    deliver,
    delivery,
    kinds_of,
    live,
    refusing,
    reply,
    wiring,
)
from unit.sandbox.calling import Hands

# --- packing -------------------------------------------------------------------------------------------------------


def test_i15_a_batch_that_fits_to_the_byte_is_one_part() -> None:
    half = b"x" * (BATCH_BYTES // 2 - 1)
    assert len(packed([delivery(1, half), delivery(2, half)])) == 1


def test_i15_one_byte_more_is_two_parts() -> None:
    half = b"x" * (BATCH_BYTES // 2 - 1)
    assert len(packed([delivery(1, half), delivery(2, half + b"x")])) == 2


@given(sizes=st.lists(st.integers(1, 32_000), max_size=80))
def test_i15_parts_keep_everything_in_order_and_below_the_limit(sizes: list[int]) -> None:
    deliveries = [delivery(number, b"x" * size) for number, size in enumerate(sizes)]
    parts = packed(deliveries)
    assert [one for part in parts for one in part] == deliveries
    assert all(part and sum(len(one.body) + 1 for one in part) <= BATCH_BYTES for part in parts)


async def test_i15_a_large_batch_goes_out_in_requests_below_500_kb() -> None:
    large = [delivery(number, b'{"messageId":"m%d","pad":"%b"}' % (number, b"x" * 31_000)) for number in range(40)]
    endpoint = Endpoint()
    assert await deliver(endpoint, large) == [GOOD] * 40
    assert [len(numbers) for numbers in endpoint.got] == [14, 14, 12]


# --- bisection -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [400, 413, 422])
@pytest.mark.parametrize("poison", [{0}, {9}, {4}, {0, 9}, {3, 4}, {1, 5, 6}, {0, 2, 4, 6}])
async def test_i6_poison_is_found_and_everything_else_arrives_in_order(code: int, poison: set[int]) -> None:
    endpoint = refusing(*poison, code=code)
    outcomes = await deliver(endpoint, batch(10))
    assert {number for number, outcome in enumerate(outcomes) if isinstance(outcome, Rejected)} == poison
    assert endpoint.taken == [number for number in range(10) if number not in poison]


@given(poison=st.sets(st.integers(0, 63), max_size=4))
async def test_i5_i6_bisection_keeps_order_and_asks_no_more_than_it_must(poison: set[int]) -> None:
    endpoint = refusing(*poison)
    outcomes = await deliver(endpoint, batch(64))
    assert kinds_of(outcomes) == [Rejected if number in poison else Delivered for number in range(64)]
    assert endpoint.taken == sorted(set(range(64)) - poison)
    assert len(endpoint.got) <= 1 + 2 * 6 * len(poison)


@pytest.mark.parametrize("trouble", [reply(503), reply(429), reply(401), AnswerLost("no answer")])
async def test_i5_bisection_stops_at_the_first_trouble(trouble: Reply | Exception) -> None:
    def judge(numbers: list[int]) -> Reply | Exception:
        if numbers == [4]:
            return trouble
        return reply(400) if set(numbers) & {1, 4} else OK

    endpoint = Endpoint(judge)
    outcomes = await deliver(endpoint, batch(8))
    assert kinds_of(outcomes[:4]) == [Delivered, Rejected, Delivered, Delivered]
    assert len(set(kinds_of(outcomes[4:])) & {RetryLater, Paused}) == 1
    assert endpoint.taken == [0, 2, 3]


async def test_i5_after_trouble_no_further_part_is_sent() -> None:
    large = [delivery(number, b'{"messageId":"m%d","pad":"%b"}' % (number, b"x" * 31_000)) for number in range(40)]
    endpoint = Endpoint(lambda numbers: reply(503) if 14 in numbers else OK)
    outcomes = await deliver(endpoint, large)
    assert (kinds_of(outcomes), len(endpoint.got)) == ([Delivered] * 14 + [RetryLater] * 26, 2)


async def test_f24_a_batch_that_is_too_large_for_the_endpoint_is_split() -> None:
    endpoint = Endpoint(lambda numbers: reply(413) if len(numbers) > 3 else OK)
    assert await deliver(endpoint, batch(10)) == [GOOD] * 10
    assert endpoint.taken == list(range(10))


# --- an endpoint that refuses everything ---------------------------------------------------------------------------

NOTHING = range(1000)


async def test_when_all_of_a_batch_is_refused_the_lane_pauses_and_nothing_dies() -> None:
    endpoint = refusing(*NOTHING)
    outcomes = await deliver(endpoint, batch(100))
    assert kinds_of(outcomes) == [Paused] * 100
    assert len(endpoint.got) < 30


async def test_events_refused_one_by_one_pause_the_lane_too() -> None:
    destination = SegmentDestination(wiring(refusing(*NOTHING)))
    outcomes = [outcome for number in range(9) for outcome in await destination.deliver([delivery(number)])]
    assert kinds_of(outcomes) == [Rejected] * (ALL_REFUSED - 1) + [Paused] * (9 - ALL_REFUSED + 1)


async def test_a_pause_for_another_reason_keeps_its_reason() -> None:
    endpoint = Endpoint(lambda numbers: reply(401) if numbers[0] >= 4 else reply(400))
    assert await deliver(endpoint, batch(8)) == [Paused(reason="HTTP 401; check NPSBRIDGE_SEGMENT__WRITE_KEY")] * 8


async def test_a_pause_for_refusals_names_both_settings() -> None:
    (outcome, *_) = await deliver(refusing(*NOTHING), batch(9))
    assert isinstance(outcome, Paused)
    assert "NPSBRIDGE_SEGMENT__WRITE_KEY and NPSBRIDGE_SEGMENT__BASE_URL" in outcome.reason


async def test_once_an_event_was_taken_refusals_are_the_events_own_fault() -> None:
    destination = SegmentDestination(wiring(refusing(*range(1, 20))))
    outcomes = [outcome for number in range(12) for outcome in await destination.deliver([delivery(number)])]
    assert kinds_of(outcomes) == [Delivered] + [Rejected] * 11


async def test_a_key_too_short_for_segment_costs_few_events() -> None:
    async with live(Hands(), write_key=SecretStr("tiny")) as (_, destination):
        outcomes = [outcome for number in range(20) for outcome in await destination.deliver([delivery(number)])]
    assert kinds_of(outcomes).count(Rejected) < ALL_REFUSED
