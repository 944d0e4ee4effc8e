"""A connection with nothing new costs next to nothing, and the vendor's limit is never overstepped."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from contract.platforms.bench import bench
from contract.platforms.contract import Contract
from contract.platforms.hooks import posted
from contract.platforms.news import poll_interval
from npsbridge.app import App
from npsbridge.core.records import Arrival
from stores import stored

HALF_AN_HOUR, TEN_MINUTES = 1800.0, 600.0
SLOWEST = 30
"""Requests a minute that the vendor allows at most in the test of rates; more would only take longer."""


def appends_to(app: App) -> list[Any]:
    """What is journaled from now on; SQLite leaves the file alone when a checkpoint is only written once more."""
    append, appended = app.store.append, list[Any]()

    async def noted(arrivals: Sequence[Arrival], *, checkpoint: tuple[str, bytes] | None = None) -> None:
        appended.append((arrivals, checkpoint))
        await append(arrivals, checkpoint=checkpoint)

    setattr(app.store, "append", noted)  # noqa: B010 - a protocol's method cannot be assigned to
    return appended


class Quiet(Contract):
    """Idle rounds and rates."""

    async def test_an_idle_round_costs_two_requests_at_most_and_writes_and_says_nothing(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both:
            both.answers(4)
            async with both.daemon() as app:
                await both.another_round(app)
                before, said, asked, appends = (
                    stored(both.environment["STORE_URL"]),
                    len(both.said()),
                    both.asked(),
                    appends_to(app),
                )
                both.told.clear()
                await both.passes(HALF_AN_HOUR)
                rounds = HALF_AN_HOUR / poll_interval(both) + 1
                assert both.asked() - asked <= 2 * rounds
                assert (stored(both.environment["STORE_URL"]), appends) == (before, [])
                assert len(both.said()) == said
                assert both.told == []

    async def test_i7_f22_at_the_limit_that_is_the_vendors_none_of_ten_minutes_is_refused(self, tmp_path: Path) -> None:
        limit = min(self.account.limit, SLOWEST)
        async with bench(tmp_path, self.account, RATE_LIMIT=str(limit), POLL_INTERVAL="1") as both:
            both.account.limit_rate(limit)
            numbers = both.answers(min(self.account.page_size * 3, 30), apart=2)
            ends_at = both.time.now() + TEN_MINUTES
            async with both.daemon() as app:
                while both.time.now() < ends_at:
                    for number in numbers[: limit // 4]:
                        assert await posted(both, app, both.account.webhook(number)) == 200
                    await both.passes(10)
                asked = both.asked()
                await both.all_told(numbers)
            codes = {request.status for request in both.account.server.requests}
        assert 429 not in codes
        assert 0.8 * limit * 10 <= asked <= 1.1 * limit * 10 + limit
