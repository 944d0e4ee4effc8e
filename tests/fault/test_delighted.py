"""Whatever Delighted answers: the daemon lives, says what is wrong, loses nothing, and goes on when it is over."""

from pathlib import Path

import pytest

from end_to_end.harness import World, dead, until, world
from npsbridge.sandbox import (
    CorruptGzip,
    CutConnection,
    Fault,
    GzipBomb,
    Hang,
    PastAnswer,
    ResetAfterReading,
    Truncated,
)
from npsbridge.sandbox.faults import Answer, empty, error_object, html, null, redirect, status

pytestmark = pytest.mark.looptime(noop_cycles=8)

PULL = "delighted:pull"
HOUR = 3600.0
HISTORY = [
    PastAnswer(email=f"p{number}@example.org", score=number % 11, created_at=1_772_323_200 + number)
    for number in range(250)
]
ROWS_OF_WRONG_TYPES = Answer(
    headers={"Content-Type": "application/json"},
    body='[42, "text", null, {"id": 7, "score": 9}, {"id": "8", "created_at": "soon", "score": {}}]',
)


async def requests_in(both: World, seconds: float) -> int:
    """How many requests come in so many seconds."""
    before, ends_at = len(both.delighted.requests), both.second() + seconds
    await until(lambda: both.second() >= ends_at, within=seconds + 1200, look_every=min(seconds, 600.0))
    return len(both.delighted.requests) - before


async def told_all(both: World, count: int, *, within: float = HOUR) -> None:
    """Wait until every response was submitted."""
    await until(lambda: len(both.segment.tracks("Submit Survey")) == count, within=within, look_every=1.0)


# --- refusals ---------------------------------------------------------------------------------------------------


async def test_410_retires_the_connection_for_good(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.delighted.change_switches({"standing": "retired"})
        async with both.daemon() as app:
            await until(lambda: both.last_line(PULL) == "retired")
            assert await requests_in(both, 24 * HOUR) == 0
            code, health = await both.look(app, "/healthz")
    assert (code, health["status"], health["checks"][PULL]["status"]) == (200, "warn", "warn")
    assert both.lines(PULL) == ["waiting_for_data", "retired"]


async def test_a_retired_connection_still_takes_webhooks(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        number = both.delighted.answer(both.delighted.add_person("ana@example.org"), 9)
        headers, body = both.delighted.signed_webhook("survey_response.created", number)
        both.delighted.change_switches({"standing": "retired"})
        async with both.daemon() as app:
            await until(lambda: both.last_line(PULL) == "retired")
            assert await both.hook(app, headers, body) == 200
            await until(lambda: both.revisions(number) == [1])


@pytest.mark.parametrize("standing", ["unauthorized", "forbidden"])
async def test_a_refused_key_pauses_and_the_good_one_goes_on_by_itself(tmp_path: Path, standing: str) -> None:
    async with world(tmp_path) as both:
        both.delighted.load(HISTORY[:5])
        both.delighted.change_switches({"standing": standing})
        async with both.daemon() as app:
            await until(lambda: both.last_line(PULL) == "paused")
            assert await requests_in(both, 6 * HOUR) <= 60
            code, health = await both.look(app, "/healthz")
            ready, _ = await both.look(app, "/readyz")
            both.delighted.change_switches({"standing": "open"})
            await told_all(both, 5, within=700)
    assert (code, ready, health["status"]) == (503, 200, "fail")
    assert "NPSBRIDGE_DELIGHTED__API_KEY" in health["checks"][PULL]["reason"]
    assert [line.level for line in both.told if line.extra.get("direction") == "pull"][1:3] == ["ERROR", "INFO"]


@pytest.mark.parametrize(
    ("retry_after", "least", "most"),
    [("7", 7, 9), ("Wed, 01 Apr 2026 00:01:00 GMT", 58, 62), ("999999999", 299, 302), ("soon", 0.5, 2), ("0", 0.5, 2)],
)
async def test_f22_a_vendor_that_asks_to_wait_is_given_the_time(
    tmp_path: Path, retry_after: str, least: float, most: float
) -> None:
    async with world(tmp_path) as both:
        both.delighted.load(HISTORY[:5])
        both.delighted.faults.add(status(429, retry_after=retry_after))
        async with both.daemon():
            await told_all(both, 5)
        first, second = both.delighted.requests[:2]
    assert least <= second.at - first.at <= most


async def test_f22_a_storm_of_429_is_met_with_ever_fewer_requests(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.delighted.faults.add(status(429), times=None)
        async with both.daemon():
            assert await requests_in(both, 2 * HOUR) <= 2 * 60
            assert both.lines(PULL) == ["waiting_for_data", "retrying"]


# --- passing trouble --------------------------------------------------------------------------------------------


async def test_f25_a_server_that_fails_every_second_time_is_read_to_the_end(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.delighted.load(HISTORY)
        both.delighted.faults.add(status(503), times=None, every=2)
        async with both.daemon():
            await told_all(both, 250)
        both.check_each_said_once()


@pytest.mark.parametrize(
    "fault",
    [Hang(seconds=300, effect=False), CutConnection(), ResetAfterReading()],
    ids=["hangs", "cut in the answer", "reset"],
)
async def test_f19_f20_a_broken_request_is_repeated_from_where_it_was(tmp_path: Path, fault: Fault) -> None:
    async with world(tmp_path) as both:
        both.delighted.load(HISTORY)
        # Twice, because a client may repeat a read by itself when a kept connection turns out to be closed.
        both.delighted.faults.add(fault, path="page=1", times=2)
        async with both.daemon():
            await told_all(both, 250)
            assert "retrying" in both.lines(PULL)
        both.check_each_said_once()


async def test_an_outage_is_two_lines_in_the_log_however_long_it_lasts(tmp_path: Path) -> None:
    async with world(tmp_path) as both, both.daemon() as app:
        await both.history_read()
        before = len(both.told)
        await both.delighted.stop()
        await until(lambda: both.last_line(PULL) == "retrying", within=120)
        _, health = await both.look(app, "/healthz")
        ends_at = both.second() + 5 * HOUR
        await until(lambda: both.second() > ends_at, within=6 * HOUR, look_every=60.0)
        await both.delighted.start()
        await until(lambda: both.last_line(PULL) == "waiting_for_data", within=300)
        lines = both.told[before:]
    assert [line.level for line in lines] == ["WARNING", "INFO"]
    assert lines[1].extra["seconds"] >= 5 * HOUR
    assert (health["status"], health["checks"][PULL]["state"]) == ("warn", "retrying")


# --- answers that are not what they should be -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (html(), "not a list of responses"),
        (empty(), "not a list of responses"),
        (null(), "not a list of responses"),
        (error_object(), "not a list of responses"),
        (Truncated(), "not a list of responses"),
        (CorruptGzip(), "cannot be decompressed"),
        (GzipBomb(decoded_bytes=64 * 2**20), "larger than"),
    ],
    ids=["html", "empty", "null", "error object", "truncated", "corrupt gzip", "gzip bomb"],
)
async def test_f26_an_unreadable_page_is_shelved_and_never_passed_unseen(
    tmp_path: Path, fault: Fault, reason: str
) -> None:
    async with world(tmp_path) as both:
        both.delighted.load(HISTORY)
        both.delighted.faults.add(fault, times=2, path=f"since={HISTORY[99].created_at}")
        async with both.daemon() as app:
            await told_all(both, 250)
            [page] = await dead(app)
    assert page.kind == "page"
    assert reason in str(page.reason)
    assert [line.extra["reason"] for line in both.told if line.message.startswith("An answer cannot")] == [page.reason]


async def test_f26_the_shelf_says_what_was_asked_for_and_shows_what_came(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.delighted.faults.add(html(), path="since=")
        async with both.daemon() as app:
            await until(lambda: both.last_line(PULL) == "retrying")
            [page] = await dead(app)
    assert "/survey_responses.json?since=" in str(page.reason)
    assert page.body.startswith(b"<!DOCTYPE html>")


async def test_f27_a_redirect_is_not_followed_and_its_target_sees_no_key(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.delighted.load(HISTORY[:5])
        both.delighted.faults.add(redirect(f"{both.segment.base_url}/v1/batch"))
        async with both.daemon() as app:
            await told_all(both, 5)
            [page] = await dead(app)
        assert "redirects are not followed" in str(page.reason)
        assert all(request.path == "/v1/batch" and request.method == "POST" for request in both.segment.requests)


async def test_rows_of_wrong_types_are_shelved_one_by_one_and_the_others_pass(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.delighted.load(HISTORY[:5])
        async with both.daemon() as app:
            await told_all(both, 5)
            both.delighted.faults.add(ROWS_OF_WRONG_TYPES, path="updated_since")
            number = both.delighted.answer(both.delighted.add_person("late@example.org"), 9)
            await until(lambda: both.revisions(number) == [1], within=300)
            shelved = await dead(app)
    assert len(shelved) == 5
    assert {item.kind for item in shelved} == {"record"}
    assert all(item.reason for item in shelved)
    told = [key for line in both.told if line.level == "WARNING" for key in line.extra.get("keys", ())]
    assert sorted(told) == sorted(item.message_id for item in shelved)


async def test_a_page_that_stays_unreadable_is_one_outage_and_asked_for_ever_less_often(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.delighted.load(HISTORY)
        async with both.daemon() as app:
            await told_all(both, 250)
            before = len(both.told)
            # The second request of every round; the first one goes on bringing rows that were read before.
            both.delighted.faults.add(html(), times=None, path="?since=")
            await requests_in(both, HOUR / 2)
            lines = both.told[before:]
            [page] = await dead(app)
        assert sum(request.fault is not None for request in both.delighted.requests) <= 30
    assert sorted(line.level for line in lines) == ["WARNING", "WARNING"]
    assert page.attempts > 10
