"""Faults as a client meets them on the wire."""

import asyncio
import gzip
import zlib

import aiohttp
import pytest

from npsbridge.sandbox import DelightedServer
from npsbridge.sandbox.faults import (
    CorruptGzip,
    CutConnection,
    Drip,
    GzipBomb,
    Hang,
    ResetAfterReading,
    ResetBeforeReading,
    Truncated,
    empty,
    error_object,
    html,
    null,
    redirect,
    status,
)
from unit.sandbox.calling import Caller

NEW_PERSON = {"email": "ana@example.org", "send": False}


@pytest.mark.parametrize("retry_after", ["2", "Wed, 21 Oct 2026 07:28:00 GMT", "soon"])
async def test_f22_a_status_carries_any_retry_after(delighted: DelightedServer, api: Caller, retry_after: str) -> None:
    delighted.faults.add(status(429, retry_after=retry_after))
    reply = await api.get("/people.json")
    assert (reply.status, reply.headers["Retry-After"]) == (429, retry_after)


async def test_f22_a_429_may_say_nothing_about_waiting(delighted: DelightedServer, api: Caller) -> None:
    delighted.faults.add(status(429))
    assert "Retry-After" not in (await api.get("/people.json")).headers


async def test_f26_html_comes_with_200(delighted: DelightedServer, api: Caller) -> None:
    delighted.faults.add(html())
    reply = await api.get("/people.json")
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith("text/html")
    assert reply.raw.startswith(b"<!DOCTYPE html>")


async def test_f26_a_200_may_be_empty_null_or_an_error(delighted: DelightedServer, api: Caller) -> None:
    delighted.faults.add(empty(), null(), error_object())
    bodies = [(await api.get("/people.json")).raw for _ in range(3)]
    assert bodies == [b"", b"null", b'{"status":500,"message":"Internal Server Error"}']


async def test_f27_a_redirect_points_where_it_is_told(delighted: DelightedServer, api: Caller) -> None:
    delighted.faults.add(redirect("http://elsewhere.invalid/v1/people.json", 307))
    reply = await api.get("/people.json")
    assert (reply.status, reply.headers["Location"]) == (307, "http://elsewhere.invalid/v1/people.json")


async def test_an_answer_in_the_way_keeps_the_request_from_taking_effect(
    delighted: DelightedServer, api: Caller
) -> None:
    delighted.faults.add(status(500))
    await api.post("/people.json", NEW_PERSON)
    assert not delighted.people


async def test_truncated_json_is_a_whole_answer_with_half_a_body(delighted: DelightedServer, api: Caller) -> None:
    whole = (await api.get("/metrics.json")).raw
    delighted.faults.add(Truncated(keep=0.5))
    reply = await api.get("/metrics.json")
    assert reply.raw == whole[: len(whole) // 2]


@pytest.mark.parametrize("abrupt", [True, False])
async def test_f20_a_cut_connection_breaks_after_part_of_the_body(
    delighted: DelightedServer, api: Caller, *, abrupt: bool
) -> None:
    delighted.faults.add(CutConnection(abrupt=abrupt))
    with pytest.raises(aiohttp.ClientError):
        await api.get("/metrics.json")


async def test_f20_a_reset_before_reading_has_no_effect(delighted: DelightedServer, api: Caller) -> None:
    delighted.faults.add(ResetBeforeReading())
    with pytest.raises(aiohttp.ClientError):
        await api.post("/people.json", NEW_PERSON)
    assert not delighted.people


@pytest.mark.parametrize("effect", [True, False])
async def test_f20_a_reset_after_reading_has_an_effect_or_none(
    delighted: DelightedServer, api: Caller, *, effect: bool
) -> None:
    delighted.faults.add(ResetAfterReading(effect=effect))
    with pytest.raises(aiohttp.ClientError):
        await api.post("/people.json", NEW_PERSON)
    assert len(delighted.people) == effect


async def test_a_request_that_was_reset_has_no_status_in_the_log(delighted: DelightedServer, api: Caller) -> None:
    delighted.faults.add(ResetAfterReading())
    with pytest.raises(aiohttp.ClientError):
        await api.post("/people.json", NEW_PERSON)
    assert (delighted.requests[0].status, delighted.requests[0].fault) == (None, "reset_after_reading")


async def test_f19_a_hanging_request_is_answered_once_it_is_released(delighted: DelightedServer, api: Caller) -> None:
    delighted.faults.add(Hang(seconds=600))
    asked = asyncio.create_task(api.post("/people.json", NEW_PERSON))
    await delighted.until(lambda: len(delighted.people) == 1)
    assert not asked.done()
    delighted.faults.release()
    assert (await asked).status == 201


@pytest.mark.looptime
async def test_f19_a_hanging_request_ends_by_itself(delighted: DelightedServer, api: Caller) -> None:
    delighted.faults.add(Hang(seconds=20))
    started = asyncio.get_running_loop().time()
    assert (await api.get("/people.json")).status == 200
    assert asyncio.get_running_loop().time() - started >= 20


async def test_a_hanging_request_without_effect_ends_in_a_reset(delighted: DelightedServer, api: Caller) -> None:
    delighted.faults.add(Hang(seconds=0, effect=False))
    with pytest.raises(aiohttp.ClientError):
        await api.post("/people.json", NEW_PERSON)
    assert not delighted.people


async def test_stopping_the_server_releases_what_hangs(delighted: DelightedServer, api: Caller) -> None:
    delighted.faults.add(Hang(seconds=600))
    asked = asyncio.create_task(api.get("/people.json"))
    await delighted.until(lambda: len(delighted.requests) == 1)
    await delighted.stop()
    await asyncio.wait([asked], timeout=10)
    assert asked.done()


@pytest.mark.looptime
async def test_f19_a_dripping_answer_is_complete_in_the_end(delighted: DelightedServer, api: Caller) -> None:
    delighted.faults.add(Drip(chunk=10, pause=1, seconds=60))
    started = asyncio.get_running_loop().time()
    reply = await api.get("/metrics.json")
    assert reply.json["response_count"] == 0
    assert asyncio.get_running_loop().time() - started >= len(reply.raw) // 10


@pytest.mark.looptime
async def test_a_dripping_answer_ends_at_its_limit(delighted: DelightedServer, api: Caller) -> None:
    delighted.faults.add(Drip(chunk=1, pause=10, seconds=30))
    started = asyncio.get_running_loop().time()
    assert (await api.get("/metrics.json")).json["response_count"] == 0
    assert asyncio.get_running_loop().time() - started < 60


async def test_f21_a_corrupt_gzip_stream_cannot_be_unpacked(delighted: DelightedServer, api: Caller) -> None:
    delighted.faults.add(CorruptGzip())
    with pytest.raises(aiohttp.ClientPayloadError):
        await api.get("/metrics.json")


async def test_f21_a_gzip_bomb_is_small_on_the_wire_and_large_unpacked(
    delighted: DelightedServer,
) -> None:
    delighted.faults.add(GzipBomb(decoded_bytes=20_000_000))
    async with aiohttp.ClientSession(auto_decompress=False) as session, session.get(delighted.origin) as answer:
        packed = await answer.read()
    assert len(packed) < 50_000
    assert gzip.decompress(packed)[:2] == b"[ "
    assert len(zlib.decompress(packed, wbits=31)) == 20_000_000
