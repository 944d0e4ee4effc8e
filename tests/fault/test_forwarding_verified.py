"""A daemon is killed in the middle of a request for a survey; the next one asks the vendor what became of it.

The killed one is a process of its own, in real time. The next one lives in virtual time, which begins when the other
was killed: vendors are asked after seconds, and again after minutes.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from end_to_end.outbound import HOUR, Outbound, outbound
from fault.lives import DIED, Lives, lives
from fault.survey_truth import VENDORS, fates, heard, identify, post, settings, surveys, trigger
from npsbridge.clock import Clock
from npsbridge.core.model import State
from npsbridge.sandbox import Hang
from stores import bury

pytestmark = pytest.mark.looptime

BEFORE: Final = 9
STEP: Final = 10


@pytest.fixture(autouse=True)
def _virtual_time_begins_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("end_to_end.virtual_time.EPOCH", Clock().now().timestamp())


@asynccontextmanager
async def killed_while_asking(
    folder: Path, vendor: str, *, effect: bool, surveyed_before: bool = False
) -> AsyncIterator[Outbound]:
    """One vendor knows a person, was asked to survey them, did so or did not, and the daemon died before the answer.

    With `surveyed_before` it had taken a request for the same person right before.
    """
    unsettled = {f"{name.upper()}__ON_UNKNOWN": "verify" for name in VENDORS if name != "satismeter"}
    async with outbound(folder, **settings(**unsettled)) as line:
        with line.standing_still():
            async with lives(folder, line.environment) as daemon:
                await _make_known(line, daemon, vendor)
                if surveyed_before:
                    await _survey(line, daemon, vendor)
                await _ask_and_die(line, daemon, vendor, effect=effect)
        yield line


async def _make_known(line: Outbound, daemon: Lives, vendor: str) -> None:
    server = line.vendors[vendor]
    await daemon.begin()
    assert await post(await daemon.address("listen"), [identify("ana", 0)])
    if vendor != "retently":
        await server.until(lambda: heard(server) != [])


async def _survey(line: Outbound, daemon: Lives, vendor: str) -> None:
    """What is asked for next leaves only when this is settled."""
    server = line.vendors[vendor]
    line.delighted.change_switches({"throttle_days": None})
    assert await post(await daemon.address("listen"), [trigger(vendor, "ana", BEFORE)])
    await server.until(lambda: any(one.step == BEFORE for one in heard(server)))


async def _ask_and_die(line: Outbound, daemon: Lives, vendor: str, *, effect: bool) -> None:
    server = line.vendors[vendor]
    address = await daemon.address("listen")
    server.faults.add(Hang(seconds=600, effect=effect), method="POST")
    assert await post(address, [trigger(vendor, "ana", STEP)])
    await server.until(lambda: any(one.fault == "hang" for one in server.requests))
    await daemon.killed()
    bury(line.environment["STORE_URL"])
    server.faults.clear()


async def fate(line: Outbound, vendor: str) -> tuple[State, str]:
    """What the store says of the request in the end, and why."""
    with line.standing_still():
        row = (await fates(line)).of(vendor)[STEP]
    return row.state, row.reason or ""


def sent(line: Outbound, vendor: str) -> int:
    """How many surveys went out; Promoter.io may be asked again, and then refuses."""
    if vendor == "promoter":
        return sum(one.is_sent for one in line.promoter.account.survey_requests)
    return surveys(line.vendors[vendor]).total()


@pytest.mark.parametrize("effect", [True, False], ids=["done", "not done"])
@pytest.mark.parametrize("vendor", ["delighted", "promoter"])
async def test_i8_who_can_be_asked_whether_or_not_it_was_done_has_surveyed_once_in_the_end(
    tmp_path: Path, vendor: str, *, effect: bool
) -> None:
    async with killed_while_asking(tmp_path, vendor, effect=effect) as line:
        async with line.daemon() as app:
            await line.rests(app)
        assert sent(line, vendor) == 1
        assert await fate(line, vendor) == (State.DELIVERED, "")


async def test_i8_retently_shows_in_its_outbox_what_was_done(tmp_path: Path) -> None:
    async with killed_while_asking(tmp_path, "retently", effect=True) as line:
        async with line.daemon() as app:
            await line.rests(app)
        assert sent(line, "retently") == 1
        assert await fate(line, "retently") == (State.DELIVERED, "")


@pytest.mark.parametrize(
    ("vendor", "effect", "why"),
    [
        ("retently", False, "not in the outbox"),
        ("satismeter", False, ""),
        ("satismeter", True, ""),
    ],
)
async def test_i8_what_the_vendor_cannot_tell_is_held_with_the_reason_and_not_asked_again(
    tmp_path: Path, vendor: str, *, effect: bool, why: str
) -> None:
    async with killed_while_asking(tmp_path, vendor, effect=effect) as line:
        async with line.daemon() as app:
            await line.rests(app)
        state, reason = await fate(line, vendor)
        assert sent(line, vendor) == int(effect)
    assert state is State.HELD
    assert reason.startswith(DIED)
    assert why in reason


@pytest.mark.parametrize(
    ("vendor", "effect", "state", "why"),
    [
        ("delighted", True, State.HELD, "another survey of this person was due at about that time"),
        ("delighted", False, State.HELD, "another survey of this person was due at about that time"),
        ("retently", True, State.DELIVERED, ""),
        ("retently", False, State.HELD, "not in the outbox"),
        ("promoter", False, State.FILTERED, "not eligible"),
    ],
)
async def test_i8_the_survey_before_is_not_taken_after_a_restart_for_the_one_in_doubt(
    tmp_path: Path, vendor: str, state: State, why: str, *, effect: bool
) -> None:
    async with killed_while_asking(tmp_path, vendor, effect=effect, surveyed_before=True) as line:
        async with line.daemon() as app:
            await line.rests(app)
        assert sent(line, vendor) == 1 + (effect and vendor != "promoter")
        found, reason = await fate(line, vendor)
    assert found is state
    assert why in reason


@pytest.mark.parametrize(
    ("vendor", "effect", "lasting"),
    [
        ("delighted", True, (5, 8, 9)),
        ("delighted", False, (5, 15, 45)),
        ("promoter", True, (5, 15, 200)),
        ("promoter", False, (5, 15, 200)),
    ],
)
async def test_i8_lives_that_end_before_the_vendor_has_told_leave_the_question_to_the_next(
    tmp_path: Path, vendor: str, *, effect: bool, lasting: tuple[int, ...]
) -> None:
    async with killed_while_asking(tmp_path, vendor, effect=effect) as line:
        for seconds in lasting:
            async with line.daemon() as app:
                await line.passes(seconds)
                assert (await app.store.ledger()).waiting == 1
        async with line.daemon() as app:
            await line.rests(app)
        assert sent(line, vendor) == 1
        assert await fate(line, vendor) == (State.DELIVERED, "")


@pytest.mark.parametrize("effect", [True, False], ids=["done", "not done"])
async def test_i5_what_the_person_does_meanwhile_waits_until_the_vendor_has_told(
    tmp_path: Path, *, effect: bool
) -> None:
    async with killed_while_asking(tmp_path, "delighted", effect=effect) as line:
        line.delighted.change_switches({"throttle_days": None})
        async with line.daemon() as app:
            await line.send(app, identify("ana", 11), trigger("delighted", "ana", 12))
            await line.passes(9)
            assert len({one.step for one in heard(line.delighted)} - {0}) == int(effect)
            await line.rests(app)
        told = dict.fromkeys((one.step, one.is_survey) for one in heard(line.delighted))
        assert list(told) == [(0, False), (STEP, True), (11, False), (12, True)]
        assert set(surveys(line.delighted).values()) == {1}


async def test_a_vendor_that_is_down_is_asked_when_it_is_back_and_nothing_is_repeated_before(tmp_path: Path) -> None:
    async with killed_while_asking(tmp_path, "delighted", effect=True) as line:
        await line.delighted.stop()
        async with line.daemon() as app:
            await line.passes(6 * HOUR)
            assert (await app.store.ledger()).waiting == 1
            await line.delighted.start()
            await line.rests(app)
        assert surveys(line.delighted) == {STEP: 1}
        assert await fate(line, "delighted") == (State.DELIVERED, "")
