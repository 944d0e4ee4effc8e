"""Hints of webhooks: read back, put off, given up."""

from dataclasses import replace

import pytest

from end_to_end.harness import log_kept
from npsbridge.core.records import Origin
from npsbridge.engine.board import Condition, Direction
from npsbridge.engine.intake import Intake
from npsbridge.engine.lead import Lead
from npsbridge.engine.readback import AT_ONCE, FIRST_BACKOFF, FIRST_PROBE, LONGEST_SLEEP, ReadBack
from npsbridge.errors import Gone, PersonMustAct, StoreFull, TryLater
from unit.engine.doubles import Hands, MemoryStore, ScriptedLookup, seams_of

DAY = 86_400_000


class Desk:
    """A read-back over a scripted source."""

    def __init__(self, **trouble: Exception) -> None:
        self.store = MemoryStore()
        self.source = ScriptedLookup(**trouble)
        self.hands = Hands()
        self.seams = replace(seams_of(self.store), clock=self.hands)
        self.readback = ReadBack("shop", self.source, self.seams, Intake(self.seams, Lead(1_000)))

    async def steps(self, count: int) -> list[float | None]:
        return [await self.readback.step() for _ in range(count)]

    @property
    def kept(self) -> list[bytes]:
        return [arrival.body for arrival in self.store.arrivals]

    @property
    def waiting(self) -> list[str]:
        return [one.hint for one in self.store.noted]


async def test_what_is_read_back_is_journaled_as_a_webhook_and_its_hint_forgotten() -> None:
    desk = Desk()
    await desk.readback.note(["a", "b"])
    assert await desk.steps(2) == [0.0, LONGEST_SLEEP]
    assert (desk.kept, desk.store.arrivals[0].origin, desk.waiting) == ([b'["a","b"]'], Origin.WEBHOOK, [])


async def test_a_hint_survives_a_restart() -> None:
    before = Desk()
    await before.readback.note(["a"])
    after = Desk()
    after.store.noted = before.store.noted
    await after.steps(1)
    assert after.kept == [b'["a"]']


async def test_what_is_not_there_any_more_is_forgotten() -> None:
    desk = Desk()
    await desk.readback.note(["removed"])
    await desk.steps(1)
    assert (desk.kept, desk.waiting) == ([], [])


async def test_without_hints_nothing_is_asked_and_nothing_is_due() -> None:
    desk = Desk()
    assert await desk.steps(1) == [LONGEST_SLEEP]
    assert desk.source.asked == []


async def test_a_long_queue_is_read_back_in_parts() -> None:
    desk = Desk()
    await desk.readback.note([f"h{number}" for number in range(AT_ONCE + 1)])
    await desk.steps(2)
    assert [len(asked) for asked in desk.source.asked] == [AT_ONCE, 1]


async def test_one_bad_hint_is_found_and_the_others_pass() -> None:
    desk = Desk(poison=TryLater("HTTP 500"))
    await desk.readback.note(["poison", "a", "b"])
    await desk.steps(3)
    assert desk.source.asked == [["poison", "a", "b"], ["poison"], ["a"]]
    await desk.steps(1)
    assert (desk.kept, desk.waiting) == ([b'["a"]', b'["b"]'], ["poison"])


async def test_a_bad_hint_is_tried_ever_less_often() -> None:
    desk = Desk(poison=TryLater("HTTP 500"))
    await desk.readback.note(["poison"])
    waits: list[float] = []
    for _ in range(4):
        await desk.steps(1)
        waits.append(await desk.readback.step() or 0.0)
        desk.hands.seconds += waits[-1]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (FIRST_BACKOFF, 6.0)


async def test_a_hint_that_is_asked_to_come_later_waits_that_long() -> None:
    desk = Desk(early=TryLater("not listed yet", after=20.0))
    await desk.readback.note(["early"])
    await desk.steps(1)
    desk.hands.seconds = 19.0
    assert await desk.steps(1) == [1.0]
    assert len(desk.source.asked) == 1


async def test_a_mistake_of_the_source_is_put_off_like_trouble() -> None:
    desk = Desk(poison=ZeroDivisionError())
    await desk.readback.note(["poison"])
    assert await desk.steps(1) != [None]
    assert desk.waiting == ["poison"]


async def test_a_refused_key_keeps_the_hints_and_is_told_once() -> None:
    desk = Desk(a=PersonMustAct("HTTP 401; check NPSBRIDGE_SHOP__API_KEY"))
    await desk.readback.note(["a"])
    with log_kept() as told:
        assert await desk.steps(2) == [FIRST_PROBE, 2 * FIRST_PROBE]
    assert (desk.waiting, [line.level for line in told]) == (["a"], ["WARNING"])


async def test_a_refused_key_that_polling_has_told_of_is_not_told_again() -> None:
    desk = Desk(a=PersonMustAct("HTTP 401; check NPSBRIDGE_SHOP__API_KEY"))
    await desk.seams.board.note("shop", Direction.PULL, Condition.PAUSED, reason="HTTP 401")
    await desk.readback.note(["a"])
    with log_kept() as told:
        await desk.steps(2)
    assert told == []


async def test_a_service_that_has_ended_is_not_asked_again() -> None:
    desk = Desk(a=Gone("HTTP 410"))
    await desk.readback.note(["a"])
    assert await desk.steps(1) == [None]


async def test_after_a_day_a_hint_is_left_to_polling_and_told_of() -> None:
    desk = Desk(a=TryLater("HTTP 500"))
    await desk.readback.note(["a"])
    desk.hands.ms += DAY
    with log_kept() as told:
        await desk.steps(1)
    assert (desk.waiting, desk.source.asked, [line.level for line in told]) == ([], [], ["WARNING"])


async def test_a_full_store_keeps_nothing_and_says_so() -> None:
    desk = Desk()
    desk.store.full.add("note_hints")
    with pytest.raises(StoreFull):
        await desk.readback.note(["a"])
