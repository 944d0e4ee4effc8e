"""How a daemon ends: in peace within SHUTDOWN_TIMEOUT, by a failing disk at once; and nothing is lost either way."""

import asyncio
from pathlib import Path
from typing import Any

import anyio
import pytest

from end_to_end.harness import World, at_rest, until, world
from npsbridge.app import App
from npsbridge.errors import StoreError
from npsbridge.sandbox import Hang, PastAnswer

pytestmark = pytest.mark.looptime

ANSWERS = [PastAnswer(email=f"p{n}@example.org", score=n % 11, created_at=1_772_323_200 + n) for n in range(20)]


def now() -> float:
    """Seconds of virtual time."""
    return asyncio.get_running_loop().time()


async def hanging(both: World) -> None:
    """Wait until an attempt is under way."""
    await until(lambda: len(both.segment.requests) == 1)


async def test_an_idle_daemon_stops_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        async with both.daemon() as app:
            await both.another_round(app)
            left_at = now()
        assert now() - left_at < 1.0


async def test_i18_a_hanging_sink_holds_the_end_up_no_longer_than_the_time_out(tmp_path: Path) -> None:
    async with world(tmp_path, SHUTDOWN_TIMEOUT="10") as both:
        both.delighted.load(ANSWERS)
        both.segment.faults.add(Hang(seconds=300, effect=True))
        async with both.daemon():
            await hanging(both)
            left_at = now()
        assert 9 <= now() - left_at <= 11
        both.segment.faults.release()
        async with both.daemon() as app:
            await both.another_round(app)
        assert len(both.segment.message_ids) == len(both.segment.events) == 60


async def test_i18_an_attempt_under_way_is_finished_and_recorded(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.delighted.load(ANSWERS)
        both.segment.faults.add(Hang(seconds=5, effect=True))
        async with both.daemon():
            await hanging(both)
        async with both.daemon() as app:
            await both.another_round(app)
        both.check_each_said_once()
        assert len(both.segment.events) == 60


async def test_i18_while_it_ends_it_is_not_ready_and_takes_nothing_more(tmp_path: Path) -> None:
    async with world(tmp_path, SHUTDOWN_TIMEOUT="20") as both:
        both.delighted.load(ANSWERS)
        both.segment.faults.add(Hang(seconds=300, effect=True))
        async with asyncio.TaskGroup() as group, both.daemon() as app:
            await hanging(both)
            assert (await both.look(app, "/readyz"))[0] == 200
            seen = group.create_task(_seen_while_ending(both, app))
        both.segment.faults.release()
    assert seen.result() == (503, 200, "refused")


async def _seen_while_ending(both: World, app: App) -> tuple[int, int, str]:
    async def is_ending() -> bool:
        return (await both.look(app, "/readyz"))[0] == 503

    await until(is_ending)
    ready, _ = await both.look(app, "/readyz")
    alive, _ = await both.look(app, "/livez")
    try:
        await both.hook(app, {}, b"")
    except OSError:
        return ready, alive, "refused"
    return ready, alive, "taken"


async def live_on_a_failing_disk(
    both: World, method: str, failed_at: list[float], *, hangs: bool = False, **settings: str
) -> None:
    """Run a daemon; once it is at work, or its sink hangs, let a method of its store fail and wait for the end."""
    async with both.daemon(**settings) as app:
        await (hanging(both) if hangs else until(lambda: at_rest(app)))
        both.delighted.answer(both.delighted.add_person("new@example.org"), 9)
        failed_at.append(now())
        break_store(app, method)
        await anyio.sleep_forever()


@pytest.mark.parametrize(
    ("method", "poll_interval", "within"),
    [
        ("unrouted", "1", 5),
        ("commit_routing", "1", 5),
        ("claim", "1", 5),
        ("settle", "1", 5),
        ("append", "1", 5),
        ("checkpoint", "1", 5),
        ("purge", "30d", 605),
        ("changed_elsewhere", "30d", 3605),
    ],
)
async def test_f7_a_failing_disk_ends_the_daemon_with_that_error(
    tmp_path: Path, method: str, poll_interval: str, within: float
) -> None:
    async with world(tmp_path) as both:
        both.delighted.load(ANSWERS)
        failed_at: list[float] = []
        with pytest.raises(StoreError, match="the disk failed"):
            await live_on_a_failing_disk(both, method, failed_at, DELIGHTED__POLL_INTERVAL=poll_interval)
        assert now() - failed_at[0] <= within


async def test_f7_a_hanging_sink_does_not_hold_that_end_up(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.delighted.load(ANSWERS)
        both.segment.faults.add(Hang(seconds=300, effect=True))
        failed_at: list[float] = []
        with pytest.raises(StoreError, match="the disk failed"):
            await live_on_a_failing_disk(both, "checkpoint", failed_at, hangs=True, DELIGHTED__POLL_INTERVAL="1")
        assert now() - failed_at[0] <= 3
        both.segment.faults.release()


def break_store(app: App, method: str) -> None:
    """Let a method of the store fail from now on."""

    async def failing(*_: Any, **__: Any) -> None:
        raise StoreError("the disk failed")

    setattr(app.store, method, failing)
