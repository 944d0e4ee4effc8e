"""Deliveries that somebody dropped, or whose person was erased, while a lane had them in hand."""

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from npsbridge.core.forward import IDENTIFY, SURVEY
from npsbridge.core.model import Delivery, State
from npsbridge.core.outcome import Blame, Delivered, Outcome, RetryLater
from npsbridge.core.records import Settlement
from npsbridge.engine.dispatch import LONG_IN_HAND, LONGEST_BATCH, Lane
from npsbridge.engine.doubt import Doubts
from npsbridge.engine.lead import Lead
from unit.engine.doubles import MemoryStore, ScriptedDestination, a_delivery, seams_of
from unit.engine.test_doubt import ScriptedForwarder


class StoreWithDrops(MemoryStore):
    """Somebody drops deliveries right after each claim."""

    def __init__(self, *dropped: int) -> None:
        super().__init__()
        self.dropped = dropped

    async def claim(self, connection: str, *, now: int, limit: int, after: int = 0) -> list[Delivery]:
        claimed = await super().claim(connection, now=now, limit=limit, after=after)
        for number in self.dropped:
            self.owed.pop(number, None)
        return claimed

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        """What is no longer owed is left alone."""
        await super().settle([one for one in settlements if one.id in self.owed])


async def sent(*dropped: int, kind: str = SURVEY) -> list[list[int]]:
    """The batches that leave when 1, 2 and 3 are owed."""
    store, forwarder = StoreWithDrops(*dropped), ScriptedForwarder()
    store.owed = {number: msgspec.structs.replace(a_delivery(number), kind=kind) for number in (1, 2, 3)}
    seams = seams_of(store)
    doubts = Doubts(forwarder, seams, on_unknown="hold")
    await Lane(forwarder, seams, bell=Lead(1_000), give_up_after=1e9, doubts=doubts).step()
    return forwarder.batches


async def test_i8_a_survey_that_was_dropped_a_moment_ago_is_not_asked_for() -> None:
    assert await sent(2) == [[1, 3]]


async def test_i20_when_all_were_dropped_nobody_is_asked_for_anything() -> None:
    assert await sent(1, 2, 3) == []


async def test_what_may_be_repeated_needs_no_intent() -> None:
    assert await sent(kind=IDENTIFY) == [[1, 2, 3]]


# --- what waits in hand -----------------------------------------------------------------------------------------


class SlowVendor(ScriptedForwarder):
    """Takes its time for each person, in which somebody drops or erases what waits."""

    batch_limit = 1

    def __init__(self, store: MemoryStore, *, seconds: float, drops: int) -> None:
        super().__init__()
        self.batch_limit, self.store, self.seconds, self.drops = 1, store, seconds, drops

    async def deliver(self, batch: Sequence[Delivery]) -> list[Outcome]:
        await asyncio.sleep(self.seconds)
        self.store.owed.pop(self.drops, None)
        return await super().deliver(batch)


async def told(*, seconds: float, people: int = 10, drops: int = 10) -> list[int]:
    """The numbers of those of whom a vendor is told, who are eight at once; one is dropped after so many seconds."""
    store = StoreWithDrops()
    store.owed = {number: msgspec.structs.replace(a_delivery(number), kind=IDENTIFY) for number in range(1, people + 1)}
    vendor = SlowVendor(store, seconds=seconds, drops=drops)
    seams = seams_of(store)
    doubts = Doubts(vendor, seams, on_unknown="hold")
    await Lane(vendor, seams, bell=Lead(1_000), give_up_after=1e9, doubts=doubts).step()
    return sorted(number for batch in vendor.batches for number in batch)


@pytest.mark.looptime
async def test_i20_nobody_is_told_of_somebody_who_was_erased_while_they_waited_in_hand() -> None:
    assert await told(seconds=LONG_IN_HAND) == list(range(1, 10))


@pytest.mark.looptime
async def test_what_leaves_at_once_is_not_looked_up_again() -> None:
    assert await told(seconds=LONG_IN_HAND / 3) == list(range(1, 11))


@pytest.mark.looptime
async def test_i4_of_a_slow_vendor_no_more_is_under_way_before_what_it_took_is_written_down() -> None:
    assert await told(seconds=1, people=100, drops=100) == list(range(1, 8 * int(LONGEST_BATCH) + 1))


class Chokes(ScriptedForwarder):
    """Fails with one person, after so many seconds; takes all others at once."""

    def __init__(self, *, seconds: float) -> None:
        super().__init__()
        self.batch_limit, self.seconds = 1, seconds

    async def deliver(self, batch: Sequence[Delivery]) -> list[Outcome]:
        (one,) = batch
        await asyncio.sleep(self.seconds if one.id == 1 else 0.001)
        await super().deliver(batch)
        return [RetryLater(reason="HTTP 500", blame=Blame.UNCLEAR) if one.id == 1 else Delivered()]


@pytest.mark.looptime
@pytest.mark.parametrize("seconds", [0.0, 30.0])
async def test_i6_a_person_with_whom_the_vendor_fails_or_hangs_slows_nobody_else(seconds: float) -> None:
    store = MemoryStore()
    store.owed = {number: msgspec.structs.replace(a_delivery(number), kind=IDENTIFY) for number in range(1, 201)}
    vendor, seams, started = Chokes(seconds=seconds), seams_of(store), asyncio.get_running_loop().time()
    lane = Lane(vendor, seams, bell=Lead(1_000), give_up_after=1e9, doubts=Doubts(vendor, seams, on_unknown="hold"))
    while len(store.owed) > 1:
        await lane.step()
    assert asyncio.get_running_loop().time() - started < seconds + 1
    assert store.owed[1].state is State.WAITING
    assert vendor.batches.count([1]) == 1


@pytest.mark.looptime
async def test_what_was_claimed_ahead_and_dropped_while_the_batch_before_it_was_under_way_does_not_leave() -> None:
    store = StoreWithDrops()
    store.owed = {number: a_delivery(number) for number in range(1, 5)}
    sink = SlowSink(store)
    lane = Lane(sink, seams_of(store), bell=Lead(1_000), give_up_after=1e9)
    await lane.step()
    await lane.step()
    assert sink.batches == [[1, 2], [3]]


class SlowSink(ScriptedDestination):
    """Takes two at once, and its time; meanwhile somebody drops the fourth."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(batch_limit=2)
        self.store = store

    async def deliver(self, batch: Sequence[Delivery]) -> list[Outcome]:
        await asyncio.sleep(LONG_IN_HAND)
        self.store.owed.pop(4, None)
        return await super().deliver(batch)
