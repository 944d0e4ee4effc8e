"""`npsbridge demo`: the newcomer's first minute. The real daemon between look-alikes of all vendors, as it works.

It needs nothing, reads no setting, leaves nothing behind, and fails (70) when both ends do not tell the same story.
"""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Protocol

import anyio
from anyio.abc import TaskGroup
from rich.console import Console

from npsbridge.app.ladder import one_error
from npsbridge.cli.demo.heard import at_heap
from npsbridge.cli.demo.live import LiveScreen
from npsbridge.cli.demo.log_tail import LogTail
from npsbridge.cli.demo.plain import PlainScreen
from npsbridge.cli.demo.script import Script
from npsbridge.cli.demo.stage import Pace, Stage, open_stage
from npsbridge.cli.demo.story import Story
from npsbridge.cli.demo.summary import NEXT, addresses, print_summary
from npsbridge.cli.demo.trouble import leave_trouble
from npsbridge.cli.demo.verdict import Verdict, figures, ledger_figure, places
from npsbridge.cli.demo.view import View, look
from npsbridge.cli.demo.way_out import seen_out
from npsbridge.cli.ending import INTERRUPTED
from npsbridge.cli.signals import until_told
from npsbridge.clock import Clock
from npsbridge.core.records import Ledger
from npsbridge.errors import NpsbridgeError
from npsbridge.telemetry import start_logging

_LIMIT: Final = 55.0
"""Seconds after which a demo that still runs has failed."""
_ANSWER_EVERY: Final = 3.0


class Disagreement(NpsbridgeError):
    """The vendors and the sinks do not tell the same story."""


class Screen(Protocol):
    """Who shows the demo."""

    refresh_seconds: float

    def open(self) -> None:
        """Begin."""

    def show(self, view: View) -> None:
        """Show how things are."""

    def close(self) -> None:
        """End."""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What a performance needs besides its stage."""

    console: Console
    screen: Screen
    story: Story
    log: LogTail
    told: anyio.Event
    """Set when somebody wants it to end."""


def run_demo(*, keep_running: bool) -> int:
    """Play the demo in a folder that is gone afterwards; see `perform`."""
    with TemporaryDirectory(prefix="npsbridge-demo-") as folder:
        return asyncio.run(perform(Path(folder), keep_running=keep_running))


async def perform(
    folder: Path,
    *,
    keep_running: bool = False,
    pace: Pace = Pace(),  # noqa: B008 - a frozen record
    clock: Clock | None = None,
) -> int:
    """Play the demo; returns 0, or 130 when it was interrupted before its end.

    Args:
        folder: where the daemon's store goes.
        keep_running: stay up afterwards, until interrupted.
        pace: how much happens, and how fast.
        clock: where wall time comes from.

    Raises:
        Disagreement: the two ends differ.
        Unheard: something did not arrive in time.
    """
    house = _house()
    start_logging("WARNING", "text", stream=house.log)
    with one_error():
        found = await _attended(folder, house, pace, clock or Clock(), keep_running=keep_running)
    return _ending(found)


async def _attended(folder: Path, house: House, pace: Pace, clock: Clock, *, keep_running: bool) -> Verdict | None:
    """The performance, ended early when somebody wants it to; the stage is taken down in peace either way."""
    async with anyio.create_task_group() as group:
        group.start_soon(_listen, house.told)
        async with open_stage(folder, pace, clock) as stage:
            found = await _show(stage, house, pace)
            if keep_running and found is not None and not found.disagreements:
                await _stay(stage, house)
        group.cancel_scope.cancel()
    return found


def _house() -> House:
    console, story = Console(highlight=False, markup=False, emoji=False), Story()
    if sys.stdout.isatty() and not console.is_dumb_terminal:
        log = LogTail()
        screen: Screen = LiveScreen(console, story, log)
    else:
        log = LogTail(forward_to=sys.stderr)
        screen = PlainScreen(story)
    return House(console=console, screen=screen, story=story, log=log, told=anyio.Event())


async def _listen(told: anyio.Event) -> None:
    await until_told()
    told.set()


async def _show(stage: Stage, house: House, pace: Pace) -> Verdict | None:
    """Play and compare; None when somebody ended it before."""
    began = anyio.current_time()
    found: Verdict | None = None
    house.screen.open()
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(_cancel_when_told, house.told, group)
            group.start_soon(_keep_showing, stage, house)
            found = await _play(stage, house, pace)
            house.screen.show(await look(stage))
            group.cancel_scope.cancel()
    finally:
        house.screen.close()
        house.log.forward_to = sys.stderr
    if found is not None:
        print_summary(house.console, found, await look(stage), anyio.current_time() - began)
    return found


async def _cancel_when_told(told: anyio.Event, group: TaskGroup) -> None:
    await told.wait()
    group.cancel_scope.cancel()


async def _keep_showing(stage: Stage, house: House) -> None:
    while True:
        house.screen.show(await look(stage))
        await anyio.sleep(house.screen.refresh_seconds)


async def _play(stage: Stage, house: House, pace: Pace) -> Verdict:
    try:
        with anyio.fail_after(_LIMIT):
            await Script(stage, house.story, pace).play()
            return await _settled(stage, pace)
    except TimeoutError:
        raise Disagreement(f"the demo did not come to its end in {_LIMIT:g} s") from None


async def _settled(stage: Stage, pace: Pace) -> Verdict:
    """The figures, looked at until they agree or patience ends: the last call may still be on its way."""
    found = await _compared(stage)
    with anyio.move_on_after(pace.patience):
        while found.disagreements:
            await anyio.sleep(pace.pause)
            found = await _compared(stage)
    return found


async def _compared(stage: Stage) -> Verdict:
    view, truth = await look(stage), stage.truth
    heard, heap = stage.heard.catch_up(), at_heap(stage.sandbox)
    async with stage.daemon.seen() as app:
        ledger = await app.store.ledger() if app else Ledger()
        ways, sent = await seen_out(stage, app)
    dropped = stage.sandbox.segment.drop_counts.total()
    return Verdict(
        places=places(truth, heard, heap, view.states),
        figures=[*figures(truth, heard, heap, dropped=dropped), ledger_figure(ledger)],
        ways=ways,
        sent=sent,
    )


async def _stay(stage: Stage, house: House) -> None:
    """Stay up with people who go on answering, until somebody ends it."""
    await leave_trouble(stage)
    for line in addresses(stage):
        print(line, flush=True)
    async with anyio.create_task_group() as group:
        group.start_soon(_cancel_when_told, house.told, group)
        await stage.sandbox.respondents.keep_answering(_ANSWER_EVERY)


def _ending(found: Verdict | None) -> int:
    if found is None:
        print("Interrupted. Nothing is left behind.", file=sys.stderr)
        return INTERRUPTED
    if differences := found.disagreements:
        raise Disagreement("the two ends differ: " + "; ".join(differences))
    print(NEXT, flush=True)
    return 0
