"""A wake-up call that is never lost."""

import asyncio

import pytest

from npsbridge.engine.bell import Bell

pytestmark = pytest.mark.looptime


async def test_a_ring_before_the_wait_is_not_lost() -> None:
    bell = Bell()
    bell.ring()
    assert await bell.wait(10)
    assert asyncio.get_running_loop().time() == 0


async def test_a_ring_wakes_whoever_waits() -> None:
    bell = Bell()
    asyncio.get_running_loop().call_later(3, bell.ring)
    assert await bell.wait(10)
    assert asyncio.get_running_loop().time() == 3


async def test_several_rings_are_heard_once() -> None:
    bell = Bell()
    bell.ring()
    bell.ring()
    assert await bell.wait(1)
    assert not await bell.wait(1)


async def test_silence_ends_the_wait_in_time() -> None:
    assert not await Bell().wait(5)
    assert asyncio.get_running_loop().time() == 5


async def test_a_wait_of_no_length_still_hears_a_ring() -> None:
    bell = Bell()
    bell.ring()
    assert await bell.wait(0)
