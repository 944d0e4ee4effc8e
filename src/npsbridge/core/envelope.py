"""How calls are kept in the journal: one request, as it came, without its write key (pure).

Facts from Segment's "HTTP API" page and from what its SDKs really send. Takes the calls apart only as far as it must;
what a call says is read later, by core.callreading.
"""

from enum import StrEnum
from typing import Any, Final, TypeVar

import msgspec
from msgspec import UNSET, Raw, UnsetType

from npsbridge.core.model import Record
from npsbridge.core.reading import decode
from npsbridge.errors import BadRecord

INGEST: Final = "ingest"
"""The connection that calls arrive on, in the journal."""

T = TypeVar("T")

EVENT_LIMIT: Final = 32 * 1024
"""Bytes of one call from an SDK (Segment's "HTTP API" page, "Max Request Size"). What Segment's webhook brings has
passed that gate, and has grown since."""
MOST_CALLS: Final = 10_000
"""Calls in one request; Segment drops what is beyond 2,500, its Webhooks destination sends 4,000 at most."""

MOST_SHARED: Final = 16 * 1024 * 1024
"""Bytes of what a batch says of all its calls, times their number: each is read as if it said it itself."""

_BYTES_PER_COMMA: Final = 8
"""Honest calls have more, on average. What is divided more finely would be millions of objects before it is counted."""
_SMALL: Final = 1_000_000
_BOM: Final = b"\xef\xbb\xbf"
_KEY_NAMES: Final = ("writeKey", "write_key")


class CallSource(StrEnum):
    """Which door a call came in by; also the `source` of `ingest_events_total`."""

    SDK = "sdk"
    """The tracking API. Its write keys are public: they stand in web pages."""
    WEBHOOK = "segment_webhook"
    """Segment's Webhooks destination, which signs."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """The body of one journal entry of calls: one request, its calls as they were sent."""

    batch: list[Raw]
    source: CallSource = CallSource.SDK
    type: str | None = None
    """What the path said, for a call that does not say it itself."""
    sent_at: Any = None
    """The batch's own `sentAt`, as it came."""
    context: Raw | UnsetType = UNSET
    """The batch's own, which each of its calls shares."""
    integrations: Raw | UnsetType = UNSET
    """Likewise."""

    def encode(self) -> bytes:
        """As it is journaled."""
        return msgspec.json.encode(self)


class Unwrapped(Record, frozen=True, kw_only=True):
    """A request, taken apart."""

    envelope: Envelope
    write_key: str | None = None
    """The key that stood in the body."""
    is_single: bool
    """The body was one call, not a batch."""


class _Request(msgspec.Struct, kw_only=True, rename="camel"):
    batch: list[Raw] | UnsetType = UNSET
    write_key: Any = None
    sent_at: Any = None
    context: Raw | UnsetType = UNSET
    integrations: Raw | UnsetType = UNSET


def decode_envelope(body: bytes) -> Envelope:
    """The envelope of a journal entry.

    Raises:
        BadRecord: it is none.
    """
    return _decoded(body, Envelope)


def unwrap(raw: bytes, *, type_in_path: str | None = None) -> Unwrapped:
    """Take a request of an SDK apart: a batch, a bare list of calls, or one call.

    What is wrong inside a call is no reason to refuse its neighbours, and is not looked at here. Members named
    `writeKey` are left out, also of each call.

    Raises:
        BadRecord: it is no JSON, is neither object nor list, `batch` is no list, or there are too many calls.
    """
    text = _text(raw)
    if text.startswith(b"["):
        calls = _without_keys(_decoded(text, list[Raw]), text)
        return Unwrapped(envelope=Envelope(batch=calls, type=type_in_path), is_single=False)
    request = _decoded(text, _Request)
    key = request.write_key if isinstance(request.write_key, str) else None
    if request.batch is UNSET:
        only = _without_keys([Raw(text)], text)
        return Unwrapped(envelope=Envelope(batch=only, type=type_in_path), write_key=key, is_single=True)
    _check_shared(request, len(request.batch))
    envelope = Envelope(
        batch=_without_keys(request.batch, text),
        type=type_in_path,
        sent_at=request.sent_at,
        context=request.context,
        integrations=request.integrations,
    )
    return Unwrapped(envelope=envelope, write_key=key, is_single=False)


def _check_shared(request: _Request, calls: int) -> None:
    for name, raw in (("context", request.context), ("integrations", request.integrations)):
        if raw is not UNSET and len(bytes(raw)) * calls > MOST_SHARED:
            raise BadRecord(f"/{name}", f"is too large to stand for {calls} calls")


def unwrap_webhook(raw: bytes) -> Envelope:
    """Take a webhook apart: a list of calls, or one call; each perhaps wrapped as the "Extensible Webhook" does it.

    Raises:
        BadRecord: it is no JSON, is neither object nor list, or there are too many calls.
    """
    text = _text(raw)
    calls = _decoded(text, list[Raw]) if text.startswith(b"[") else [Raw(text)]
    if not text.startswith(b"["):
        _decoded(text, dict[str, Raw])
    calls = _without_keys([_without_wrapping(call) for call in calls], text)
    return Envelope(batch=calls, source=CallSource.WEBHOOK)


def check_size(call: bytes) -> None:
    """Whether Segment would take a call of this size.

    Raises:
        BadRecord: it would not.
    """
    if len(call) > EVENT_LIMIT:
        raise BadRecord("", f"has {len(call)} bytes; {EVENT_LIMIT} are the most that a call may have")


def _decoded(raw: bytes, kind: type[T]) -> T:
    """Like `decode`, but looks for lone surrogates only in what cannot be read; large bodies are full of escapes.

    Raises:
        BadRecord: the bytes are no JSON, or not of that type.
    """
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return decode(raw, kind)


def _text(raw: bytes) -> bytes:
    if not raw.isascii():
        _check_utf8(raw)
    if len(raw) > _SMALL and raw.count(b",") > len(raw) // _BYTES_PER_COMMA:
        raise BadRecord("/batch", "is divided too finely to be calls")
    return raw.removeprefix(_BOM).strip()


def _check_utf8(raw: bytes) -> None:
    """JSON is UTF-8, and calls are looked into only after they were answered."""
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        raise BadRecord("", f"is not UTF-8 (byte {error.start})") from error


def _without_keys(calls: list[Raw], request: bytes) -> list[Raw]:
    """The calls of a request without the write keys that some SDKs put into each.

    Raises:
        BadRecord: there are too many of them.
    """
    if len(calls) > MOST_CALLS:
        raise BadRecord("/batch", f"has {len(calls)} calls; {MOST_CALLS} are the most")
    return [_without_key(call) for call in calls] if _names_key(request) else calls


def _names_key(raw: bytes) -> bool:
    # A capital K is rare, and found or missed forty times as fast as a word.
    return (b"K" in raw and b"writeKey" in raw) or b"write_key" in raw


def _without_key(call: Raw) -> Raw:
    raw = bytes(call)
    if not _names_key(raw) or not raw.startswith(b"{"):
        return call
    members = _decoded(raw, dict[str, Raw])
    return Raw(msgspec.json.encode({name: value for name, value in members.items() if name not in _KEY_NAMES}))


def _without_wrapping(call: Raw) -> Raw:
    raw = bytes(call)
    if b'"json"' not in raw or not raw.startswith(b"{"):
        return call
    members = _decoded(raw, dict[str, Raw])
    return members["json"] if members.keys() == {"json"} else call
