"""SIGKILL at every step of a call's way to a survey: the restart asks once, or holds it with a reason; never twice."""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Literal

import pytest

from end_to_end.harness import until
from end_to_end.outbound import Message, Outbound, Server, outbound
from fault.lives import DIED, STANDS_STILL, Lives, Stop, lives
from fault.survey_truth import (
    VENDORS,
    fates,
    heard,
    held,
    identify,
    is_drained,
    npsbridge,
    post,
    settings,
    surveys,
    trigger,
)
from npsbridge.core.model import State
from npsbridge.sandbox import Hang

LONG: Final = 60.0

EXPECTED: Final[Mapping[str, tuple[Stop | Hang, set[tuple[int, State]]]]] = {
    "before the call is journaled": (Stop(method="append", moment="before"), {(1, State.DELIVERED)}),
    "while the call is journaled": (Stop(method="append", moment="within"), {(1, State.DELIVERED)}),
    "before the 200 is answered": (Stop(method="append", moment="after"), {(1, State.DELIVERED)}),
    "after the 200, before routing": (Stop(method="commit_routing", moment="before"), {(1, State.DELIVERED)}),
    "while it is routed": (Stop(method="commit_routing", moment="within"), {(1, State.DELIVERED)}),
    "after routing, not yet sent": (Stop(method="commit_routing", moment="after"), {(1, State.DELIVERED)}),
    "before the intent is on disk": (
        Stop(method="settle", state=State.INFLIGHT, moment="before"),
        {(1, State.DELIVERED)},
    ),
    "while the intent is written": (
        Stop(method="settle", state=State.INFLIGHT, moment="within"),
        {(1, State.DELIVERED), (0, State.HELD)},
    ),
    "after the intent, before the request": (
        Stop(method="settle", state=State.INFLIGHT, moment="after"),
        {(0, State.HELD)},
    ),
    "while the vendor has not yet done it": (Hang(seconds=LONG, effect=False), {(0, State.HELD)}),
    "after the vendor did it, before the answer": (Hang(seconds=LONG, effect=True), {(1, State.HELD)}),
    "after the answer, before it is recorded": (
        Stop(method="settle", state=State.DELIVERED, moment="before"),
        {(1, State.HELD)},
    ),
    "while the answer is recorded": (
        Stop(method="settle", state=State.DELIVERED, moment="within"),
        {(1, State.HELD), (1, State.DELIVERED)},
    ),
    "after the answer is recorded": (
        Stop(method="settle", state=State.DELIVERED, moment="after"),
        {(1, State.DELIVERED)},
    ),
}
"""By the moment of the kill: how it is brought about; how often the vendor was asked by the end, and what is listed."""


@asynccontextmanager
async def four_vendors(folder: Path, **changes: str) -> AsyncIterator[tuple[Outbound, Lives]]:
    """Four vendors who know a person each, and a daemon that has not begun to live again."""
    async with outbound(folder, **settings(**changes)) as line, lives(folder, line.environment) as daemon:
        await daemon.begin()
        known = [identify(vendor, step) for step, vendor in enumerate(VENDORS)]
        assert await post(await daemon.address("listen"), known)
        await until(lambda: is_drained(line), look_every=0.03)
        await daemon.stopped()
        yield line, daemon


async def killed_at(daemon: Lives, moment: Stop | Hang, server: Server, call: Message) -> bool:
    """Somebody does what asks for a survey, and the daemon is killed at a moment of that call's way.

    Returns:
        Whether the caller was told that the call was taken.
    """
    if isinstance(moment, Hang):
        server.faults.add(moment, method="POST")
    await daemon.begin(moment if isinstance(moment, Stop) else None)
    posting = asyncio.create_task(post(await daemon.address("listen"), [call]))
    if isinstance(moment, Stop) and moment.moment == "within":
        assert await daemon.ended() == -signal.SIGKILL
    else:
        await reached(daemon, moment, server)
        if not (isinstance(moment, Stop) and moment.method == "append"):
            assert await posting
        await daemon.killed()
    server.faults.clear()
    return await posting


async def reached(daemon: Lives, moment: Stop | Hang, server: Server) -> None:
    """Wait until a life has come to a moment."""
    if isinstance(moment, Hang):
        await server.until(lambda: any(one.fault == "hang" for one in server.requests))
    else:
        await daemon.says(STANDS_STILL)


async def live_on(line: Outbound, daemon: Lives, *calls: Message) -> None:
    """One more life, to whose listener calls are sent and which is killed when nothing is owed any more."""
    await daemon.begin()
    if calls:
        assert await post(await daemon.address("listen"), calls)
    await until(lambda: is_drained(line), look_every=0.03)
    await daemon.killed()


@pytest.mark.parametrize("when", EXPECTED)
async def test_i1_i8_f1_f2_a_kill_at_any_step_asks_once_or_is_held_and_never_asks_twice(
    tmp_path: Path, when: str
) -> None:
    moment, expected = EXPECTED[when]
    async with four_vendors(tmp_path) as (line, daemon):
        for step, (vendor, server) in enumerate(line.vendors.items(), start=10):
            call = trigger(vendor, vendor, step)
            was_taken = await killed_at(daemon, moment, server, call)
            await live_on(line, daemon, *([] if was_taken else [call]))
        found = await outcomes(line)
        assert (await line.ledger(line.settings())).imbalance == 0
    assert {vendor for vendor, outcome in found.items() if outcome not in expected} == set(), found


async def outcomes(line: Outbound) -> dict[str, tuple[int, State]]:
    """How often each vendor was asked for its survey, and what the store says of it; with a reason if it is held."""
    known = await fates(line)
    found = {}
    for step, (vendor, server) in enumerate(line.vendors.items(), start=10):
        asked = surveys(server)
        assert set(known.of(vendor)) == {step}
        assert set(asked) <= {step}
        row = known.of(vendor)[step]
        assert row.reason == (DIED if row.state is State.HELD else None)
        found[vendor] = (asked[step], row.state)
    return found


@pytest.mark.parametrize("moment", ["before", "within", "after"])
async def test_f1_a_kill_while_the_doubt_is_settled_changes_nothing(
    tmp_path: Path, moment: Literal["before", "within", "after"]
) -> None:
    async with four_vendors(tmp_path) as (line, daemon):
        await killed_at(daemon, Hang(seconds=LONG, effect=True), line.delighted, trigger("delighted", "delighted", 10))
        await daemon.begin(Stop(method="settle", state=State.HELD, moment=moment))
        if moment == "within":
            assert await daemon.ended() == -signal.SIGKILL
        else:
            await daemon.says(STANDS_STILL)
            await daemon.killed()
        await live_on(line, daemon)
        assert surveys(line.delighted) == {10: 1}
        assert [row["reason"] for row in held(line)] == [DIED]


async def test_i8_what_is_held_is_not_sent_by_any_later_life_nor_by_the_call_coming_again(tmp_path: Path) -> None:
    async with four_vendors(tmp_path) as (line, daemon):
        call = trigger("delighted", "delighted", 10)
        await killed_at(daemon, Hang(seconds=LONG, effect=False), line.delighted, call)
        for _ in range(3):
            await live_on(line, daemon, call)
        assert surveys(line.delighted) == {}
        assert [row["message_id"] for row in held(line)] == ["step-10"]


async def test_i5_what_a_person_does_after_a_held_survey_goes_out_without_it(tmp_path: Path) -> None:
    async with four_vendors(tmp_path) as (line, daemon):
        call = trigger("delighted", "delighted", 10)
        await killed_at(daemon, Hang(seconds=LONG, effect=False), line.delighted, call)
        await live_on(line, daemon, identify("delighted", 11), trigger("delighted", "delighted", 12))
        told = [(one.step, one.is_survey) for one in heard(line.delighted) if one.person == "delighted"]
        assert told == [(0, False), (11, False), (12, True)]


async def test_f2_what_had_not_left_yet_when_an_earlier_survey_of_the_person_was_under_way_is_not_in_doubt(
    tmp_path: Path,
) -> None:
    async with four_vendors(tmp_path) as (line, daemon):
        line.delighted.faults.add(Hang(seconds=LONG, effect=False), method="POST")
        await daemon.begin()
        both = [trigger("delighted", "delighted", step) for step in (10, 11)]
        assert await post(await daemon.address("listen"), both)
        await line.delighted.until(lambda: any(one.fault == "hang" for one in line.delighted.requests))
        await daemon.killed()
        line.delighted.faults.clear()
        await live_on(line, daemon)
        ends = {step: row.state for step, row in (await fates(line)).of("delighted").items()}
        assert ends == {10: State.HELD, 11: State.DELIVERED}


@pytest.mark.parametrize(("policy", "asked"), [("resend", 2), ("drop", 1)])
async def test_on_unknown_says_otherwise_and_is_obeyed_after_a_kill(tmp_path: Path, policy: str, asked: int) -> None:
    async with four_vendors(tmp_path, DELIGHTED__ON_UNKNOWN=policy) as (line, daemon):
        call = trigger("delighted", "delighted", 10)
        await killed_at(daemon, Hang(seconds=LONG, effect=True), line.delighted, call)
        await live_on(line, daemon)
        assert surveys(line.delighted) == {10: asked}
        assert held(line) == []


@pytest.mark.parametrize("is_running", [True, False], ids=["beside the daemon", "without one"])
async def test_one_command_asks_for_what_is_held_and_it_is_asked_once(tmp_path: Path, *, is_running: bool) -> None:
    async with four_vendors(tmp_path) as (line, daemon):
        call = trigger("delighted", "delighted", 10)
        await killed_at(daemon, Hang(seconds=LONG, effect=False), line.delighted, call)
        await live_on(line, daemon)
        await daemon.begin()
        await daemon.ready()
        if not is_running:
            await daemon.killed()
        (row,) = held(line)
        await settled_by(line, "retry", row)
        if not is_running:
            await daemon.begin()
        await until(lambda: was_asked(line), look_every=0.03)
        await until(lambda: is_drained(line), look_every=0.03)
        await daemon.killed()
        assert surveys(line.delighted) == {10: 1}
        assert held(line) == []
        assert (await fates(line)).of("delighted")[10].state is State.DELIVERED


async def settled_by(line: Outbound, verb: str, row: Mapping[str, Any]) -> None:
    """What a person does about one line of the list."""
    await asyncio.to_thread(npsbridge, line, "outbox", verb, str(row["id"]))


def was_asked(line: Outbound) -> bool:
    return surveys(line.delighted).total() > 0


async def test_one_command_drops_what_is_held_and_it_is_never_asked(tmp_path: Path) -> None:
    async with four_vendors(tmp_path) as (line, daemon):
        call = trigger("delighted", "delighted", 10)
        await killed_at(daemon, Hang(seconds=LONG, effect=True), line.delighted, call)
        await live_on(line, daemon)
        (row,) = held(line)
        assert row["reason"] == DIED
        await settled_by(line, "drop", row)
        await live_on(line, daemon, call)
        assert surveys(line.delighted) == {10: 1}
        assert held(line) == []
        assert (await fates(line)).of("delighted")[10].state is State.FILTERED
        assert (await line.ledger(line.settings())).imbalance == 0


async def test_i18_a_stop_that_waits_no_longer_for_the_vendor_leaves_the_request_in_doubt_and_listed(
    tmp_path: Path,
) -> None:
    async with four_vendors(tmp_path, SHUTDOWN_TIMEOUT="1") as (line, daemon):
        line.delighted.faults.add(Hang(seconds=LONG, effect=True), method="POST")
        await daemon.begin()
        assert await post(await daemon.address("listen"), [trigger("delighted", "delighted", 10)])
        await line.delighted.until(lambda: any(one.fault == "hang" for one in line.delighted.requests))
        daemon.send(signal.SIGTERM)
        assert await daemon.ended() == 0
        line.delighted.faults.clear()
        await live_on(line, daemon)
        assert surveys(line.delighted) == {10: 1}
        assert [row["reason"] for row in held(line)] == [DIED]
