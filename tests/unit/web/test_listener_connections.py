"""How long a caller may keep the listener waiting, and who goes when it is full."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.http_parser import HttpRequestParser, HttpRequestParserPy
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.web import ingest, public
from npsbridge.web.connections import HEAD_SECONDS, KEEPALIVE, REQUEST_SECONDS, Connection, Room, Stage
from npsbridge.web.listener import Listener, bind, serving
from unit.web.serving import ANYWHERE, served, spoken

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
SLOW = b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"
NOWHERE = b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"

LARGE = 50_000_000
"""Bytes, more than any socket buffers."""


class Kitchen:
    """An application whose slow answers come when they are let out."""

    def __init__(self) -> None:
        self.begun = 0
        self.under_way = 0
        self.ready = asyncio.Event()
        self.app = web.Application()
        self.app.router.add_get("/", self._hello)
        self.app.router.add_post("/slow", self._slow)
        self.app.router.add_get("/large", self._large)

    async def _hello(self, _: web.Request) -> web.Response:
        return web.Response(text="hello")

    async def _slow(self, request: web.Request) -> web.Response:
        self.begun += 1
        await request.read()
        self.under_way += 1
        await self.ready.wait()
        return web.Response(text="at last")

    async def _large(self, _: web.Request) -> web.Response:
        return web.Response(body=b"x" * LARGE)


class Caller:
    """One connection, in the caller's hands."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def say(self, *words: bytes) -> None:
        for word in words:
            self._writer.write(word)
            await self._writer.drain()

    async def heard(self, until: bytes) -> bytes:
        """What comes, up to something that was waited for."""
        return await self._reader.readuntil(until)

    async def rest(self) -> bytes:
        """All that comes until the connection is closed."""
        try:
            return await self._reader.read()
        except ConnectionError:
            return b""

    async def drip(self, word: bytes, count: int) -> None:
        """Say a word every second, until nobody listens any more."""
        for _ in range(count):
            await asyncio.sleep(1)
            self._writer.write(word)
            if self._reader.at_eof():
                return

    def leave(self) -> None:
        self._writer.transport.abort()


@asynccontextmanager
async def room_for(most: int, app: web.Application) -> AsyncIterator[Listener]:
    """An application on a listener that takes so many connections."""
    with bind(ANYWHERE, "X") as opened:
        async with serving(app, opened, grace=1, most=most) as listener:
            yield listener


@asynccontextmanager
async def calling(listener: Listener) -> AsyncIterator[Caller]:
    caller = Caller(*await asyncio.open_connection(listener.host, listener.port))
    try:
        yield caller
    finally:
        caller.leave()


def now() -> float:
    """Seconds of virtual time."""
    return asyncio.get_running_loop().time()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is waited for is said by no event
            await asyncio.sleep(0.01)


def test_f36_the_limits_fit_together() -> None:
    kept_by_nginx = 60
    assert HEAD_SECONDS < kept_by_nginx < KEEPALIVE
    for door in (public, ingest):
        assert door.BODY_SECONDS + door.COMMIT_SECONDS < REQUEST_SECONDS


# --- time -------------------------------------------------------------------------------------------------------


@pytest.mark.looptime
@pytest.mark.parametrize("begun", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_f36_a_new_connection_has_to_say_what_it_wants(begun: bytes) -> None:
    async with served(Kitchen().app) as listener:
        assert await spoken(listener, begun) == b""
        assert now() == pytest.approx(HEAD_SECONDS, abs=1)


@pytest.mark.looptime
async def test_f36_a_byte_now_and_then_does_not_make_headers_last_longer() -> None:
    async with served(Kitchen().app) as listener, calling(listener) as caller:
        await caller.say(b"GET / HTTP/1.1\r\nX-Slow: ")
        await caller.drip(b"x", 60)
        assert now() == pytest.approx(HEAD_SECONDS, abs=2)


@pytest.mark.looptime
async def test_f36_a_connection_may_be_silent_between_two_requests_for_a_while() -> None:
    async with served(Kitchen().app) as listener, calling(listener) as caller:
        for _ in range(2):
            await caller.say(GET)
            await caller.heard(b"hello")
            await asyncio.sleep(KEEPALIVE - 1)
        assert await caller.rest() == b""
        assert now() == pytest.approx(2 * KEEPALIVE - 1, abs=1)


@pytest.mark.looptime
async def test_f36_a_second_request_has_the_same_time_for_its_headers() -> None:
    async with served(Kitchen().app) as listener, calling(listener) as caller:
        await caller.say(GET)
        await caller.heard(b"hello")
        await caller.say(GET[:5])
        await caller.drip(b"x", 60)
        assert now() == pytest.approx(HEAD_SECONDS, abs=2)


@pytest.mark.looptime
async def test_a_request_that_begins_at_the_last_moment_has_its_full_time() -> None:
    async with served(Kitchen().app) as listener, calling(listener) as caller:
        await caller.say(GET)
        await caller.heard(b"hello")
        await asyncio.sleep(KEEPALIVE - 1)
        await caller.say(GET[:5])
        await asyncio.sleep(HEAD_SECONDS - 1)
        await caller.say(GET[5:])
        assert (await caller.heard(b"hello")).startswith(b"HTTP/1.1 200")


@pytest.mark.looptime
async def test_what_is_left_of_a_body_after_its_answer_is_not_the_next_request() -> None:
    async with served(Kitchen().app) as listener, calling(listener) as caller:
        await caller.say(NOWHERE, b"ab")
        await caller.heard(b"404: Not Found")
        await caller.say(b"c")
        await asyncio.sleep(1)
        await caller.say(b"d")
        await asyncio.sleep(KEEPALIVE - 5)
        await caller.say(GET)
        assert (await caller.heard(b"hello")).startswith(b"HTTP/1.1 200")


@pytest.mark.looptime
async def test_a_request_without_an_answer_is_given_up() -> None:
    async with served(Kitchen().app) as listener:
        assert await spoken(listener, SLOW, b"body") == b""
        assert now() == pytest.approx(REQUEST_SECONDS, abs=1)


# --- room -------------------------------------------------------------------------------------------------------


async def test_f36_a_newcomer_takes_the_place_of_the_connection_idle_longest() -> None:
    async with room_for(2, Kitchen().app) as listener, calling(listener) as first, calling(listener) as second:
        for caller in (second, first):
            await caller.say(GET)
            await caller.heard(b"hello")
        async with calling(listener) as newcomer:
            await newcomer.say(GET)
            await newcomer.heard(b"hello")
            assert await second.rest() == b""
            await first.say(GET)
            assert await first.heard(b"hello")


async def test_f36_bytes_of_a_head_do_not_save_the_place_of_a_dripping_connection() -> None:
    async with room_for(2, Kitchen().app) as listener, calling(listener) as dripping, calling(listener) as good:
        await dripping.say(b"G")
        await good.say(GET)
        await good.heard(b"hello")
        await dripping.say(b"E")
        async with calling(listener) as newcomer:
            await newcomer.say(GET)
            await newcomer.heard(b"hello")
            assert await dripping.rest() == b""


async def test_f36_a_body_that_has_not_arrived_is_no_protection() -> None:
    kitchen = Kitchen()
    async with room_for(2, kitchen.app) as listener, calling(listener) as good, calling(listener) as dripping:
        await dripping.say(SLOW, b"b")
        await good.say(SLOW, b"body")
        await until(lambda: kitchen.under_way == 1)
        async with calling(listener) as newcomer:
            await newcomer.say(GET)
            await newcomer.heard(b"hello")
        assert await dripping.rest() == b""
        kitchen.ready.set()
        assert await good.heard(b"at last")


async def test_f36_a_newcomer_is_not_pushed_out_by_those_who_drip_bodies() -> None:
    async with room_for(2, Kitchen().app) as listener, calling(listener) as first, calling(listener) as second:
        for caller in (first, second):
            await caller.say(SLOW, b"b")
        async with calling(listener) as newcomer, calling(listener) as next_one:
            assert (await first.rest(), await second.rest()) == (b"", b"")
            for caller in (newcomer, next_one):
                await caller.say(GET)
                assert await caller.heard(b"hello")


@pytest.mark.parametrize(("at_once", "later"), [(SLOW + b"body", b""), (SLOW + b"bo", b"dy")])
async def test_f36_only_when_everybody_waits_for_us_a_newcomer_has_to_come_again(at_once: bytes, later: bytes) -> None:
    kitchen = Kitchen()
    async with room_for(1, kitchen.app) as listener, calling(listener) as served_now:
        await served_now.say(at_once)
        await until(lambda: kitchen.begun == 1)
        await served_now.say(later)
        await until(lambda: kitchen.under_way == 1)
        head, _, body = (await spoken(listener)).partition(b"\r\n\r\n")
        kitchen.ready.set()
        assert await served_now.heard(b"at last")
    assert head.startswith(b"HTTP/1.1 503")
    assert b"Retry-After: 10\r\n" in head
    assert b"Content-Length: %d" % len(body) in head
    assert json.loads(body).keys() == {"success", "code", "message", "error"}


async def test_a_place_is_free_again_when_its_caller_has_gone() -> None:
    kitchen = Kitchen()
    async with room_for(1, kitchen.app) as listener:
        for served_so_far in range(3):
            async with calling(listener) as caller:
                await caller.say(SLOW, b"body")
                await until(lambda count=served_so_far: kitchen.under_way == count + 1)  # type: ignore[misc]
            await asyncio.sleep(0)
        kitchen.ready.set()


async def test_f36_who_does_not_read_the_answer_makes_room() -> None:
    async with room_for(1, Kitchen().app) as listener, calling(listener) as deaf:
        await deaf.say(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        await deaf.heard(b"200 OK")
        async with calling(listener) as newcomer:
            await newcomer.say(GET)
            await newcomer.heard(b"hello")
        assert len(await deaf.rest()) < LARGE


class Guest(Connection):
    """A connection without a socket."""

    def __init__(self) -> None:  # the real one needs a server
        self.is_cut = False

    def cut(self) -> None:
        self.is_cut = True


@given(st.integers(1, 4), st.lists(st.tuples(st.sampled_from(["come", "go", *Stage]), st.integers(0, 5))))
def test_f36_who_waits_for_us_is_never_given_up_and_there_are_never_too_many(
    most: int, acts: list[tuple[str | Stage, int]]
) -> None:
    room, inside = Room(most), list[tuple[Stage, Guest]]()
    for act, number in acts:
        if act == "come":
            newcomer, was_full = Guest(), len(inside) == most
            waiting = [one for one in inside if one[0] is not Stage.SERVED]
            assert room.admit(newcomer) == (not was_full or bool(waiting))
            if was_full and waiting:
                assert waiting[0][1].is_cut
                inside.remove(waiting[0])
            if not was_full or waiting:
                inside.append((Stage.IDLE, newcomer))
        elif inside:
            _, guest = inside.pop(number % len(inside))
            if isinstance(act, Stage):
                room.move(guest, act)
                inside.append((act, guest))
            else:
                room.leave(guest)
        assert len(room) == len(inside) <= most
        assert not any(guest.is_cut for _, guest in inside)


# --- what is no HTTP --------------------------------------------------------------------------------------------

CANARY = b"ann@example.org"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
BAD = {
    "a long line": b"GET /" + CANARY * 600 + b" HTTP/1.1\r\n\r\n",
    "a long header": b"GET / HTTP/1.1\r\nX-Long: " + CANARY * 600 + b"\r\n\r\n",
    "a header without end": b"GET / HTTP/1.1\r\nX-Long: " + CANARY * 600,
    "too many headers": b"GET / HTTP/1.1\r\n" + b"X: " + b"\r\nX: ".join([CANARY] * 200) + b"\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n" + CANARY,
    "length and chunks": b"POST / HTTP/1.1\r\nContent-Length: 3\r\n" + CHUNKED + b"\r\n" + CANARY,
    "a length below nothing": b"POST / HTTP/1.1\r\nContent-Length: -3\r\n\r\n" + CANARY,
    "a zero byte": b"GET / HTTP/1.1\r\nX: " + CANARY + b"\0\r\n\r\n",
    "another version": b"GET /" + CANARY + b" HTTP/3.7\r\n\r\n",
    "TLS": b"\x16\x03\x01" + CANARY + b"\r\n\r\n",
    "an URL that is none": b"GET http://[" + CANARY + b"/ HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("words", BAD.values(), ids=BAD.keys())
async def test_f37_what_is_no_http_is_400_in_json_and_quoted_nowhere(
    words: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with served(Kitchen().app) as listener:
        head, _, body = (await spoken(listener, words)).partition(b"\r\n\r\n")
    assert b" 400 " in head.splitlines()[0]
    assert json.loads(body)["code"] == "invalid_request"
    assert (CANARY in head + body, caplog.records) == (False, [])


@pytest.mark.looptime
@pytest.mark.parametrize("parser", [HttpRequestParser, HttpRequestParserPy], ids=["compiled", "plain"])
async def test_f37_broken_chunks_that_nobody_reads_are_not_logged(
    parser: type[object], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiohttp.web_protocol.HttpRequestParser", parser)
    caplog.set_level(logging.INFO)
    async with served(Kitchen().app) as listener, calling(listener) as caller:
        await caller.say(b"POST /nowhere HTTP/1.1\r\nHost: x\r\n" + CHUNKED + b"\r\n")
        await caller.heard(b"404: Not Found")
        await caller.say(CANARY + b"\r\n")
        await caller.rest()
    assert caplog.records == []


async def test_f3_who_goes_in_the_middle_of_a_body_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with served(Kitchen().app) as listener:
        async with calling(listener) as caller:
            await caller.say(SLOW, b"b")
        assert (await spoken(listener, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))).endswith(b"hello")
    assert caplog.records == []


async def test_a_mistake_of_ours_below_the_applications_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def mistaken(_: web.Request) -> web.Response:
        raise ZeroDivisionError

    app = web.Application()
    app.router.add_get("/", mistaken)
    async with served(app) as listener:
        assert (await spoken(listener, GET)).startswith(b"HTTP/1.1 500")
    assert [record.name for record in caplog.records] == ["npsbridge.web.protocol"]
