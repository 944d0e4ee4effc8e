"""Where SDKs put the write key, and whether it is one of ours (pure).

Places and their order: measured with Segment's, RudderStack's and Jitsu's SDKs. Jitsu's puts a masked key into the
body, so what stands outside of the body goes first.
"""

import base64
import binascii
import hmac
from collections.abc import Iterable, Mapping
from functools import cache


def outside_the_body(headers: Mapping[str, str], query: Mapping[str, str]) -> tuple[str, ...]:
    """What may be the key, from the first place that says anything; empty when only the body can tell.

    A key may contain a colon, as Jitsu's do: of Basic both the user and the whole is looked at. With Bearer, which
    proves something else, the key stands in the body (Segment's OAuth).
    """
    return (
        _basic(headers.get("Authorization", ""))
        or _given(headers.get("X-Write-Key"))
        or _given(query.get("writeKey"))
        or _given(query.get("writekey"))
    )


def is_usual(authorization: str, write_keys: tuple[str, ...]) -> bool:
    """Whether a header is what nearly every SDK makes of one of our keys: Basic, with the key as user.

    Whatever else it is, `outside_the_body` knows. Takes as long for a wrong one as for a right one.
    """
    given = _bytes(authorization)
    found = [hmac.compare_digest(given, usual) for usual in _usual(write_keys)]
    return any(found)


@cache
def _usual(write_keys: tuple[str, ...]) -> list[bytes]:
    return [b"Basic " + base64.b64encode(f"{key}:".encode()) for key in write_keys]


def in_the_body(write_key: str | None) -> tuple[str, ...]:
    """The key that a body named, if any."""
    return _given(write_key)


def is_known(candidates: Iterable[str], write_keys: Iterable[str]) -> bool:
    """Whether one of them is a key of ours; takes as long for a wrong key as for a right one."""
    known = [key.encode() for key in write_keys]
    found = [hmac.compare_digest(_bytes(candidate), key) for candidate in candidates for key in known]
    return any(found)


def _basic(authorization: str) -> tuple[str, ...]:
    scheme, _, credentials = authorization.strip().partition(" ")
    if scheme.lower() != "basic":
        return ()
    try:
        whole = base64.b64decode(credentials.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return ()
    user = whole.partition(":")[0]
    return tuple(dict.fromkeys((*_given(user), *_given(whole)))) if user else ()


def _given(value: str | None) -> tuple[str, ...]:
    bare = (value or "").strip().removesuffix(":")
    return (bare,) if bare else ()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
