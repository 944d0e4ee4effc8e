"""Replicas that die, sleep and are rolled over under load, as `fault.replicas` has them for minutes."""

import pytest

from fault.replicas import run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


async def test_i8_i16_f4_replicas_that_are_killed_lose_nothing_and_survey_nobody_twice() -> None:
    verdict = await run(12.0, ways="k", callers=2)
    verdict.insist()
    assert verdict.seen.accepted
    assert verdict.seen.takeovers
    assert max(verdict.seen.takeovers) < 30


async def test_i8_i16_a_replica_that_slept_past_its_leases_neither_writes_nor_sends_under_them() -> None:
    verdict = await run(2.0, ways="s", callers=2)
    verdict.insist()


async def test_i18_all_replicas_are_rolled_over_and_nothing_is_lost_or_sent_twice() -> None:
    verdict = await run(10.0, ways="t", callers=2)
    verdict.insist()
    assert verdict.held == 0
