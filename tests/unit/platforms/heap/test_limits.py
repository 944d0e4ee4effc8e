"""What one person may have in a minute: nobody else waits for it, and nothing of that person goes ahead."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.core.model import Kind
from npsbridge.core.outcome import Blame, Delivered, RetryLater
from npsbridge.platforms.heap import PER_PERSON, TOO_MANY, HeapDestination, PersonBudget
from unit.platforms.heap.bench import always, emission, events, live, numbered, owed, reply, wiring

GOOD = Delivered()


def test_a_person_has_so_many_and_then_waits_for_the_first_to_grow_old() -> None:
    budget = PersonBudget(2, 60)
    assert [budget.book("a", now) for now in (0, 10, 20)] == [0, 0, 40]
    assert budget.book("b", 20) == 0
    assert [budget.book("a", now) for now in (59, 60, 60)] == [1, 0, 10]


@given(steps=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9)), max_size=60))
def test_no_window_ever_holds_more_than_the_limit(steps: list[tuple[str, int]]) -> None:
    budget, now, booked = PersonBudget(3, 10), 0, []
    for person, pause in steps:
        now += pause
        if budget.book(person, now) == 0:
            booked.append((now, person))
    for at, person in booked:
        assert sum(1 for moment, one in booked if one == person and at <= moment < at + 10) <= 3


async def test_what_is_beyond_it_waits_by_itself() -> None:
    destination = HeapDestination(wiring(always(reply(200))))
    one_person = events(PER_PERSON + 1, user=lambda _: "kiosk")
    somebody = numbered(HeapDestination(wiring()).plan(emission(user_id="u1", kinds=(Kind.SUBMIT,))), first=5000)
    outcomes = [*await destination.deliver(one_person[:500]), *await destination.deliver(one_person[500:] + somebody)]
    late = outcomes[PER_PERSON]
    assert outcomes[:PER_PERSON] + outcomes[PER_PERSON + 1 :] == [GOOD] * (PER_PERSON + 1)
    assert isinstance(late, RetryLater)
    assert (late.reason, late.blame) == (TOO_MANY, Blame.DELIVERY)
    assert late.after == pytest.approx(60, abs=10)


async def test_i5_everything_of_that_person_behind_it_waits_too() -> None:
    destination = HeapDestination(wiring(always(reply(200))))
    for start in (0, 350):
        await destination.deliver(events(PER_PERSON, user=lambda _: "u1")[start : start + 350])
    outcomes = await destination.deliver(owed(emission(9, kinds=(Kind.IDENTIFY,)), emission(10), emission(11)))
    # The properties before the first event that has to wait may go, those behind it may not.
    assert [isinstance(outcome, Delivered) for outcome in outcomes] == [True, True, False, False, False]


async def test_f22_heaps_limit_for_one_identity_is_never_met() -> None:
    async with live() as (server, destination):
        for start in range(0, 1500, 500):
            await destination.deliver(events(1500, user=lambda _: "kiosk")[start : start + 500])
        assert (len(server.events), dict(server.refused)) == (PER_PERSON, {})


async def test_there_is_room_again_when_a_minute_has_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    destination = HeapDestination(wiring(always(reply(200))))
    await destination.deliver(events(PER_PERSON, user=lambda _: "u1"))
    assert [type(one) for one in await destination.deliver(events(1, user=lambda _: "u1"))] == [RetryLater]
    later = asyncio.get_running_loop().time() + 60
    monkeypatch.setattr(destination._clock, "monotonic", lambda: later)
    assert await destination.deliver(events(1, user=lambda _: "u1")) == [GOOD]
