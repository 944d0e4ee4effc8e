"""Requests that must not be made twice: what is on disk before they leave, and what becomes of them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import msgspec
import pytest

from end_to_end.harness import log_kept
from npsbridge.core.calls import Call
from npsbridge.core.forward import SURVEY
from npsbridge.core.model import Delivery, PlannedDelivery, State
from npsbridge.core.outcome import Declined, Delivered, Outcome, Paused, Rejected, RetryLater, Undone, Unknown
from npsbridge.core.people import Person
from npsbridge.core.ports import Awaited, Inquiry
from npsbridge.core.records import Intent, Settlement
from npsbridge.engine.doubt import DIED, FIRST_LOOK, GIVE_UP_AFTER, IN_DOUBT, MOST_TOGETHER, UNDATED, Doubts
from npsbridge.errors import StoreFull
from unit.engine.doubles import NOW, Hands, MemoryStore, ScriptedDestination, a_delivery, seams_of

LOST = Unknown(reason="no answer came")
LATER = RetryLater(reason="HTTP 503")


class ScriptedForwarder(ScriptedDestination):
    """Verifies as the script says, the last answer for ever."""

    label = "Vendor"
    once = frozenset({SURVEY})
    events = frozenset[str]()

    def __init__(self, *answers: Outcome) -> None:
        super().__init__()
        self.answers = list(answers) or [LOST]
        self.asked: list[int] = []
        self.inquiries: list[Inquiry] = []
        self.dates: list[list[tuple[int, int, int | None]]] = []
        """Number, and when accepted and set out, of each request that was asked after and those beside it."""

    def plan_call(self, call: Call, person: Person) -> list[PlannedDelivery] | Awaited:
        raise NotImplementedError

    def recipient(self, delivery: Delivery) -> str:
        return f"{delivery.person}@example.org"

    async def verify(self, delivery: Delivery, inquiry: Inquiry, beside: Sequence[Delivery] = ()) -> Outcome:
        self.inquiries.append(inquiry)
        self.asked.append(delivery.id)
        self.dates.append([(one.id, one.created_at, one.set_out_at) for one in (delivery, *beside)])
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class Desk:
    """Doubts about one connection, over a store in lists."""

    def __init__(self, *answers: Outcome, on_unknown: str = "verify", surveys: Sequence[int] = (1,)) -> None:
        self.store = MemoryStore()
        under_way = {"kind": SURVEY, "state": State.INFLIGHT, "set_out_at": NOW}
        self.batch = [msgspec.structs.replace(a_delivery(number), **under_way) for number in surveys]
        self.store.owed = {one.id: one for one in self.batch}
        self.hands = Hands()
        self.forwarder = ScriptedForwarder(*answers)
        self.doubts = Doubts(self.forwarder, replace(seams_of(self.store), clock=self.hands), on_unknown=on_unknown)

    async def look(self, after: float = FIRST_LOOK) -> dict[int, State]:
        self.hands.seconds += after
        return dict(await self.doubts.step())

    @property
    def settled(self) -> list[tuple[State, str | None]]:
        return [(one.state, one.reason) for one in self.store.settlements]


async def test_the_intent_is_on_disk_before_a_request_leaves() -> None:
    desk = Desk()
    await desk.doubts.set_out([*desk.batch, a_delivery(2)])
    intent = Intent(recipient="p1@example.org", set_out_at=desk.hands.ms)
    assert desk.store.settlements == [Settlement(id=1, state=State.INFLIGHT, intent=intent)]


async def test_without_room_for_the_intent_nothing_may_leave() -> None:
    desk = Desk()
    desk.store.full.add("settle")
    with pytest.raises(StoreFull):
        await desk.doubts.set_out(desk.batch)


def test_what_may_be_repeated_is_none_of_its_business() -> None:
    desk = Desk(surveys=())
    assert desk.doubts.weigh([a_delivery(1)], [LOST]) == [LOST]


def test_no_more_leave_together_than_may_be_in_doubt_after_a_crash() -> None:
    desk = Desk(surveys=range(100, 100 + 2 * MOST_TOGETHER))
    identifies = [a_delivery(number) for number in range(10)]
    batch = [*identifies, *desk.batch[:MOST_TOGETHER], a_delivery(11)]
    assert desk.doubts.bearable(batch) == batch
    assert desk.doubts.bearable([*batch, *desk.batch[MOST_TOGETHER:]]) == batch


def test_what_is_in_doubt_together_is_told_in_one_line() -> None:
    desk = Desk(surveys=range(1, 31))
    with log_kept() as log:
        desk.doubts.weigh([*desk.batch, a_delivery(31)], [LOST] * 30 + [Delivered()])
    assert [(line.level, line.message) for line in log] == [("WARNING", IN_DOUBT)]
    assert (log[0].extra["count"], len(log[0].extra["message_ids"])) == (30, 10)


@pytest.mark.parametrize(
    ("on_unknown", "outcome"),
    [
        ("hold", LOST),
        ("resend", Undone()),
        ("drop", Rejected(reason="no answer came; dropped, as ON_UNKNOWN says")),
        ("verify", None),
    ],
)
@pytest.mark.looptime
async def test_what_is_unknown_follows_on_unknown(on_unknown: str, outcome: Outcome | None) -> None:
    desk = Desk(on_unknown=on_unknown)
    with log_kept() as told:
        assert desk.doubts.weigh(desk.batch, [LOST]) == [outcome]
    assert [line.level for line in told] == ["WARNING"]


@pytest.mark.parametrize("outcome", [Delivered(), LATER, Rejected(reason="HTTP 422"), Paused(reason="HTTP 401")])
def test_what_is_known_is_left_as_it_is(outcome: Outcome) -> None:
    desk = Desk()
    assert desk.doubts.weigh(desk.batch, [outcome]) == [outcome]


@pytest.mark.parametrize(
    ("answer", "settled"),
    [
        (Delivered(), (State.DELIVERED, None)),
        (Undone(), (State.QUEUED, None)),
        (Declined(reason="throttled"), (State.FILTERED, "throttled")),
        (LOST, (State.HELD, "cut; asked the vendor: no answer came")),
    ],
)
async def test_the_vendors_word_ends_a_doubt(answer: Outcome, settled: tuple[State, str | None]) -> None:
    desk = Desk(answer)
    desk.doubts.weigh(desk.batch, [Unknown(reason="cut")])
    assert await desk.look() == {1: settled[0]}
    assert desk.settled == [settled]
    assert desk.doubts.wait() is None


async def test_the_vendor_is_not_asked_before_it_can_know() -> None:
    desk = Desk(Delivered())
    desk.doubts.weigh(desk.batch, [LOST])
    assert desk.doubts.wait() == FIRST_LOOK
    assert await desk.look(FIRST_LOOK - 1) == {}
    assert desk.forwarder.asked == []


async def test_i8_a_doubt_that_ended_leaves_nothing_behind_for_the_next_one_about_the_same_delivery() -> None:
    desk = Desk(LATER)
    desk.doubts.weigh(desk.batch, [LOST])
    await desk.look()
    await desk.look(GIVE_UP_AFTER)
    assert desk.settled[0][0] is State.HELD
    desk.store.owed = {one.id: one for one in desk.batch}  # a person had it tried again, and it was lost again
    desk.doubts.weigh(desk.batch, [LOST])
    await desk.look()
    first, same, fresh = desk.forwarder.inquiries
    assert first is same
    assert fresh is not first


async def test_i20_nobody_is_asked_about_a_person_who_was_forgotten_meanwhile() -> None:
    desk = Desk(Delivered())
    desk.doubts.weigh(desk.batch, [LOST])
    desk.store.owed.clear()
    assert await desk.look() == {}
    assert (desk.forwarder.asked, desk.doubts.wait()) == ([], None)


JUMPS: Final = [-172_800_000, 0, 2_592_000_000]


@pytest.mark.parametrize("jump", JUMPS)
async def test_f15_the_vendor_is_asked_what_it_did_since_then_whatever_the_clock_shows_now(jump: int) -> None:
    desk = Desk(Delivered(), surveys=(1, 2))
    desk.store.neighbours = [msgspec.structs.replace(desk.batch[1], set_out_at=NOW - 7, created_at=NOW - 9)]
    await desk.doubts.set_out(desk.batch[:1])
    desk.hands.ms += jump
    desk.doubts.weigh(desk.batch[:1], [LOST])
    desk.hands.ms += int(FIRST_LOOK * 1000)
    await desk.look()
    assert desk.forwarder.dates == [[(1, NOW + jump, NOW + jump), (2, NOW - 9, NOW - 7)]]


@pytest.mark.parametrize("jump", JUMPS)
async def test_f15_after_a_restart_all_requests_are_dated_by_the_clock_as_it_was_then(jump: int) -> None:
    desk = Desk(Delivered())
    desk.store.owed = {1: msgspec.structs.replace(desk.batch[0], state=State.INFLIGHT, set_out_at=NOW - 5)}
    desk.store.neighbours = [msgspec.structs.replace(a_delivery(2), set_out_at=NOW - 7, created_at=NOW - 9)]
    await desk.doubts.recall()
    desk.hands.ms += jump + int(FIRST_LOOK * 1000)
    await desk.look()
    assert desk.forwarder.dates == [[(1, NOW + jump, NOW - 5 + jump), (2, NOW - 9 + jump, NOW - 7 + jump)]]


async def test_f15_a_clock_that_is_set_between_two_requests_changes_nothing_about_which_came_first() -> None:
    desk = Desk(Delivered(), surveys=(1, 2))
    await desk.doubts.set_out(desk.batch[:1])
    desk.store.neighbours = [msgspec.structs.replace(desk.batch[0], set_out_at=NOW)]
    desk.hands.ms += 2_592_000_000
    await desk.doubts.set_out(desk.batch[1:])
    desk.doubts.weigh(desk.batch[1:], [LOST])
    desk.hands.ms += int(FIRST_LOOK * 1000)
    await desk.look()
    [[(_, _, own), (_, _, before)]] = desk.forwarder.dates
    assert own == before == NOW + 2_592_000_000


async def test_i8_what_set_out_before_that_was_written_down_is_held() -> None:
    desk = Desk(Delivered())
    desk.store.owed = {1: msgspec.structs.replace(desk.batch[0], state=State.INFLIGHT, set_out_at=None)}
    await desk.doubts.recall()
    assert await desk.look() == {1: State.HELD}
    assert desk.settled == [(State.HELD, f"{DIED}; asked the vendor: {UNDATED}")]
    assert desk.forwarder.asked == []


async def test_i17_of_requests_long_ago_is_not_remembered_when_they_set_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("npsbridge.engine.doubt.MOST_DATED", 2)
    desk = Desk(surveys=(1, 2, 3))
    for one in (*desk.batch, desk.batch[1]):
        await desk.doubts.set_out([one])
    assert list(desk.doubts._left) == [3, 2]


async def test_a_vendor_that_cannot_be_asked_is_asked_again_ever_less_often() -> None:
    desk = Desk(LATER, Paused(reason="HTTP 401"), Delivered())
    desk.doubts.weigh(desk.batch, [LOST])
    waits = []
    while (wait := desk.doubts.wait()) is not None:
        waits.append(wait)
        await desk.look(wait)
    assert (waits, desk.settled) == ([10.0, 7.5, 15.0], [(State.DELIVERED, None)])


async def test_after_a_day_without_an_answer_a_person_decides() -> None:
    desk = Desk(LATER)
    desk.doubts.weigh(desk.batch, [LOST])
    assert await desk.look(GIVE_UP_AFTER) == {1: State.HELD}
    assert desk.settled == [(State.HELD, "no answer came; asked the vendor: HTTP 503")]


@pytest.mark.parametrize(
    ("on_unknown", "state"), [("hold", State.HELD), ("resend", State.QUEUED), ("drop", State.DEAD)]
)
async def test_i4_what_was_under_way_when_the_process_died_follows_on_unknown(on_unknown: str, state: State) -> None:
    desk = Desk(on_unknown=on_unknown)
    await desk.doubts.set_out(desk.batch)
    await desk.doubts.recall()
    assert desk.settled[-1][0] is state


async def test_i4_what_was_under_way_when_the_process_died_is_asked_after() -> None:
    desk = Desk(Delivered())
    await desk.doubts.set_out(desk.batch)
    await desk.doubts.recall()
    assert desk.settled == [(State.INFLIGHT, None)]
    assert await desk.look() == {1: State.DELIVERED}


async def test_nothing_under_way_costs_no_write() -> None:
    desk = Desk(surveys=())
    await desk.doubts.recall()
    assert desk.settled == []


async def test_a_vendor_that_asks_for_patience_is_left_alone_that_long() -> None:
    desk = Desk(RetryLater(reason="not yet", after=300.0))
    desk.doubts.weigh(desk.batch, [LOST])
    await desk.look()
    assert desk.doubts.wait() == 300.0
