"""The admin listener: is it alive, can it accept, how is every connection, and the figures."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from npsbridge import __version__
from npsbridge.clock import Clock
from npsbridge.core.model import State
from npsbridge.core.ports import Store
from npsbridge.core.times import iso_utc
from npsbridge.engine.board import Board, Line
from npsbridge.errors import StoreError
from npsbridge.metrics import Metrics

ANSWER_WITHIN = 5.0
"""Seconds in which the writer must answer to count as alive."""
SHOWN = (State.QUEUED, State.WAITING, State.INFLIGHT, State.HELD, State.DEAD)
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the admin listener shows."""

    store: Store
    board: Board
    metrics: Metrics
    clock: Clock
    sinks: Sequence[str]
    """Names of the connections that take deliveries."""
    is_draining: Callable[[], bool]


def admin_app(view: View) -> web.Application:
    """The application of the admin listener."""
    app = web.Application()
    app.router.add_get("/livez", lambda _: _livez(view))
    app.router.add_get("/readyz", lambda _: _readyz(view))
    app.router.add_get("/healthz", lambda _: _healthz(view))
    app.router.add_get("/metrics", lambda _: _metrics(view))
    app.router.add_get("/api/status", lambda _: _status(view))
    return app


async def _livez(view: View) -> web.Response:
    """200 while the event loop turns and the writer answers."""
    try:
        async with asyncio.timeout(ANSWER_WITHIN):
            await view.store.heartbeat()
    except (TimeoutError, StoreError) as error:
        return _plain("fail", 503, str(error) or "the writer does not answer")
    return _plain("pass", 200)


async def _readyz(view: View) -> web.Response:
    """200 while calls and webhooks can be accepted durably; a vendor's outage does not matter here."""
    if view.is_draining():
        return _plain("fail", 503, "stopping")
    try:
        async with asyncio.timeout(ANSWER_WITHIN):
            await view.store.probe()
    except (TimeoutError, StoreError) as error:
        return _plain("fail", 503, str(error) or "the store does not answer")
    return _plain("pass", 200)


async def _healthz(view: View) -> web.Response:
    status = view.board.status
    body = {"status": status, "version": __version__, "checks": checks(view.board.lines(), view.clock)}
    return web.json_response(body, status=503 if status == "fail" else 200)


def checks(lines: Sequence[Line], clock: Clock) -> dict[str, Any]:
    """The board as the checks of /healthz (contract §4)."""
    return {f"{line.connection}:{line.direction}": _check(line, clock) for line in lines}


def _check(line: Line, clock: Clock) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "status": line.status,
        "state": line.condition,
        "since": iso_utc(clock.at(line.since)),
    }
    if line.reason is not None:
        shown["reason"] = line.reason
    if line.progress is not None:
        shown["progress"] = round(line.progress, 4)
    return shown


async def _metrics(view: View) -> web.Response:
    counted = generate_latest(view.metrics.registry)
    read = generate_latest(await _read_gauges(view))
    return web.Response(body=counted + read, headers={"Content-Type": METRICS_TYPE})


async def _read_gauges(view: View) -> CollectorRegistry:
    """Gauges of what the store holds, read afresh at each scrape."""
    registry = CollectorRegistry()
    imbalance = Gauge(
        "npsbridge_ledger_imbalance", "Accepted minus accounted for; anything but 0 is a fault.", registry=registry
    )
    ledger_total = Gauge("npsbridge_ledger", "The ledger (contract §8.6), by entry.", ["entry"], registry=registry)
    held = Gauge(
        "npsbridge_deliveries", "Deliveries by connection and state.", ["connection", "state"], registry=registry
    )
    age = Gauge(
        "npsbridge_oldest_delivery_age_seconds",
        "Age of the oldest delivery still owed.",
        ["connection"],
        registry=registry,
    )
    ledger = await view.store.ledger()
    imbalance.set(ledger.imbalance)
    for entry in ledger.__struct_fields__:
        ledger_total.labels(entry).set(getattr(ledger, entry))
    depths, oldest, now = await view.store.depths(), await view.store.oldest_owed(), view.clock.now_ms()
    for connection in {*view.sinks, *(name for name, _ in depths)}:
        for state in SHOWN:
            held.labels(connection, state).set(depths.get((connection, state), 0))
    for connection in view.sinks:
        age.labels(connection).set(max(0, now - oldest.get(connection, now)) / 1000)
    return registry


async def _status(view: View) -> web.Response:
    ledger = await view.store.ledger()
    body = {
        "status": view.board.status,
        "checks": checks(view.board.lines(), view.clock),
        "ledger": {entry: getattr(ledger, entry) for entry in (*ledger.__struct_fields__, "imbalance")},
        "deliveries": [
            {"connection": connection, "state": state, "count": count}
            for (connection, state), count in sorted((await view.store.depths()).items())
        ],
    }
    return web.json_response(body)


def _plain(status: str, code: int, output: str | None = None) -> web.Response:
    return web.json_response({"status": status} | ({"output": output} if output else {}), status=code)
