"""How Segment, RudderStack and Jitsu differ: where they look for the key, what they serve, and how they answer.

Pure but for the request that is looked at. Sources: rudderlabs/rudder-server (`gateway`), jitsucom/bulker (`ingest`),
segment.com/docs/connections/sources/catalog/libraries/server/http-api.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from aiohttp import web

from npsbridge.core.model import Record
from npsbridge.sandbox.segment.intake import DropReason, Refused
from npsbridge.sandbox.segment.switches import Mode, SegmentSwitches
from npsbridge.sandbox.server import json_answer

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET,POST,OPTIONS",
    "Access-Control-Allow-Headers": (
        "authorization,content-type,x-retry-count,x-write-key,anonymousid,sentat,"
        "rsa-retry-attempt,rsa-since-last-attempt,rsa-recovered"
    ),
    "Access-Control-Expose-Headers": "Retry-After,X-RateLimit-Reset",
    "Access-Control-Max-Age": "86400",
}

_LONG = ("identify", "track", "page", "screen", "group", "alias")
_SEGMENT_PATHS = {
    **{f"/v1/{kind}": kind for kind in _LONG},
    **{f"/v1/{kind[0]}": kind for kind in _LONG},
    "/v1/batch": "batch",
    "/v1/b": "batch",
    "/v1/import": "batch",
    "/v1/m": "metrics",
}
_PATHS: Mapping[Mode, Mapping[str, str]] = {
    "segment": _SEGMENT_PATHS,
    "strict": _SEGMENT_PATHS,
    "rudder": {
        **{f"/v1/{kind}": kind for kind in _LONG},
        **dict.fromkeys(("/v1/batch", "/v1/import", "/beacon/v1/batch"), "batch"),
    },
    "jitsu": {
        **dict.fromkeys(("/v1/batch", "/v1/b", "/b", "/batch", "/api/s/s2s/batch"), "batch"),
        **{f"/api/s/{kind}": kind for kind in _LONG},
        **{f"/api/s/s2s/{kind}": kind for kind in _LONG},
    },
}
_JITSU_TYPES = ("application/json", "text/plain")


class Drop(Record, frozen=True, kw_only=True):
    """An event that is not handed on."""

    reason: DropReason
    at: float
    """Seconds since 1970."""
    item: Any
    """The event as it was sent."""


def kind_of(mode: Mode, path: str) -> str:
    """`batch`, `metrics` or the type of a single message; raises Refused for a path that is not served."""
    kind = _PATHS[mode].get(path.rstrip("/"))
    if kind is None:
        raise no_such_route(path)
    return kind


def no_such_route(path: str) -> Refused:
    """The 404 for a path that is not served."""
    return Refused(HTTPStatus.NOT_FOUND, "not_found", f"no such route: {path}")


def check_content_type(mode: Mode, request: web.Request) -> None:
    """Jitsu insists on JSON or plain text; nobody else looks. Raises Refused."""
    if mode == "jitsu" and not request.content_type.endswith(_JITSU_TYPES):
        reason = f"{request.content_type}. Expected: application/json"
        raise Refused(HTTPStatus.BAD_REQUEST, "invalid_content_type", reason)


def key_given(mode: Mode, request: web.Request, body: Mapping[str, Any]) -> str:
    """The write key, from where the mode looks for it; empty if there is none.

    Segment reads Basic or the body, RudderStack Basic only (its beacon: the query), Jitsu all of them, header first.
    """
    basic = _basic_user(request)
    in_query = request.query.get("writeKey") or request.query.get("writekey") or ""
    in_body = body.get("writeKey")
    match mode:
        case "rudder":
            return basic or (in_query if request.path.startswith("/beacon/") else "")
        case "jitsu":
            return basic or request.headers.get("X-Write-Key", "") or in_query or _text(in_body)
        case _:
            return basic or _text(in_body)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _basic_user(request: web.Request) -> str:
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(credentials.strip(), validate=True).decode().removesuffix(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""


def check_key(key: str, switches: SegmentSwitches, *, is_known: bool) -> DropReason | None:
    """Why all events of this key are dropped, if they are; raises Refused where the mode says so openly."""
    if switches.mode == "segment":
        if len(key) < switches.shortest_key:
            raise Refused(HTTPStatus.BAD_REQUEST, "invalid_request", "the write key is missing or too short")
        return None if is_known else DropReason.UNKNOWN_KEY
    if not is_known:
        raise Refused(HTTPStatus.UNAUTHORIZED, "invalid_write_key", "Invalid Write Key")
    return None


def refuses_whole(mode: Mode) -> bool:
    """Whether one bad event sinks its whole batch."""
    return mode in {"rudder", "strict"}


def refusal_of(drop: Drop) -> Refused:
    """The error for a batch that a bad event sinks."""
    if drop.reason is DropReason.NO_IDENTITY:
        reason = "request neither has anonymousId nor userId"
    else:
        reason = drop.reason.value.replace("_", " ")
    return Refused(HTTPStatus.BAD_REQUEST, drop.reason.value, reason)


def success_answer(mode: Mode, received: int, drops: Sequence[Drop]) -> web.Response:
    """The 200 of a mode; Jitsu's may say that it was none."""
    match mode:
        case "rudder":
            return web.Response(text="ok", headers=CORS)
        case "jitsu":
            return json_answer(_jitsu_report(received, drops), headers=CORS)
        case _:
            return json_answer({"success": True}, headers=CORS)


def _jitsu_report(received: int, drops: Sequence[Drop]) -> dict[str, Any]:
    report: dict[str, Any] = {"ok": not drops, "receivedEvents": received, "okEvents": received - len(drops)}
    if drops:
        report["errors"] = [f"Message ID: {_message_id(drop.item)}: {drop.reason.value}" for drop in drops]
    return report


def _message_id(item: object) -> object:
    return item.get("messageId") if isinstance(item, dict) else None


def error_answer(mode: Mode, refused: Refused) -> web.Response:
    """An error as the mode words it; `code` and `message` are what the SDKs look for."""
    if mode == "rudder":
        return web.Response(text=refused.reason, status=refused.status, headers=CORS)
    body = {"success": False, "code": refused.code, "message": refused.reason, "error": refused.reason}
    return json_answer(body, refused.status, CORS)
