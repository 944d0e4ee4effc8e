"""Whatever Segment answers: the queue is kept, order is kept, and it drains when the trouble is over."""

from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

from end_to_end.harness import Call, World, at_rest, dead, name_of, until, world
from npsbridge.app import App
from npsbridge.core.model import State
from npsbridge.sandbox import CutConnection, Fault, Hang, PastAnswer, ResetAfterReading, ResetBeforeReading
from npsbridge.sandbox.faults import html, redirect, status
from stores import stored

pytestmark = pytest.mark.looptime(noop_cycles=8)

FORWARD = "segment:forward"
HOUR = 3600.0
FIRST = 1_772_323_200


def answers(count: int, *, people: int | None = None) -> list[PastAnswer]:
    """Answers of some people, one second apart; each person's rise by one from answer to answer."""
    many = people or count
    return [
        PastAnswer(email=f"p{number % many}@example.org", score=min(10, number // many), created_at=FIRST + number)
        for number in range(count)
    ]


async def pass_time(both: World, seconds: float) -> None:
    """Let so many seconds go by."""
    ends_at = both.second() + seconds
    await until(lambda: both.second() >= ends_at, within=seconds + 1200, look_every=min(seconds, 600.0))


async def drained(both: World, app: App, *, within: float = HOUR) -> None:
    """Wait until all history is read and nothing is owed."""
    await both.history_read()
    await until(lambda: at_rest(app), within=within, look_every=1.0)


def by_person(calls: list[Call]) -> dict[str, list[Call]]:
    """Calls in their order, by whom they are about."""
    found = defaultdict(list)
    for call in calls:
        found[call.get("userId") or call["anonymousId"]].append(call)
    return dict(found)


def assert_in_order(both: World) -> None:
    """For each person: answers in the order they were given, and each answer's calls in their fixed order."""
    turn = ["identify", "Submit Survey", "Answered NPS Survey", "Completed NPS Survey"]
    for calls in by_person(both.segment.events).values():
        places = [
            (
                call["traits"]["NPS_date"] if call["type"] == "identify" else call["properties"]["created_at"],
                name_of(call),
            )
            for call in calls
        ]
        ranks = [(moment, turn.index(name)) for moment, name in places]
        assert ranks == sorted(ranks)


# --- outages ----------------------------------------------------------------------------------------------------


async def test_i7_f28_an_outage_of_72_hours_loses_nothing_and_drains_in_order_within_the_rate(tmp_path: Path) -> None:
    async with world(tmp_path, SEGMENT__RATE_LIMIT="50", DELIGHTED__POLL_INTERVAL="1h") as both:
        both.delighted.load(answers(600, people=200))
        await both.segment.stop()
        async with both.daemon() as app:
            for number in range(6):
                await pass_time(both, 12 * HOUR)
                person = both.delighted.add_person(f"late{number}@example.org")
                both.delighted.answer(person, 9, updated_at=both.second())
            await both.segment.start()
            back_at, owed = both.second(), (await app.store.ledger()).waiting
            await drained(both, app)
            took = both.second() - back_at
        assert len(both.segment.events) >= owed >= 600 * 3
        both.check_each_said_once()
        assert_in_order(both)
        arrivals = [request.at for request in both.segment.requests for _ in request.body["batch"]]
    assert took <= 1.1 * owed / 50 + 60
    assert max(sum(at <= other < at + 1 for other in arrivals) for at in set(arrivals)) <= 50
    assert both.lines(FORWARD) == ["waiting_for_data", "retrying", "connected"]


async def test_f28_what_is_older_than_the_horizon_is_dead_with_a_reason(tmp_path: Path) -> None:
    async with world(tmp_path, RETENTION__RETRY="2h") as both:
        both.delighted.load(answers(2))
        await both.segment.stop()
        async with both.daemon() as app:
            await until(lambda: _all_dead(app, 6), within=3 * HOUR, look_every=60.0)
            reasons = {str(delivery.reason) for delivery in await dead(app)}
    assert all(reason.startswith("given up after 7200 s: no connection") for reason in reasons)
    told = [line.extra for line in both.told if line.message.startswith("Deliveries are dead")]
    assert sum(line["count"] for line in told) == 6
    assert sum(len(line["message_ids"]) for line in told) == 6


async def _all_dead(app: App, count: int) -> bool:
    return (await app.store.ledger()).dead == count


async def test_an_outage_writes_nothing_and_costs_no_attempts(tmp_path: Path) -> None:
    async with world(tmp_path, DELIGHTED__POLL_INTERVAL="30d") as both:
        both.delighted.load(answers(50))
        await both.segment.stop()
        async with both.daemon() as app:
            await until(lambda: both.last_line(FORWARD) == "retrying")
            await pass_time(both, 60)
            before = stored(both.environment["STORE_URL"])
            await pass_time(both, 6 * HOUR)
            assert stored(both.environment["STORE_URL"]) == before
            owed = await app.store.deliveries(state=State.QUEUED)
        assert {delivery.attempts for delivery in owed} == {0}


# --- refusals ---------------------------------------------------------------------------------------------------


async def test_f23_a_refused_key_pauses_then_drains(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.delighted.load(answers(50))
        both.segment.faults.add(status(401), times=None)
        async with both.daemon() as app:
            await until(lambda: both.last_line(FORWARD) == "paused")
            await pass_time(both, 6 * HOUR)
            code, health = await both.look(app, "/healthz")
            ready, _ = await both.look(app, "/readyz")
            assert (await app.store.ledger()).waiting == 150
            asked = len(both.segment.requests)
            both.segment.faults.clear()
            await drained(both, app)
        both.check_each_said_once()
    assert asked <= 60
    assert (code, ready, health["status"]) == (503, 200, "fail")
    assert "NPSBRIDGE_SEGMENT__WRITE_KEY" in health["checks"][FORWARD]["reason"]
    assert both.lines(FORWARD) == ["waiting_for_data", "paused", "connected"]


async def test_f24_one_poison_event_ends_dead_and_the_others_arrive_in_order(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.segment.change_switches({"mode": "strict", "event_limit": 3000})
        history = answers(60, people=20)
        poison = PastAnswer(email="poison@example.org", score=1, comment="x" * 4000, created_at=FIRST + 30)
        both.delighted.load([*history[:30], poison, *history[30:]])
        async with both.daemon() as app:
            await drained(both, app)
            shelved = await dead(app)
        both.check_each_said_once()
        assert_in_order(both)
        assert len(both.said()) == 60 * 3
    assert {item.kind for item in shelved} == {"identify", "submit", "answered", "completed"}
    assert all("event_too_large" in str(item.reason) for item in shelved)


async def test_an_endpoint_that_refuses_everything_is_paused_rather_than_buried(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.segment.faults.add(status(400), times=None)
        both.delighted.load(answers(40))
        async with both.daemon() as app:
            await until(lambda: both.last_line(FORWARD) == "paused")
            assert (await app.store.ledger()).dead == 0
            both.segment.faults.clear()
            await drained(both, app)
        assert len(both.segment.events) == 120


async def test_f22_a_sink_that_asks_to_wait_is_given_the_time(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.delighted.load(answers(5))
        both.segment.faults.add(status(429, retry_after=20))
        async with both.daemon() as app:
            await drained(both, app)
        first, second = both.segment.requests[:2]
    assert 20 <= second.at - first.at <= 21


async def test_f22_a_sink_that_says_0_for_ever_is_not_asked_without_end(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.delighted.load(answers(5))
        both.segment.faults.add(status(429, retry_after=0), times=None)
        async with both.daemon():
            await until(lambda: both.last_line(FORWARD) == "retrying")
            await pass_time(both, 60)
            assert len(both.segment.requests) <= 130


# --- doubtful answers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        html(),
        redirect("http://127.0.0.1:9/"),
        status(503),
        Hang(seconds=200, effect=False),
        ResetBeforeReading(),
        CutConnection(),
    ],
    ids=["html", "redirect", "503", "hang", "reset", "cut"],
)
async def test_f26_what_is_not_believed_is_sent_again(tmp_path: Path, fault: Fault) -> None:
    async with world(tmp_path) as both:
        both.delighted.load(answers(30, people=10))
        both.segment.faults.add(fault, times=2)
        async with both.daemon() as app:
            await drained(both, app)
        assert len(both.segment.events) == 90
        assert_in_order(both)


async def test_f20_an_answer_that_was_lost_leads_to_the_same_message_ids(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.delighted.load(answers(30, people=10))
        both.segment.faults.add(ResetAfterReading(effect=True), times=2)
        async with both.daemon() as app:
            await drained(both, app)
        assert len(both.segment.events) == 90
        assert list(both.segment.drop_counts) == ["duplicate"]
        assert_in_order(both)


async def test_f25_a_sink_that_fails_every_second_time_gets_everything_in_order(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.delighted.load(answers(400, people=50))
        both.segment.faults.add(status(500), times=None, every=2)
        async with both.daemon() as app:
            await drained(both, app)
        both.check_each_said_once()
        assert_in_order(both)
        assert len(both.segment.events) == 1200


@pytest.mark.parametrize("mode", ["rudder", "jitsu", "strict"])
async def test_the_other_dialects_of_the_tracking_api_are_understood(tmp_path: Path, mode: str) -> None:
    async with world(tmp_path) as both:
        both.segment.change_switches({"mode": mode})
        both.delighted.load(answers(20))
        async with both.daemon() as app:
            await drained(both, app)
        assert len(both.segment.events) == 60


async def test_jitsus_ok_false_is_no_success(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.segment.change_switches({"mode": "jitsu", "no_destination": True})
        both.delighted.load(answers(5))
        async with both.daemon() as app:
            await until(lambda: both.last_line(FORWARD) == "retrying")
            both.segment.change_switches({"no_destination": False})
            await drained(both, app)
        assert len(both.segment.events) == 15


# --- order ------------------------------------------------------------------------------------------------------


async def test_i5_edits_of_many_people_arrive_in_order_through_a_flapping_sink(tmp_path: Path) -> None:
    async with world(tmp_path, DELIGHTED__POLL_INTERVAL="5") as both:
        numbers = both.delighted.load(answers(30))
        both.segment.faults.add(status(500), status(429, retry_after=3), times=3)
        both.segment.faults.add(status(502), times=None, every=3)
        async with both.daemon() as app:
            await drained(both, app)
            for score in (3, 8, 10):
                for number in numbers:
                    both.delighted.edit(number, score=score)
                await both.another_round(app)
        for number in numbers:
            revisions = both.revisions(number)
            assert all(before < after for before, after in pairwise(revisions))
            assert both.said_of(number)[-1]["properties"]["score"] == 10
        both.check_each_said_once()
