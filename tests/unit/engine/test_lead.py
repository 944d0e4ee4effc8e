"""Who hands work on gives the next loop a moment, as long as it goes on; and never longer than a moment."""

import asyncio

import pytest

from npsbridge.engine.lead import LONGEST_WAIT, Lead

pytestmark = pytest.mark.looptime


def now() -> float:
    return asyncio.get_running_loop().time()


def flowing(*handed_over: int) -> Lead:
    lead = Lead(10)
    for count in handed_over:
        lead.hand_over(count)
    lead.done(0)
    return lead


async def test_whoever_hands_over_rings() -> None:
    lead = Lead(10)
    lead.hand_over(1)
    assert await lead.wait(0)


async def test_nobody_waits_for_a_loop_that_is_near() -> None:
    await flowing(4, 6).shorten()
    assert now() == 0


async def test_whoever_is_far_ahead_waits_until_he_is_near() -> None:
    lead = flowing(4, 9)
    asyncio.get_running_loop().call_later(0.02, lead.done, 2)
    asyncio.get_running_loop().call_later(0.05, lead.done, 1)
    await lead.shorten()
    assert now() == pytest.approx(0.05)


async def test_several_who_wait_go_on_together() -> None:
    lead = flowing(11)
    asyncio.get_running_loop().call_later(0.04, lead.done, 1)
    await asyncio.gather(lead.shorten(), lead.shorten(), lead.shorten())
    assert now() == pytest.approx(0.04)


async def test_i6_a_loop_that_is_slow_holds_nobody_up_for_long() -> None:
    await flowing(11).shorten()
    assert now() == pytest.approx(LONGEST_WAIT)


async def test_i6_a_loop_that_stands_still_holds_nobody_up() -> None:
    lead = flowing(11)
    lead.rest()
    lead.hand_over(99)
    await lead.shorten()
    never_began = Lead(10)
    never_began.hand_over(99)
    await never_began.shorten()
    assert now() == 0


async def test_i6_who_waits_goes_on_when_the_loop_comes_to_stand() -> None:
    lead = flowing(11)
    asyncio.get_running_loop().call_later(0.03, lead.rest)
    await lead.shorten()
    assert now() == pytest.approx(0.03)
