"""Reads what SDKs send and works out what a downstream would get of it.

Pure. Rules: segment.com/docs/connections/sources/catalog/libraries/server/http-api and
segment.com/docs/connections/spec/common; silent drops as reported in segmentio/analytics-go issue 205.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any

import orjson

from npsbridge.core.model import Record
from npsbridge.sandbox.request_log import unpacked
from npsbridge.sandbox.segment.switches import SegmentSwitches

LONGEST_MESSAGE_ID = 100
LONGEST_JITSU_MESSAGE_ID = 64
RUDDER_BODY_LIMIT = 4000 * 1024

_TYPES = frozenset({"identify", "track", "page", "screen", "group", "alias"})
_ID_FIELDS = ("userId", "anonymousId", "groupId", "previousId", "messageId")
# What a calendar of four-digit years can hold; a time beyond it comes from a broken clock.
_EARLIEST = datetime(1, 1, 2, tzinfo=UTC).timestamp()
_LATEST = datetime(9999, 12, 30, tzinfo=UTC).timestamp()
_UNSUPPORTED_IN_ID = re.compile(r"[^a-zA-Z0-9._-]")


class DropReason(StrEnum):
    """Why an event is not handed on."""

    UNKNOWN_KEY = "unknown_key"
    NO_IDENTITY = "no_user_anon_id"
    NO_EVENT = "missing_event"
    NO_GROUP = "missing_group_id"
    NO_PREVIOUS = "missing_previous_id"
    NO_USER = "missing_user_id"
    UNKNOWN_TYPE = "unknown_type"
    NO_OBJECT = "not_an_object"
    TOO_MANY = "batch_too_long"
    LONG_ID = "message_id_too_long"
    DUPLICATE = "duplicate"
    NO_DESTINATION = "no_destination"


class Refused(Exception):
    """The whole request is answered with an error.

    Attributes:
        status: The HTTP status.
        code: A word for machines.
        reason: Why, for people.
    """

    def __init__(self, status: HTTPStatus, code: str, reason: str) -> None:
        self.status = status
        self.code = code
        self.reason = reason
        super().__init__(reason)


class Envelope(Record, frozen=True, kw_only=True):
    """A request, understood: the events in it and what is said of all of them."""

    items: list[Any]
    body: dict[str, Any]


def envelope_of(raw: bytes, kind: str, switches: SegmentSwitches) -> Envelope:
    """Unpack and parse a body, within the limits of the mode.

    Args:
        raw: The body as sent.
        kind: `batch`, or the type of a single message.
        switches: The limits.

    Raises:
        Refused: It cannot be read or is too large.
    """
    try:
        decoded = unpacked(raw)
        body = orjson.loads(decoded)
    except ValueError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, "invalid_request", "invalid json") from error
    if not isinstance(body, dict):
        raise Refused(HTTPStatus.BAD_REQUEST, "invalid_request", "invalid json")
    size = len(decoded if switches.limits_count == "decoded" else raw)
    if kind != "batch":
        _check_size(size, switches.event_limit, switches)
        return Envelope(items=[{**body, "type": kind}], body=body)
    _check_size(size, switches.body_limit, switches)
    items = body.get("batch")
    if not isinstance(items, list):
        raise Refused(HTTPStatus.BAD_REQUEST, "invalid_request", "batch is not a list")
    _check_items(items, len(decoded), switches)
    return Envelope(items=items, body=body)


def _check_size(size: int, limit: int, switches: SegmentSwitches) -> None:
    match switches.mode:
        case "segment" if size > limit:
            raise Refused(HTTPStatus.BAD_REQUEST, "request_too_large", f"the request exceeds {limit} bytes")
        case "strict" if size > limit:
            raise Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "request_too_large", f"the request exceeds {limit} bytes"
            )
        case "rudder" if size > RUDDER_BODY_LIMIT:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "request_too_large", "request size too large")


def _check_items(items: list[Any], size: int, switches: SegmentSwitches) -> None:
    if not items and switches.mode == "rudder":
        raise Refused(HTTPStatus.BAD_REQUEST, "empty_batch", "empty batch payload")
    if switches.mode not in {"segment", "strict"} or size <= switches.event_limit:
        return
    for number, item in enumerate(items):
        if len(orjson.dumps(item)) > switches.event_limit:
            reason = f"batch[{number}] exceeds {switches.event_limit} bytes"
            raise Refused(HTTPStatus.BAD_REQUEST, "event_too_large", reason)


def cleaned(item: Any, switches: SegmentSwitches) -> dict[str, Any] | DropReason:
    """An event whose ids are text or absent, or why it is dropped."""
    if not isinstance(item, dict):
        return DropReason.NO_OBJECT
    event = {name: value for name, value in item.items() if name != "writeKey" and _is_given(name, value)}
    for name in _ID_FIELDS:
        if name in event:
            event[name] = str(event[name])
    return _fault_of(event, switches) or event


def _is_given(name: str, value: object) -> bool:
    return name not in _ID_FIELDS or (value is not None and value != "")


def _fault_of(event: Mapping[str, Any], switches: SegmentSwitches) -> DropReason | None:
    kind = event.get("type")
    if not isinstance(kind, str) or kind not in _TYPES:
        return DropReason.UNKNOWN_TYPE
    if len(event.get("messageId", "")) > LONGEST_MESSAGE_ID and switches.long_message_ids == "drop":
        return DropReason.LONG_ID
    if "userId" not in event and "anonymousId" not in event:
        return DropReason.NO_IDENTITY
    if kind == "track" and not (isinstance(event.get("event"), str) and event["event"]):
        return DropReason.NO_EVENT
    if kind == "group" and "groupId" not in event:
        return DropReason.NO_GROUP
    return _alias_fault(event) if kind == "alias" else None


def _alias_fault(event: Mapping[str, Any]) -> DropReason | None:
    if "userId" not in event:
        return DropReason.NO_USER
    return None if "previousId" in event else DropReason.NO_PREVIOUS


def jitsu_message_id(message_id: str) -> str:
    """How Jitsu keeps a messageId (jitsucom/bulker, `ingest/router_batch_handler.go`)."""
    return _UNSUPPORTED_IN_ID.sub("_", message_id)[:LONGEST_JITSU_MESSAGE_ID]


def downstream(
    event: Mapping[str, Any], body: Mapping[str, Any], *, received_at: float, project_id: str
) -> dict[str, Any]:
    """The event as it would reach a destination: times corrected, batch-level fields merged in.

    Args:
        event: A cleaned event with a messageId.
        body: The request it came in.
        received_at: Seconds since 1970.
        project_id: The source that its write key belongs to.
    """
    sent_at = event.get("sentAt") or body.get("sentAt")
    claimed = event.get("timestamp") or event.get("originalTimestamp")
    received = iso(received_at)
    return {
        **event,
        "context": _merged(body.get("context"), event.get("context")),
        "integrations": _merged(body.get("integrations"), event.get("integrations")),
        "timestamp": corrected(claimed, sent_at, received_at),
        "originalTimestamp": claimed if isinstance(claimed, str) else received,
        "sentAt": sent_at if isinstance(sent_at, str) else received,
        "receivedAt": received,
        "channel": event.get("channel", "server"),
        "projectId": project_id,
        "version": 2,
    }


def _merged(shared: object, own: object) -> dict[str, Any]:
    return {**(shared if isinstance(shared, dict) else {}), **(own if isinstance(own, dict) else {})}


def corrected(claimed: object, sent_at: object, received_at: float) -> str:
    """`receivedAt - (sentAt - originalTimestamp)`; where one of them is missing, the claim as it stands.

    Source: segment.com/docs/connections/spec/common, "Timestamps".
    """
    original, sent = seconds(claimed), seconds(sent_at)
    if original is None:
        return iso(received_at)
    moment = original if sent is None else received_at - (sent - original)
    return iso(moment if _EARLIEST <= moment <= _LATEST else received_at)


def seconds(text: object) -> float | None:
    """An ISO 8601 time as seconds since 1970, without a zone taken as UTC; None if it is no such time."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def iso(moment: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC with milliseconds."""
    return datetime.fromtimestamp(round(moment, 3), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def project_id(write_key: str) -> str:
    """The id of the source that a write key belongs to."""
    return hashlib.sha256(write_key.encode()).hexdigest()[:12]
