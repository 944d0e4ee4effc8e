"""Splitting a batch, and finding what is refused in it."""

from collections.abc import Callable, Sequence
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.core.model import Delivery, State
from npsbridge.core.outcome import Blame, Delivered, Outcome, Paused, Rejected, RetryLater
from npsbridge.net.halves import Halves, packed, trouble_in

GOOD, BAD = Delivered(), Rejected(reason="HTTP 400")
ROOM = 10_000


def delivery(number: int, size: int = 1) -> Delivery:
    return Delivery(
        id=number,
        connection="sink",
        person="user:u1",
        kind="submit",
        message_id=f"m{number}",
        body=b"x" * size,
        state=State.QUEUED,
        created_at=0,
    )


def batch(count: int) -> list[Delivery]:
    return [delivery(number) for number in range(count)]


class Endpoint:
    """Judges a part by its numbers, and remembers what it was asked and what it took."""

    def __init__(self, judge: Callable[[list[int]], Outcome]) -> None:
        self.judge = judge
        self.asked: list[list[int]] = []
        self.taken: list[int] = []

    async def send(self, part: Sequence[Delivery]) -> Outcome:
        numbers = [one.id for one in part]
        self.asked.append(numbers)
        outcome = self.judge(numbers)
        self.taken += numbers if outcome == GOOD else []
        return outcome

    def halves(self, *, most_bytes: int = ROOM) -> Halves:
        return Halves(
            self.send,
            pack=partial(packed, limit=most_bytes),
            all_refused=5,
            refuses_all=lambda said: Paused(reason=f"all: {said}"),
        )


def refusing(*poison: int) -> Endpoint:
    return Endpoint(lambda numbers: BAD if set(numbers) & set(poison) else GOOD)


@given(sizes=st.lists(st.integers(0, 50), max_size=40))
def test_i15_parts_keep_everything_in_order_and_below_the_limit(sizes: list[int]) -> None:
    deliveries = [delivery(number, size) for number, size in enumerate(sizes)]
    parts = packed(deliveries, 51)
    assert [one for part in parts for one in part] == deliveries
    assert all(part and sum(len(one.body) + 1 for one in part) <= 51 for part in parts)


def test_what_is_too_large_by_itself_is_a_part_by_itself() -> None:
    assert [len(part) for part in packed([delivery(0), delivery(1, 99), delivery(2)], 10)] == [1, 1, 1]


async def test_a_good_batch_is_one_request() -> None:
    endpoint = refusing()
    assert await endpoint.halves().deliver(batch(9)) == [GOOD] * 9
    assert endpoint.asked == [list(range(9))]


async def test_nothing_to_send_is_no_request() -> None:
    endpoint = refusing()
    assert await endpoint.halves().deliver([]) == []
    assert endpoint.asked == []


@given(poison=st.sets(st.integers(0, 63), max_size=4))
async def test_i5_i6_poison_is_found_and_all_else_arrives_in_order(poison: set[int]) -> None:
    endpoint = refusing(*poison)
    outcomes = await endpoint.halves().deliver(batch(64))
    assert outcomes == [BAD if number in poison else GOOD for number in range(64)]
    assert endpoint.taken == sorted(set(range(64)) - poison)
    assert len(endpoint.asked) <= 1 + 2 * 6 * len(poison)


@pytest.mark.parametrize("trouble", [RetryLater(reason="HTTP 503", blame=Blame.UNCLEAR), Paused(reason="HTTP 401")])
async def test_i5_nothing_is_sent_behind_trouble(trouble: Outcome) -> None:
    endpoint = Endpoint(lambda numbers: trouble if 4 in numbers else GOOD)
    outcomes = await endpoint.halves(most_bytes=6).deliver(batch(9))
    assert outcomes == [GOOD] * 3 + [trouble] * 6
    assert endpoint.asked == [[0, 1, 2], [3, 4, 5]]


async def test_i5_nothing_is_sent_behind_trouble_in_a_half() -> None:
    trouble = RetryLater(reason="HTTP 503")
    endpoint = Endpoint(lambda numbers: BAD if len(numbers) > 2 else trouble if 2 in numbers else GOOD)
    assert await endpoint.halves().deliver(batch(8)) == [GOOD] * 2 + [trouble] * 6
    assert endpoint.taken == [0, 1]


@pytest.mark.parametrize("count", [5, 9, 500])
async def test_an_endpoint_that_refuses_everything_is_given_a_pause_and_few_requests(count: int) -> None:
    endpoint = refusing(*range(count))
    assert await endpoint.halves().deliver(batch(count)) == [Paused(reason="all: HTTP 400")] * count
    assert len(endpoint.asked) < 30


async def test_refusals_one_by_one_are_counted_until_something_is_accepted() -> None:
    halves = refusing(*range(1, 99)).halves()
    lone = refusing(*range(99)).halves()
    accepted_once = [(await halves.deliver([delivery(number)]))[0] for number in range(9)]
    never = [(await lone.deliver([delivery(number)]))[0] for number in range(9)]
    assert accepted_once == [GOOD] + [BAD] * 8
    assert never == [BAD] * 4 + [Paused(reason="all: HTTP 400")] * 5


def test_a_refusal_is_no_trouble_of_the_others() -> None:
    assert trouble_in([GOOD, BAD]) is None
    assert trouble_in([BAD, RetryLater(reason="a"), Paused(reason="b")]) == RetryLater(reason="a")
