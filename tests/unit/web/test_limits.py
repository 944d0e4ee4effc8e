"""How long callers wait for us, and how much of theirs is in memory."""

import asyncio
from typing import Any

import pytest

from npsbridge.web.limits import Load, TimeLimit
from npsbridge.web.refusals import Refused

pytestmark = pytest.mark.looptime


def now() -> float:
    return asyncio.get_running_loop().time()


async def after(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "done"


async def test_what_is_in_time_is_returned() -> None:
    assert await TimeLimit(20).wait(after(19)) == "done"


async def test_what_takes_too_long_is_cancelled_and_told() -> None:
    awaited = asyncio.ensure_future(after(1000))
    with pytest.raises(TimeoutError):
        await TimeLimit(20).wait(awaited)
    assert now() == pytest.approx(20)
    assert awaited.cancelled()


async def test_each_has_the_whole_time_whenever_it_begins() -> None:
    limit, ends = TimeLimit(20), list[float]()

    async def late(start: float, seconds: float) -> None:
        await asyncio.sleep(start)
        try:
            await limit.wait(after(seconds))
        except TimeoutError:
            ends.append(now())

    await asyncio.gather(late(0, 5), late(3, 1000), late(9, 1), late(50, 1000), late(60, 19))
    assert ends == pytest.approx([23, 70])


async def test_who_goes_away_is_not_taken_for_late() -> None:
    waiting = asyncio.ensure_future(TimeLimit(20).wait(after(1000)))
    await asyncio.sleep(5)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert now() == pytest.approx(5)


async def test_who_goes_away_at_the_same_moment_is_gone() -> None:
    waiting = asyncio.ensure_future(TimeLimit(20).wait(after(1000)))
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_at(now() + 20, waiting.cancel)
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_limit_inside_of_another_is_told_to_whom_it_belongs() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(10):
            await TimeLimit(20).wait(after(1000))
    assert now() == pytest.approx(10)
    async with asyncio.timeout(100):
        with pytest.raises(TimeoutError):
            await TimeLimit(20).wait(after(1000))
        await asyncio.sleep(1)
    assert now() == pytest.approx(31)


async def test_errors_come_through() -> None:
    async def broken() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await TimeLimit(20).wait(broken())


async def test_one_timer_does_for_all() -> None:
    loop, limit = asyncio.get_running_loop(), TimeLimit(20)
    timers, set_timer = list[float](), loop.call_at

    def call_at(when: float, *more: Any, **named: Any) -> asyncio.TimerHandle:
        timers.append(when)
        return set_timer(when, *more, **named)

    loop.call_at = call_at  # type: ignore[method-assign, assignment]
    for _ in range(100):
        await limit.wait(asyncio.sleep(0))
    assert timers == [20]


def test_a_load_has_room_up_to_its_bound_and_again_when_a_request_has_ended() -> None:
    load = Load(10)
    with load.carried() as first, load.carried() as second:
        first.take(6)
        second.take(4)
        with pytest.raises(Refused, match="too much arrives at once"):
            second.take(1)
    with load.carried() as third:
        third.take(10)


def test_what_was_refused_takes_no_room() -> None:
    load = Load(10)
    with load.carried() as refused:
        refused.take(4)
        with pytest.raises(Refused):
            refused.take(7)
    with load.carried() as other:
        other.take(10)
