"""The whole demo: in virtual time, in trouble, and as a newcomer starts it."""

import asyncio
import contextlib
import re
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from end_to_end.virtual_time import VirtualTime
from npsbridge.cli import demo
from npsbridge.cli.demo import Disagreement, perform
from npsbridge.cli.demo.stage import Pace, Stage, open_stage
from npsbridge.cli.demo.titles import SURVEY_PLATFORMS, TITLES
from npsbridge.cli.demo.waiting import Unheard
from npsbridge.clock import Clock
from npsbridge.sandbox import Answer
from npsbridge.sandbox.heap.entries import HeapEvent
from unit.cli.commands import started
from unit.cli.demo.asking import note, surveyed

FEW = Pace(people=60, storm=4)
LONGEST = 90.0
"""Seconds that the demo may take on a machine that is busy with other tests; it gives up before by itself."""
ORDERS_STORED = {"delighted": 0, "retently": 0, "satismeter": 0, "promoter": 23}
"""Orders that a vendor stores with who bought, in a request of their own."""
OWN_SETTINGS = {"NPSBRIDGE_STORE_URL": "nonsense", "NPSBRIDGE_LISTEM": "x", "NPSBRIDGE_DELIGHTED__API_KEY": "the-real"}


async def performed(folder: Path, pace: Pace = FEW) -> int:
    """The demo in virtual time."""
    with VirtualTime.installed() as time:
        return await perform(folder, pace=pace, clock=time.clock())


def meddled(monkeypatch: pytest.MonkeyPatch, change: Callable[[Stage], None]) -> None:
    """Let something be done to the stage before the script plays on it."""

    @contextlib.asynccontextmanager
    async def open_changed(folder: Path, pace: Pace, clock: Clock) -> AsyncIterator[Stage]:
        async with open_stage(folder, pace, clock) as stage:
            change(stage)
            yield stage

    monkeypatch.setattr(demo, "open_stage", open_changed)


@pytest.mark.looptime
async def test_the_demo_ends_with_0_when_both_ends_agree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await performed(tmp_path) == 0
    shown = capsys.readouterr()
    assert "DIFFERS" not in shown.out
    assert "Set up in five minutes" in shown.out
    assert "\x1b" not in shown.out + shown.err


@pytest.mark.looptime
async def test_the_demo_ends_with_all_platforms_connected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await performed(tmp_path)
    table = capsys.readouterr().out.partition("The platforms")[2]
    for title in TITLES.values():
        assert re.search(rf"^ {re.escape(title)} +(in|out) +connected ", table, re.MULTILINE), title


@pytest.mark.looptime
async def test_every_scene_of_the_demo_is_told_with_its_outcome(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await performed(tmp_path)
    told = capsys.readouterr().out.partition("The platforms")[0].splitlines()
    begun = [number for number, line in enumerate(told) if line.endswith(" ...")]
    assert len(begun) == 15
    assert all(any(line.startswith("  ") for line in told[number + 1 : number + 5]) for number in begun)


@pytest.mark.looptime
async def test_the_demo_does_not_read_the_settings_of_a_real_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in OWN_SETTINGS.items():
        monkeypatch.setenv(name, text)
    assert await performed(tmp_path) == 0


@pytest.mark.looptime
async def test_a_demo_that_keeps_running_says_where_to_look_and_ends_when_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.get_running_loop().call_later(120, signal.raise_signal, signal.SIGTERM)
    with VirtualTime.installed() as time:
        assert await perform(tmp_path, keep_running=True, pace=FEW, clock=time.clock()) == 0
    shown = capsys.readouterr().out
    assert "/healthz" in shown
    assert "/__sim/state" in shown
    assert "/v1/track" in shown


@pytest.mark.parametrize("moment", ["cut_off", "start"])
@pytest.mark.looptime
async def test_a_demo_that_is_interrupted_between_two_lives_of_the_daemon_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def interrupt(stage: Stage) -> None:
        going_on = getattr(stage.daemon, moment)

        async def interrupted() -> None:
            signal.raise_signal(signal.SIGTERM)
            await going_on()

        monkeypatch.setattr(stage.daemon, moment, interrupted)

    meddled(monkeypatch, interrupt)
    assert await performed(tmp_path) == 130


@pytest.mark.looptime
async def test_the_demo_fails_when_segment_has_heard_something_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def double(stage: Stage) -> None:
        stage.sandbox.segment.drop_counts["duplicate"] += 1

    meddled(monkeypatch, double)
    with pytest.raises(Disagreement, match="calls doubled or refused: 0 is true, 1 was told") as failed:
        await performed(tmp_path)
    assert failed.value.exit_code == 70


@pytest.mark.looptime
async def test_the_demo_fails_when_heap_holds_what_nobody_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def say(stage: Stage) -> None:
        said_of = stage.truth.answers[0].email
        event = HeapEvent(event="Submit Survey", identity=said_of, at=0.0, properties={}, received_at=0.0)
        stage.sandbox.heap.stored.track(event, stage.sandbox.heap.switches)

    meddled(monkeypatch, say)
    with pytest.raises(Disagreement, match="Heap: events: "):
        await performed(tmp_path)


@pytest.mark.looptime
async def test_the_demo_fails_when_nothing_gets_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meddled(monkeypatch, lambda stage: stage.sandbox.segment.faults.add(Answer(status=503), times=None))
    with pytest.raises(Unheard, match="not all of it came through in 40 s") as failed:
        await performed(tmp_path)
    assert failed.value.exit_code == 70


@pytest.mark.looptime
async def test_the_demo_says_of_each_survey_platform_what_it_was_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await performed(tmp_path)
    table = capsys.readouterr().out.partition("The way out")[2]
    for title in SURVEY_PLATFORMS.values():
        assert re.search(rf"^ {re.escape(title)}( +\d+){{4}} +0 +0/0/0 $", table, re.MULTILINE), title


@pytest.mark.looptime
async def test_the_storm_becomes_one_request_for_each_person_and_change(tmp_path: Path) -> None:
    """Fewer, where two changes of one person meet on their way."""
    stages: list[Stage] = []
    with pytest.MonkeyPatch.context() as monkeypatch:
        meddled(monkeypatch, stages.append)
        await performed(tmp_path)
    (stage,) = stages
    for recorded in stage.asked.values():
        described = [ask for ask in recorded.asks if not ask.is_survey]
        assert len({ask.user_id for ask in described}) in (0, 54)
        assert len(described) <= 50 + 30 + 4 + 8 + ORDERS_STORED[recorded.platform]


@pytest.mark.looptime
async def test_i8_the_demo_fails_when_a_survey_was_asked_for_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = surveyed("promoter", "u-1001", "S-0001")
    meddled(monkeypatch, lambda stage: note(stage.sandbox.promoter, first))
    with pytest.raises(Disagreement, match="surveys asked for twice: 0 is true, 1 was told"):
        await performed(tmp_path)


@pytest.mark.looptime
async def test_the_demo_fails_when_a_vendor_knows_somebody_of_whom_nothing_was_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meddled(monkeypatch, lambda stage: stage.sandbox.satismeter.project.described.update(["u-9"]))
    with pytest.raises(Disagreement, match="people at SatisMeter: 54 is true, 55 was told"):
        await performed(tmp_path)


@pytest.mark.looptime
async def test_the_demo_fails_when_a_vendor_hears_of_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(stage: Stage) -> None:
        stage.sandbox.delighted.faults.add(Answer(status=503), times=None, method="POST", path="/people")
        stage.sandbox.delighted.faults.clear = lambda: None  # type: ignore[method-assign] # it is not to end

    meddled(monkeypatch, refuse)
    with pytest.raises(Unheard, match="identify storm by SDK"):
        await performed(tmp_path)


@pytest.mark.looptime
async def test_a_demo_that_is_interrupted_while_a_vendor_cannot_be_reached_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(stage: Stage) -> None:
        delighted = stage.sandbox.delighted
        going_on = delighted.stop

        async def interrupted() -> None:
            monkeypatch.setattr(delighted, "stop", going_on)
            await going_on()
            signal.raise_signal(signal.SIGTERM)

        monkeypatch.setattr(delighted, "stop", interrupted)

    meddled(monkeypatch, interrupt)
    assert await performed(tmp_path) == 130


# --- as it is started -------------------------------------------------------------------------------------------


def traces(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


@pytest.mark.slow
async def test_the_demo_of_the_newcomer_ends_by_itself_with_0_and_leaves_nothing(tmp_path: Path) -> None:
    async with (
        started("demo", environ={"TMPDIR": str(tmp_path), **OWN_SETTINGS}) as playing,
        asyncio.timeout(LONGEST),
    ):
        out, err = map(bytes.decode, await playing.process.communicate())
    assert playing.process.returncode == 0, err
    assert "The platforms" in out
    assert "DIFFERS" not in out
    assert traces(tmp_path) == []


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
async def test_a_demo_that_is_interrupted_says_so_and_leaves_nothing(tmp_path: Path, by: signal.Signals) -> None:
    async with started("demo", environ={"TMPDIR": str(tmp_path)}) as playing:
        await playing.line_with("the history")
        ended = await playing.end(by)
    assert (ended.code, ended.err) == (130, "Interrupted. Nothing is left behind.\n")
    assert traces(tmp_path) == []
