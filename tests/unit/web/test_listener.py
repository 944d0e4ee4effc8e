"""Sockets and their limits."""

import asyncio
import errno
import resource
import socket
import sys
from contextlib import ExitStack

import aiohttp
import pytest
from aiohttp import web

from npsbridge.errors import ListenError
from npsbridge.settings import Address
from npsbridge.web import listener as module
from npsbridge.web.listener import Listener, bind, connections_within, serving
from unit.web.serving import ANYWHERE, served, spoken

BYE = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


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


@pytest.mark.parametrize("turns", range(5))
async def test_i18_who_comes_while_serving_ends_is_answered_then_or_afterwards(turns: int) -> None:
    with bind(ANYWHERE, "X") as opened, ExitStack() as callers:
        async with serving(an_app(), opened, grace=1):
            came = [callers.enter_context(socket.create_connection(opened.getsockname())) for _ in range(20)]
            for caller in came:
                caller.send(BYE)
            for _ in range(turns):
                await asyncio.sleep(0)
        async with serving(an_app(), opened, grace=1):
            answers = await asyncio.gather(*(asyncio.to_thread(caller.makefile("rb").read) for caller in came))
    assert {answer[-5:] for answer in answers} == {b"hello"}


# --- how many connections ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "connections"), [(0, 16), (544, 16), (1024, 256), (4096, 1792), (8704, 4096), (1_000_000, 4096)]
)
def test_f40_both_listeners_together_leave_files_for_the_rest(files: int, connections: int) -> None:
    assert connections_within(files) == connections


class Limit:
    """How many files a process may open, as the system has it."""

    def __init__(self, soft: int, hard: int, most: int = sys.maxsize) -> None:
        self.now = (soft, hard)
        self._most = most

    def get(self, _: int) -> tuple[int, int]:
        return self.now

    def set(self, _: int, wanted: tuple[int, int]) -> None:
        if wanted[0] > self._most:
            raise ValueError("not allowed to raise maximum limit")
        self.now = wanted


@pytest.mark.parametrize(
    ("limit", "allowed", "then"),
    [
        (Limit(1024, 524_288), 8704, (8704, 524_288)),
        (Limit(1024, 4096), 4096, (4096, 4096)),
        (Limit(20_000, 20_000), 20_000, (20_000, 20_000)),
        (Limit(1024, resource.RLIM_INFINITY), 8704, (8704, resource.RLIM_INFINITY)),
        (Limit(1024, resource.RLIM_INFINITY, most=2048), 1024, (1024, resource.RLIM_INFINITY)),
        (Limit(resource.RLIM_INFINITY, resource.RLIM_INFINITY), 8704, (resource.RLIM_INFINITY,) * 2),
    ],
)
def test_the_process_allows_itself_the_files_it_can_use(
    monkeypatch: pytest.MonkeyPatch, limit: Limit, allowed: int, then: tuple[int, int]
) -> None:
    monkeypatch.setattr(resource, "getrlimit", limit.get)
    monkeypatch.setattr(resource, "setrlimit", limit.set)
    assert module._files_allowed() == allowed
    assert limit.now == then


async def test_a_burst_of_callers_waits_in_the_kernel_and_nobody_is_refused() -> None:
    async with served(an_app()) as listener:
        with ExitStack() as callers:
            place = (listener.host, listener.port)
            # The event loop gets no turn meanwhile; 128 is the least that systems are set to keep waiting.
            burst = [callers.enter_context(socket.create_connection(place, timeout=5)) for _ in range(120)]
            for caller in burst:
                caller.send(BYE)
            answers = await asyncio.gather(*(asyncio.to_thread(caller.makefile("rb").read) for caller in burst))
    assert {answer[-5:] for answer in answers} == {b"hello"}
