"""The public listener: what vendors may call. Nothing is answered with 200 that is not on disk."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from loguru import logger

from npsbridge.core.ports import Receiver
from npsbridge.engine.intake import Intake
from npsbridge.errors import BadRecord, StoreFull
from npsbridge.metrics import Metrics

BODY_LIMIT = 1024 * 1024
"""Bytes of a vendor's webhook, decoded; the largest honest one is a few kilobytes."""
BODY_TIMEOUT = 15.0
"""Seconds a body may take to arrive."""
RETRY_AFTER = "10"
"""Seconds a caller is asked to wait when we cannot store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """What the public listener needs of the rest."""

    receivers: Mapping[str, Receiver]
    intake: Intake
    metrics: Metrics
    is_draining: Callable[[], bool]


def public_app(doors: Doors) -> web.Application:
    """The application of the public listener."""
    app = web.Application(client_max_size=BODY_LIMIT, middlewares=[_errors(doors)])
    app.router.add_post("/hooks/{connection}", lambda request: _hook(request, doors))
    return app


async def _hook(request: web.Request, doors: Doors) -> web.Response:
    """A signed webhook of a vendor: 401 unless the signature is right, 200 once its response is journaled."""
    connection = request.match_info["connection"]
    receiver = doors.receivers.get(connection)
    if receiver is None:
        return refusal(404, "not_found", "there is nothing here")
    raw = await _body(request)
    if not receiver.authentic(_headers(request), raw):
        doors.metrics.ingest_events.labels("webhook", "forged").inc()
        logger.bind(connection=connection).debug("a webhook to {} was not signed by it", connection)
        return refusal(401, "invalid_signature", "the signature is missing or wrong")
    records = receiver.records(raw)
    if records:
        await doors.intake.webhook(connection, records)
    else:
        doors.metrics.ingest_events.labels("webhook", "ignored").inc()
    return web.json_response({"success": True})


async def _body(request: web.Request) -> bytes:
    async with asyncio.timeout(BODY_TIMEOUT):
        return await request.read()


def _headers(request: web.Request) -> dict[str, str]:
    """Header names in lower case; a header that came twice has both values, and matches nothing."""
    return {name.lower(): ", ".join(request.headers.getall(name)) for name in request.headers}


def refusal(status: int, code: str, message: str) -> web.Response:
    """An error in the shape that every SDK of Segment understands; without code and message some retry for ever."""
    headers = {"Retry-After": RETRY_AFTER} if status in (429, 503) else {}
    body = {"success": False, "code": code, "message": message, "error": message}
    return web.json_response(body, status=status, headers=headers)


def _errors(doors: Doors) -> Middleware:
    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        if doors.is_draining():
            return refusal(503, "stopping", "npsbridge is stopping; try again")
        try:
            return await handler(request)
        except (web.HTTPException, BadRecord, web.RequestPayloadError, TimeoutError, StoreFull) as error:
            return _refusal_for(error)

    return answer


def _refusal_for(error: Exception) -> web.Response:
    match error:
        case web.HTTPException():
            return refusal(error.status, error.reason.lower().replace(" ", "_"), error.reason)
        case BadRecord():
            return refusal(400, "invalid_request", str(error))
        case TimeoutError():
            return refusal(408, "timeout", "the body took too long")
        case StoreFull():
            return refusal(503, "cannot_store", "there is no room to store this; try again")
        case _:
            return refusal(400, "invalid_request", "the body cannot be decoded")
