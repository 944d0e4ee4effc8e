"""A survey is asked for at most once, whatever breaks: what is unknown is looked up, or else held and listed."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web

from end_to_end.harness import until
from end_to_end.outbound import (
    ACTIVATION,
    HOUR,
    INVITATION,
    PURCHASE,
    REPORT,
    Outbound,
    Server,
    asked,
    bodies,
    outbound,
)
from npsbridge.app import App
from npsbridge.core.model import Delivery, State
from npsbridge.sandbox import CutConnection, Fault, Hang, ResetAfterReading, ResetBeforeReading
from npsbridge.sandbox.faults import Truncated, html, status
from npsbridge.sandbox.server import Handler

pytestmark = pytest.mark.looptime(noop_cycles=8)

TRIGGERS = {"delighted": PURCHASE, "retently": ACTIVATION, "satismeter": REPORT, "promoter": INVITATION}

DONE: Final[dict[str, Fault]] = {
    "the connection breaks instead of the answer": ResetAfterReading(effect=True),
    "the answer is cut": CutConnection(keep=0.5),
    "half of the answer is missing": Truncated(keep=0.5),
    "no answer in time": Hang(seconds=300, effect=True),
}
"""Trouble after which the vendor has done what it was asked."""
NOT_DONE: Final[dict[str, Fault]] = {
    "the connection breaks before it is read": ResetBeforeReading(),
    "the connection breaks before it is done": ResetAfterReading(effect=False),
    "it is lost while we wait": Hang(seconds=300, effect=False),
    "500 instead of doing it": status(500),
    "a page of a proxy": html(200),
}
"""Trouble after which it has not; from here both look the same."""

AFTER_IT_WAS_DONE = {
    "delighted": (1, State.DELIVERED),
    "retently": (1, State.DELIVERED),
    "satismeter": (1, State.HELD),
    "promoter": (1, State.DELIVERED),
}
AFTER_IT_WAS_NOT = {
    "delighted": (1, State.DELIVERED),
    "retently": (0, State.HELD),
    "satismeter": (0, State.HELD),
    "promoter": (1, State.DELIVERED),
}
"""How many surveys the vendor has in the end, and what becomes of the request."""


def sent(line: Outbound, name: str) -> int:
    """How many surveys a vendor has sent or will send."""
    return len(surveyed(line, name))


ENDED = (State.DELIVERED, State.HELD, State.DEAD, State.FILTERED)


async def requests(app: App, name: str) -> list[Delivery]:
    """The requests for a survey that a vendor is owed or was asked."""
    return [one for one in await app.store.deliveries(connection=name) if one.kind == "survey"]


def surveyed(line: Outbound, name: str) -> list[str]:
    """Whom a vendor has surveyed or will survey."""
    people = line.delighted.people
    return {
        "delighted": [one.person_id for one in line.delighted.survey_requests if one.person_id in people],
        "retently": [one.email for one in line.retently.survey_requests if one.refused_because is None],
        "satismeter": [track["userId"] for track in line.satismeter.project.tracks],
        "promoter": [one.email for one in line.promoter.survey_requests if one.is_sent],
    }[name]


async def the_request(app: App, name: str) -> Delivery:
    """The only one."""
    (one,) = await requests(app, name)
    return one


async def known(line: Outbound, app: App) -> None:
    """Everybody knows the person, so that the next request is the one for the survey."""
    await line.tell(app, line.identify("u1", email="u1@example.org"))


async def trigger(line: Outbound, app: App, name: str) -> None:
    await line.send(app, line.track("u1", TRIGGERS[name], email="u1@example.org"))


async def settled(app: App, name: str) -> Delivery:
    """The request, when its fate is known or nobody can find out."""

    async def is_settled() -> bool:
        return [one for one in await requests(app, name) if one.state in ENDED] != []

    await until(is_settled, within=HOUR, look_every=5.0)
    return await the_request(app, name)


async def fate(folder: Path, name: str, breaks: Callable[[Server], None]) -> tuple[int, State, str | None]:
    """Surveys in the end, and the state of the request, when something breaks as it is made."""
    async with outbound(folder) as line, line.daemon() as app:
        await known(line, app)
        breaks(line.vendors[name])
        await trigger(line, app, name)
        request = await settled(app, name)
        await line.passes(HOUR)
        return sent(line, name), (await the_request(app, name)).state, request.reason


def assert_is_explained(state: State, reason: str | None) -> None:
    """What is held says why."""
    assert (state is State.HELD) == bool(reason)


# --- every fault, every vendor ----------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", DONE)
@pytest.mark.parametrize("name", TRIGGERS)
async def test_what_was_done_and_not_answered_is_not_asked_for_again(tmp_path: Path, name: str, fault: str) -> None:
    surveys, state, reason = await fate(tmp_path, name, lambda server: server.faults.add(DONE[fault], method="POST"))
    expected = AFTER_IT_WAS_DONE[name]
    if name == "satismeter" and fault in ("the answer is cut", "half of the answer is missing"):
        expected = (1, State.DELIVERED)  # its answer has no body to be cut
    assert (surveys, state) == expected
    assert_is_explained(state, reason)


@pytest.mark.parametrize("fault", NOT_DONE)
@pytest.mark.parametrize("name", TRIGGERS)
async def test_what_was_not_done_is_done_once_or_held(tmp_path: Path, name: str, fault: str) -> None:
    surveys, state, reason = await fate(
        tmp_path, name, lambda server: server.faults.add(NOT_DONE[fault], method="POST")
    )
    assert (surveys, state) == AFTER_IT_WAS_NOT[name]
    assert_is_explained(state, reason)


def says_500_after_doing_it(server: Server) -> None:
    """The next request that asks for something takes effect and is answered with 500."""
    patch, honest = pytest.MonkeyPatch(), server.serve

    async def serve(request: web.Request, handler: Handler) -> web.StreamResponse:
        answer = await honest(request, handler)
        if request.method != "POST":
            return answer
        patch.undo()
        return web.Response(status=500)

    patch.setattr(server, "serve", serve)


@pytest.mark.parametrize("name", TRIGGERS)
async def test_a_500_after_it_was_done_surveys_nobody_twice(tmp_path: Path, name: str) -> None:
    surveys, state, reason = await fate(tmp_path, name, says_500_after_doing_it)
    assert (surveys, state) == AFTER_IT_WAS_DONE[name]
    assert_is_explained(state, reason)


OTHERWISE: Final[list[tuple[str, dict[str, Any], dict[str, str]]]] = [
    ("delighted", {"due_is_shown": False, "sending_takes": 30}, {}),
    ("delighted", {"throttle_decided_later": True, "created_status": 200}, {}),
    ("delighted", {"unscheduled_is": "absent"}, {"DELIGHTED__SURVEYS": json.dumps({PURCHASE: {"delay": 7200}})}),
    ("retently", {"outbox_lag": 300}, {}),
    ("retently", {"has_outbox": False}, {}),
    ("retently", {"sort": "ignored", "survey_rows": "list"}, {}),
    ("promoter", {"throttle_days": 30, "survey_status": 201}, {}),
    ("promoter", {"filters_work": False}, {}),
]
"""What nobody knows for sure of the vendors: switches of their look-alikes, with settings."""


@pytest.mark.parametrize("effect", [True, False], ids=["done", "not done"])
@pytest.mark.parametrize(("name", "switches", "settings"), OTHERWISE)
async def test_whatever_the_vendor_is_like_a_lost_answer_surveys_nobody_twice(
    tmp_path: Path, name: str, switches: dict[str, Any], settings: dict[str, str], *, effect: bool
) -> None:
    async with outbound(tmp_path, **settings) as line, line.daemon() as app:
        line.vendors[name].change_switches(switches)
        await known(line, app)
        line.vendors[name].faults.add(ResetAfterReading(effect=effect), method="POST")
        await trigger(line, app, name)
        request = await settled(app, name)
        await line.passes(HOUR)
        assert sent(line, name) == (1 if effect or request.state is State.DELIVERED else 0)
        assert request.state in (State.DELIVERED, State.HELD)
        assert_is_explained(request.state, request.reason)


MANY = 60


@pytest.mark.parametrize("name", TRIGGERS)
async def test_among_many_lost_answers_nobody_is_surveyed_twice_and_nobody_forgotten(tmp_path: Path, name: str) -> None:
    """Some requests are done and not answered, some are not done; each looks the same from here."""
    async with outbound(tmp_path) as line, line.daemon() as app:
        people = [f"u{number}" for number in range(MANY)]
        await line.tell(app, *[line.identify(one, email=f"{one}@example.org") for one in people])
        server = line.vendors[name]
        server.faults.add(ResetAfterReading(effect=True), times=None, every=3, method="POST")
        server.faults.add(ResetAfterReading(effect=False), times=None, every=4, method="POST")
        await line.send(app, *[line.track(one, TRIGGERS[name], email=f"{one}@example.org") for one in people])
        await line.passes(3 * HOUR)
        server.faults.clear()
        await line.rests(app)
        found = Counter(one.state for one in await requests(app, name))
        assert found[State.DELIVERED] + found[State.HELD] == MANY
        assert sent(line, name) == len(set(surveyed(line, name))) >= found[State.DELIVERED]
        assert name != "delighted" or found[State.DELIVERED] == MANY


async def test_behind_a_request_in_doubt_its_person_waits_and_nobody_else(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await known(line, app)
        line.delighted.faults.add(ResetAfterReading(effect=True), method="POST")
        await trigger(line, app, "delighted")
        await until(lambda: sent(line, "delighted") == 1)
        await line.send(app, line.identify("u1", plan="pro"), line.identify("u2", email="u2@example.org"))
        await line.passes(5)
        assert [body["email"] for body in bodies(line.delighted)[2:]] == ["u2@example.org"]
        await line.rests(app)
        assert [body["email"] for body in bodies(line.delighted)[2:]] == ["u2@example.org", "u1@example.org"]


# --- the daemon ends while a request is under way ----------------------------------------------------------------


class Crash(Exception):
    """The daemon ends at once."""


def _crash(*, wanted: bool) -> None:
    if wanted:
        raise Crash


async def interrupted(line: Outbound, name: str, *, effect: bool, crashes: bool) -> None:
    """A daemon that ends while its request for a survey is under way."""
    server = line.vendors[name]
    with suppress(Crash):
        async with line.daemon(SHUTDOWN_TIMEOUT="1") as app:
            await known(line, app)
            before = len(server.requests)
            server.faults.add(Hang(seconds=300, effect=effect), method="POST")
            await trigger(line, app, name)
            await until(lambda: len(server.requests) > before)
            assert (await the_request(app, name)).state is State.INFLIGHT
            _crash(wanted=crashes)
    server.faults.clear()


@pytest.mark.parametrize("crashes", [True, False], ids=["crashes", "is stopped"])
@pytest.mark.parametrize("effect", [True, False], ids=["done", "not done"])
@pytest.mark.parametrize("name", TRIGGERS)
async def test_a_daemon_that_ends_between_request_and_answer_surveys_nobody_twice(
    tmp_path: Path, name: str, *, effect: bool, crashes: bool
) -> None:
    async with outbound(tmp_path) as line:
        await interrupted(line, name, effect=effect, crashes=crashes)
        async with line.daemon() as app:
            request = await settled(app, name)
            await line.passes(HOUR)
        expected = (AFTER_IT_WAS_DONE if effect else AFTER_IT_WAS_NOT)[name]
        assert (sent(line, name), request.state) == expected
        if request.state is State.HELD:
            assert "npsbridge ended while the request was under way" in (request.reason or "")


async def test_a_daemon_that_ends_again_and_again_surveys_nobody_twice(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line:
        await interrupted(line, "delighted", effect=True, crashes=True)
        for _ in range(3):
            async with line.daemon(SHUTDOWN_TIMEOUT="1"):
                await asyncio.sleep(5)
        async with line.daemon() as app:
            assert (await settled(app, "delighted")).state is State.DELIVERED
        assert sent(line, "delighted") == 1


# --- what the operator wishes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["delighted", "retently", "promoter", "satismeter"])
@pytest.mark.parametrize(
    ("wish", "surveys", "state"), [("hold", 1, State.HELD), ("drop", 1, State.DEAD), ("resend", 2, State.DELIVERED)]
)
async def test_on_unknown_decides_where_the_vendor_is_not_to_be_asked(
    tmp_path: Path, name: str, wish: str, surveys: int, state: State
) -> None:
    async with outbound(tmp_path, **{f"{name.upper()}__ON_UNKNOWN": wish}) as line, line.daemon() as app:
        line.delighted.change_switches({"throttle_days": None})
        await known(line, app)
        line.vendors[name].faults.add(ResetAfterReading(effect=True), method="POST")
        await trigger(line, app, name)
        request = await settled(app, name)
        if (name, wish) == ("promoter", "resend"):
            surveys, state = 1, State.FILTERED  # the vendor itself surveys nobody twice within a day
        assert (sent(line, name), request.state) == (surveys, state)


async def test_verify_holds_what_no_vendor_can_be_asked_about(tmp_path: Path) -> None:
    async with outbound(tmp_path, SATISMETER__ON_UNKNOWN="verify") as line, line.daemon() as app:
        await known(line, app)
        line.satismeter.faults.add(ResetAfterReading(effect=True), method="POST")
        await trigger(line, app, "satismeter")
        request = await settled(app, "satismeter")
        assert (sent(line, "satismeter"), request.state) == (1, State.HELD)


async def test_what_is_held_holds_up_nobody_else(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await known(line, app)
        line.satismeter.faults.add(ResetAfterReading(effect=True), method="POST")
        await trigger(line, app, "satismeter")
        await settled(app, "satismeter")
        others = [line.identify("u2", email="u2@example.org"), line.track("u2", REPORT)]
        await line.tell(app, *others, line.identify("u1", plan="pro"))
        assert [track["userId"] for track in line.satismeter.project.tracks] == ["u1", "u2"]
        assert line.satismeter.properties_of("u1@example.org")["plan"] == "pro"
    assert [told.message for told in line.told if told.level == "WARNING"][:1] == [
        "Nobody knows whether surveys were requested"
    ]


async def test_a_key_refused_after_the_intent_is_no_doubt(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await known(line, app)
        line.satismeter.change_switches({"standing": "unauthorized"})
        await trigger(line, app, "satismeter")
        await line.passes(HOUR)
        line.satismeter.change_switches({"standing": "open"})
        assert (await settled(app, "satismeter")).state is State.DELIVERED
        assert sent(line, "satismeter") == 1


async def test_each_survey_asked_for_is_one_request_at_the_vendor(tmp_path: Path) -> None:
    """Without any trouble nothing is looked up, and nothing is asked for twice."""
    async with outbound(tmp_path) as line, line.daemon() as app:
        await known(line, app)
        for name in TRIGGERS:
            await trigger(line, app, name)
        await line.rests(app)
        await line.passes(HOUR)
        assert {name: len(asked(line.vendors[name])) for name in TRIGGERS} == {
            "delighted": 2,
            "retently": 1,
            "satismeter": 2,
            "promoter": 2,
        }
        assert all(request.method == "POST" for server in line.vendors.values() for request in server.requests)
