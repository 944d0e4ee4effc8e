"""Whether an act was asked for on a page of ours, and not by a page from elsewhere through somebody's browser.

Three things have to be right: where the browser says that the request comes from, the token of just this act, and its
age. The secret lives as long as the process; a form that is older asks once more.
"""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

PERIOD: Final = 6 * 3600
"""Seconds; a token is good in the period in which it was made, and in the next."""


@dataclass(frozen=True, slots=True)
class Seal:
    """Makes tokens and knows them again."""

    _secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def token(self, act: str, now: int) -> str:
        """The token of an act, such as the path of its form; `now` in milliseconds since 1970."""
        return self._of(act, now // 1000 // PERIOD)

    def knows(self, token: str, act: str, now: int) -> bool:
        """Whether a token is of this act, and of late."""
        period = now // 1000 // PERIOD
        given = token.encode("utf-8", "surrogatepass")
        return any([hmac.compare_digest(given, self._of(act, one).encode()) for one in (period, period - 1)])  # noqa: C419 - both are compared

    def _of(self, act: str, period: int) -> str:
        return hmac.digest(self._secret, f"{period}\n{act}".encode("utf-8", "surrogatepass"), "sha256").hex()


def is_of_our_own(headers: Mapping[str, str], host: str) -> bool:
    """Whether a browser sends this from a page of ours; whoever says nothing of it is no browser.

    Sec-Fetch-Site cannot be forged by a page (Fetch Metadata Request Headers, W3C); Origin is what older ones say.
    """
    site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
    if site is not None and site != "same-origin":
        return False
    return origin is None or urlsplit(origin).netloc == host
