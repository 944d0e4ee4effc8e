"""The tracking API: what is kept, what is answered, and that the answer waits for the disk."""

import asyncio
import gzip
import json
import tracemalloc
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp.payload import AsyncIterablePayload

from end_to_end.harness import log_kept
from npsbridge.core.envelope import CallSource, decode_envelope
from npsbridge.errors import BadRecord, StoreError
from npsbridge.web import ingest as ingest_module
from npsbridge.web.ingest import BODY_SECONDS, COMMIT_SECONDS
from npsbridge.web.limits import Load
from npsbridge.web.tracking import BODY_LIMIT
from unit.web.calling import FULL, KEY, Answer, Doors, basic, send
from unit.web.serving import served, spoken

KEYED = {"Authorization": basic()}
TRACK = {"type": "track", "event": "Order Completed", "userId": "u1", "messageId": "m1"}
BATCH = json.dumps({"batch": [TRACK]}).encode()


def is_error(answer: Answer, status: int, code: str) -> bool:
    """An error with all that SDKs look for; without code and message some repeat for ever."""
    told = answer.told
    assert (told["success"], bool(told["error"]), bool(told["message"])) == (False, True, True)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    return (answer.status, told["code"]) == (status, code)


# --- paths ------------------------------------------------------------------------------------------------------

PATHS = [
    *((f"/v1/{name}", name) for name in ("identify", "track", "page", "screen", "group", "alias")),
    *((f"/v1/{name[0]}", name) for name in ("identify", "track", "page", "screen", "group", "alias")),
    ("/v1/track/", "track"),
    ("/v1/v1/track", "track"),
    ("/track", "track"),
    ("/t", "track"),
    ("/api/s/track", "track"),
    ("/api/s/s2s/track", "track"),
    ("/v1/batch", None),
    ("/v1/b", None),
    ("/v1/import", None),
    ("/v1/import/", None),
    ("/b", None),
    ("/v1/v1/batch", None),
    ("/v1/batch/v1/batch", None),
    ("/beacon/v1/batch", None),
]


@pytest.mark.parametrize(("path", "kind"), PATHS)
async def test_every_path_of_every_sdk_is_understood(path: str, kind: str | None) -> None:
    doors = Doors()
    answer = await send(doors, path, b'{"userId":"u1"}', KEYED)
    assert (answer.status, answer.told) == (200, {"success": True})
    ((body, count, source),) = doors.kept
    assert (decode_envelope(body).type, count, source) == (kind, 1, CallSource.SDK)


async def test_a_host_that_was_given_with_a_slash_at_its_end_is_understood() -> None:
    doors = Doors()
    head = f"POST //v1/batch HTTP/1.1\r\nHost: x\r\nX-Write-Key: {KEY}\r\nConnection: close\r\n"
    async with served(doors.app) as listener:
        answer = await spoken(listener, f"{head}Content-Length: {len(BATCH)}\r\n\r\n".encode(), BATCH)
    assert (answer[:12], doors.calls) == (b"HTTP/1.1 200", [TRACK])


@pytest.mark.parametrize("path", ["/v1/merge", "/v1", "/", "/v1/v1/v1/track", "/v2/track", "/v1/track/more", "/tracks"])
async def test_other_paths_are_not_the_tracking_api(path: str) -> None:
    assert (await send(Doors(), path, BATCH, KEYED)).status == 404


@pytest.mark.parametrize("path", ["/v1/m", "/m", "/v1/m/"])
async def test_what_sdks_measure_of_themselves_is_thanked_for_and_thrown_away(path: str) -> None:
    doors = Doors()
    answer = await send(doors, path, b'{"series":[]}')
    assert (answer.status, answer.told, doors.kept) == (200, {"success": True}, [])
    assert doors.counted(CallSource.SDK, "ignored") == 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_calls_are_taken_by_post_alone(method: str) -> None:
    answer = await send(Doors(), "/v1/track", method=method)
    assert (answer.status, answer.headers["Allow"]) == (405, "POST, OPTIONS")


# --- who may call -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "path", "key_in_body"),
    [
        ({"Authorization": basic()}, "/v1/batch", None),
        ({"X-Write-Key": KEY}, "/v1/batch", None),
        ({}, f"/v1/batch?writeKey={KEY}", None),
        ({}, "/v1/batch", KEY),
        ({"Authorization": "Bearer token"}, "/v1/batch", KEY),
        ({"X-Write-Key": KEY}, "/v1/batch", "key:***"),
    ],
)
async def test_the_key_is_found_in_every_place(headers: dict[str, str], path: str, key_in_body: str | None) -> None:
    doors = Doors()
    body = json.dumps({"batch": [TRACK], "writeKey": key_in_body}).encode()
    assert (await send(doors, path, body, headers)).status == 200
    assert doors.calls == [TRACK]


@pytest.mark.parametrize(
    ("headers", "path", "key_in_body"),
    [
        ({}, "/v1/batch", None),
        ({}, "/v1/batch", "unknown"),
        ({}, "/v1/batch", ""),
        ({}, "/v1/batch", 5),
        ({"Authorization": basic("unknown")}, "/v1/batch", KEY),
        ({"X-Write-Key": "unknown"}, "/v1/batch", KEY),
        ({"Authorization": "Bearer token"}, "/v1/batch", "unknown"),
        ({}, "/v1/batch?writeKey=unknown", KEY),
        ({"Authorization": "Basic \xff"}, "/v1/batch", "unknown"),
    ],
)
async def test_an_unknown_key_is_401_and_leaves_nothing(headers: dict[str, str], path: str, key_in_body: Any) -> None:
    doors = Doors()
    body = json.dumps({"batch": [TRACK], "writeKey": key_in_body}).encode()
    assert is_error(await send(doors, path, body, headers), 401, "invalid_write_key")
    assert doors.kept == []
    assert doors.counted(CallSource.SDK, "invalid_write_key") == 1


@pytest.mark.parametrize("method", ["POST", "OPTIONS", "GET"])
@pytest.mark.parametrize("path", ["/v1/batch", "/v1/t", "/v1/m"])
async def test_without_any_key_configured_there_is_no_tracking_api(path: str, method: str) -> None:
    answer = await send(Doors(keys=()), path, BATCH if method == "POST" else b"", KEYED, method)
    assert is_error(answer, 404, "not_found")


async def test_i19_the_write_key_is_neither_kept_nor_logged() -> None:
    doors = Doors()
    with log_kept("TRACE") as told:
        for body in ({"writeKey": KEY, **TRACK}, {"batch": [{**TRACK, "writeKey": KEY}], "writeKey": KEY}):
            await send(doors, "/v1/t", json.dumps(body).encode())
        await send(doors, "/v1/t", b"{", KEYED)
    assert doors.calls == [TRACK, TRACK]
    assert KEY not in str(doors.kept) + str([(line.message, line.extra) for line in told])


# --- how a body may be written ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "text/plain",
        "text/plain;charset=bogus",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "",
    ],
)
async def test_f37_the_content_type_does_not_matter(content_type: str) -> None:
    doors = Doors()
    assert (await send(doors, "/v1/batch", BATCH, {**KEYED, "Content-Type": content_type})).status == 200
    assert doors.calls == [TRACK]


@pytest.mark.parametrize("headers", [{"Content-Encoding": "gzip"}, {}, {"Content-Encoding": "deflate"}])
async def test_gzip_is_known_by_its_first_bytes_whatever_the_header_says(headers: dict[str, str]) -> None:
    doors = Doors()
    assert (await send(doors, "/v1/batch", gzip.compress(BATCH), {**KEYED, **headers})).status == 200
    assert doors.calls == [TRACK]


async def test_a_body_that_a_proxy_has_unpacked_already_is_read_as_it_is() -> None:
    doors = Doors()
    assert (await send(doors, "/v1/batch", BATCH, {**KEYED, "Content-Encoding": "gzip"})).status == 200


async def test_gzip_in_several_members_is_one_body() -> None:
    doors = Doors()
    await send(doors, "/v1/batch", gzip.compress(BATCH[:20]) + gzip.compress(BATCH[20:]), KEYED)
    assert doors.calls == [TRACK]


async def test_a_body_in_chunks_of_unknown_length_is_taken() -> None:
    async def chunks() -> Any:
        packed = gzip.compress(BATCH)
        for at in range(0, len(packed), 7):
            yield packed[at : at + 7]

    doors = Doors()
    assert (
        await send(doors, "/b", AsyncIterablePayload(chunks()), {**KEYED, "Content-Type": "text/plain"})
    ).status == 200
    assert doors.calls == [TRACK]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"userId=u1",
        b'{"batch":"all"}',
        gzip.compress(BATCH)[:-9],
        b"\x1f\x8b nonsense",
        gzip.compress(b"{"),
        gzip.compress(BATCH) + gzip.compress(BATCH)[:-1],
    ],
)
async def test_f21_f37_what_cannot_be_read_as_a_whole_is_400(body: bytes) -> None:
    doors = Doors()
    assert is_error(await send(doors, "/v1/batch", body, KEYED), 400, "invalid_request")
    assert doors.kept == []
    assert doors.counted(CallSource.SDK, "invalid_request") == 1


# --- bad calls among good ones ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "broken", [5, None, {"type": "track"}, {**TRACK, "userId": []}, {**TRACK, "properties": {"note": "x" * 33_000}}]
)
async def test_i3_a_broken_or_oversize_call_among_good_ones_is_kept_with_them(broken: object) -> None:
    doors = Doors()
    answer = await send(doors, "/v1/batch", json.dumps({"batch": [TRACK, broken, TRACK]}).encode(), KEYED)
    assert (answer.status, answer.told) == (200, {"success": True})
    assert doors.calls == [TRACK, broken, TRACK]
    assert [count for _, count, _ in doors.kept] == [3]


@pytest.mark.parametrize(("size", "status"), [(32 * 1024, 200), (32 * 1024 + 1, 400)])
async def test_i15_a_single_call_of_32_kilobytes_is_taken_and_one_byte_more_is_not(size: int, status: int) -> None:
    doors = Doors()
    frame = b'{"event":"","userId":"u"}'
    body = frame.replace(b'""', b'"' + b"x" * (size - len(frame)) + b'"')
    answer = await send(doors, "/v1/track", body, KEYED)
    assert (answer.status, len(doors.kept)) == (status, 1 if status == 200 else 0)


async def test_an_empty_batch_is_thanked_for_and_counted() -> None:
    doors = Doors()
    assert (await send(doors, "/v1/batch", b'{"batch":[]}', KEYED)).status == 200
    assert (doors.kept, doors.counted(CallSource.SDK, "ignored")) == ([], 1)


# --- limits -----------------------------------------------------------------------------------------------------


def padded(size: int) -> bytes:
    return BATCH + b" " * (size - len(BATCH))


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize(("size", "status"), [(BODY_LIMIT, 200), (BODY_LIMIT + 1, 413)])
async def test_f35_the_largest_body_is_taken_and_one_byte_more_is_not(
    size: int, status: int, *, is_packed: bool
) -> None:
    doors = Doors()
    body = gzip.compress(padded(size), 1) if is_packed else padded(size)
    answer = await send(doors, "/v1/batch", body, KEYED)
    assert answer.status == status
    assert len(doors.kept) == (1 if status == 200 else 0)
    assert status == 200 or is_error(answer, 413, "request_too_large")


@pytest.mark.looptime
async def test_f35_a_body_that_is_announced_as_too_large_is_not_waited_for() -> None:
    head = f"POST /b HTTP/1.1\r\nHost: x\r\nX-Write-Key: {KEY}\r\nContent-Length: {BODY_LIMIT + 1}\r\n\r\n"
    async with served(Doors().app) as listener:
        reader, writer = await asyncio.open_connection(listener.host, listener.port)
        writer.write(head.encode())
        told = await reader.readline()
        waited = asyncio.get_running_loop().time()
        writer.close()
    assert (told.split()[1], waited < 1) == (b"413", True)


async def test_f35_a_body_of_unknown_length_is_cut_off_as_well() -> None:
    async def endless() -> Any:
        for _ in range(60):
            yield b" " * 100_000

    assert (await send(Doors(), "/v1/batch", AsyncIterablePayload(endless()), KEYED)).status == 413


async def test_f35_a_gzip_bomb_is_not_unpacked_beyond_the_limit() -> None:
    bomb = gzip.compress(b" " * 200_000_000)
    doors = Doors()
    tracemalloc.start()
    answer = await send(doors, "/v1/batch", bomb, KEYED)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert is_error(answer, 413, "request_too_large")
    assert peak < 8 * BODY_LIMIT


async def test_f40_more_bytes_than_may_be_under_way_have_to_come_again() -> None:
    doors = Doors(load=Load(most=len(BATCH) - 1))
    answer = await send(doors, "/v1/batch", BATCH, KEYED)
    assert is_error(answer, 503, "overloaded")
    assert answer.headers["Retry-After"] == "10"


async def test_f40_what_gzip_unpacks_to_is_under_way_as_well() -> None:
    packed = gzip.compress(BATCH)
    doors = Doors(load=Load(most=len(packed) + len(BATCH) - 1))
    assert is_error(await send(doors, "/v1/batch", packed, KEYED), 503, "overloaded")


async def test_f40_what_has_been_answered_is_no_longer_under_way() -> None:
    doors = Doors(load=Load(most=len(BATCH)))
    assert [(await send(doors, "/v1/batch", BATCH, KEYED)).status for _ in range(3)] == [200] * 3


# --- trouble of our own -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", [FULL, StoreError("gone"), TimeoutError()])
async def test_f6_calls_that_are_not_on_disk_have_to_come_again(trouble: Exception) -> None:
    doors = Doors()
    doors.trouble = trouble
    answer = await send(doors, "/v1/batch", BATCH, KEYED)
    assert is_error(answer, 503, "cannot_store")
    assert answer.headers["Retry-After"] == "10"
    assert doors.counted(CallSource.SDK, "cannot_store") == 1


async def test_a_mistake_of_ours_is_503_because_sdks_repeat_after_it_and_is_told() -> None:
    doors = Doors()
    doors.trouble = ZeroDivisionError()
    with log_kept("ERROR") as told:
        answer = await send(doors, "/v1/batch", BATCH, KEYED)
    assert is_error(answer, 503, "internal_error")
    assert len(told) == 1


@pytest.mark.looptime
async def test_a_store_that_does_not_answer_is_not_waited_for_without_end() -> None:
    doors = Doors()
    doors.hangs = True
    answer = await send(doors, "/v1/batch", BATCH, KEYED)
    assert answer.status == 503
    assert asyncio.get_running_loop().time() == pytest.approx(COMMIT_SECONDS, abs=1)


@pytest.mark.looptime
async def test_f36_a_body_that_does_not_come_is_503_in_time() -> None:
    doors = Doors()
    head = f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nX-Write-Key: {KEY}\r\nContent-Length: 9\r\n\r\n{{".encode()
    async with served(doors.app) as listener:
        answer = await spoken(listener, head)
    assert answer.startswith(b"HTTP/1.1 503")
    assert asyncio.get_running_loop().time() < BODY_SECONDS + 15


async def test_f3_a_caller_who_goes_in_the_middle_leaves_nothing_and_is_no_mistake() -> None:
    doors = Doors()
    head = f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nX-Write-Key: {KEY}\r\nContent-Length: 9\r\n\r\n{{".encode()
    with log_kept("WARNING") as told:
        async with served(doors.app) as listener:
            _, writer = await asyncio.open_connection(listener.host, listener.port)
            writer.write(head)
            await writer.drain()
            writer.transport.abort()
    assert (doors.kept, told) == ([], [])


# --- browsers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/t", "/v1/batch", "/v1/m", "/beacon/v1/batch"])
async def test_a_browser_is_allowed_what_its_sdk_sends(path: str) -> None:
    asked = {
        "Origin": "https://shop.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-new-in-1.85, x-brand-new",
    }
    answer = await send(
        Doors(), path, headers=asked | {"Access-Control-Request-Headers": "x-brand-new"}, method="OPTIONS"
    )
    allowed = answer.headers["Access-Control-Allow-Headers"].split(", ")
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (204, "*")
    assert {"authorization", "content-type", "x-retry-count", "anonymousid", "sentat", "x-brand-new"} <= set(allowed)
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert answer.headers["Access-Control-Max-Age"] == "86400"


async def test_headers_asked_for_that_are_no_names_are_not_repeated() -> None:
    answer = await send(Doors(), "/v1/t", headers={"Access-Control-Request-Headers": "a b; c"}, method="OPTIONS")
    assert "a b" not in answer.headers["Access-Control-Allow-Headers"]


async def test_a_browser_may_read_every_answer_and_when_to_come_again() -> None:
    answer = await send(Doors(), "/v1/t", b'{"userId":"u1"}', KEYED)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Access-Control-Expose-Headers"] == "Retry-After"


def test_broken_gzip_is_bad_input_whichever_library_unpacks(monkeypatch: pytest.MonkeyPatch) -> None:
    class OwnError(Exception):
        pass

    class Member:
        def decompress(self, _packed: bytes, _most: int) -> bytes:
            raise OwnError

    library = SimpleNamespace(error=OwnError, decompressobj=lambda _format: Member())
    monkeypatch.setattr(ingest_module, "_unpacker", library)
    with pytest.raises(BadRecord, match="broken gzip"):
        ingest_module.unpacked(b"\x1f\x8b", 10)
