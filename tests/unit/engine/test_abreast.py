"""Several people at once, each person in order."""

from collections.abc import Sequence

import anyio
import anyio.lowlevel
import msgspec
import pytest

from npsbridge.core.model import Delivery
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
from npsbridge.engine.abreast import BEHIND_ANOTHER, LONGEST_LEAD, TOGETHER, Abreast
from unit.engine.doubles import a_delivery

WAITS = RetryLater(reason=BEHIND_ANOTHER, blame=Blame.DELIVERY)

pytestmark = pytest.mark.looptime


class Slow:
    """Takes a second for each; what the script says of a number becomes of it."""

    connection = "sink"
    batch_limit = 1
    rate_limit = 0.0

    def __init__(self, **script: Outcome) -> None:
        self.script = script
        self.under_way = self.most_under_way = 0
        self.asked: list[int] = []

    async def deliver(self, batch: Sequence[Delivery]) -> list[Outcome]:
        (one,) = batch
        self.asked.append(one.id)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await anyio.sleep(1)
        self.under_way -= 1
        return [self.script.get(f"n{one.id}", Delivered())]


async def all_may_leave(batch: Sequence[Delivery]) -> Sequence[Delivery]:
    return batch


def of(person: str, *numbers: int) -> list[Delivery]:
    return [msgspec.structs.replace(a_delivery(number), person=person) for number in numbers]


async def test_different_people_do_not_wait_for_each_other() -> None:
    sender = Slow()
    started = anyio.current_time()
    await Abreast(sender, 8, set_out=all_may_leave).deliver([*of("ann", 1), *of("bob", 2), *of("cid", 3)])
    assert (anyio.current_time() - started, sender.most_under_way) == (1.0, 3)


async def test_i5_one_person_in_order() -> None:
    sender = Slow()
    outcomes = await Abreast(sender, 8, set_out=all_may_leave).deliver([*of("ann", 1), *of("bob", 2), *of("ann", 3, 4)])
    assert outcomes == [Delivered()] * 4
    assert [number for number in sender.asked if number != 2] == [1, 3, 4]


@pytest.mark.parametrize("trouble", [RetryLater(reason="HTTP 503"), Unknown(reason="no answer")])
async def test_i5_nothing_of_a_person_overtakes_what_is_not_finished(trouble: Outcome) -> None:
    sender = Slow(n1=trouble)
    outcomes = await Abreast(sender, 8, set_out=all_may_leave).deliver([*of("ann", 1, 2), *of("bob", 3)])
    assert outcomes == [trouble, WAITS, Delivered()]
    assert sender.asked == [1, 3]


@pytest.mark.parametrize("end", [Declined(reason="throttled"), Rejected(reason="HTTP 422")])
async def test_what_has_come_to_its_end_holds_nobody_up(end: Outcome) -> None:
    outcomes = await Abreast(Slow(n1=end), 8, set_out=all_may_leave).deliver(of("ann", 1, 2))
    assert outcomes == [end, Delivered()]


def test_it_stands_in_for_its_sender() -> None:
    abreast = Abreast(Slow(), 8, set_out=all_may_leave)
    assert (abreast.connection, abreast.batch_limit, abreast.rate_limit) == ("sink", TOGETHER, 0.0)


async def test_i4_the_intent_is_noted_for_what_leaves_now_and_not_for_what_is_behind_it() -> None:
    noted: list[int] = []

    async def set_out(batch: Sequence[Delivery]) -> Sequence[Delivery]:
        noted.extend(one.id for one in batch)
        return batch

    await Abreast(Slow(n1=Unknown(reason="no answer")), 8, set_out=set_out).deliver([*of("ann", 1, 2), *of("bob", 3)])
    assert noted == [1, 3]


async def test_what_is_owed_no_longer_does_not_leave() -> None:
    sender = Slow()

    async def not_the_first(batch: Sequence[Delivery]) -> Sequence[Delivery]:
        return [one for one in batch if one.id != 1]

    outcomes = await Abreast(sender, 8, set_out=not_the_first).deliver(of("ann", 1, 2))
    assert (outcomes, sender.asked) == ([Undone(), Delivered()], [2])


def many(count: int) -> list[Delivery]:
    return [one for number in range(1, count + 1) for one in of(f"person {number}", number)]


async def test_the_next_person_goes_as_soon_as_one_is_done_and_never_more_than_so_many_at_once() -> None:
    sender = Slow()
    started = anyio.current_time()
    assert await Abreast(sender, 3, set_out=all_may_leave).deliver(many(9)) == [Delivered()] * 9
    assert (anyio.current_time() - started, sender.most_under_way) == (3.0, 3)


@pytest.mark.parametrize(
    "trouble",
    [
        RetryLater(reason="HTTP 503"),
        RetryLater(reason="HTTP 429", blame=Blame.CONNECTION),
        Paused(reason="HTTP 401"),
        Retired(reason="HTTP 410"),
        Unknown(reason="no answer"),
    ],
)
async def test_i8_nothing_more_leaves_after_trouble_with_the_vendor(trouble: Outcome) -> None:
    sender = Slow(n2=trouble)
    outcomes = await Abreast(sender, 1, set_out=all_may_leave).deliver(many(5))
    assert outcomes == [Delivered(), trouble, Undone(), Undone(), Undone()]
    assert sender.asked == [1, 2]


async def test_trouble_of_one_delivery_is_no_trouble_of_the_others() -> None:
    sender = Slow(n1=RetryLater(reason="this one", blame=Blame.DELIVERY))
    await Abreast(sender, 1, set_out=all_may_leave).deliver(many(3))
    assert sender.asked == [1, 2, 3]


async def test_nothing_more_leaves_once_it_may_not_go_on() -> None:
    sender = Slow()
    abreast = Abreast(sender, 1, set_out=all_may_leave, goes_on=lambda: len(sender.asked) < 2)
    assert await abreast.deliver(many(4)) == [Delivered(), Delivered(), Undone(), Undone()]
    assert sender.asked == [1, 2]


async def test_nobody_overtakes_by_more_than_go_at_once() -> None:
    sender = Slow()
    await Abreast(sender, 2, set_out=all_may_leave).deliver([*of("ann", 1, 2, 3), *many(9)[3:]])
    assert sender.asked.index(3) < sender.asked.index(5)


async def test_all_who_are_so_many_places_before_are_done() -> None:
    sender = Slow()
    await Abreast(sender, 3, set_out=all_may_leave).deliver([*of("ann", 1), *of("bob", 2, 3, 4, 13), *many(12)[4:]])
    assert sender.asked.index(13) < min(sender.asked.index(number) for number in (8, 9))


class Hanging(Slow):
    """Never answers about the first in less than half a minute; the others take no time."""

    def __init__(self, **script: Outcome) -> None:
        super().__init__(**script)
        self.asked_at: dict[int, float] = {}

    async def deliver(self, batch: Sequence[Delivery]) -> list[Outcome]:
        (one,) = batch
        self.asked_at[one.id] = anyio.current_time()
        await anyio.sleep(30 if one.id == 1 else 0)
        return [self.script.get(f"n{one.id}", Delivered())]


async def test_i6_a_request_that_hangs_is_overtaken_by_the_others_after_a_moment() -> None:
    sender = Hanging(n1=RetryLater(reason="no answer in time", blame=Blame.UNCLEAR))
    started = anyio.current_time()
    outcomes = await Abreast(sender, 3, set_out=all_may_leave).deliver(many(40))
    assert max(sender.asked_at.values()) - started == LONGEST_LEAD
    assert outcomes[0] == RetryLater(reason="no answer in time", blame=Blame.DELIVERY)
    assert outcomes[1:] == [Delivered()] * 39


class Prompt(Slow):
    """Takes no time at all."""

    async def deliver(self, batch: Sequence[Delivery]) -> list[Outcome]:
        self.asked += [one.id for one in batch]
        return [Delivered()] * len(batch)


async def test_who_has_nobody_to_wait_for_costs_no_turn_of_the_loop() -> None:
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await anyio.lowlevel.checkpoint()

    sender = Prompt()
    async with anyio.create_task_group() as group:
        group.start_soon(count_turns)
        await Abreast(sender, 8, set_out=all_may_leave).deliver(many(200))
        group.cancel_scope.cancel()
    assert sender.asked == list(range(1, 201))
    assert turns < 20
