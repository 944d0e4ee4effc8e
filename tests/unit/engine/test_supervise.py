"""Tasks are started again after unexpected errors, and given up when that does not help (F4)."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from end_to_end.harness import log_kept
from npsbridge.clock import Clock
from npsbridge.engine.supervise import RESTARTS, WINDOW, supervise
from npsbridge.errors import StoreError, StoreFull
from npsbridge.metrics import Metrics

pytestmark = pytest.mark.looptime


class Task:
    """Ends as the script says, once per start; after that it returns."""

    def __init__(self, *ends: Exception, lasts: float = 0.0) -> None:
        self.ends = list(ends)
        self.lasts = lasts
        self.starts = 0

    async def __call__(self) -> None:
        self.starts += 1
        await asyncio.sleep(self.lasts)
        if self.ends:
            raise self.ends.pop(0)


async def supervised(task: Callable[[], Awaitable[None]], metrics: Metrics | None = None) -> None:
    await supervise("task", task, clock=Clock(), metrics=metrics or Metrics())


async def test_a_task_that_ends_has_ended() -> None:
    task = Task()
    await supervised(task)
    assert task.starts == 1


async def test_f4_an_unexpected_error_starts_it_again_after_a_pause() -> None:
    task, metrics = Task(ValueError("x"), ValueError("y")), Metrics()
    with log_kept("ERROR") as told:
        await supervised(task, metrics)
    assert task.starts == 3
    assert asyncio.get_running_loop().time() == 3.0
    assert [line.extra["task"] for line in told] == ["task", "task"]
    assert metrics.registry.get_sample_value("npsbridge_task_restarts_total", {"task": "task"}) == 2


async def test_f4_a_task_that_keeps_failing_is_given_up_with_its_own_error() -> None:
    task = Task(*(ValueError(str(number)) for number in range(RESTARTS + 1)))
    with pytest.raises(ValueError, match=str(RESTARTS)):
        await supervised(task)
    assert task.starts == RESTARTS + 1


async def test_failures_that_lie_far_apart_are_forgiven() -> None:
    task = Task(*(ValueError("x") for _ in range(3 * RESTARTS)), lasts=WINDOW / 3)
    await supervised(task)
    assert task.starts == 3 * RESTARTS + 1


async def test_f7_a_failing_disk_ends_it_at_once() -> None:
    task = Task(StoreError("gone"))
    with pytest.raises(StoreError, match="gone"):
        await supervised(task)
    assert task.starts == 1


async def test_f6_a_full_disk_never_ends_it() -> None:
    task = Task(*(StoreFull("full") for _ in range(5 * RESTARTS)))
    await supervised(task)
    assert task.starts == 5 * RESTARTS + 1


async def test_a_cancelled_task_stays_cancelled() -> None:
    running = asyncio.create_task(supervised(Task(lasts=1000)))
    await asyncio.sleep(1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_f6_f12_however_long_the_store_is_away_a_task_says_so_once_and_why() -> None:
    task = Task(*(StoreFull("free some room") for _ in range(200)), lasts=1)
    with log_kept("WARNING") as told:
        await supervised(task)
    assert [(line.level, line.extra["reason"]) for line in told] == [("WARNING", "free some room")]
