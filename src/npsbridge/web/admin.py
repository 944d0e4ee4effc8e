"""The admin listener: is it alive, can it accept, how is every connection, and the figures."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from aiohttp import web

from npsbridge import __version__
from npsbridge.clock import Clock
from npsbridge.core.times import iso_utc
from npsbridge.engine.board import Line
from npsbridge.engine.fleet import seen_lately
from npsbridge.engine.roster import document, roster_of
from npsbridge.errors import StoreError
from npsbridge.web.access import guarding
from npsbridge.web.dashboard.pages import Pages, add_headers, telling
from npsbridge.web.dashboard.routes import dashboard_routes
from npsbridge.web.figures import CONTENT_TYPE, figures
from npsbridge.web.refusals import refusing
from npsbridge.web.view import View

ANSWER_WITHIN = 5.0
"""Seconds in which the store must answer to count as alive, or as ready; Prometheus waits 10 s for figures."""


def admin_app(view: View) -> web.Application:
    """The application of the admin listener."""
    pages = Pages(view)
    app = web.Application(middlewares=[refusing, telling(pages), guarding(view.access)])
    app.on_response_prepare.append(add_headers)
    app.add_routes(dashboard_routes(pages))
    app.router.add_get("/livez", partial(_livez, view))
    app.router.add_get("/readyz", partial(_readyz, view))
    app.router.add_get("/healthz", partial(_healthz, view))
    app.router.add_get("/metrics", partial(_metrics, view))
    app.router.add_get("/api/status", partial(_status, view))
    return app


async def _livez(view: View, _: web.Request) -> web.Response:
    """200 while the event loop turns and the writer answers."""
    return await _answer_of(view.seams.store.heartbeat)


async def _readyz(view: View, _: web.Request) -> web.Response:
    """200 while calls and webhooks can be accepted durably; a vendor's outage does not matter here."""
    return _failed("stopping") if view.is_draining() else await _answer_of(view.seams.store.probe)


async def _answer_of(question: Callable[[], Awaitable[None]]) -> web.Response:
    try:
        async with asyncio.timeout(ANSWER_WITHIN):
            await question()
    except TimeoutError:
        return _failed("the store does not answer")
    except StoreError as error:
        return _failed(str(error))
    return web.json_response({"status": "pass"})


def _failed(output: str) -> web.Response:
    return web.json_response({"status": "fail", "output": output}, status=503)


async def _healthz(view: View, request: web.Request) -> web.Response:
    """How every connection is; why, only to those who may know."""
    board = view.seams.board
    found = checks(board.lines(), view.seams.clock)
    if view.access.is_protected and not view.access.admits(request.headers):
        found = {name: {word: told for word, told in one.items() if word != "reason"} for name, one in found.items()}
    body = {"status": board.status, "version": __version__, "checks": found}
    return web.json_response(body, status=503 if board.status == "fail" else 200)


def checks(lines: Sequence[Line], clock: Clock) -> dict[str, Any]:
    """The board as the checks of /healthz (contract §4)."""
    return {f"{line.connection}:{line.direction.value}": _check(line, clock) for line in lines}


def _check(line: Line, clock: Clock) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "status": line.status,
        "state": line.condition.value,
        "since": iso_utc(clock.at(line.since)),
    }
    if line.reason is not None:
        shown["reason"] = line.reason
    if line.progress is not None:
        shown["progress"] = round(line.progress, 4)
    return shown


async def _metrics(view: View, _: web.Request) -> web.Response:
    return web.Response(body=await figures(view, within=ANSWER_WITHIN), headers={"Content-Type": CONTENT_TYPE})


async def _status(view: View, _: web.Request) -> web.Response:
    """What `npsbridge status` and the dashboard show."""
    board, store = view.seams.board, view.seams.store
    ledger, depths = await store.ledger(), await store.depths()
    body = {
        "status": board.status,
        "checks": checks(board.lines(), view.seams.clock),
        **document(roster_of(await seen_lately(store))),
        "ledger": {entry: getattr(ledger, entry) for entry in (*ledger.__struct_fields__, "imbalance")},
        "deliveries": [
            {"connection": connection, "state": state.value, "count": count}
            for (connection, state), count in sorted(depths.items())
        ],
    }
    return web.json_response(body)
