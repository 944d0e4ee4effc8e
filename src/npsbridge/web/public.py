"""The public listener: what vendors may call. Nothing is answered with 200 that is not on disk.

While the daemon ends, no new connection is taken; what comes on an open one is still kept, as long as there is a store.
"""

import asyncio
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from aiohttp import web
from loguru import logger

from npsbridge.core.ports import Heard, Receiver, TokenReceiver
from npsbridge.engine.intake import Intake
from npsbridge.engine.readback import ReadBack
from npsbridge.metrics import Metrics
from npsbridge.web.ingest import Ingest
from npsbridge.web.refusals import refusal, refusing
from npsbridge.web.segment_hook import segment_hook_routes
from npsbridge.web.tracking import tracking_routes

BODY_LIMIT = 1024 * 1024
"""Bytes of a vendor's webhook; the largest honest one is a few kilobytes."""
BODY_SECONDS = 15.0
"""How long a body may take to arrive."""
COMMIT_SECONDS = 20.0
"""How long a caller waits for the disk; what is written after that comes again, and is recognised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """What the public listener needs of the rest."""

    receivers: Mapping[str, Receiver]
    """Of vendors that sign, by connection."""
    hooks: Mapping[str, TokenReceiver]
    """Of vendors that sign nothing, by connection."""
    readbacks: Mapping[str, ReadBack]
    """What becomes of their hints, by connection."""
    ingest: Ingest | None = None
    """Who may send Segment calls; None answers as if there were no such doors."""
    intake: Intake
    metrics: Metrics


def public_app(doors: Doors) -> web.Application:
    """The application of the public listener; whatever it does not know is 404."""
    app = web.Application(client_max_size=BODY_LIMIT, middlewares=[refusing])
    if doors.ingest:
        app.add_routes([*tracking_routes(doors.ingest), *segment_hook_routes(doors.ingest)])
    app.router.add_post("/hooks/{connection}", partial(_signed_hook, doors))
    app.router.add_post("/hooks/{connection}/{token}", partial(_token_hook, doors))
    return app


async def _signed_hook(doors: Doors, request: web.Request) -> web.Response:
    """A signed webhook of a vendor: 401 unless the signature is right, 200 once its response is journaled."""
    connection = request.match_info["connection"]
    receiver = doors.receivers.get(connection)
    if receiver is None:
        return _nothing_here()
    raw = await _body(request)
    if not receiver.authentic(_headers(request), raw):
        doors.metrics.ingest_events.labels("webhook", "forged").inc()
        logger.bind(connection=connection).debug("A webhook was refused: its signature is missing or wrong")
        return refusal(401, "invalid_signature", "the signature is missing or wrong")
    return await _keep(doors, connection, Heard(records=receiver.records(raw)))


async def _token_hook(doors: Doors, request: web.Request) -> web.Response:
    """An unsigned webhook: 404 unless the token is right, 200 once what it tells is on disk."""
    connection = request.match_info["connection"]
    hook = doors.hooks.get(connection)
    # An unknown connection costs as much time as a wrong token, and gets the same answer.
    expected = hook.token if hook else ""
    is_right = hmac.compare_digest(request.match_info["token"].encode(), expected.encode())
    if hook is None or not is_right:
        return _nothing_here()
    return await _keep(doors, connection, hook.hear(await _body(request)))


async def _keep(doors: Doors, connection: str, heard: Heard) -> web.Response:
    """Put what a webhook tells on disk; only then is it answered."""
    async with asyncio.timeout(COMMIT_SECONDS):
        if heard.records:
            await doors.intake.webhook(connection, heard.records)
        if heard.hints:
            await doors.readbacks[connection].note(heard.hints)
        if heard.unsubscribed:
            await doors.intake.unsubscribed(heard.unsubscribed)
    if heard == Heard():
        doors.metrics.ingest_events.labels("webhook", "ignored").inc()
    return web.json_response({"success": True})


def _nothing_here() -> web.Response:
    return refusal(404, "not_found", "there is nothing here")


async def _body(request: web.Request) -> bytes:
    """The bytes as they were signed: the listener unpacks nothing."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError as error:
        raise web.HTTPRequestTimeout from error


def _headers(request: web.Request) -> dict[str, str]:
    """Header names in lower case; a header that came twice has both values, and matches nothing."""
    return {name.lower(): ", ".join(request.headers.getall(name)) for name in request.headers}
