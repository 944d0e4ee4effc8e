"""Kills a daemon at one point of its work after the other, lets it live on without a hand, and looks at the result."""

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from end_to_end.harness import until
from fault.crash.scene import Scene
from fault.crash.strace_log import calls
from fault.crash.tracing import Point, last_calls, points_of, spread, traced
from stores import on_postgres

ENOUGH: Final = 50
"""Kills that every kind of work must have survived."""
USUAL: Final = 64
"""Points that are tried unless CRASH_POINTS says otherwise; some of the last may lie behind the end."""
USUAL_ON_DATABASE: Final = 12
"""The same on PostgreSQL, where a kill takes twice as long."""
SETTLED_WITHIN: Final = 20.0
"""Seconds from there until nothing is owed; far more than it takes on a busy machine."""
READY_WITHIN: Final = 2.0
"""Seconds from the start of a life after a kill until it is ready; usually, for other work may hold up a single one."""
READY_AT_LAST: Final = 9.0
"""Seconds until the slowest is ready: less than SQLite would wait for a lock that somebody holds."""


class Violation(AssertionError):
    """A kill after which a promise did not hold."""


@dataclass(kw_only=True)
class Toll:
    """What the kills of a scene have shown."""

    killed: list[Point] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    """How long each life after a kill took until it was ready."""


async def enumerate_kills(scene: Scene, wanted: str, *, mistake: str | None = None) -> Toll:
    """Kill at every point that is wanted.

    Args:
        scene: what the daemon is doing.
        wanted: `all`, a number of points, or their names with commas between.
        mistake: with which the daemons that are killed are spoiled.

    Raises:
        Violation: a promise did not hold; names the point, and what the daemon did last.
    """
    toll = Toll()
    for point in await _points(scene, wanted):
        await scene.begin_round()
        try:
            if await killed_at(scene, point, mistake=mistake):
                toll.killed.append(point)
                await scene.store.check()
                toll.seconds.append(await lived_on(scene))
        except (AssertionError, TimeoutError) as error:
            raise Violation(_words(scene, point, error)) from error
    return toll


def wanted_points() -> str:
    """What CRASH_POINTS says."""
    return os.environ.get("CRASH_POINTS", str(USUAL_ON_DATABASE if on_postgres() else USUAL))


def enough(wanted: str) -> int:
    """How many kills there must have been, so that it can be said that something was tried."""
    if wanted == "all":
        return ENOUGH
    return min(ENOUGH, int(wanted) * 4 // 5) if wanted.isdecimal() else 1


async def _points(scene: Scene, wanted: str) -> list[Point]:
    if ":" in wanted:
        return [Point.named(name) for name in wanted.split(",")]
    passed = await passed_points(scene)
    return passed if wanted == "all" else spread(passed, int(wanted))


async def passed_points(scene: Scene) -> list[Point]:
    """The points of a life that nobody kills."""
    await scene.begin_round()
    assert not await killed_at(scene, None)
    return points_of(scene.part(calls(strace_log(scene).read_text().splitlines())))


async def killed_at(scene: Scene, point: Point | None, *, mistake: str | None = None, whole: bool = False) -> bool:
    """A life that does its work and then ends in peace; whether it was killed before.

    With `whole`, everything that it wrote and sent is written down, from its birth.
    """
    daemon = scene.daemon
    await daemon.begin(mistake=mistake, waits=scene.from_birth or whole)
    if not (scene.from_birth or whole):
        await daemon.ready()
    async with traced(daemon.child, strace_log(scene), kill=point, whole=whole):
        if scene.from_birth or whole:
            daemon.send(signal.SIGUSR1)
        ended = asyncio.create_task(daemon.ended())
        if not scene.from_birth:
            await scene.send(await daemon.address("listen"))
        await until(lambda: ended.done() or scene.is_done())
        with suppress(ProcessLookupError):
            if not ended.done():
                await _told_to_stop(scene, ended)
        code = await ended
    assert code in {0, -signal.SIGKILL}, daemon.output
    return code == -signal.SIGKILL


async def _told_to_stop(scene: Scene, ended: "asyncio.Task[int]") -> None:
    """A signal to end in peace; before a daemon is ready it would just die of it."""
    await until(lambda: ended.done() or any(line["message"] == "npsbridge is ready" for line in scene.daemon.told))
    if not ended.done():
        scene.daemon.send(signal.SIGTERM)


async def lived_on(scene: Scene) -> float:
    """A life after a kill, in which whoever had no 200 sends again; how many seconds it took to be ready."""
    daemon = scene.daemon
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    await daemon.begin()
    await daemon.ready()
    seconds = loop.time() - began_at
    try:
        assert seconds < READY_AT_LAST, f"it was ready only after {seconds:.1f} s"
        await scene.send(await daemon.address("listen"))
        await _settled(scene)
        await scene.check()
    finally:
        await daemon.killed()
    return seconds


async def _settled(scene: Scene) -> None:
    try:
        await until(scene.is_settled, within=SETTLED_WITHIN, look_every=0.02)
    except TimeoutError:
        await scene.check()  # which has better words for it
        raise


def strace_log(scene: Scene) -> Path:
    """Where strace writes down the life that is looked into."""
    return scene.line.folder / "strace.log"


def _words(scene: Scene, point: Point, error: BaseException) -> str:
    return (
        f"killed at {point}: {error}\nto kill there alone: CRASH_POINTS={point}\n"
        f"the last calls of that life:\n{last_calls(strace_log(scene))}\n{scene.daemon.output}"
    )
