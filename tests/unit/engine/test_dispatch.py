"""One lane: claim, attempt, record, and rest as long as it takes."""

import asyncio
from collections.abc import Mapping, Sequence

import anyio
import msgspec
import pytest

from end_to_end.harness import log_kept
from npsbridge.core.model import Delivery, State
from npsbridge.core.outcome import Blame, Delivered, Outcome, Paused, Rejected, Retired, RetryLater, Unknown
from npsbridge.core.records import Settlement
from npsbridge.engine.board import Condition, Direction
from npsbridge.engine.dispatch import FULL_DISK_PAUSE, HELD_UP_PAUSE, MOST_AHEAD, Lane
from npsbridge.engine.lead import Lead
from npsbridge.engine.pauses import pause_fact
from unit.engine.doubles import NOW, MemoryStore, ScriptedDestination, a_delivery, seams_of

pytestmark = pytest.mark.looptime


class Line:
    """A lane over a scripted destination, on virtual time."""

    def __init__(
        self,
        *outcomes: Outcome,
        owed: int = 3,
        batch_limit: int = 10,
        rate_limit: float = 0.0,
        give_up_after: float = 1e9,
        frozen: Mapping[str, str] | None = None,
    ) -> None:
        self.jump = 0.0
        self.store = MemoryStore()
        self.store.owed = {number: a_delivery(number) for number in range(1, owed + 1)}
        self.seams = seams_of(self.store, wall=lambda: NOW / 1000 + self.time + self.jump)
        self.bell = Lead(1_000)
        self.destination = ScriptedDestination(*outcomes, batch_limit=batch_limit, rate_limit=rate_limit)
        self.lane = Lane(self.destination, self.seams, bell=self.bell, give_up_after=give_up_after, frozen=frozen)

    @property
    def time(self) -> float:
        return asyncio.get_running_loop().time()

    @property
    def state(self) -> Condition | None:
        line = self.seams.board.find("sink", Direction.FORWARD)
        return line.condition if line else None

    @property
    def states(self) -> list[State]:
        return [one.state for one in self.store.settlements]


async def test_a_batch_is_attempted_in_order_and_settled() -> None:
    made = Line()
    await made.lane.step()
    assert made.destination.batches == [[1, 2, 3]]
    assert made.states == [State.DELIVERED] * 3
    assert made.state is Condition.CONNECTED


async def test_no_batch_is_larger_than_the_destination_takes() -> None:
    made = Line(owed=5, batch_limit=2)
    for _ in range(3):
        await made.lane.step()
    assert made.destination.batches == [[1, 2], [3, 4], [5]]


async def test_f15_what_a_clock_that_was_set_back_would_put_off_for_days_is_attempted() -> None:
    made = Line(owed=2)
    late = {"state": State.WAITING, "next_attempt_at": NOW + 172_800_000}
    made.store.owed[1] = msgspec.structs.replace(made.store.owed[1], **late)
    del made.store.owed[2]
    await made.lane.step()
    assert made.states == [State.DELIVERED]


async def test_f15_a_clock_that_jumps_ahead_gives_up_nothing() -> None:
    made = Line(RetryLater(reason="down"), give_up_after=3600.0)
    made.seams.ageing.now_ms()
    made.jump = 86_400.0
    await made.lane.step()
    assert State.DEAD not in made.states


async def test_the_first_delivery_is_remembered_for_ever() -> None:
    made = Line()
    await made.lane.step()
    assert made.store.facts_noted == {"first_delivery_at:sink": str(NOW)}


async def test_the_first_delivery_freezes_what_must_not_change_after_it() -> None:
    made = Line(frozen={"frozen:sink:identity": "email"})
    await made.lane.step()
    assert made.store.facts_noted["frozen:sink:identity"] == "email"


async def test_an_attempt_that_delivers_nothing_freezes_nothing() -> None:
    made = Line(Paused(reason="HTTP 401"), frozen={"frozen:sink:identity": "email"})
    await made.lane.step()
    assert made.store.facts_noted == {}


async def test_i7_no_window_of_a_second_holds_more_than_the_rate() -> None:
    made = Line(owed=6, batch_limit=2, rate_limit=2)
    for _ in range(3):
        await made.lane.step()
    assert made.time == 2.0


async def test_i6_a_rejected_delivery_is_dead_and_told_by_name() -> None:
    made = Line(Rejected(reason="too large"), owed=1)
    with log_kept("ERROR") as told:
        await made.lane.step()
    assert [(one.state, one.reason) for one in made.store.settlements] == [(State.DEAD, "too large")]
    assert [(line.extra["message_ids"], line.extra["reason"]) for line in told] == [(["m1"], "too large")]


async def test_what_dies_together_is_told_in_one_line_with_its_number() -> None:
    made = Line(RetryLater(reason="HTTP 503", blame=Blame.DELIVERY), owed=30, batch_limit=100, give_up_after=-1)
    with log_kept("ERROR") as told:
        await made.lane.step()
    (line,) = told
    assert (line.extra["count"], line.extra["reason"]) == (30, "given up after -1 s: HTTP 503")
    assert line.extra["message_ids"] == [f"m{number}" for number in range(1, 11)]


async def test_a_delivery_in_doubt_is_held() -> None:
    made = Line(Unknown(reason="no answer"), owed=1)
    await made.lane.step()
    assert made.states == [State.HELD]


async def test_trouble_of_the_connection_writes_nothing_and_rests_longer_and_longer() -> None:
    made = Line(RetryLater(reason="HTTP 503"))
    rests = []
    for _ in range(4):
        began = made.time
        await made.lane.step()
        rests.append(made.time - began)
    assert made.store.settlements == []
    assert rests == [0.5, 0.75, 1.5, 3.0]
    assert made.state is Condition.RETRYING


async def test_f22_the_destinations_wish_counts_but_never_means_at_once() -> None:
    made = Line(RetryLater(reason="HTTP 429", after=20.0), RetryLater(reason="HTTP 429", after=0.0))
    await made.lane.step()
    assert made.time == 20.0
    await made.lane.step()
    assert made.time == 20.75


async def test_f22_who_says_0_for_ever_is_asked_ever_less_often() -> None:
    made = Line(RetryLater(reason="HTTP 429", after=0.0))
    for _ in range(12):
        await made.lane.step()
    began = made.time
    await made.lane.step()
    assert made.time - began > 30


async def test_f23_a_refused_key_pauses_and_says_why() -> None:
    made = Line(Paused(reason="HTTP 401; check KEY"), Delivered())
    await made.lane.step()
    assert (made.state, made.store.settlements) == (Condition.PAUSED, [])
    await made.lane.step()
    await made.lane.step()
    assert made.states == [State.DELIVERED] * 3
    assert made.state is Condition.CONNECTED


async def test_a_delivery_that_fails_by_itself_waits_alone() -> None:
    made = Line(RetryLater(reason="choked", blame=Blame.DELIVERY), Delivered(), owed=1)
    await made.lane.step()
    assert made.states == [State.WAITING]
    assert made.state is Condition.WAITING_FOR_DATA
    await made.lane.step()
    await made.lane.step()
    assert made.states == [State.WAITING, State.DELIVERED]


async def test_f28_what_is_too_old_is_given_up() -> None:
    made = Line(RetryLater(reason="HTTP 503"), owed=1, give_up_after=60)
    made.store.owed = {1: a_delivery(1, created_at=NOW - 61_000)}
    await made.lane.step()
    assert made.states == [State.DEAD]


async def test_without_work_it_sleeps_until_something_is_due() -> None:
    made = Line(owed=0)
    made.store.owed = {1: a_delivery(1, due=NOW + 90_000)}
    await made.lane.step()
    assert made.time == 90.0
    await made.lane.step()
    assert made.states == [State.DELIVERED]


async def test_without_work_it_sleeps_until_the_bell_rings() -> None:
    made = Line(owed=0)
    asyncio.get_running_loop().call_later(7, made.bell.ring)
    await made.lane.step()
    assert made.time == 7.0


async def test_what_is_due_but_held_up_does_not_keep_the_processor_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Line(owed=0)
    made.store.owed = {1: a_delivery(1, due=NOW - 5000)}

    async def nothing(*_: object, **__: object) -> list[object]:
        return []

    monkeypatch.setattr(made.store, "claim", nothing)
    await made.lane.step()
    assert made.time == HELD_UP_PAUSE


async def test_f6_what_was_sent_is_recorded_as_soon_as_there_is_room() -> None:
    made = Line()
    made.store.full = {"settle"}
    asyncio.get_running_loop().call_later(12, made.store.full.clear)
    await made.lane.step()
    assert made.destination.batches == [[1, 2, 3]]
    assert made.states == [State.DELIVERED] * 3


async def test_a_retired_destination_ends_the_lane() -> None:
    made = Line(Retired(reason="HTTP 410"))
    await made.lane.run()
    assert made.state is Condition.RETIRED
    assert len(made.store.owed) == 3


@pytest.mark.parametrize("outcome", [Delivered(), RetryLater(reason="HTTP 503", after=300.0), Paused(reason="key")])
async def test_a_lane_stops_promptly_whatever_it_waits_for(outcome: Outcome) -> None:
    made = Line(outcome)
    asyncio.get_running_loop().call_later(5, made.lane.stop)
    await made.lane.run()
    assert made.time == 5.0


async def test_a_lane_that_is_told_to_stop_while_it_waits_for_its_turn_sends_nothing_more() -> None:
    made = Line(owed=4, batch_limit=2, rate_limit=0.1)
    asyncio.get_running_loop().call_later(5, made.lane.stop)
    await made.lane.run()
    assert made.destination.batches == [[1, 2]]
    assert made.time == 5.0


async def test_every_attempt_is_a_figure() -> None:
    made = Line(RetryLater(reason="HTTP 503"), Delivered())
    for _ in range(2):
        await made.lane.step()
    sample = made.seams.metrics.registry.get_sample_value
    counted = {
        result: sample("npsbridge_deliveries_total", {"connection": "sink", "result": result})
        for result in ("retry", "delivered")
    }
    assert counted == {"retry": 3, "delivered": 3}


# --- looking ahead ------------------------------------------------------------------------------------------------


class StoreWithClaims(MemoryStore):
    """Knows from where on it was claimed."""

    def __init__(self) -> None:
        super().__init__()
        self.claimed_after: list[int] = []

    async def claim(self, connection: str, *, now: int, limit: int, after: int = 0) -> list[Delivery]:
        self.claimed_after.append(after)
        return await super().claim(connection, now=now, limit=limit, after=after)


class TakesASecond(ScriptedDestination):
    async def deliver(self, batch: Sequence[Delivery]) -> list[Outcome]:
        await anyio.sleep(1)
        return await super().deliver(batch)


def looking_ahead(*outcomes: Outcome, owed: int) -> tuple[Line, StoreWithClaims]:
    """A lane for batches of two, and its store."""
    made, store = Line(*outcomes, owed=0, batch_limit=2), StoreWithClaims()
    store.owed = {number: a_delivery(number) for number in range(1, owed + 1)}
    made.seams, made.destination = seams_of(store), TakesASecond(*outcomes, batch_limit=2)
    made.lane = Lane(made.destination, made.seams, bell=made.bell, give_up_after=1e9)
    return made, store


async def test_the_next_batch_is_claimed_while_one_is_under_way_and_none_goes_twice() -> None:
    made, store = looking_ahead(owed=5)
    for _ in range(3):
        await made.lane.step()
    assert made.destination.batches == [[1, 2], [3, 4], [5]]
    assert store.claimed_after == [0, 2, 4]


async def test_i5_what_was_claimed_ahead_does_not_overtake_what_was_not_delivered() -> None:
    made, store = looking_ahead(RetryLater(reason="this one", blame=Blame.DELIVERY), Delivered(), owed=4)
    for _ in range(2):
        await made.lane.step()
    assert made.destination.batches == [[1, 2], [3, 4]]
    assert store.claimed_after == [0, 2, 0]


async def test_i5_nothing_is_claimed_ahead_while_something_before_it_waits_for_its_time() -> None:
    made, store = looking_ahead(owed=5)
    store.owed[1] = msgspec.structs.replace(store.owed[1], state=State.WAITING, next_attempt_at=NOW + 60_000)
    await made.lane.step()
    assert made.destination.batches == [[2, 3]]
    assert store.claimed_after == [0]


async def test_what_is_owed_anew_before_the_others_is_found_after_a_few_batches() -> None:
    made, store = looking_ahead(owed=0)
    store.owed = {number: a_delivery(number) for number in range(10, 10 + 4 * MOST_AHEAD)}
    await made.lane.step()
    store.owed = {1: a_delivery(1)} | store.owed
    for _ in range(MOST_AHEAD):
        await made.lane.step()
    assert 1 in [number for batch in made.destination.batches for number in batch]


async def test_a_full_disk_is_told_as_it_is() -> None:
    made, store = looking_ahead(owed=4)
    store.full = {"settle"}
    async with anyio.create_task_group() as group:
        group.start_soon(made.lane.run)
        await anyio.sleep(FULL_DISK_PAUSE * 3)
        made.lane.stop()
    assert made.destination.batches == [[1, 2], [3, 4]]


# --- writing down while the next batch is under way ---------------------------------------------------------------


class SlowToSettle(StoreWithClaims):
    """Takes a second to write down, and tells when it began and was done."""

    def __init__(self) -> None:
        super().__init__()
        self.recorded: list[tuple[list[int], float, float]] = []

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        began = asyncio.get_running_loop().time()
        await anyio.sleep(1)
        await super().settle(settlements)
        self.recorded.append(([one.id for one in settlements], began, asyncio.get_running_loop().time()))


def slow_on_both_sides(*outcomes: Outcome, owed: int, **limits: float) -> tuple[Line, SlowToSettle]:
    made, store = Line(owed=0), SlowToSettle()
    store.owed = {number: a_delivery(number) for number in range(1, owed + 1)}
    made.seams, made.destination = seams_of(store), TakesASecond(*outcomes, batch_limit=2, **limits)
    made.lane = Lane(made.destination, made.seams, bell=made.bell, give_up_after=1e9)
    return made, store


async def test_what_was_delivered_is_written_down_while_the_next_batch_is_under_way() -> None:
    made, store = slow_on_both_sides(owed=5)
    for _ in range(3):
        await made.lane.step()
    assert made.destination.batches == [[1, 2], [3, 4], [5]]
    assert store.recorded == [([1, 2], 1, 2), ([3, 4], 2, 3), ([5], 3, 4)]


async def test_i4_what_is_not_written_down_yet_is_not_claimed_again() -> None:
    made, store = slow_on_both_sides(owed=3)
    await made.lane.step()
    del store.owed[3]
    made.lane._ahead = []
    await made.lane.step()
    assert made.destination.batches == [[1, 2]]


async def test_i4_when_a_lane_ends_what_it_delivered_is_written_down() -> None:
    made, store = slow_on_both_sides(owed=4)
    async with anyio.create_task_group() as group:
        group.start_soon(made.lane.run)
        await anyio.sleep(0.5)
        made.lane.stop()
    assert (made.destination.batches, sorted(store.owed)) == ([[1, 2]], [3, 4])


async def test_what_was_delivered_is_written_down_before_a_lane_stands_still() -> None:
    made, store = slow_on_both_sides(owed=4)
    async with anyio.create_task_group() as group:
        group.start_soon(made.lane.run)
        await anyio.sleep(0.5)
        made.seams.pauses.learn(dict([pause_fact("sink", is_paused=True)]))
        await anyio.sleep(2)
        assert (made.destination.batches, sorted(store.owed)) == ([[1, 2]], [3, 4])
        made.lane.stop()


async def test_what_was_delivered_is_written_down_before_a_rest() -> None:
    made, store = slow_on_both_sides(owed=4, rate_limit=1.0)
    await made.lane.step()
    async with anyio.create_task_group() as group:
        group.start_soon(made.lane.step)
        await anyio.sleep(1.01)
        assert made.destination.batches == [[1, 2]]
        assert sorted(store.owed) == [3, 4]


# --- how far the router may run ahead -----------------------------------------------------------------------------


async def kept_waiting(made: Line) -> bool:
    """Whether somebody who is far ahead of the lane waits for it."""
    began = made.time
    made.bell.hand_over(1_000_000)
    await made.bell.shorten()
    return made.time > began


async def test_a_lane_whose_deliveries_are_taken_is_waited_for_until_it_has_no_more() -> None:
    made = Line(owed=2)
    assert not await kept_waiting(made)
    await made.lane.step()
    assert await kept_waiting(made)
    await made.lane.step()
    assert not await kept_waiting(made)


async def test_i6_nobody_waits_for_a_lane_whose_destination_fails() -> None:
    made = Line(Delivered(), RetryLater(reason="HTTP 503"), owed=2, batch_limit=1)
    await made.lane.step()
    async with asyncio.TaskGroup() as group:
        attempt = group.create_task(made.lane.step())
        await asyncio.sleep(0.01)
        assert not attempt.done()  # it rests
        assert not await kept_waiting(made)


async def test_i6_nobody_waits_for_a_lane_that_has_ended() -> None:
    made = Line(owed=2)
    await made.lane.step()
    made.lane.stop()
    await made.lane.run()
    assert not await kept_waiting(made)
