"""Requests that must not be made twice: what is on disk before they leave, and what becomes of them."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest

from end_to_end.harness import log_kept
from npsbridge.core.calls import Call
from npsbridge.core.forward import SURVEY
from npsbridge.core.model import Delivery, PlannedDelivery, State
from npsbridge.core.outcome import Declined, Delivered, Outcome, Paused, Rejected, RetryLater, Undone, Unknown
from npsbridge.core.people import Person
from npsbridge.core.ports import Awaited
from npsbridge.engine.doubt import FIRST_LOOK, GIVE_UP_AFTER, Doubts
from npsbridge.errors import StoreFull
from unit.engine.doubles import Hands, MemoryStore, ScriptedDestination, a_delivery, seams_of

LOST = Unknown(reason="no answer came")
LATER = RetryLater(reason="HTTP 503")


class ScriptedForwarder(ScriptedDestination):
    """Verifies as the script says, the last answer for ever."""

    label = "Vendor"
    once = frozenset({SURVEY})

    def __init__(self, *answers: Outcome) -> None:
        super().__init__()
        self.answers = list(answers) or [LOST]
        self.asked: list[int] = []
        self.dates: list[int] = []

    def plan_call(self, call: Call, person: Person) -> list[PlannedDelivery] | Awaited:
        raise NotImplementedError

    async def verify(self, delivery: Delivery) -> Outcome:
        self.asked.append(delivery.id)
        self.dates.append(delivery.created_at)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class Desk:
    """Doubts about one connection, over a store in lists."""

    def __init__(self, *answers: Outcome, on_unknown: str = "verify", surveys: Sequence[int] = (1,)) -> None:
        self.store = MemoryStore()
        self.batch = [
            msgspec.structs.replace(a_delivery(number), kind=SURVEY, state=State.INFLIGHT) for number in surveys
        ]
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
    assert [(one.id, one.state) for one in desk.store.settlements] == [(1, State.INFLIGHT)]


async def test_without_room_for_the_intent_nothing_may_leave() -> None:
    desk = Desk()
    desk.store.full.add("settle")
    with pytest.raises(StoreFull):
        await desk.doubts.set_out(desk.batch)


def test_what_may_be_repeated_is_none_of_its_business() -> None:
    desk = Desk(surveys=())
    assert desk.doubts.weigh([a_delivery(1)], [LOST]) == [LOST]


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


async def test_i20_nobody_is_asked_about_a_person_who_was_forgotten_meanwhile() -> None:
    desk = Desk(Delivered())
    desk.doubts.weigh(desk.batch, [LOST])
    desk.store.owed.clear()
    assert await desk.look() == {}
    assert (desk.forwarder.asked, desk.doubts.wait()) == ([], None)


@pytest.mark.parametrize("jump", [-172_800, 0, 2_592_000])
async def test_f15_the_vendor_is_asked_what_it_did_since_then_whatever_the_clock_shows_now(jump: int) -> None:
    desk = Desk(Delivered())
    desk.doubts.weigh(desk.batch, [LOST])
    desk.hands.ms += jump * 1000 + int(FIRST_LOOK * 1000)
    await desk.look()
    assert desk.forwarder.dates == [desk.batch[0].created_at + jump * 1000]


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
