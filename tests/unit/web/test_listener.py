"""Sockets and their limits."""

import asyncio
import errno
import socket

import aiohttp
import pytest
from aiohttp import web

from npsbridge.errors import ListenError
from npsbridge.settings import Address
from npsbridge.web import listener as module
from npsbridge.web.listener import KEEPALIVE, Listener, bind, serving
from unit.web.serving import ANYWHERE, served, spoken


def an_app() -> web.Application:
    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(float(request.query["seconds"]))
        return web.Response(text="at last")

    app = web.Application()
    app.router.add_get("/", hello)
    app.router.add_get("/slow", slow)
    return app


async def fetched(session: aiohttp.ClientSession, path: str) -> str:
    async with session.get(path) as answer:
        return await answer.text()


def test_an_address_that_is_taken_is_refused_with_the_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = Address("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(ListenError, match=f"NPSBRIDGE_LISTEN={address} cannot be listened on") as refused:
            bind(address, "NPSBRIDGE_LISTEN")
    assert refused.value.exit_code == 69


def test_an_address_that_is_not_ours_is_refused() -> None:
    with pytest.raises(ListenError, match="NPSBRIDGE_ADMIN_LISTEN"):
        bind(Address("192.0.2.1", 0), "NPSBRIDGE_ADMIN_LISTEN")


def test_a_port_that_needs_more_rights_is_77(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(opened: socket.socket, _: object) -> None:
        opened.close()
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(module, "_listening", refuse)
    with pytest.raises(ListenError, match="Permission denied") as refused:
        bind(Address("127.0.0.1", 80), "NPSBRIDGE_LISTEN")
    assert refused.value.exit_code == 77


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1:80"), ("::1", "[::1]:80")])
def test_a_listener_is_written_as_in_a_url(host: str, shown: str) -> None:
    assert str(Listener(host, 80)) == shown


async def test_the_socket_stays_open_when_serving_ends() -> None:
    with bind(ANYWHERE, "X") as opened:
        for _ in range(2):
            async with (
                serving(an_app(), opened, grace=1) as listener,
                aiohttp.ClientSession(f"http://{listener}") as session,
            ):
                assert await fetched(session, "/") == "hello"


async def test_who_calls_between_two_servings_waits_and_is_answered() -> None:
    with bind(ANYWHERE, "X") as opened:
        host, port = opened.getsockname()
        async with aiohttp.ClientSession(f"http://{host}:{port}") as session:
            early = asyncio.create_task(fetched(session, "/"))
            await asyncio.sleep(0)
            async with serving(an_app(), opened, grace=1):
                assert await early == "hello"


@pytest.mark.looptime
async def test_a_request_under_way_gets_its_time_at_the_end() -> None:
    with bind(ANYWHERE, "X") as opened:
        host, port = opened.getsockname()
        async with aiohttp.ClientSession(f"http://{host}:{port}") as session:
            async with serving(an_app(), opened, grace=5):
                under_way = asyncio.create_task(fetched(session, "/slow?seconds=4"))
                await asyncio.sleep(1)
            assert await under_way == "at last"


@pytest.mark.looptime
async def test_a_request_that_takes_longer_is_cut_off() -> None:
    with bind(ANYWHERE, "X") as opened:
        async with serving(an_app(), opened, grace=2) as listener:
            under_way = asyncio.create_task(spoken(listener, b"GET /slow?seconds=100 HTTP/1.1\r\nHost: x\r\n\r\n"))
            await asyncio.sleep(1)
        assert await under_way == b""
    assert asyncio.get_running_loop().time() <= 1 + 2 * 2 + 1


@pytest.mark.looptime
@pytest.mark.parametrize("begun", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_f36_a_connection_that_does_not_say_what_it_wants_is_closed(begun: bytes) -> None:
    async with served(an_app()) as listener:
        assert await spoken(listener, begun) == b""
        assert asyncio.get_running_loop().time() == pytest.approx(KEEPALIVE, abs=1)


async def test_f36_a_connection_too_many_is_told_so_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CONNECTIONS", 2)
    async with served(an_app()) as listener:
        held = [await asyncio.open_connection(listener.host, listener.port) for _ in range(2)]
        await spoken(listener, b"")
        answer = await spoken(listener, b"")
        for _, writer in held:
            writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503")
    assert b"Retry-After: 10" in head
    assert b"Content-Length: %d\r\n" % len(body) in head + b"\r\n"
