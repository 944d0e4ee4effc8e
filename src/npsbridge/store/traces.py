"""Whether stored bytes speak of somebody, and what is left of them without those parts (pure, for every engine).

An email is found wherever it stands in a text, in any case, as a whole address. A userId may be as short as `7`, so it
counts only under a name that says what it is. Knows no table.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Raw

from npsbridge.core.people import IdKind, PersonId

_ID_NAMES: Final = frozenset({"userid", "anonymousid", "previousid", "segmentuserid", "segmentanonymousid"})
"""Names under which Segment, the vendors' fields for your own id and our own properties keep an id, bare."""
_SEPARATORS: Final = str.maketrans("", "", "_- ")
_PLAIN: Final = re.compile(r"[\w.@:~-]+", re.ASCII)
"""What JSON encoders leave as it is."""
_NOTHING: Final = b"[]"
_EMPTY_BATCH: Final = b'{"batch":[]}'


class Redacted(NamedTuple):
    """A journal entry's body without the records that spoke of somebody."""

    body: bytes
    removed: int
    """How many records are gone."""


class Traces:
    """Recognises whoever has one of these ids."""

    def __init__(self, ids: Collection[PersonId]) -> None:
        self._ids = {one.value for one in ids if one.kind is not IdKind.EMAIL}
        emails = sorted(one.value for one in ids if one.kind is IdKind.EMAIL)
        # As it stands, and as a form encodes it; never as the end or the beginning of a longer address.
        spellings = "|".join(
            re.escape(email).replace("@", "(?:@|%40)").replace(r"\+", r"(?:\+|%2b)") for email in emails
        )
        self._email = re.compile(rf"(?<![\w.+%-])(?:{spellings})(?![\w-]|\.\w)", re.IGNORECASE) if emails else None
        self.needles = sorted({needle for one in ids for needle in _needles(one)})
        """ASCII texts in lower case: what speaks of the person has one of them in it, in any case."""

    def in_text(self, text: str) -> bool:
        """Whether a text has one of the emails in it."""
        return self._email is not None and self._email.search(text) is not None

    def in_value(self, value: object) -> bool:
        """Whether a decoded JSON value speaks of the person."""
        return any(self._is_trace(name, leaf) for name, leaf in _leaves(value))

    def in_body(self, body: bytes) -> bool:
        """Whether bytes speak of the person, be they JSON or not."""
        try:
            return self.in_value(msgspec.json.decode(body))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self.in_text(body.decode(errors="replace"))

    def redact(self, body: bytes, count: int) -> Redacted | None:
        """What is left of a journal entry's body of `count` records; None when nothing in it speaks of the person."""
        if not self.in_body(body):
            return None
        try:
            envelope, records = _taken_apart(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Redacted(_NOTHING, count)
        if envelope is not None and any(
            self.in_body(bytes(part)) for name, part in envelope.items() if name != "batch"
        ):
            return Redacted(_EMPTY_BATCH, len(records))
        kept = [record for record in records if not self.in_body(bytes(record))]
        left = kept if envelope is None else {**envelope, "batch": Raw(msgspec.json.encode(kept))}
        return Redacted(msgspec.json.encode(left), len(records) - len(kept))

    def _is_trace(self, name: str, leaf: object) -> bool:
        if isinstance(leaf, str) and self.in_text(leaf):
            return True
        return name.translate(_SEPARATORS).lower() in _ID_NAMES and str(leaf) in self._ids


def _needles(one: PersonId) -> Iterator[str]:
    """The longest part that stands in any encoding as it is; in a form an `@` is `%40`."""
    plain = max(_PLAIN.findall(one.value), key=len, default="").lower()
    yield plain
    if "@" in plain:
        yield plain.replace("@", "%40")


def _leaves(value: object) -> Iterator[tuple[str, object]]:
    """Everything in a JSON value that is neither object nor list, with the nearest name; names are leaves as well."""
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        name, one = waiting.pop()
        if isinstance(one, dict):
            waiting += one.items()
            yield from (("", inner) for inner in one)
        elif isinstance(one, list):
            waiting += [(name, element) for element in one]
        else:
            yield name, one


def _taken_apart(body: bytes) -> tuple[Mapping[str, Raw] | None, list[Raw]]:
    """The envelope, if there is one, and the records: an array, or the `batch` of an object."""
    if body.lstrip()[:1] == b"[":
        return None, msgspec.json.decode(body, type=list[Raw])
    envelope = msgspec.json.decode(body, type=dict[str, Raw])
    return envelope, msgspec.json.decode(envelope.get("batch", _NOTHING), type=list[Raw])
