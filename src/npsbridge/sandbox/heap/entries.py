"""What Heap takes in a request: which entries are well formed, and what is kept of them.

Pure. Rules: developers.heap.io, pages Track, Bulk Track, Add User Properties, Add Account Properties, Identify.
"""

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

from npsbridge.core.model import Record
from npsbridge.core.reading import decode
from npsbridge.errors import BadRecord
from npsbridge.sandbox.heap.switches import HeapSwitches

NAME_LIMIT: Final = 1024
IDENTITY_LIMIT: Final = 255
TEXT_LIMIT: Final = 1023
LARGEST_USER_ID: Final = 2**53 - 1
JOIN: Final = "||"

Properties = dict[str, str | int | float]


class Refused(Exception):
    """Heap does not take it; `reason` is for those who look into the look-alike, for Heap says nothing."""

    def __init__(self, reason: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        self.reason = reason
        self.status = status
        super().__init__(reason)


class HeapEvent(Record, frozen=True, kw_only=True):
    """An event as it was stored."""

    event: str
    identity: str | None = None
    user_id: str | None = None
    timestamp: str | None = None
    """As it was sent; without one the time of arrival counts."""
    at: float
    """Seconds since 1970."""
    idempotency_key: str | None = None
    session_id: str | None = None
    properties: Properties
    received_at: float

    @property
    def person(self) -> str:
        """Who it is of."""
        return person_of(self.identity, self.user_id)


class UserEntry(Record, frozen=True, kw_only=True):
    """Properties to be set for a person."""

    person: str
    properties: Properties


class AccountEntry(Record, frozen=True, kw_only=True):
    """Properties to be set for an account."""

    account_id: str
    properties: Properties


def person_of(identity: str | None, user_id: str | None) -> str:
    """The key of a person: the identity, or what stands for somebody whom only Heap's own id names."""
    return identity if identity is not None else f"user_id:{user_id}"


def body_of(raw: bytes) -> dict[str, Any]:
    """The object in a request. Raises Refused."""
    try:
        return decode(raw, dict[str, Any])
    except BadRecord as error:
        raise Refused("the body is no JSON object") from error


def event_of(entry: object, switches: HeapSwitches, now: float) -> HeapEvent:
    """An entry of `events`, or the body of a single request. Raises Refused."""
    fields = _object(entry)
    identity, user_id = identity_of(fields)
    name = _text(fields, "event", NAME_LIMIT)
    if not name:
        raise Refused("event: missing")
    timestamp = _text(fields, "timestamp")
    return HeapEvent(
        event=name,
        identity=identity,
        user_id=user_id,
        timestamp=timestamp,
        at=_time(timestamp, switches, now),
        idempotency_key=_text(fields, "idempotency_key"),
        session_id=_text(fields, "session_id"),
        properties=properties_of(fields.get("properties", {}), switches),
        received_at=now,
    )


def user_of(entry: object, switches: HeapSwitches) -> UserEntry:
    """An entry of `users`, or the body of a single request. Raises Refused."""
    fields = _object(entry)
    person = person_of(*identity_of(fields))
    properties = properties_of(fields.get("properties"), switches)
    named_id = [name for name in properties if name.lower() == "id"]
    if named_id and switches.id_property == "refused":
        raise Refused("properties.id: the name is taken")
    return UserEntry(person=person, properties={k: v for k, v in properties.items() if k not in named_id})


def account_of(entry: object, switches: HeapSwitches) -> AccountEntry:
    """An entry of `accounts`, or the body of a single request. Raises Refused."""
    fields = _object(entry)
    account_id = _text(fields, "account_id")
    if not account_id:
        raise Refused("account_id: missing")
    return AccountEntry(account_id=account_id, properties=properties_of(fields.get("properties"), switches))


def identity_of(fields: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Exactly one of `identity` and `user_id`. Raises Refused."""
    identity, user_id = _text(fields, "identity", IDENTITY_LIMIT), user_id_of(fields)
    if (identity is None) == (user_id is None):
        raise Refused("identity, user_id: exactly one of them is needed")
    if identity == "":
        raise Refused("identity: empty")
    return identity, user_id


def user_id_of(fields: Mapping[str, Any]) -> str | None:
    """Heap's own id of a person: a decimal text below 2^53. Raises Refused."""
    user_id = _text(fields, "user_id")
    if user_id is None:
        return None
    is_number = user_id.isascii() and user_id.isdecimal() and len(user_id) <= len(str(LARGEST_USER_ID))
    if not is_number or int(user_id) > LARGEST_USER_ID:
        raise Refused("user_id: no decimal number up to 2^53 - 1")
    return user_id


def properties_of(value: object, switches: HeapSwitches) -> Properties:
    """Texts and numbers by name; a list becomes one text. Raises Refused."""
    if not isinstance(value, dict):
        raise Refused("properties: no object")
    for name in value:
        if not name or _length(name, switches) > TEXT_LIMIT:
            raise Refused("properties: a name is empty or too long")
    return {name: _value(name, one, switches) for name, one in value.items()}


def _value(name: str, value: object, switches: HeapSwitches) -> str | int | float:
    match value:
        case bool() | None | dict():
            if switches.other_types == "refused":
                raise Refused(f"properties.{name}: neither text nor number")
            return str(value).lower()
        case int() | float():
            return value
        case list():
            # Documented: joined, and the text then cut; which is not said of a text that was one from the start.
            return _cut(JOIN.join(str(one) for one in value), switches)
    text = str(value)
    if _length(text, switches) <= TEXT_LIMIT:
        return text
    if switches.long_text == "refused":
        raise Refused(f"properties.{name}: {NAME_LIMIT} characters or more")
    return _cut(text, switches)


def _cut(text: str, switches: HeapSwitches) -> str:
    if switches.text_counts == "characters":
        return text[:NAME_LIMIT]
    return text.encode("utf-16-le")[: 2 * NAME_LIMIT].decode("utf-16-le", "ignore")


def _length(text: str, switches: HeapSwitches) -> int:
    return len(text) if switches.text_counts == "characters" else len(text.encode("utf-16-le")) // 2


def _object(entry: object) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise Refused("an entry is no object")
    return entry


def _text(fields: Mapping[str, Any], name: str, limit: float = math.inf) -> str | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > limit:
        raise Refused(f"{name}: no text, or too long")
    return value


def _time(timestamp: str | None, switches: HeapSwitches, now: float) -> float:
    if timestamp is None:
        return now
    try:
        at = datetime.fromisoformat(timestamp).timestamp()
    except (ValueError, OverflowError) as error:
        raise Refused("timestamp: not ISO 8601") from error
    if switches.oldest_event is not None and at < now - switches.oldest_event:
        raise Refused("timestamp: too old")
    if switches.future_events == "refused" and at > now:
        raise Refused("timestamp: in the future")
    return at


Reader = Callable[[object], Any]
"""Understands one entry. Raises Refused."""
