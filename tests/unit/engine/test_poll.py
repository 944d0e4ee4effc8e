"""Rounds, pauses, and what a refusal means for the next round."""

from collections.abc import Sequence

import pytest

from end_to_end.harness import log_kept
from npsbridge.core.ports import Page
from npsbridge.engine.board import Condition, Direction
from npsbridge.engine.intake import Intake
from npsbridge.engine.lead import Lead
from npsbridge.engine.poll import LONGEST_BACKOFF, LONGEST_PROBE, Poller
from npsbridge.engine.seams import Seams
from npsbridge.errors import Gone, PersonMustAct, TryLater, UnreadablePage
from unit.engine.doubles import NOW, MemoryStore, ScriptedSource, seams_of


class Round:
    """A poller over a scripted source."""

    def __init__(self, *rounds: Sequence[Page | Exception]) -> None:
        self.store = MemoryStore()
        self.seams: Seams = seams_of(self.store)
        self.source = ScriptedSource(*rounds)
        self.poller = Poller(self.source, self.seams, Intake(self.seams, Lead(1_000)))

    @property
    def state(self) -> Condition | None:
        line = self.seams.board.find("shop", Direction.PULL)
        return line.condition if line else None

    async def pauses(self, count: int) -> list[float | None]:
        return [await self.poller.step() for _ in range(count)]


def page(*records: bytes, checkpoint: bytes = b"1", backfilling: bool = False) -> Page:
    return Page(records=list(records), checkpoint=checkpoint, backfilling=backfilling, progress=0.5)


def unreadable(reason: str = "no list", body: bytes = b"<html>") -> UnreadablePage:
    return UnreadablePage(reason, location="/responses.json?since=7", body=body)


async def test_a_good_round_is_followed_by_the_usual_pause() -> None:
    made = Round([page(b"{}")])
    assert await made.pauses(1) == [60.0]
    assert made.state is Condition.CONNECTED


async def test_each_round_goes_on_from_the_stored_checkpoint() -> None:
    made = Round([page(b"1", checkpoint=b"a"), page(b"2", checkpoint=b"b")], [])
    await made.pauses(2)
    assert made.source.checkpoints == [None, b"b"]


async def test_without_any_response_it_waits_for_data() -> None:
    made = Round([page()])
    await made.pauses(1)
    assert made.state is Condition.WAITING_FOR_DATA


async def test_the_first_response_is_remembered_for_ever() -> None:
    made = Round([page(b"{}")])
    await made.pauses(1)
    assert made.store.facts_noted == {"first_response_at:shop": str(NOW)}


async def test_pages_of_history_show_how_far_it_is() -> None:
    made = Round([page(b"{}", backfilling=True), TryLater("HTTP 500")])
    await made.pauses(1)
    backfilling = made.store.health_noted[0]
    assert (backfilling.state, made.state) == ("backfilling", Condition.RETRYING)


async def test_a_success_is_a_figure() -> None:
    made = Round([])
    await made.pauses(1)
    sample = made.seams.metrics.registry.get_sample_value
    assert sample("npsbridge_poll_last_success_timestamp_seconds", {"connection": "shop"}) == NOW / 1000


async def test_each_round_is_counted_by_how_it_ended() -> None:
    made = Round([], [TryLater("HTTP 500")], [], [PersonMustAct("check KEY")], [Gone("the service has ended")])
    await made.pauses(5)
    sample = made.seams.metrics.registry.get_sample_value
    ended = {
        result: sample("npsbridge_poll_rounds_total", {"connection": "shop", "result": result})
        for result in ("ok", "retry", "paused", "retired")
    }
    assert ended == {"ok": 2, "retry": 1, "paused": 1, "retired": 1}


async def test_410_ends_the_rounds() -> None:
    made = Round([Gone("the service has ended")])
    assert await made.pauses(1) == [None]
    assert made.state is Condition.RETIRED


async def test_a_refusal_pauses_longer_and_longer() -> None:
    made = Round(*[[PersonMustAct("check KEY")]] * 8)
    pauses = await made.pauses(8)
    assert pauses[:3] == [22.5, 45.0, 90.0]
    assert pauses[-1] == 0.75 * LONGEST_PROBE
    assert made.state is Condition.PAUSED


async def test_passing_trouble_backs_off_up_to_a_ceiling() -> None:
    made = Round(*[[TryLater("HTTP 500")]] * 12)
    pauses = await made.pauses(12)
    assert pauses[:3] == [0.75, 1.5, 3.0]
    assert pauses[-1] == 0.75 * LONGEST_BACKOFF
    assert made.state is Condition.RETRYING


@pytest.mark.parametrize(("after", "pause"), [(17.0, 17.0), (0.0, 0.75)])
async def test_f22_the_vendors_wish_counts_but_never_means_at_once(after: float, pause: float) -> None:
    made = Round([TryLater("HTTP 429", after=after)])
    assert await made.pauses(1) == [pause]


async def test_a_good_round_forgets_the_failures_before_it() -> None:
    made = Round([TryLater("x")], [TryLater("x")], [], [TryLater("x")])
    assert await made.pauses(4) == [0.75, 1.5, 60.0, 0.75]


async def test_a_round_that_came_further_forgets_them_too() -> None:
    made = Round([TryLater("x")], [page(b"1", checkpoint=b"2"), TryLater("x")])
    assert await made.pauses(2) == [0.75, 0.75]


async def test_a_round_that_fails_behind_what_is_known_does_not() -> None:
    failing: list[Page | Exception] = [page(b"1"), TryLater("x")]
    made = Round(failing, failing, failing)
    with log_kept() as told:
        assert await made.pauses(3) == [0.75, 1.5, 3.0]
    assert [line.extra["state"] for line in told] == ["connected", "retrying"]


async def test_f26_an_unreadable_page_is_shelved_and_told_of_once() -> None:
    made = Round([unreadable()], [unreadable(body=b"<html>other")], [unreadable()])
    with log_kept() as told:
        await made.pauses(3)
    assert {(item.kind, item.reason) for item in made.store.shelf} == {
        ("page", "no list (asked for /responses.json?since=7)")
    }
    assert len({item.key for item in made.store.shelf}) == 1
    assert sum("cannot be read" in line.message for line in told) == 1


async def test_an_unreadable_page_that_comes_back_later_is_told_of_again() -> None:
    made = Round([unreadable()], [], [unreadable()])
    with log_kept() as told:
        await made.pauses(3)
    assert sum("cannot be read" in line.message for line in told) == 2


async def test_other_trouble_is_told_of_by_itself() -> None:
    made = Round([unreadable("no list")], [unreadable("too large")])
    await made.pauses(2)
    assert len({item.key for item in made.store.shelf}) == 2


async def test_f6_a_full_store_is_passing_trouble() -> None:
    made = Round([page(b"{}")], [page(b"{}")])
    made.store.full = {"append"}
    assert await made.pauses(1) == [0.75]
    made.store.full = set()
    assert await made.pauses(1) == [60.0]
    assert made.state is Condition.CONNECTED


async def test_f6_an_unreadable_page_and_a_full_store_together_end_nothing() -> None:
    made = Round([unreadable()])
    made.store.full = {"shelve"}
    assert await made.pauses(1) == [0.75]


@pytest.mark.looptime
async def test_it_runs_until_the_service_has_ended() -> None:
    made = Round([], [TryLater("x")], [Gone("over")])
    made.store.facts_noted["first_response_at:shop"] = "1"
    await made.poller.run()
    assert [health.state for health in made.store.health_noted] == ["connected", "retrying", "retired"]
    assert len(made.source.checkpoints) == 3
