"""Nothing leaves under a lease that another replica may hold by now, and the limit of an account is everybody's."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from npsbridge.core.leases import Lease, under
from npsbridge.errors import NotSent, StoreUnavailable
from npsbridge.metrics import Metrics
from npsbridge.net.client import HttpClient


@pytest.fixture
async def asked() -> AsyncIterator[list[str]]:
    """What a vendor was asked; its address comes first."""
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response()

    app = web.Application()
    app.router.add_post("/survey", answer)
    async with TestServer(app) as server:
        seen.append(str(server.make_url("/survey")))
        yield seen


async def ask(http: HttpClient, asked: list[str]) -> None:
    await http.request("POST", asked[0], operation="survey")


async def test_i16_nothing_leaves_once_the_lease_has_run_out(http: HttpClient, asked: list[str]) -> None:
    with under(Lease("forward shop", 1, lambda: True)):
        await ask(http, asked)
    with under(Lease("forward shop", 1, lambda: False)), pytest.raises(NotSent, match="forward shop"):
        await ask(http, asked)
    assert asked[1:] == ["/survey"]


@pytest.mark.parametrize("is_connected_before", [False, True])
async def test_i16_a_process_that_slept_while_it_connected_sends_nothing(
    http: HttpClient, asked: list[str], *, is_connected_before: bool
) -> None:
    if is_connected_before:
        await ask(http, asked)
    looks = iter([True, False])  # good when its turn came, no longer at the last moment
    with under(Lease("forward shop", 1, lambda: next(looks))), pytest.raises(NotSent):
        await ask(http, asked)
    assert len(asked) == 1 + is_connected_before


async def test_a_limit_that_is_shared_is_waited_for(session: aiohttp.ClientSession, asked: list[str]) -> None:
    booked: list[float] = []

    async def book() -> float:
        booked.append(0.01)
        return 0.01

    http = HttpClient(session, Metrics(), connection="shop", book=book)
    await ask(http, asked)
    assert (booked, asked[1:]) == ([0.01], ["/survey"])


async def test_f12_while_the_limit_cannot_be_booked_nothing_leaves(
    session: aiohttp.ClientSession, asked: list[str]
) -> None:
    async def book() -> float:
        raise StoreUnavailable("the database is away")

    http = HttpClient(session, Metrics(), connection="shop", book=book)
    with pytest.raises(NotSent, match="the database is away"):
        await ask(http, asked)
    assert asked[1:] == []
