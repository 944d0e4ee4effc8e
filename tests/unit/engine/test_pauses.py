"""What a pause does to the loops of a connection: they rest, lose nothing, and go on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from npsbridge.core.model import State
from npsbridge.core.outcome import Delivered, Outcome, Paused, RetryLater
from npsbridge.core.ports import Page
from npsbridge.core.records import Hinted, Retention
from npsbridge.engine.board import Condition, Direction
from npsbridge.engine.dispatch import Lane
from npsbridge.engine.intake import Intake
from npsbridge.engine.lead import Lead
from npsbridge.engine.pauses import Pauses, by_hand, pause_fact, paused_in
from npsbridge.engine.poll import Poller
from npsbridge.engine.readback import ReadBack
from npsbridge.engine.upkeep import LOOK_EVERY, Upkeep
from npsbridge.errors import StoreFull
from unit.engine.doubles import (
    NOW,
    MemoryStore,
    ScriptedDestination,
    ScriptedLookup,
    ScriptedSource,
    a_delivery,
    seams_of,
)

pytestmark = pytest.mark.looptime

AT_MOST = 2.0
"""Seconds after which what another process has written must have taken effect."""


class Beside:
    """A store that another process writes to, what listens to it, and the bells that it rings."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.seams = seams_of(self.store, wall=lambda: NOW / 1000 + asyncio.get_running_loop().time())
        self.bell = Lead(1_000)
        retention = Retention(journal=1, delivered=1, dead=1)
        self.upkeep = Upkeep(self.seams, retention=retention, bells=[self.bell])

    def write(self, connection: str, *, is_paused: bool) -> None:
        name, value = pause_fact(connection, is_paused=is_paused)
        self.store.facts_noted = {**self.store.facts_noted, name: value}
        self.store.changes = [True]

    async def put(self, connection: str, *, is_paused: bool) -> None:
        """Write it, and wait as long as it may take."""
        self.write(connection, is_paused=is_paused)
        await asyncio.sleep(AT_MOST)

    @asynccontextmanager
    async def running(self, run: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
        async def task() -> None:
            await run()

        tasks = [asyncio.create_task(task()), asyncio.create_task(self.upkeep.listen())]
        await asyncio.sleep(0)
        try:
            yield
        finally:
            for one in tasks:
                one.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def state(self, connection: str, direction: Direction) -> tuple[Condition, str | None] | None:
        line = self.seams.board.find(connection, direction)
        return (line.condition, line.reason) if line else None


PAUSED_SINK = (Condition.PAUSED, "paused by hand; npsbridge resume sink")


def a_lane(
    beside: Beside, *outcomes: Outcome, owed: int = 1, rate_limit: float = 0.0
) -> tuple[Lane, ScriptedDestination]:
    beside.store.owed = {number: a_delivery(number) for number in range(1, owed + 1)}
    destination = ScriptedDestination(*outcomes, batch_limit=1, rate_limit=rate_limit)
    return Lane(destination, beside.seams, bell=beside.bell, give_up_after=1e9), destination


def test_facts_say_what_is_paused() -> None:
    facts = dict([pause_fact("a", is_paused=True), pause_fact("b", is_paused=False)])
    assert paused_in({**facts, "first_delivery_at:c": "yes"}) == {"a"}


# --- what can be cancelled --------------------------------------------------------------------------------------


async def test_an_error_of_what_runs_stays_what_it_is() -> None:
    async def fail() -> None:
        raise StoreFull("no room")

    with pytest.raises(StoreFull):
        await Pauses().run_between("shop", fail, stand_still=None)


async def test_what_comes_to_its_own_end_is_not_started_again() -> None:
    runs = []

    async def end() -> None:
        runs.append(1)

    await Pauses().run_between("shop", end, stand_still=None)
    assert runs == [1]


async def test_a_pause_of_another_connection_disturbs_nobody() -> None:
    pauses = Pauses()
    asyncio.get_running_loop().call_later(1, pauses.learn, dict([pause_fact("other", is_paused=True)]))

    async def work() -> None:
        await asyncio.sleep(5)

    await pauses.run_between("shop", work, stand_still=None)
    assert asyncio.get_running_loop().time() == 5


# --- lanes ------------------------------------------------------------------------------------------------------


async def test_a_paused_lane_sends_nothing_and_says_so_until_it_is_resumed() -> None:
    beside = Beside()
    lane, destination = a_lane(beside)
    beside.write("sink", is_paused=True)
    async with beside.running(lane.run):
        await asyncio.sleep(3600)
        assert (destination.batches, beside.state("sink", Direction.FORWARD)) == ([], PAUSED_SINK)
        await beside.put("sink", is_paused=False)
        assert destination.batches == [[1]]
    assert beside.state("sink", Direction.FORWARD) == (Condition.CONNECTED, None)


async def test_a_lane_without_work_takes_notice_at_once() -> None:
    beside = Beside()
    lane, _ = a_lane(beside, owed=0)
    async with beside.running(lane.run):
        await beside.put("sink", is_paused=True)
        assert beside.state("sink", Direction.FORWARD) == PAUSED_SINK


@pytest.mark.parametrize("trouble", [RetryLater(reason="HTTP 503", after=600.0), Paused(reason="HTTP 401")])
async def test_a_lane_that_rests_after_trouble_takes_notice_at_once(trouble: Outcome) -> None:
    beside = Beside()
    lane, destination = a_lane(beside, trouble, Delivered())
    async with beside.running(lane.run):
        await asyncio.sleep(LOOK_EVERY)
        await beside.put("sink", is_paused=True)
        assert beside.state("sink", Direction.FORWARD) == PAUSED_SINK
        await beside.put("sink", is_paused=False)
        assert destination.batches == [[1], [1]]


async def test_what_waits_for_the_rate_limit_is_not_sent_once_paused() -> None:
    beside = Beside()
    lane, destination = a_lane(beside, owed=9, rate_limit=0.1)
    async with beside.running(lane.run):
        await beside.put("sink", is_paused=True)
        await asyncio.sleep(600)
        assert destination.batches == [[1]]
    assert all(one.state is State.QUEUED for one in beside.store.owed.values())


async def test_i18_a_paused_lane_stops_promptly() -> None:
    beside = Beside()
    lane, _ = a_lane(beside)
    beside.write("sink", is_paused=True)
    asyncio.get_running_loop().call_later(5, lane.stop)
    await lane.run()
    assert asyncio.get_running_loop().time() == 5


# --- pollers and hints ------------------------------------------------------------------------------------------


def a_poller(beside: Beside, *rounds: list[Page | Exception]) -> tuple[Poller, ScriptedSource]:
    source = ScriptedSource(*rounds)
    return Poller(source, beside.seams, Intake(beside.seams, Lead(1_000))), source


async def test_a_paused_poller_asks_nobody_and_goes_on_where_it_was() -> None:
    beside = Beside()
    poller, source = a_poller(beside, [Page(records=[b"1"], checkpoint=b"a")])
    async with beside.running(poller.run):
        await beside.put("shop", is_paused=True)
        await asyncio.sleep(3600)
        assert source.checkpoints == [None]
        assert beside.state("shop", Direction.PULL) == (Condition.PAUSED, by_hand("shop"))
        await beside.put("shop", is_paused=False)
        assert source.checkpoints == [None, b"a"]
    assert beside.state("shop", Direction.PULL) == (Condition.CONNECTED, None)


async def test_a_poller_that_starts_paused_asks_nobody() -> None:
    beside = Beside()
    poller, source = a_poller(beside)
    beside.write("shop", is_paused=True)
    async with beside.running(poller.run):
        await asyncio.sleep(3600)
    assert source.checkpoints == []


async def test_hints_wait_on_disk_while_their_connection_is_paused() -> None:
    beside, source = Beside(), ScriptedLookup()
    readback = ReadBack("shop", source, beside.seams, Intake(beside.seams, Lead(1_000)))
    beside.write("shop", is_paused=True)
    async with beside.running(readback.run):
        await readback.note(["a"])
        await asyncio.sleep(600)
        assert (source.asked, [one.hint for one in beside.store.noted]) == ([], ["a"])
        await beside.put("shop", is_paused=False)
        assert (source.asked, list[Hinted](beside.store.noted)) == ([["a"]], [])
