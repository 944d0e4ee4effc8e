"""A daemon with nothing to do does nothing: no writes, no words, few questions."""

from pathlib import Path

import pytest

from end_to_end.harness import until, world
from npsbridge.sandbox import PastAnswer
from stores import on_postgres, stored

pytestmark = pytest.mark.looptime

FORTY_MINUTES = 2400.0
"""Less than the hour after which the time of the last look back is noted."""
ANSWERS = [PastAnswer(email=f"p{n}@example.org", score=n % 11, created_at=1_772_323_200 + n) for n in range(10)]


async def test_an_idle_daemon_writes_nothing_says_nothing_and_asks_little(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.delighted.load(ANSWERS)
        async with both.daemon() as app:
            await both.history_read()
            await both.another_round(app)
            before, told, asked = stored(both.environment["STORE_URL"]), len(both.told), len(both.delighted.requests)
            ends_at = both.second() + FORTY_MINUTES
            await until(lambda: both.second() >= ends_at, within=FORTY_MINUTES + 60, look_every=60.0)
            assert stored(both.environment["STORE_URL"]) == before
            assert both.told[told:] == []
            assert len(both.delighted.requests) - asked <= 2 * 41


async def test_a_whole_life_without_trouble_is_a_handful_of_lines(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.delighted.load(ANSWERS)
        async with both.daemon() as app:
            await both.history_read()
            await both.another_round(app)
    assert {line.level for line in both.told} == {"INFO"}
    assert both.lines("delighted:pull") == ["waiting_for_data", "backfilling", "connected"]
    assert both.lines("segment:forward") == ["waiting_for_data", "connected"]
    assert len(both.told) == 5 + on_postgres()  # a replica says what it has taken up
