"""The tracking API: whatever path, key place, content type and packing an SDK of Segment's kind uses, it is understood.

Paths and habits: Segment's "HTTP API" page, and what the SDKs of Segment, RudderStack and Jitsu were measured to send.
One request is one journal entry; what its calls say is nobody's business here.
"""

import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from aiohttp import web

from npsbridge.core.envelope import CallSource, check_size, unwrap
from npsbridge.web.ingest import Ingest, answered, body_of, kept, nothing_here, thanks
from npsbridge.web.refusals import Refused, refusal
from npsbridge.web.write_key import in_the_body, is_known, is_usual, outside_the_body

BODY_LIMIT: Final = 5 * 1024 * 1024
"""Bytes of a request, packed and unpacked: RudderStack's SDKs send up to 4 MB."""

_TYPES: Final = ("identify", "track", "page", "screen", "group", "alias")
_TYPE_IN_PATH: Final = {name: kind for kind in _TYPES for name in (kind, kind[0])}
_BATCHES: Final = ("batch", "b", "import")
_PLACE: Final = "/{place:/?(?:(?:v1/)?(?:v1/)?|v1/batch/v1/|beacon/v1/|api/s/(?:s2s/)?)}"
"""`host` with and without `/v1` (the other way doubles it); RudderStack's Node SDK given the whole URL, and its beacon;
Jitsu's."""

_HEADERS_ALLOWED: Final = (
    "authorization, content-type, x-retry-count, x-write-key, anonymousid, sentat, "
    "rsa-retry-attempt, rsa-since-last-attempt, rsa-recovered"
)
_HEADERS_ASKED_FOR: Final = re.compile(r"[A-Za-z0-9-]+(?:\s*,\s*[A-Za-z0-9-]+){0,31}")
_PREFLIGHT_SECONDS: Final = "86400"
_METHODS: Final = "POST, OPTIONS"

Take = Callable[[Ingest, web.Request], Awaitable[web.Response]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def tracking_routes(ingest: Ingest) -> list[web.RouteDef]:
    """The routes of the tracking API; every one of them answers 404 while no write key is configured."""
    doors = {name: _door(ingest, partial(_take, kind)) for name, kind in _TYPE_IN_PATH.items()}
    doors |= dict.fromkeys(_BATCHES, _door(ingest, partial(_take, None)))
    doors["m"] = _door(ingest, _discard)
    # Nearly all calls come to the plain paths, which are found without trying a pattern.
    plain = [web.route("*", f"/v1/{name}", door) for name, door in doors.items()]
    return plain + [web.route("*", f"{_PLACE}{{name:{name}}}{{end:/?}}", door) for name, door in doors.items()]


def _door(ingest: Ingest, take: Take) -> Handler:
    async def opened(request: web.Request) -> web.StreamResponse:
        answer = await answered(ingest, CallSource.SDK, _answer(ingest, take, request))
        answer.headers["Access-Control-Allow-Origin"] = "*"
        answer.headers["Access-Control-Expose-Headers"] = "Retry-After"
        return answer

    return opened


async def _answer(ingest: Ingest, take: Take, request: web.Request) -> web.Response:
    if not ingest.write_keys:
        return nothing_here()
    match request.method:
        case "POST":
            return await take(ingest, request)
        case "OPTIONS":
            return _preflight(request)
        case _:
            answer = refusal(405, "method_not_allowed", "calls are taken by POST")
            answer.headers["Allow"] = _METHODS
            return answer


def _preflight(request: web.Request) -> web.Response:
    """What a browser may send.

    Headers that it asks for by name are allowed whatever they are: a new release of an SDK brings new ones, and what
    authenticates here is the write key, not anything that a browser adds by itself.
    """
    asked = request.headers.get("Access-Control-Request-Headers", "").strip()
    also = f", {asked}" if _HEADERS_ASKED_FOR.fullmatch(asked) else ""
    headers = {
        "Access-Control-Allow-Methods": _METHODS,
        "Access-Control-Allow-Headers": _HEADERS_ALLOWED + also,
        "Access-Control-Max-Age": _PREFLIGHT_SECONDS,
    }
    return web.Response(status=204, headers=headers)


async def _take(kind: str | None, ingest: Ingest, request: web.Request) -> web.Response:
    """One request with calls, of a kind that the path says: 401 unless its key is ours, 200 once they are journaled."""
    is_ours = is_usual(request.headers.get("Authorization", ""), ingest.write_keys)
    candidates = () if is_ours else outside_the_body(request.headers, request.query)
    if candidates and not is_known(candidates, ingest.write_keys):
        raise _unknown_key()
    with ingest.load.carried() as carried:
        raw = await body_of(request, BODY_LIMIT, carried, unpacks=True)
        arrived = unwrap(raw, type_in_path=kind)
        if not is_ours and not candidates and not is_known(in_the_body(arrived.write_key), ingest.write_keys):
            raise _unknown_key()
        if arrived.is_single:
            check_size(bytes(arrived.envelope.batch[0]))
        return await kept(ingest, arrived.envelope)


def _unknown_key() -> Refused:
    return Refused(401, "invalid_write_key", "the write key is missing or is none of NPSBRIDGE_INGEST__WRITE_KEYS")


async def _discard(ingest: Ingest, _request: web.Request) -> web.Response:
    """What SDKs measure of themselves; nobody wants it."""
    ingest.metrics.ingest_events.labels(CallSource.SDK.value, "ignored").inc()
    return thanks()
