"""What grows old, and what does not because somebody has set the clock."""

from typing import cast

import pytest

from npsbridge.core.storage import Store
from npsbridge.engine.ageing import FASTEST, NOTE_AFTER_MS, Ageing
from unit.engine.doubles import MemoryStore
from unit.sandbox.calling import Hands, OneClock

HOUR, DAY, MONTH = 3600.0, 86_400.0, 30 * 86_400.0


class Life:
    """A daemon's ageing, over a store that outlives it."""

    def __init__(self) -> None:
        self.hands, self.store = Hands(), MemoryStore()
        self.clock = OneClock(self.hands)
        self.begun = self.wall()

    async def begin(self) -> None:
        self.ageing = Ageing(cast("Store", self.store), self.clock)
        await self.ageing.recall()

    def wall(self) -> int:
        return self.clock.now_ms()

    def age(self) -> float:
        """Seconds since the beginning, as things grow old."""
        return (self.ageing.now_ms() - self.begun) / 1000


@pytest.fixture
async def life() -> Life:
    made = Life()
    await made.begin()
    return made


async def test_time_goes_by_as_it_does(life: Life) -> None:
    life.hands.forward(DAY)
    assert life.age() == DAY


async def test_f15_a_clock_that_jumps_ahead_makes_nothing_old_at_once(life: Life) -> None:
    life.clock.error = MONTH
    assert life.age() == 0
    life.hands.forward(HOUR)
    assert life.age() == FASTEST * HOUR


async def test_f15_what_a_clock_was_rightly_set_to_is_caught_up_with(life: Life) -> None:
    life.clock.error = DAY
    for _ in range(26):
        life.hands.forward(HOUR)
        life.age()
    assert life.ageing.now_ms() == life.wall()


async def test_f15_a_clock_that_is_set_back_is_followed(life: Life) -> None:
    life.hands.forward(DAY)
    life.clock.error = -HOUR
    assert life.age() == DAY - HOUR


async def test_f15_the_next_daemon_goes_on_where_the_last_one_was(life: Life) -> None:
    life.hands.forward(DAY)
    await life.ageing.note()
    life.clock.error = MONTH
    await life.begin()
    assert life.age() == DAY


async def test_it_is_noted_once_a_day(life: Life) -> None:
    await life.ageing.note()
    noted = dict(life.store.facts_noted)
    life.hands.forward(NOTE_AFTER_MS / 1000 - 1)
    await life.ageing.note()
    assert life.store.facts_noted == noted
    life.hands.forward(1)
    await life.ageing.note()
    assert life.store.facts_noted != noted
