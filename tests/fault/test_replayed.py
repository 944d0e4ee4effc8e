"""Calls that come again, byte for byte, a moment, a day or a month later, and calls of long ago (I9, F39, F41).

Nobody is surveyed for anything that happened too long ago, nor twice for the same, however late it comes again.
"""

import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from end_to_end.outbound import DAY, HOUR, PURCHASE, SECRET, WRITE_KEY, Answered, Message, Outbound, outbound
from npsbridge.clock import Clock
from npsbridge.core.model import State
from npsbridge.core.times import iso_utc
from npsbridge.store.sqlite.backup import back_up

pytestmark = pytest.mark.looptime

TAKEN: Final = Answered(200, {"success": True})
WAITS: Final = {"a second": 1.0, "ten minutes": 600.0, "eight days": 8 * DAY, "31 days": 31 * DAY}
Sent = tuple[str, bytes, dict[str, str]]
"""Path, body, headers."""
Door = Callable[[list[Message], str], Sent]


def through_the_sdk(calls: list[Message], sent_at: str) -> Sent:
    return "/v1/batch", json.dumps({"writeKey": WRITE_KEY, "batch": calls, "sentAt": sent_at}).encode(), {}


def through_the_webhook(calls: list[Message], sent_at: str) -> Sent:
    """Segment has corrected the time and adds when it received the call."""
    body = json.dumps([call | {"receivedAt": sent_at} for call in calls]).encode()
    first = json.dumps(calls[0] | {"receivedAt": sent_at}).encode()
    return "/hooks/segment", body, {"X-Signature": hmac.new(SECRET.encode(), first, hashlib.sha1).hexdigest()}


def now(line: Outbound, ago: float = 0.0) -> str:
    return iso_utc(Clock.at(int((line.time.now() - ago) * 1000)))


def purchase(line: Outbound, *, ago: float = 0.0, **members: Any) -> Message:
    return line.track("u1", PURCHASE) | {"timestamp": now(line, ago)} | members


@pytest.mark.parametrize("door", [through_the_sdk, through_the_webhook])
@pytest.mark.parametrize("wait", WAITS)
async def test_i4_f39_a_trigger_that_is_played_again_byte_for_byte_surveys_nobody(
    tmp_path: Path, door: Door, wait: str
) -> None:
    async with outbound(tmp_path) as line:
        line.delighted.change_switches({"throttle_days": None})
        path, body, headers = door([purchase(line)], now(line))
        async with line.daemon() as app:
            await line.tell(app, line.identify("u1", email="ana@example.org"))
            assert await line.post(app, path, body, headers) == TAKEN
            await line.rests(app)
        await line.passes(WAITS[wait])  # without a daemon, whose every second would be lived through
        async with line.daemon() as app:
            await line.passes(HOUR)  # what is past its retention is forgotten
            assert await line.post(app, path, body, headers) == TAKEN
            await line.rests(app)
            ledger = await app.store.ledger()
        assert len(line.delighted.survey_requests) == 1
        assert ledger.duplicate + ledger.expired == 1


async def test_i9_f41_a_year_of_old_events_surveys_nobody_and_each_is_listed(tmp_path: Path) -> None:
    """As Segment's Replay sends them: old timestamps, everything else new."""
    async with outbound(tmp_path) as line, line.daemon() as app:
        line.delighted.change_switches({"throttle_days": None})
        await line.tell(app, line.identify("u1", email="ana@example.org"))
        old = [purchase(line, ago=(1 + day) * DAY + HOUR) for day in range(365)]
        for start in range(0, len(old), 100):
            path, body, headers = through_the_webhook(old[start : start + 100], now(line))
            assert await line.post(app, path, body, headers) == TAKEN
        await line.rests(app)
        assert line.delighted.survey_requests == []
        assert (await app.store.ledger()).expired == len(old)
        listed = await app.store.deliveries(state=State.EXPIRED, limit=1000)
        assert len(listed) == len(old)


async def test_i9_what_happened_just_in_time_still_surveys(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify("u1", email="ana@example.org"))
        path, body, headers = through_the_webhook([purchase(line, ago=DAY - HOUR)], now(line))
        assert await line.post(app, path, body, headers) == TAKEN
        await line.rests(app)
        assert len(line.delighted.survey_requests) == 1


async def test_i20_no_byte_is_left_while_the_daemon_runs_nor_in_a_backup_made_later(tmp_path: Path) -> None:
    marks = ("ana@example.org", "Ana Alvarez", "device-of-ana", "ANA-4711")
    async with outbound(tmp_path) as line, line.daemon() as app:
        described = line.identify("ANA-4711", anonymous_id="device-of-ana", email="ana@example.org", name="Ana Alvarez")
        await line.tell(app, described, line.identify("u2", email="ben@example.org"))
        await line.tell(app, line.track("ANA-4711", PURCHASE), line.track("ANA-4711", "Nobody Cares"))
        assert [mark for mark in marks if mark in on_disk(tmp_path)] == list(marks)
        assert (await line.webhook(app, {"type": "delete", "userId": "ANA-4711", "messageId": "d"})).status == 200
        await line.rests(app)
        assert [mark for mark in marks if mark in on_disk(tmp_path)] == []
        back_up(tmp_path / "npsbridge.db", tmp_path / "backup.db", force=False, progress=lambda _, __: None)
        assert [mark for mark in marks if mark in (tmp_path / "backup.db").read_text("latin-1")] == []
        assert "ben@example.org" in (tmp_path / "backup.db").read_text("latin-1")


def on_disk(folder: Path) -> str:
    """All that lies in the database, its WAL, its index and its lock."""
    files = sorted(folder.glob("npsbridge.db*"))
    assert [file.name.removeprefix("npsbridge.db") for file in files] == ["", "-shm", "-wal", ".lock"]
    return "".join(file.read_text("latin-1") for file in files)
