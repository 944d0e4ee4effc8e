"""Calls leave the demo as SDKs and Segment's webhook send them."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from npsbridge.cli.demo.sdk import SECRET, WRITE_KEY, Refused, Sdk
from npsbridge.sandbox.request_log import GZIP_MAGIC, RecordedRequest
from npsbridge.sandbox.server import LookAlike
from npsbridge.web.segment_hook import is_signed

CALLS: list[dict[str, Any]] = [
    {"type": "track", "messageId": str(number), "timestamp": "2026-04-01T00:00:00.000Z"} for number in range(2)
]


class Door(LookAlike):
    """Takes anything, or nothing."""

    status = 200

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/{path:.*}", self.take)]

    async def take(self, _: web.Request) -> web.Response:
        return web.Response(status=self.status)


@asynccontextmanager
async def sending() -> AsyncIterator[tuple[Sdk, Door]]:
    async with Door() as door, aiohttp.ClientSession() as session:
        yield Sdk(session, door.origin), door


async def only_request(door: Door) -> RecordedRequest:
    (request,) = door.requests
    return request


async def test_a_batch_has_its_key_in_a_header() -> None:
    async with sending() as (sdk, door):
        await sdk.batch(CALLS)
        request = await only_request(door)
    assert request.target == "/v1/batch"
    assert request.body == {"batch": CALLS, "sentAt": "2026-04-01T00:00:00.000Z"}
    assert request.headers["Authorization"] == f"Basic {base64.b64encode(f'{WRITE_KEY}:'.encode()).decode()}"


async def test_a_packed_batch_has_its_key_inside() -> None:
    async with sending() as (sdk, door):
        await sdk.batch(CALLS, is_packed=True)
        request = await only_request(door)
    assert request.raw.startswith(GZIP_MAGIC)
    assert request.headers["Content-Encoding"] == "gzip"
    assert (request.body["batch"], request.body["writeKey"]) == (CALLS, WRITE_KEY)
    assert "Authorization" not in request.headers


async def test_a_webhook_is_signed() -> None:
    async with sending() as (sdk, door):
        await sdk.webhook(CALLS)
        request = await only_request(door)
    assert (request.target, request.body) == ("/hooks/segment", CALLS)
    assert is_signed(request.raw, request.headers["X-Signature"], (SECRET,))


async def test_calls_that_are_not_taken_end_the_demo() -> None:
    async with sending() as (sdk, door):
        door.status = 503
        with pytest.raises(Refused, match="calls to /v1/batch were answered 503"):
            await sdk.batch(CALLS)
