"""The doors for calls over a journal in a list, and requests as the SDKs make them."""

import asyncio
import base64
import io
import json
from collections.abc import Mapping
from typing import Any

import aiohttp
from aiohttp import web

from npsbridge.core.envelope import CallSource, decode_envelope
from npsbridge.errors import StoreFull
from npsbridge.metrics import Metrics
from npsbridge.web.ingest import Ingest
from npsbridge.web.limits import Load
from npsbridge.web.segment_hook import segment_hook_routes
from npsbridge.web.tracking import tracking_routes
from unit.web.serving import caller

KEY = "key-of-the-web-shop"
SECRET = "shared-secret"


class Doors:
    """Both doors; what was kept stands in a list."""

    def __init__(
        self,
        *,
        keys: tuple[str, ...] = ("other-key", KEY),
        secrets: tuple[str, ...] = (SECRET,),
        load: Load | None = None,
    ) -> None:
        self.kept: list[tuple[bytes, int, CallSource]] = []
        self.trouble: Exception | None = None
        self.hangs = False
        self.metrics = Metrics()
        ingest = Ingest(
            write_keys=keys, webhook_secrets=secrets, keep=self._keep, metrics=self.metrics, load=load or Load()
        )
        self.app = web.Application()
        self.app.add_routes([*tracking_routes(ingest), *segment_hook_routes(ingest)])

    async def _keep(self, body: bytes, count: int, source: CallSource) -> None:
        if self.hangs:
            await asyncio.sleep(10_000)
        if self.trouble:
            raise self.trouble
        self.kept.append((body, count, source))

    @property
    def calls(self) -> list[Any]:
        """Every call that was kept, as it was sent."""
        return [json.loads(bytes(call)) for body, _, _ in self.kept for call in decode_envelope(body).batch]

    def counted(self, source: CallSource, result: str) -> float | None:
        labels = {"source": source.value, "result": result}
        return self.metrics.registry.get_sample_value("npsbridge_ingest_events_total", labels)


class Answer:
    """What a caller was told."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def told(self) -> Any:
        return json.loads(self.body)


async def send(
    doors: Doors,
    path: str,
    body: bytes | aiohttp.Payload = b"",
    headers: Mapping[str, str] | None = None,
    method: str = "POST",
) -> Answer:
    """One request, with exactly these bytes and headers."""
    data = io.BytesIO(body) if isinstance(body, bytes) else body
    async with (
        caller(doors.app) as session,
        session.request(
            method,
            path,
            data=data,
            headers={**(headers or {}), "Connection": "close"},
            skip_auto_headers=["Content-Type"],
        ) as answer,
    ):
        return Answer(answer.status, answer.headers.copy(), await answer.read())


def basic(key: str = KEY, *, colon: bool = True) -> str:
    """An Authorization header as SDKs write it: the key as user, without a password."""
    return "Basic " + base64.b64encode(f"{key}{':' if colon else ''}".encode()).decode()


FULL = StoreFull("no room")
