"""What a single Segment call says, read leniently from what SDKs really send (pure).

Facts from Segment's Spec (segment.com/docs/connections/spec) and from its SDKs and RudderStack's. Knows neither HTTP
nor platforms, and keeps nothing: whoever reads a journal entry again reads the same calls under the same messageIds.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import compress
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from npsbridge.core.calls import BadCall, Call, CallType
from npsbridge.core.envelope import CallSource, Envelope, check_size, decode_envelope
from npsbridge.core.keys import normalised_email, real_id
from npsbridge.core.model import Record
from npsbridge.core.reading import decode, instant
from npsbridge.core.translate import LIBRARY_NAME
from npsbridge.errors import BadRecord

MESSAGE_ID_LIMIT: Final = 100
"""Characters; Segment's own limit."""
DEEPEST: Final = 64
"""How far objects and lists may be nested in each other; encoders downstream end at 254."""
LATE: Final = timedelta(days=7)
"""How slow a sender's clock is believed to be; RETENTION__JOURNAL, by default."""
AHEAD: Final = timedelta(hours=1)
"""No call happens later than this after it arrived; a clock that says so is wrong."""

_SIXTY_FOUR_BITS: Final = 2**63
_AS_ZEROS: Final = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER: Final = b"0" * 19
_TEXT: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_AS_SQUARE: Final = bytes.maketrans(b"{}", b"[]")
_ALL_BUT_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"{}[]")
_DIGEST_PREFIX: Final = "digest-"
_DIGEST_CHARACTERS: Final = 40
_OUTSIDE_THE_DIGEST: Final = ("sentAt", "receivedAt", "messageId", "message_id", "type", "_metadata")


_Id = str | int | float | None


class _Context(msgspec.Struct, kw_only=True):
    traits: dict[str, Any] | None = None
    library: Any = None


class _Item(msgspec.Struct, kw_only=True, rename="camel"):
    """The members that we read; msgspec skips all others without building them."""

    type: str | None = None
    action: Any = None
    message_id: _Id = None
    user_id: _Id = None
    anonymous_id: _Id = None
    previous_id: _Id = None
    group_id: _Id = None
    event: str | None = None
    context: _Context | None = None
    traits: dict[str, Any] | None = None
    properties: dict[str, Any] | None = None
    integrations: dict[str, Any] | None = None
    timestamp: Any = None
    original_timestamp: Any = None
    sent_at: Any = None
    received_at: Any = None
    # Spellings of hand-written senders, which count only where the right one is missing.
    other_message_id: Any = msgspec.field(default=None, name="message_id")
    other_user_id: Any = msgspec.field(default=None, name="user_id")
    other_anonymous_id: Any = msgspec.field(default=None, name="anonymous_id")


class _Shared(Record, frozen=True, kw_only=True):
    """What the calls of one request have in common."""

    source: CallSource
    type: str | None
    received_at: datetime
    sent_at: datetime | None
    traits: dict[str, Any]
    library: Any
    integrations: dict[str, Any]
    has_long_numbers: bool
    """Perhaps: there are that many digits in a row somewhere."""


_ITEM: Final = msgspec.json.Decoder(_Item)


def read_calls(body: bytes, *, received_at: int, which: Sequence[bool] | None = None) -> list[Call | BadCall]:
    """What a journal entry of calls says: one result for each item, in order.

    A broken item never costs its neighbours.

    Args:
        body: an encoded Envelope.
        received_at: milliseconds since 1970.
        which: for each item whether it is to be read; None for all of them.

    Raises:
        BadRecord: the body is no Envelope.
    """
    envelope = decode_envelope(body)
    if which is not None:
        envelope = msgspec.structs.replace(envelope, batch=list(compress(envelope.batch, which)))
    try:
        shared = _shared(envelope, body, datetime.fromtimestamp(received_at / 1000, UTC))
    except BadRecord as error:
        return [BadCall(pointer=error.pointer, reason=error.reason, raw=bytes(raw)) for raw in envelope.batch]
    return [_read(bytes(raw), shared) for raw in envelope.batch]


def _shared(envelope: Envelope, body: bytes, received_at: datetime) -> _Shared:
    context = _of_batch("/context", envelope.context, _Context) or _Context()
    return _Shared(
        source=envelope.source,
        type=envelope.type,
        received_at=received_at,
        sent_at=_instant(envelope.sent_at),
        traits=_bounded(context.traits or {}),
        library=context.library,
        integrations=_of_batch("/integrations", envelope.integrations, dict[str, Any]) or {},
        has_long_numbers=_LONG_NUMBER in body.translate(_AS_ZEROS),
    )


def _of_batch(pointer: str, raw: Raw | UnsetType, kind: Any) -> Any:
    if raw is UNSET:
        return None
    try:
        _check_depth(bytes(raw))
        return decode(bytes(raw), kind | None)
    except BadRecord as error:
        raise BadRecord(pointer + error.pointer, f"{error.reason} (of the whole batch)") from error


def _read(raw: bytes, shared: _Shared) -> Call | BadCall:
    try:
        if shared.source is CallSource.SDK:
            check_size(raw)
        _check_depth(raw)
        return _call(_item(raw, shared), raw, shared)
    except BadRecord as error:
        return BadCall(pointer=error.pointer, reason=error.reason, raw=raw)


def _check_depth(raw: bytes) -> None:
    # The brackets inside of texts make this an upper bound, which nearly always does.
    if raw.count(b"{") + raw.count(b"[") > DEEPEST and _depth(raw) > DEEPEST:
        raise BadRecord("", f"is nested deeper than {DEEPEST}")


def _depth(raw: bytes) -> int:
    """How deep it is nested, or more than DEEPEST: how often the innermost brackets can be taken away."""
    brackets = _TEXT.sub(b"", raw).translate(_AS_SQUARE, _ALL_BUT_BRACKETS)
    depth = 0
    while brackets and depth <= DEEPEST:
        brackets = brackets.replace(b"[]", b"")
        depth += 1
    return depth


def _item(raw: bytes, shared: _Shared) -> _Item:
    try:
        item = _ITEM.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        item = decode(raw, _Item)
    if shared.has_long_numbers:
        item.traits, item.properties = _bounded(item.traits), _bounded(item.properties)
        if item.context:
            item.context.traits = _bounded(item.context.traits)
    return item


def _bounded(value: Any) -> Any:
    """Numbers of more than 64 bits as text: they are somebody's ids, and neither encoders nor databases take them."""
    match value:
        case bool():
            return value
        case int() if not -_SIXTY_FOUR_BITS <= value < _SIXTY_FOUR_BITS:
            return str(value)
        case dict():
            return {name: _bounded(member) for name, member in value.items()}
        case list():
            return [_bounded(member) for member in value]
        case _:
            return value


# --- one call ---------------------------------------------------------------------------------------------------


def _call(item: _Item, raw: bytes, shared: _Shared) -> Call:
    kind = _type(item, shared)
    context = item.context or _Context()
    known = _merged(shared.traits, context.traits or {})
    own = item.traits or {}
    traits = _merged(known, own) if kind is CallType.IDENTIFY else known
    call = Call(
        type=kind,
        message_id=_message_id(item, raw, kind, shared),
        user_id=_id("/userId", item.user_id, item.other_user_id),
        anonymous_id=_id("/anonymousId", item.anonymous_id, item.other_anonymous_id),
        previous_id=_id("/previousId", item.previous_id),
        group_id=_id("/groupId", item.group_id),
        email=_email(own if kind is CallType.IDENTIFY else {}, known, item.properties or {}),
        event=item.event if kind is CallType.TRACK else None,
        traits=traits,
        group_traits=own if kind is CallType.GROUP else {},
        properties=item.properties or {},
        integrations={**shared.integrations, **(item.integrations or {})},
        timestamp=_when(item, shared),
        is_ours=_name_of(context.library or shared.library) == LIBRARY_NAME,
    )
    _check(call)
    return call


def _type(item: _Item, shared: _Shared) -> CallType:
    """What the call says itself, else the path, else `action`, as the old example of Promoter's page has it."""
    word = item.type or shared.type or item.action
    if not isinstance(word, str) or not word:
        raise BadRecord("/type", "is missing")
    try:
        kind = CallType(word.lower())
    except ValueError as error:
        raise BadRecord("/type", "is no method of Segment's Spec") from error
    if kind is CallType.DELETE and shared.source is not CallSource.WEBHOOK:
        raise BadRecord("/type", "is delete, which only Segment's signed webhook may say: write keys are public")
    return kind


def _check(call: Call) -> None:
    """Segment itself drops calls that lack one of these, in silence."""
    if call.type is CallType.TRACK and not (call.event or "").strip():
        raise BadRecord("/event", "is missing: a track needs the name of its event")
    if call.type is CallType.GROUP and call.group_id is None:
        raise BadRecord("/groupId", "is missing, or stands for no group")
    if call.type is CallType.ALIAS and call.previous_id is None:
        raise BadRecord("/previousId", "is missing, or stands for nobody")
    if call.type is CallType.ALIAS and call.user_id is None:
        raise BadRecord("/userId", "is missing, or stands for nobody")
    if call.user_id is None and call.anonymous_id is None and call.email is None:
        raise BadRecord("/userId", "is missing or stands for nobody, and so does anonymousId, and there is no email")


def _id(pointer: str, *spellings: object) -> str | None:
    """The first that is an id: not null, empty, `"null"`, `"undefined"`, zeros, ..."""
    for value in spellings:
        text = None if value is None else _id_text(value)
        if text is not None and real_id(text):
            return _without_nul(pointer, text)
    return None


def _without_nul(pointer: str, text: str) -> str:
    if "\0" in text:
        raise BadRecord(pointer, "contains a NUL character")
    return text


def _id_text(value: object) -> str | None:
    match value:
        case str():
            return value
        case bool():
            return None
        case float() if value.is_integer():
            return str(int(value))
        case int() | float():
            return str(value)
        case _:
            return None


def _email(*places: Mapping[str, Any]) -> str | None:
    emails = (place.get("email") for place in places)
    return next((found for email in emails if isinstance(email, str) and (found := normalised_email(email))), None)


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Both, objects within them member by member; where they disagree, `over`."""
    if not under or not over:
        return over or under
    merged = {**under, **over}
    for name in under.keys() & over.keys():
        if isinstance(under[name], dict) and isinstance(over[name], dict):
            merged[name] = _merged(under[name], over[name])
    return merged


def _name_of(library: object) -> object:
    return library.get("name") if isinstance(library, dict) else None


# --- when, and which --------------------------------------------------------------------------------------------


def _when(item: _Item, shared: _Shared) -> datetime:
    """`receivedAt - (sentAt - timestamp)`, as Segment corrects it (Spec, "Common Fields", "Timestamps").

    A call with `receivedAt` comes from Segment, which has corrected it. Where one of the times is missing or
    unreadable, the claim counts as it stands, and without a claim the moment of arrival. So it does of a request that
    says it was sent longer ago than messageIds are remembered: it may be an old one that somebody plays again.
    """
    claimed = _instant(item.timestamp) or _instant(item.original_timestamp)
    if claimed is None:
        return shared.received_at
    sent = None if item.received_at else _instant(item.sent_at) or shared.sent_at
    latest = shared.received_at + AHEAD
    if sent is not None and shared.received_at - sent > LATE:
        return min(claimed, latest)
    try:
        return min(claimed if sent is None else shared.received_at - (sent - claimed), latest)
    except OverflowError:
        return min(claimed, latest)


def _instant(value: object) -> datetime | None:
    if value is None:
        return None
    try:
        return instant(value, "")
    except BadRecord:
        return None


def _message_id(item: _Item, raw: bytes, kind: CallType, shared: _Shared) -> str:
    given = _id("/messageId", item.message_id, item.other_message_id)
    if given is None:
        return _digest(_canonical(item, raw, kind, shared))
    return given if len(given) <= MESSAGE_ID_LIMIT else _digest(given.encode())


def _canonical(item: _Item, raw: bytes, kind: CallType, shared: _Shared) -> bytes:
    """What a call says, the same for each time that it is sent.

    A call that does not say either when it happened is the same one only within a day (UTC): else somebody's second
    purchase would be taken for the first.
    """
    members = {name: value for name, value in decode(raw, dict[str, Any]).items() if name not in _OUTSIDE_THE_DIGEST}
    is_dated = item.timestamp is not None or item.original_timestamp is not None
    day = None if is_dated else shared.received_at.date().isoformat()
    return msgspec.json.encode([kind.value, day, members], order="sorted")


def _digest(content: bytes) -> str:
    return _DIGEST_PREFIX + hashlib.sha256(content).hexdigest()[:_DIGEST_CHARACTERS]
