"""No room in the store: nothing is taken that cannot be kept, nothing is sent twice, and it mends itself (F6)."""

from pathlib import Path
from typing import Any

import pytest

from end_to_end.harness import World, until, world
from npsbridge.app import App
from npsbridge.errors import StoreFull
from npsbridge.sandbox import PastAnswer

pytestmark = pytest.mark.looptime

ANSWERS = [PastAnswer(email=f"p{n}@example.org", score=n % 11, created_at=1_772_323_200 + n) for n in range(20)]


class Fullness:
    """Lets methods of a running daemon's store find no room until it is emptied."""

    def __init__(self, app: App, *methods: str) -> None:
        self.is_full = True
        self.asked = 0
        for method in methods:
            setattr(app.store, method, self._guarded(getattr(app.store, method)))

    def _guarded(self, method: Any) -> Any:
        async def guarded(*arguments: Any, **options: Any) -> Any:
            if self.is_full:
                self.asked += 1
                raise StoreFull("no room")
            return await method(*arguments, **options)

        return guarded


async def signed(both: World) -> tuple[dict[str, str], bytes]:
    """A good webhook."""
    number = both.delighted.answer(both.delighted.add_person("ana@example.org"), 9)
    return both.delighted.signed_webhook("survey_response.created", number)


async def test_f6_a_webhook_that_cannot_be_kept_is_asked_to_come_again(tmp_path: Path) -> None:
    async with world(tmp_path) as both, both.daemon() as app:
        await both.history_read()
        headers, body = await signed(both)
        disk = Fullness(app, "append", "probe")
        assert await both.hook(app, headers, body) == 503
        assert (await both.look(app, "/readyz"))[0] == 503
        disk.is_full = False
        assert await both.hook(app, headers, body) == 200
        assert (await both.look(app, "/readyz"))[0] == 200
        await until(lambda: len(both.said()) == 3)


async def test_f6_a_page_that_cannot_be_kept_is_read_again(tmp_path: Path) -> None:
    async with world(tmp_path) as both, both.daemon() as app:
        await both.history_read()
        disk = Fullness(app, "append")
        number = both.delighted.answer(both.delighted.add_person("ana@example.org"), 9)
        await until(lambda: both.last_line("delighted:pull") == "retrying", within=130)
        disk.is_full = False
        await until(lambda: both.revisions(number) == [1], within=130)


async def test_f6_what_is_journaled_is_routed_when_there_is_room(tmp_path: Path) -> None:
    async with world(tmp_path) as both, both.daemon() as app:
        await both.history_read()
        disk = Fullness(app, "commit_routing")
        both.delighted.load(ANSWERS)
        await until(lambda: disk.asked >= 3, within=4000)
        disk.is_full = False
        await until(lambda: len(both.segment.events) == 60)


async def test_f6_what_was_sent_is_not_sent_again_because_it_could_not_be_recorded(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.delighted.load(ANSWERS)
        async with both.daemon() as app:
            disk = Fullness(app, "settle")
            await until(lambda: disk.asked >= 5, within=60)
            disk.is_full = False
            await both.another_round(app)
        both.check_each_said_once()
        assert len(both.segment.events) == 60
