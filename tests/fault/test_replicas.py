"""Replicas that die, sleep and are rolled over under load, as `fault.replicas` has them for minutes."""

import pytest

from fault.replicas import run

PAUSE = 0.02
"""Seconds between two purchases of a caller: more of them than a fast machine can work off would only be waited for."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


async def test_i8_i16_f4_replicas_that_are_killed_lose_nothing_and_survey_nobody_twice() -> None:
    verdict = await run(12.0, ways="k", callers=2, pause=PAUSE)
    verdict.insist()
    assert verdict.seen.accepted
    assert verdict.seen.takeovers
    assert max(verdict.seen.takeovers) < 30


async def test_i8_i16_a_replica_that_slept_past_its_leases_neither_writes_nor_sends_under_them() -> None:
    verdict = await run(2.0, ways="s", callers=2, pause=PAUSE)
    verdict.insist()


async def test_i18_all_replicas_are_rolled_over_and_nothing_is_lost_or_sent_twice() -> None:
    verdict = await run(10.0, ways="t", callers=2, pause=PAUSE)
    verdict.insist()
    assert verdict.held == 0
