"""Reading what vendors send: strict where the meaning is at stake, lenient where they are known to vary.

Every refusal is a BadRecord with a JSON pointer, and never repeats the value: it may be personal.
"""

import hashlib
import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from npsbridge.errors import BadRecord

T = TypeVar("T")

_HEX = rb"[0-9a-fA-F]{2}"
_ESCAPES = re.compile(rb"\\(?:u[dD][89abAB]%b\\u[dD][c-fC-F]%b|u[dD][89a-fA-F]%b|.)" % (_HEX, _HEX, _HEX), re.DOTALL)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]" + _HEX)
_PAIR_LENGTH = 12
_AT = re.compile(r" - at `\$([^`]*)`$")
_EPOCH = re.compile(r"[0-9]{9,13}(?:\.[0-9]+)?")
_ZONE_NAME = re.compile(r"\s*(?:UTC|GMT)$")
_MILLISECONDS_FROM = 100_000_000_000
"""Seconds beyond the year 5138, milliseconds from 1973 on: an epoch from here on is in milliseconds."""

NPS_HIGHEST = 10


def decode(raw: bytes, kind: type[T]) -> T:
    """Decode JSON bytes into a type.

    Lone surrogates, which JSON can spell and UTF-8 cannot hold, become U+FFFD.

    Raises:
        BadRecord: the bytes are no JSON, or not of that type.
    """
    try:
        return msgspec.json.decode(_mended(raw), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _bad(error) from error


def joined(elements: Iterable[bytes]) -> bytes:
    """A JSON array of elements as they are; what `split` takes apart again."""
    return b"[" + b",".join(elements) + b"]"


def split(raw: bytes) -> list[bytes]:
    """The elements of a JSON array, each as the bytes it came in.

    Raises:
        BadRecord: the bytes are no JSON array.
    """
    return [bytes(element) for element in decode(raw, list[msgspec.Raw])]


def digest(raw: bytes) -> str:
    """A short fingerprint of bytes, by which the same record is recognised."""
    return hashlib.blake2b(raw, digest_size=16).hexdigest()


def instant(value: object, pointer: str) -> datetime:
    """An instant in UTC from epoch seconds, epoch milliseconds, or ISO 8601 (without a zone: UTC).

    An epoch may be written as text, and the zone by its name, as Ruby does (`2023-11-14 22:13:20 UTC`).

    Raises:
        BadRecord: it is none of these, or lies outside the years 1 to 9999.
    """
    try:
        if isinstance(value, str):
            written = value.strip()
            if _EPOCH.fullmatch(written):
                return instant(float(written), pointer)
            parsed = datetime.fromisoformat(_ZONE_NAME.sub("Z", written))
            return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000 if abs(value) >= _MILLISECONDS_FROM else value, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise BadRecord(pointer, "is not a time") from error
    raise BadRecord(pointer, f"is not a time but {_kind(value)}")


def optional_instant(value: object, pointer: str) -> datetime | None:
    """Like `instant`; None stays None.

    Raises:
        BadRecord: see `instant`.
    """
    return None if value is None else instant(value, pointer)


def score(value: object, survey_type: str, pointer: str = "/score") -> float | None:
    """A score: a number, or a number written as text; whole numbers become int, None stays None.

    Raises:
        BadRecord: not a number, not finite, or an NPS (eNPS) score that is not a whole number from 0 to 10.
    """
    if value is None:
        return None
    number = _number(value, pointer)
    if not math.isfinite(number):
        raise BadRecord(pointer, "is not a finite number")
    whole = int(number) if number == int(number) else None
    if survey_type in ("nps", "enps") and (whole is None or not 0 <= whole <= NPS_HIGHEST):
        raise BadRecord(pointer, "is not a whole number from 0 to 10")
    return number if whole is None else whole


def text(value: object, pointer: str) -> str | None:
    """Text as it came; None and blank text are None.

    Raises:
        BadRecord: it is no text.
    """
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadRecord(pointer, f"is not text but {_kind(value)}")
    return value if value.strip() else None


def identifier(value: object, pointer: str = "/id") -> str:
    """An id as text; vendors send text or numbers.

    Raises:
        BadRecord: empty, or neither.
    """
    found = optional_identifier(value, pointer)
    if found is None:
        raise BadRecord(pointer, "is missing")
    return found


def optional_identifier(value: object, pointer: str) -> str | None:
    """Like `identifier`; None and blank text are None.

    Raises:
        BadRecord: it is neither text nor a whole number.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    found = text(value, pointer)
    return found.strip() if found else None


def _number(value: object, pointer: str) -> float:
    if isinstance(value, str):
        try:
            return float(value.strip())
        except ValueError as error:
            raise BadRecord(pointer, "is text that is not a number") from error
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise BadRecord(pointer, f"is not a number but {_kind(value)}")


def _kind(value: Any) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return names.get(type(value), "nothing" if value is None else type(value).__name__)


def _mended(raw: bytes) -> bytes:
    if not _SURROGATE.search(raw):
        return raw
    return _ESCAPES.sub(_mend, raw)


def _mend(escape: re.Match[bytes]) -> bytes:
    found = escape.group()
    lone = len(found) < _PAIR_LENGTH and _SURROGATE.fullmatch(found)
    return b"\\ufffd" if lone else found


def _bad(error: Exception) -> BadRecord:
    if isinstance(error, RecursionError):
        return BadRecord("", "is nested too deeply")
    # msgspec says so in a DecodeError of its own since 0.23.
    if isinstance(error, UnicodeDecodeError) or "invalid utf-8" in str(error).lower():
        return BadRecord("", "is not UTF-8")
    words = str(error)
    place = _AT.search(words)
    steps = place.group(1).replace("[...]", "/-").replace("[", "/").replace("]", "") if place else ""
    pointer = steps.replace(".", "/")
    reason = words[: place.start()] if place else words
    is_acronym = reason[1:2].isupper()
    return BadRecord(pointer, reason if is_acronym else reason[:1].lower() + reason[1:])
