"""What every look-alike is: started, stopped, asked, waited for."""

import asyncio
import io

import aiohttp
import pytest

from npsbridge.sandbox import DelightedServer
from unit.sandbox.calling import Caller, Hands


async def test_a_stopped_server_refuses_and_keeps_its_state_and_port(delighted: DelightedServer, api: Caller) -> None:
    delighted.add_person("ana@example.org")
    await delighted.stop()
    with pytest.raises(aiohttp.ClientConnectionError):
        await api.get("/people.json")
    await delighted.start()
    assert [person["email"] for person in (await api.get("/people.json")).json] == ["ana@example.org"]


async def test_a_taken_port_is_an_os_error(delighted: DelightedServer) -> None:
    with pytest.raises(OSError, match="address already in use"):
        await DelightedServer(port=delighted.port).start()


def test_without_a_start_there_is_no_port() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        _ = DelightedServer().base_url


async def test_the_date_header_follows_the_clock(api: Caller, hands: Hands) -> None:
    hands.forward(3600)
    assert (await api.get("/people.json")).headers["Date"] == "Thu, 01 Jan 2026 01:00:00 GMT"


async def test_requests_are_noted_with_what_was_sent_and_answered(
    delighted: DelightedServer, api: Caller, hands: Hands
) -> None:
    await api.post("/people.json?a=b", {"email": "nobody"})
    [request] = delighted.requests
    assert (request.method, request.target, request.status, request.at) == (
        "POST",
        "/v1/people.json?a=b",
        422,
        hands.at,
    )
    assert request.body == {"email": "nobody"}
    assert request.headers["authorization"].startswith("Basic ")


async def test_waiting_for_a_condition_ends_when_a_request_makes_it_true(
    delighted: DelightedServer, api: Caller
) -> None:
    asked = asyncio.create_task(api.post("/people.json", {"email": "ana@example.org"}))
    await delighted.until(lambda: len(delighted.people) == 1)
    assert (await asked).status == 201


@pytest.mark.looptime
async def test_waiting_for_a_condition_has_a_limit(delighted: DelightedServer) -> None:
    with pytest.raises(TimeoutError):
        await delighted.until(lambda: False, seconds=5)


async def test_a_body_beyond_16_mib_is_refused(api: Caller) -> None:
    reply = await api.call("POST", "/people.json", data=io.BytesIO(b" " * (16 * 2**20 + 1)))
    assert reply.status == 413
