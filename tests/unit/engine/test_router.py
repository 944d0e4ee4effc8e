"""From the journal to the outbox, in order, run by run."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from end_to_end.harness import log_kept
from npsbridge.core.envelope import INGEST
from npsbridge.core.model import Emission, Identity, PlannedDelivery, Respondent, Response
from npsbridge.core.records import JournalEntry, Origin, Recall, RememberedResponse
from npsbridge.core.route import Rules
from npsbridge.engine.forwarding import CALLS_SEEN, CallRouter
from npsbridge.engine.lead import LONGEST_WAIT, Lead
from npsbridge.engine.router import BREATH, ENTRIES, FULL_DISK_PAUSE, RECORDS, Desk, Router, fills_run, recall_of, runs
from npsbridge.errors import BadRecord
from unit.counting import growth
from unit.engine.doubles import NOW, MemoryStore, ScriptedDestination, seams_of

ANSWERED = datetime.fromtimestamp(NOW / 1000, UTC) - timedelta(days=1)


def a_response(number: str, connection: str = "shop") -> Response:
    return Response(
        platform="delighted",
        connection=connection,
        id=number,
        survey_type="nps",
        score=9,
        created_at=ANSWERED,
        person=Respondent(id=number, email=f"{number}@example.org"),
    )


def parse(connection: str, record: bytes) -> Response:
    """A record is its own id; 0 is a bad one."""
    if record == b"0":
        raise BadRecord("/id", "is 0")
    return a_response(record.decode(), connection)


def an_entry(number: int, *records: int, connection: str = "shop", count: int | None = None) -> JournalEntry:
    return JournalEntry(
        id=number,
        connection=connection,
        origin=Origin.POLL,
        body=b"[" + b",".join(b"%d" % record for record in records) + b"]",
        count=len(records) if count is None else count,
        received_at=NOW,
    )


class Desktop:
    """A router over a store in lists."""

    def __init__(self, *entries: JournalEntry, settle_ms: int = 0, sink: ScriptedDestination | None = None) -> None:
        self.store = MemoryStore()
        self.store.entries = list(entries)
        self.bell, self.lane = Lead(1_000), Lead(1_000)
        self.seams = seams_of(self.store, wall=lambda: NOW / 1000 + asyncio.get_running_loop().time())
        desk = Desk(
            parsers={"shop": parse, "other": parse},
            sinks=[sink or ScriptedDestination()],
            rules=Rules(settle_ms=settle_ms),
            calls=CallRouter((), self.seams, max_age=0.0),
        )
        self.router = Router(desk, self.seams, bell=self.bell, bells={"sink": self.lane})

    @property
    def message_ids(self) -> list[str]:
        return [delivery.message_id for routing in self.store.routings for delivery in routing.deliveries]


async def test_what_waits_is_routed_in_order_and_the_lane_is_rung() -> None:
    made = Desktop(an_entry(1, 10, 11), an_entry(2, 12))
    assert await made.router.step()
    assert [message_id for message_id in made.message_ids if "submit" in message_id] == [
        "10-submit",
        "11-submit",
        "12-submit",
    ]
    assert await made.lane.wait(0)


async def test_i20_what_follows_from_answers_is_decided_anew_when_somebody_was_erased_meanwhile() -> None:
    made = Desktop(an_entry(1, 10), an_entry(2, 11))
    made.store.erased = 1  # what is recalled says 0
    assert await made.router.step()
    assert made.store.routings == []
    made.store.erased = 0
    assert await made.router.step()
    assert {"10-submit", "11-submit"} <= set(made.message_ids)


async def test_i20_what_was_held_back_is_released_anew_when_somebody_was_erased_meanwhile() -> None:
    made = Desktop()
    made.store.held = [RememberedResponse(response=a_response("10"), revision=1, settle_at=NOW)]
    made.store.erased = 1
    assert await made.router.step()
    assert made.store.routings == []
    made.store.erased = 0
    assert await made.router.step()
    assert "10-answered" in made.message_ids


async def test_an_empty_journal_is_no_work() -> None:
    made = Desktop()
    assert not await made.router.step()
    assert made.store.routings == []


async def test_a_record_that_cannot_be_read_is_shelved_and_named_and_its_neighbours_pass() -> None:
    made = Desktop(an_entry(7, 0, 10))
    with log_kept("WARNING") as told:
        await made.router.step()
    assert [item.reason for item in made.store.routings[0].shelved] == ["/id: is 0"]
    assert "10-submit" in made.message_ids
    said = [(line.extra["keys"], line.extra["count"], line.extra["reason"]) for line in told]
    assert said == [([made.store.routings[0].shelved[0].key], 1, "/id: is 0")]


async def test_f44_records_of_a_connection_that_is_gone_are_shelved() -> None:
    made = Desktop(an_entry(1, 10, connection="gone"))
    await made.router.step()
    assert "no longer configured" in made.store.routings[0].shelved[0].reason


async def test_what_was_emitted_is_a_figure() -> None:
    made = Desktop(an_entry(1, 0, 10, 11))
    await made.router.step()
    sample = made.seams.metrics.registry.get_sample_value
    assert sample("npsbridge_responses_emitted_total", {"connection": "shop"}) == 2


class Picky(ScriptedDestination):
    """Takes nobody."""

    def plan(self, emission: Emission) -> list[PlannedDelivery]:
        return [msgspec.structs.replace(one, filtered_because="has no userId") for one in super().plan(emission)]


async def test_what_no_lane_will_attempt_is_counted_when_it_is_decided() -> None:
    made = Desktop(an_entry(1, 10), sink=Picky())
    await made.router.step()
    sample = made.seams.metrics.registry.get_sample_value
    planned = len(made.message_ids)
    assert planned > 0
    assert sample("npsbridge_deliveries_total", {"connection": "sink", "result": "filtered"}) == planned


async def test_held_back_responses_are_released_when_their_time_has_come() -> None:
    made = Desktop()
    made.store.held = [RememberedResponse(response=a_response("10"), revision=0, settle_at=NOW)]
    assert await made.router.step()
    assert "10-submit" in made.message_ids
    assert made.store.routings[0].settling == -1


@pytest.mark.looptime
async def test_it_wakes_for_a_held_back_response_and_not_before() -> None:
    made = Desktop(settle_ms=90_000)
    made.store.held = [RememberedResponse(response=a_response("10"), revision=0, settle_at=NOW + 90_000)]
    running = asyncio.create_task(made.router.run())
    await asyncio.sleep(89)
    assert made.message_ids == []
    await asyncio.sleep(2)
    assert "10-submit" in made.message_ids
    running.cancel()


async def test_f15_what_a_clock_that_was_set_back_would_hold_for_days_is_released() -> None:
    made = Desktop(settle_ms=90_000)
    made.store.held = [RememberedResponse(response=a_response("10"), revision=0, settle_at=NOW + 172_800_000)]
    assert await made.router.step()
    assert "10-submit" in made.message_ids


@pytest.mark.looptime
async def test_it_wakes_when_something_arrives() -> None:
    made = Desktop()
    running = asyncio.create_task(made.router.run())
    await asyncio.sleep(10)
    made.store.entries = [an_entry(1, 10)]
    made.bell.ring()
    await asyncio.sleep(1)
    assert "10-submit" in made.message_ids
    running.cancel()


@pytest.mark.looptime
async def test_f6_a_full_store_is_tried_again() -> None:
    made = Desktop(an_entry(1, 10))
    made.store.full = {"commit_routing"}
    running = asyncio.create_task(made.router.run())
    await asyncio.sleep(1)
    made.store.full.clear()
    await asyncio.sleep(FULL_DISK_PAUSE)
    assert "10-submit" in made.message_ids
    running.cancel()


def test_a_run_takes_no_more_records_than_it_should() -> None:
    entries = [an_entry(number, count=RECORDS // 2) for number in range(5)]
    assert [len(run) for run in runs(entries)] == [2, 2, 1]


def test_an_entry_that_is_too_large_for_a_run_is_one_by_itself() -> None:
    entries = [an_entry(1, count=1), an_entry(2, count=RECORDS * 3), an_entry(3, count=1)]
    assert [[entry.id for entry in run] for run in runs(entries)] == [[1], [2], [3]]


def test_runs_of_single_records_cost_as_much_for_each_of_them_however_many_there_are() -> None:
    def several(count: int) -> Callable[[], object]:
        entries = [an_entry(number, count=1) for number in range(count)]
        return lambda: list(runs(entries))

    assert growth(several) < 1.2


def test_nothing_is_no_run() -> None:
    assert list(runs([])) == []


@pytest.mark.looptime
async def test_what_arrives_one_by_one_is_decided_together() -> None:
    made = Desktop(an_entry(1, 10))
    running = asyncio.create_task(made.router.run())
    await asyncio.sleep(BREATH / 2)
    for number in (2, 3, 4):
        made.store.entries.append(an_entry(number, 10 * number))
        made.bell.ring()
        await asyncio.sleep(BREATH / 10)
    assert [routing.journal_id for routing in made.store.routings] == [1]
    await asyncio.sleep(BREATH)
    assert [routing.journal_id for routing in made.store.routings] == [1, 2, 3, 4]
    running.cancel()


@pytest.mark.parametrize(
    ("entries", "fills"),
    [
        ([an_entry(1, connection=INGEST, count=CALLS_SEEN)], True),
        ([an_entry(1, connection=INGEST, count=CALLS_SEEN - 1)], False),
        ([an_entry(number, connection=INGEST, count=1) for number in range(ENTRIES)], True),
        ([an_entry(1, count=RECORDS)], True),
        ([an_entry(1, count=RECORDS - 1), an_entry(2, connection=INGEST, count=RECORDS)], False),
    ],
)
def test_it_pauses_after_a_read_unless_the_next_would_make_no_longer_run(
    entries: list[JournalEntry], *, fills: bool
) -> None:
    assert fills_run(entries) is fills


# --- what has to be known -----------------------------------------------------------------------------------------


class AskedStore(MemoryStore):
    """Knows one user by the email, and when that user's newest answer was given."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[set[str]] = []

    async def recall(self, connection: str, **wish: Any) -> Recall:
        assert connection == "shop"
        self.asked.append(set(wish["people"]))
        known = {"user:u": NOW} if "user:u" in wish["people"] else {}
        identities = {"1@example.org": Identity(user_id="u")} if "1@example.org" in wish["emails"] else {}
        return Recall(newest=known, identities=identities)


async def test_i14_who_is_known_by_the_email_is_asked_after_under_that_identity_as_well() -> None:
    store = AskedStore()
    recall = await recall_of(seams_of(store).store, "shop", [a_response("1"), a_response("2")], Rules())
    assert recall.newest == {"user:u": NOW}
    assert store.asked[1:] == [{"user:u"}]


async def test_people_who_are_known_by_their_answers_alone_are_asked_after_once() -> None:
    store = AskedStore()
    await recall_of(seams_of(store).store, "shop", [a_response("2")], Rules())
    (asked,) = store.asked
    assert "email:2@example.org" in asked
    assert len(asked) == 2


# --- keeping together ---------------------------------------------------------------------------------------------


@pytest.mark.looptime
async def test_a_lane_that_flows_is_given_a_moment_before_more_is_decided() -> None:
    made = Desktop(an_entry(1, *range(10, 200)), an_entry(2, *range(200, 400)))
    made.lane.hand_over(1_000)
    made.lane.done(0)
    await made.router.step()
    assert len(made.store.routings) == 2
    assert asyncio.get_running_loop().time() == pytest.approx(2 * LONGEST_WAIT)


@pytest.mark.looptime
async def test_who_reads_is_told_how_much_is_decided_about_and_when_nothing_more_is() -> None:
    made = Desktop(an_entry(1, *range(10, 110)))
    made.bell.hand_over(1_100)
    await made.router.step()
    await made.bell.shorten()
    assert asyncio.get_running_loop().time() == 0
    made.bell.hand_over(1)
    await made.bell.shorten()
    assert asyncio.get_running_loop().time() == pytest.approx(LONGEST_WAIT)
    async with asyncio.TaskGroup() as group:
        routing = group.create_task(made.router.run())
        await asyncio.sleep(1)
        made.bell.hand_over(1_001)
        await made.bell.shorten()
        routing.cancel()
    assert asyncio.get_running_loop().time() == pytest.approx(LONGEST_WAIT + 1)
