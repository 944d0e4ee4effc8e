"""`/__sim/...`: a look from outside into a running look-alike, and faults for it from another process.

It is no part of any vendor's API: no authentication, no faults, not in the request log.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

import msgspec
from aiohttp import web

from npsbridge.sandbox.faults import FaultScript, Rule
from npsbridge.sandbox.request_log import RecordedRequest, RequestLog

INSPECTION = "/__sim/"
MOST_SHOWN = 1000

_SECRET_HEADERS = frozenset({"authorization", "x-api-key", "authkey", "x-write-key", "cookie"})
"""Retently takes `X-Api-Key`, SatisMeter's old API `AuthKey`, Jitsu `X-Write-Key`; the others `Authorization`."""
_SECRET_IN_QUERY = re.compile(r"(?<=[?&])((?:api_key|writekey)=)[^&]*", re.IGNORECASE)
"""Retently takes its key there too, and Segment's look-alike the write key of a beacon."""

T = TypeVar("T")


class Inspectable(Protocol):
    """What a look-alike offers to be looked at."""

    faults: FaultScript
    requests: RequestLog

    def state(self) -> dict[str, Any]:
        """JSON values."""

    def change_switches(self, changes: Mapping[str, Any]) -> None:
        """Raises ValueError that names the switch."""


def inspection_routes(server: Inspectable) -> list[web.RouteDef]:
    """The routes that every look-alike has."""
    inspection = _Inspection(server)
    return [
        web.get(f"{INSPECTION}requests", inspection.requests),
        web.get(f"{INSPECTION}script", inspection.script),
        web.post(f"{INSPECTION}script", inspection.add_to_script),
        web.delete(f"{INSPECTION}script", inspection.clear_script),
        web.get(f"{INSPECTION}state", inspection.state),
        web.post(f"{INSPECTION}switches", inspection.change_switches),
    ]


class _Inspection:
    def __init__(self, server: Inspectable) -> None:
        self._server = server

    async def requests(self, request: web.Request) -> web.Response:
        return shown([_shown_request(recorded) for recorded in latest(self._server.requests, request)])

    async def script(self, _: web.Request) -> web.Response:
        return shown(self._server.faults.pending)

    async def add_to_script(self, request: web.Request) -> web.Response:
        for rule in await read_json(request, list[Rule]):
            self._server.faults.add_rule(rule)
        return shown(self._server.faults.pending, status=201)

    async def clear_script(self, _: web.Request) -> web.Response:
        self._server.faults.clear()
        return shown([])

    async def state(self, _: web.Request) -> web.Response:
        return shown(self._server.state())

    async def change_switches(self, request: web.Request) -> web.Response:
        changes = await read_json(request, dict[str, Any])
        try:
            self._server.change_switches(changes)
        except ValueError as error:
            raise refusal(str(error)) from error
        return shown(self._server.state())


def shown(value: object, status: int = 200) -> web.Response:
    """JSON of anything a look-alike holds."""
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


async def read_json(request: web.Request, kind: type[T]) -> T:
    """The body as `kind`.

    Raises:
        HTTPBadRequest: It is not; the answer names the field.
    """
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except msgspec.DecodeError as error:
        raise refusal(str(error)) from error


def refusal(reason: str) -> web.HTTPBadRequest:
    """What is wrong with a request to `/__sim/`, ready to be raised."""
    return web.HTTPBadRequest(text=msgspec.json.encode({"error": reason}).decode(), content_type="application/json")


def latest(things: Sequence[T], request: web.Request) -> Sequence[T]:
    """The last `?limit=` things, oldest first; 1000 if nothing is said."""
    limit = request.query.get("limit", str(MOST_SHOWN))
    if not limit.isdecimal():
        raise refusal(f"limit: {limit!r} is not a number")
    return things[max(0, len(things) - int(limit)) :]


def _shown_request(recorded: RecordedRequest) -> dict[str, Any]:
    body = recorded.body
    return {
        "method": recorded.method,
        "target": _SECRET_IN_QUERY.sub(r"\1***", recorded.target),
        "headers": {name: _masked(name, value) for name, value in recorded.headers.items()},
        "body": body.decode("utf-8", "replace") if isinstance(body, bytes) else body,
        "at": recorded.at,
        "status": recorded.status,
        "fault": recorded.fault,
    }


def _masked(name: str, value: str) -> str:
    """Keys that a sandbox sees may be real ones by mistake; how they were sent is enough to know."""
    if name.lower() not in _SECRET_HEADERS:
        return value
    scheme, separator, _ = value.partition(" ")
    return f"{scheme} ***" if separator else "***"
