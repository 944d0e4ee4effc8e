"""How often a caller may ask: a token bucket on an injected clock.

It knows no HTTP; the look-alikes turn its answer into a 429.
"""

from collections.abc import Callable
from typing import Annotated

from msgspec import Meta

from npsbridge.core.model import Record


class RateLimit(Record, frozen=True, kw_only=True):
    """At most `requests` in any `seconds` on average, with bursts of `requests`."""

    requests: Annotated[int, Meta(ge=1)]
    seconds: Annotated[float, Meta(gt=0)] = 60.0


class TokenBucket:
    """Grants requests as the limit allows."""

    def __init__(self, limit: RateLimit, now: Callable[[], float]) -> None:
        self.limit = limit
        self._now = now
        self._tokens = float(limit.requests)
        self._filled_at = now()

    def wait_for_next(self) -> float:
        """Take one token and return 0, or take nothing and return the seconds until there is one."""
        self._fill()
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) * self.limit.seconds / self.limit.requests

    def _fill(self) -> None:
        elapsed = max(0.0, self._now() - self._filled_at)
        self._filled_at = self._now()
        earned = elapsed * self.limit.requests / self.limit.seconds
        self._tokens = min(float(self.limit.requests), self._tokens + earned)


class RateGate:
    """One bucket per caller; an exchanged limit starts with full buckets."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._buckets: dict[str, TokenBucket] = {}

    def wait_for_next(self, caller: str, limit: RateLimit | None) -> float:
        """Seconds until `caller` may ask again; 0 when this request is granted, as it is without a limit."""
        if limit is None:
            return 0.0
        bucket = self._buckets.get(caller)
        if bucket is None or bucket.limit != limit:
            bucket = self._buckets[caller] = TokenBucket(limit, self._now)
        return bucket.wait_for_next()
