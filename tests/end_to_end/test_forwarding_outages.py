"""A vendor in trouble: nothing is lost, nobody else is slower for it, and the operator sees what is going on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from end_to_end.harness import until
from end_to_end.outbound import (
    ACTIVATION,
    DAY,
    HOUR,
    INVITATION,
    PURCHASE,
    REPORT,
    Message,
    Outbound,
    Server,
    asked,
    outbound,
)
from npsbridge.app import App
from npsbridge.core.model import State
from npsbridge.sandbox import Fault, Hang
from npsbridge.sandbox.faults import status

pytestmark = pytest.mark.looptime(noop_cycles=8)

VENDORS = ("delighted", "retently", "satismeter", "promoter")
TRIGGERS = {"delighted": PURCHASE, "retently": ACTIVATION, "satismeter": REPORT, "promoter": INVITATION}
PEOPLE = 60


def life(line: Outbound, user_id: str, *vendors: str) -> list[Message]:
    """Somebody is described, and does what triggers a survey at these vendors."""
    email = f"{user_id}@example.org"
    tracks = [line.track(user_id, TRIGGERS[name], email=email) for name in vendors]
    return [line.identify(user_id, email=email), *tracks]


def surveyed(line: Outbound) -> dict[str, list[str]]:
    """Whose surveys or events each vendor was asked for and took, in order."""
    people = line.delighted.people
    return {
        "delighted": [str(people[one.person_id].email) for one in line.delighted.survey_requests],
        "retently": [one.email for one in line.retently.survey_requests],
        "satismeter": [f"{track['userId']}@example.org" for track in line.satismeter.project.tracks],
        "promoter": [one.email for one in line.promoter.survey_requests if one.is_sent],
    }


async def forward_states(line: Outbound, app: App) -> dict[str, str]:
    return {name: await line.state(app, f"{name}:forward") for name in VENDORS}


# --- the others are not slower ----------------------------------------------------------------------------------


async def arrivals(folder: Path, trouble: Callable[[Outbound], None]) -> dict[str, list[float]]:
    """After how many seconds each vendor's requests came, when the first vendor has some trouble.

    The limits of rate make it take a while; all four have the same, so all would wait if one did.
    """
    limits = {f"{name.upper()}__RATE_LIMIT": "2" for name in VENDORS}
    async with outbound(folder, **limits) as line, line.daemon(SHUTDOWN_TIMEOUT="1") as app:
        trouble(line)
        began = line.time.now()
        for number in range(PEOPLE):
            await line.send(app, *life(line, f"u{number}", *VENDORS))
        others = [server for name, server in line.vendors.items() if name != "delighted"]
        expected = {"retently": 3, "satismeter": 2 * PEOPLE, "promoter": 2 * PEOPLE}
        await until(
            lambda: all(len(asked(one)) >= expected[one.kind] for one in others), within=2 * HOUR, look_every=10.0
        )
        line.delighted.faults.clear()
        return {one.kind: [request.at - began for request in one.requests] for one in others}


def p99(times: list[float]) -> float:
    return sorted(times)[int(0.99 * len(times))]


@pytest.mark.parametrize("trouble", ["hangs", "says 500"])
async def test_a_vendor_in_trouble_for_an_hour_does_not_move_the_p99_of_the_others(
    tmp_path: Path, trouble: str
) -> None:
    faults: dict[str, Fault] = {"hangs": Hang(seconds=600, effect=False), "says 500": status(500)}
    usual = await arrivals(tmp_path / "usual", lambda _: None)
    troubled = await arrivals(tmp_path, lambda line: line.delighted.faults.add(faults[trouble], times=None))
    assert p99(usual["promoter"]) > 0.9 * HOUR
    assert all(p99(troubled[name]) <= 1.1 * p99(usual[name]) for name in usual)


# --- nothing is lost --------------------------------------------------------------------------------------------


async def outage(line: Outbound, app: App, name: str, *, hours: int, people: int) -> None:
    """A vendor is not there; meanwhile some people come every hour."""
    await line.vendors[name].stop()
    await arriving(line, app, name, hours=hours, people=people)
    await line.vendors[name].start()


async def arriving(line: Outbound, app: App, name: str, *, hours: int, people: int) -> None:
    """Some people come every hour."""
    for hour in range(hours):
        for number in range(people):
            await line.send(app, *life(line, f"u{hour * people + number}", name))
        await line.passes(HOUR)


def most_in_a_minute(server: Server, since: float) -> int:
    times = [request.at for request in server.requests if request.at >= since]
    return max(sum(at <= other < at + 60 for other in times) for at in times)


async def test_i7_an_outage_of_72_hours_loses_nothing_and_drains_within_the_limit(tmp_path: Path) -> None:
    async with outbound(tmp_path, DELIGHTED__RATE_LIMIT="50") as line, line.daemon() as app:
        line.delighted.change_switches({"rate_limit": {"requests": 50}})
        line.delighted.faults.add(status(503, retry_after=300), times=None)
        await arriving(line, app, "delighted", hours=72, people=2)
        line.delighted.faults.clear()
        back_at = line.time.now()
        await line.rests(app, within=HOUR)
        took = line.time.now() - back_at
        assert len(surveyed(line)["delighted"]) == len(set(surveyed(line)["delighted"])) == 144
        assert most_in_a_minute(line.delighted, back_at - 60) <= 50
        assert {request.status for request in line.delighted.requests} == {200, 201, 503}
        assert took <= 60 * (288 / 50) + 420
        ledger = await app.store.ledger()
        assert (ledger.delivered, ledger.held, ledger.dead, ledger.expired) == (4 * 144, 0, 0, 0)
    assert line.lines("delighted:forward") == ["waiting_for_data", "retrying", "connected"]


@pytest.mark.parametrize("name", VENDORS)
async def test_i7_an_outage_of_any_vendor_loses_nothing_and_is_two_lines(tmp_path: Path, name: str) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, *life(line, "first", name))
        line.told.clear()
        await outage(line, app, name, hours=3, people=6)
        await line.rests(app)
        people = ["first", *(f"u{number}" for number in range(18))]
        assert sorted(surveyed(line)[name]) == sorted(f"{one}@example.org" for one in people)
        assert (await app.store.ledger()).held == 0
        assert line.lines(f"{name}:forward") == ["retrying", "connected"]
        assert [told.level for told in line.told] == ["WARNING", "INFO"]


# --- what a vendor says -----------------------------------------------------------------------------------------


async def retried(line: Outbound, app: App, name: str, answer: Any) -> float:
    """Seconds from an answer that asks us to wait, to the survey that follows; the person is known before."""
    server = line.vendors[name]
    await line.tell(app, line.identify("u1", email="u1@example.org"))
    server.faults.add(answer)
    began = line.time.now()
    await line.tell(app, line.track("u1", TRIGGERS[name], email="u1@example.org"))
    assert surveyed(line)[name] == ["u1@example.org"]
    assert "retrying" in line.lines(f"{name}:forward")
    assert await line.state(app, f"{name}:forward") == "connected"
    return line.time.now() - began


@pytest.mark.parametrize("name", VENDORS)
async def test_a_429_with_retry_after_is_waited_out_and_the_survey_asked_for_once(tmp_path: Path, name: str) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        seconds = await retried(line, app, name, status(429, retry_after=120))
        assert 120 <= seconds <= 130


@pytest.mark.parametrize("name", VENDORS)
async def test_a_429_without_retry_after_is_repeated_after_a_pause_of_our_own(tmp_path: Path, name: str) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        assert 0.2 <= await retried(line, app, name, status(429)) <= 70


@pytest.mark.parametrize("name", VENDORS)
async def test_a_refused_key_pauses_one_vendor_until_it_is_mended(tmp_path: Path, name: str) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        line.vendors[name].change_switches({"standing": "unauthorized"})
        await line.send(app, *life(line, "u1", *VENDORS))
        await line.passes(2 * HOUR)
        states = await forward_states(line, app)
        assert states == dict.fromkeys(VENDORS, "connected") | {name: "paused"}
        code, health = await line.look(app, "/healthz")
        assert (code, health["status"], health["checks"][f"{name}:forward"]["status"]) == (503, "fail", "fail")
        assert f"NPSBRIDGE_{name.upper()}__API_KEY" in health["checks"][f"{name}:forward"]["reason"]
        line.vendors[name].change_switches({"standing": "open"})
        await line.rests(app)
        assert surveyed(line) == {name: ["u1@example.org"] for name in VENDORS}
        assert await line.state(app, f"{name}:forward") == "connected"


@pytest.mark.parametrize("name", VENDORS)
async def test_a_service_that_has_ended_is_retired_and_what_it_is_owed_is_listed(tmp_path: Path, name: str) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        line.vendors[name].change_switches({"standing": "retired"})
        await line.send(app, *life(line, "u1", *VENDORS))
        await line.passes(DAY)
        assert await forward_states(line, app) == dict.fromkeys(VENDORS, "connected") | {name: "retired"}
        code, health = await line.look(app, "/healthz")
        assert (code, health["status"]) == (200, "warn")
        assert len(asked(line.vendors[name])) == 1
        owed = [*await line.listed(app, State.QUEUED), *await line.listed(app, State.WAITING)]
        assert {one.connection for one in owed} == {name}
        assert any(one.kind == "survey" for one in owed)


async def test_healthz_shows_how_each_vendor_is_told(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        at_first = dict.fromkeys(VENDORS, "waiting_for_data")

        async def is_idle() -> bool:
            return await forward_states(line, app) == at_first

        await until(is_idle)
        await line.tell(app, *life(line, "u1", *VENDORS))
        assert await forward_states(line, app) == dict.fromkeys(VENDORS, "connected")
        code, health = await line.look(app, "/healthz")
        assert (code, health["status"]) == (200, "pass")
