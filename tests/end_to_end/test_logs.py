"""The log tells an outage in two lines, and, to who asks for it, the life of each event under its messageId."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from end_to_end.harness import Told, at_rest, log_kept, until, world
from end_to_end.outbound import PURCHASE, outbound, surveys
from npsbridge import telemetry
from npsbridge.sandbox import HeapServer, PastAnswer

pytestmark = pytest.mark.looptime(noop_cycles=8)

HOUR = 3600.0
EMAIL, COMMENT = "canary@example.org", "canary comment"


@pytest.fixture(autouse=True)
def _everything_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry._Shown, "level", 0)


def about(told: list[Told], message_id: str) -> list[str]:
    """What one search for a messageId finds, in order."""
    return [line.message for line in told if any(name.startswith(message_id) for name in names_in(line))]


def names_in(line: Told) -> list[str]:
    """The messageIds that a line of the log has."""
    return [*line.extra.get("message_ids", ()), str(line.extra.get("message_id", ""))]


def nameless(told: list[Told]) -> Iterator[str]:
    """Lines about one event that do not say which."""
    yield from (line.message for line in told if "delivery" in line.extra and not line.extra.get("message_id"))


async def test_at_debug_an_answer_is_followed_by_its_message_ids(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.delighted.load([PastAnswer(email=EMAIL, score=9, comment=COMMENT, created_at=1_772_323_200)])
        with log_kept("DEBUG") as told:
            async with both.daemon():
                await until(lambda: len(both.said()) == 4)
        lives = {call["messageId"]: about(told, call["messageId"]) for call in both.said()}
        assert set(map(tuple, lives.values())) == {("A delivery is owed", "A delivery was attempted")}
        assert list(nameless(told)) == []


async def test_at_debug_a_call_is_followed_by_its_own_message_id(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line:
        with log_kept("DEBUG") as told:
            async with line.daemon() as app:
                trigger = line.track("u1", PURCHASE)
                await line.send(app, trigger)
                await until(lambda: "A call waits for its person" in about(told, trigger["messageId"]))
                await line.tell(app, line.identify("u1", email=EMAIL))
                await until(lambda: len(surveys(line.delighted)) == 1)
                await until(lambda: at_rest(app))
        life = about(told, trigger["messageId"])
        assert life[-2:] == ["A delivery is owed", "A delivery was attempted"]
        assert "A call waits for its person" in life


async def test_a_call_that_cannot_be_used_is_told_of_by_its_message_id(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        with log_kept("DEBUG") as told:
            await line.send(app, {"type": "track", "messageId": "m-bad", "event": "Seen"})
            await until(lambda: about(line.told, "m-bad") != [])
        assert about(line.told, "m-bad") == ["Records cannot be used; they are on the shelf of the dead"]
        assert "A record cannot be used" in about(told, "m-bad")


async def test_what_cannot_be_used_and_came_together_is_told_in_one_line(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.send(app, *({"type": "track", "messageId": f"m-{number}", "event": "Seen"} for number in range(40)))
        await until(lambda: at_rest(app))
        (told,) = [one for one in line.told if one.message.startswith("Records cannot be used")]
        assert (told.extra["count"], told.extra["message_ids"]) == (40, [f"m-{number}" for number in range(10)])


async def test_at_info_normal_work_is_silent_and_nothing_personal_is_said(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.delighted.load([PastAnswer(email=EMAIL, score=9, comment=COMMENT, created_at=1_772_323_200)])
        async with both.daemon():
            await until(lambda: len(both.said()) == 4)
        assert [line for line in both.told if "message_id" in line.extra] == []
        assert "canary" not in str(both.told)


@pytest.mark.parametrize("sink", ["segment", "heap"])
async def test_an_outage_of_a_sink_is_two_lines_however_long_it_lasts(tmp_path: Path, sink: str) -> None:
    async with world(tmp_path, DELIGHTED__POLL_INTERVAL="1h", HEAP__IDENTITY="email") as both:
        async with HeapServer(now=lambda: both.clock.now().timestamp()) as heap:
            both.environment |= {f"HEAP__{name}": text for name, text in heap.environment("").items()}
            person = both.delighted.add_person(EMAIL)
            both.delighted.answer(person, 9, updated_at=both.second())
            async with both.daemon() as app:
                await until(lambda: bool(both.said() and heap.events), within=HOUR)
                await until(lambda: at_rest(app))
                both.told.clear()
                server = heap if sink == "heap" else both.segment
                await server.stop()
                other = both.delighted.add_person(f"late.{EMAIL}")
                both.delighted.answer(other, 3, updated_at=both.second())
                await until(lambda: both.last_line(f"{sink}:forward") == "retrying", within=2 * HOUR, look_every=60.0)
                ends_at = both.second() + 24 * HOUR
                await until(lambda: both.second() >= ends_at, within=25 * HOUR, look_every=600.0)
                await server.start()
                await until(lambda: both.last_line(f"{sink}:forward") == "connected", within=2 * HOUR, look_every=60.0)
                await until(lambda: at_rest(app), within=HOUR)
            lines = [line for line in both.told if line.extra.get("connection") == sink]
        assert [(line.level, line.extra["state"]) for line in lines] == [("WARNING", "retrying"), ("INFO", "connected")]
        assert both.lines("delighted:pull") == []
