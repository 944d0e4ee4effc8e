"""Stable keys: the messageId of a call and the anonymousId of a person.

The same input gives the same key on every machine and in every release; golden files hold it. Knows nothing of what
is said or when.
"""

import hashlib
import re
import uuid
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from npsbridge.core.model import Kind

MESSAGE_ID_LIMIT: Final = 64
"""Jitsu cuts a messageId at 64 characters; Segment's own limit is 100."""

_PREFIX: Final = "nps-"
_DIGEST_CHARACTERS: Final = 40
_REMEMBERED: Final = 1024
"""What is worked out of an email is remembered for so many: one run asks for each of its own about ten times."""
_SAID_ONCE: Final = frozenset({Kind.ANSWERED, Kind.COMPLETED, Kind.CLOSED, Kind.VIEWED})


def well_formed(text: str) -> str:
    """The text with U+FFFD for lone surrogates, which have no UTF-8 form; nearly always the text itself."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _framed(*parts: str) -> bytes:
    """The parts, each preceded by its length, so that no two lists of parts read the same."""
    return b"".join([b"%d:%b," % (len(raw), raw) for raw in map(_raw, parts)])


def _raw(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return well_formed(text).encode()


@lru_cache(maxsize=64)
def write_key_fingerprint(write_key: str) -> str:
    """What stands for a write key wherever the key itself must not appear: 64 hexadecimal digits."""
    return hashlib.sha256(_framed("npsbridge", "write-key", write_key)).hexdigest()


@lru_cache(maxsize=64)
def _begun(write_key: str, platform: str, connection: str) -> "hashlib._Hash":
    """The digest of all messageIds of a connection as far as they are the same; to be copied."""
    return hashlib.sha256(_framed("npsbridge", "message", write_key_fingerprint(write_key), platform, connection))


@lru_cache(maxsize=64)
def _ending(kind: Kind, revision: int) -> bytes:
    return _framed(kind.value, str(revision))


def message_id(  # noqa: PLR0917 -- the parts in the order in which contract and golden file list them
    write_key: str, platform: str, connection: str, response_id: str, kind: Kind, revision: int
) -> str:
    """The messageId of one call about one revision of a response: 44 ASCII characters.

    Segment removes duplicates by messageId over all workspaces (its page "Handling Duplicate Data"), hence the write
    key takes part. Kinds that are said once have the same id at every revision.

    Raises:
        ValueError: the revision is below 1; what is still held back has nothing to say yet.
    """
    return message_ids(write_key, platform, connection, response_id, (kind,), revision)[0]


def message_ids(  # noqa: PLR0917 -- as above
    write_key: str, platform: str, connection: str, response_id: str, kinds: Iterable[Kind], revision: int
) -> list[str]:
    """The messageIds of several calls about one revision, of a kind each; see `message_id`."""
    if revision < 1:
        raise ValueError(f"revision {revision} has no messageId; revisions start at 1")
    of_response = _begun(write_key, platform, connection).copy()
    of_response.update(_framed(response_id))
    return [_ended(of_response, _ending(kind, 1 if kind in _SAID_ONCE else revision)) for kind in kinds]


def _ended(begun: "hashlib._Hash", ending: bytes) -> str:
    digest = begun.copy()
    digest.update(ending)
    return _PREFIX + digest.hexdigest()[:_DIGEST_CHARACTERS]


@lru_cache(maxsize=_REMEMBERED)
def normalised_email(email: str | None) -> str | None:
    """The email as it is compared, stored and sent: without surrounding space, in lower case; None when it is none.

    Plus tags, dots and international domain names stay as they are: which of those mean the same mailbox is the mail
    provider's business.
    """
    normalised = (email or "").strip().lower()
    name, at, domain = normalised.rpartition("@")
    is_email = at and name and domain and len(normalised.split()) == 1
    return normalised if is_email else None


# The values that Segment suggests to block (its page "Identity Resolution Settings"), and `undefined`, the other
# thing that JavaScript writes where nothing is.
_NO_IDS: Final = frozenset({"-1", "null", "undefined", "anonymous"})
_ZEROS_AND_DASHES: Final = re.compile(r"[0-]*")
_ZERO_OR_DASH: Final = ("0", "-", "")
"""What such a value begins with, if with anything; most ids are told apart by their first character."""


def real_id(value: str | None) -> str | None:
    """The id as it is, or None when it stands for nobody: empty, blank, `null`, `-1`, zeros and dashes, ..."""
    if value is None:
        return None
    bare = value.strip().lower()
    means_nobody = bare in _NO_IDS or (bare[:1] in _ZERO_OR_DASH and _ZEROS_AND_DASHES.fullmatch(bare))
    return None if means_nobody else value


def person_uuid(
    *, platform: str, connection: str, response_id: str, email: str | None = None, person_id: str | None = None
) -> str:
    """The anonymousId of a person whom nobody gave an id: UUIDv5 in the URL namespace.

    By email when there is one, so that every platform agrees; else by the vendor's id of the person; else the answer
    is anonymous and has an identity of its own.
    """
    normalised = normalised_email(email)
    if normalised:
        name = f"npsbridge:email:{normalised}"
    elif person_id:
        name = f"npsbridge:{platform}:{connection}:person:{person_id}"
    else:
        name = f"npsbridge:{platform}:{connection}:response:{response_id}"
    return _uuid(name)


_URL_NAMESPACE: Final = hashlib.sha1(uuid.NAMESPACE_URL.bytes, usedforsecurity=False)
"""The digest of all our UUIDs as far as it is the same; to be copied."""


def forget_people() -> None:
    """Keep no email in memory that was met lately; somebody may have been erased."""
    normalised_email.cache_clear()
    _uuid.cache_clear()


@lru_cache(maxsize=_REMEMBERED)
def _uuid(name: str) -> str:
    """`str(uuid.uuid5(uuid.NAMESPACE_URL, name))` in a fifth of the time (RFC 9562 §5.5)."""
    digest = _URL_NAMESPACE.copy()
    digest.update(_raw(name))
    digits = digest.hexdigest()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"
