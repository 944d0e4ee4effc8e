"""Which tracking API is looked like, and what is unknown about it or wanted otherwise in a test.

Figures: segment.com/docs/connections/sources/catalog/libraries/server/http-api, section "Max request size", and
segment.com/docs/guides/duplicate-data.
"""

from typing import Annotated, Literal

from msgspec import Meta

from npsbridge.core.model import Record
from npsbridge.sandbox.rate import RateLimit

Mode = Literal["segment", "rudder", "jitsu", "strict"]
Bytes = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0, le=1)]

DAY = 86400.0
_DEDUP_SECONDS: dict[Mode, float | None] = {"segment": DAY, "strict": DAY, "rudder": None, "jitsu": None}


class SegmentSwitches(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The look-alike's switches; change them while it runs with `SegmentServer.change_switches`."""

    mode: Mode = "segment"
    """`segment` says 200 to almost everything and drops in silence; `rudder` answers like a RudderStack data plane,
    `jitsu` like Jitsu's ingest; `strict` is Segment with a 4xx for everything that is wrong."""
    event_limit: Bytes = 32 * 1024
    """Bytes of one event, and of a request with a single message."""
    body_limit: Bytes = 500 * 1024
    """Bytes of a batch request."""
    events_limit: Annotated[int, Meta(ge=1)] = 2500
    """Events of a batch; beyond it Segment answers 200 and takes none."""
    limits_count: Literal["decoded", "wire"] = "decoded"
    """Whether the body limit counts before or after gzip; the pages do not say."""
    shortest_key: Annotated[int, Meta(ge=0)] = 10
    """A write key with fewer characters is a 400, though an unknown one is a 200."""
    settings_status_for_unknown: Annotated[int, Meta(ge=200, le=599)] = 404
    """What the settings route says to an unknown write key; no page gives the number."""
    dedup_seconds: Annotated[float, Meta(ge=0)] | Literal["as_mode"] | None = "as_mode"
    """How long a messageId is remembered: Segment "at least 24 hours", RudderStack and Jitsu not at all."""
    dedup_leak: Share = 0.0
    """The share of duplicates that get through: Segment promises to catch 99 %."""
    long_message_ids: Literal["accept", "drop"] = "accept"
    """What becomes of a messageId of more than 100 characters."""
    no_destination: bool = False
    """Jitsu's stream has no destination: 200 with `ok: false`, and every event is dropped."""
    rate_limit: RateLimit | None = None
    """Requests beyond it get a 429 with `Retry-After` and `X-RateLimit-Reset`."""

    @property
    def remembers(self) -> float | None:
        """Seconds that a messageId is remembered; None for not at all."""
        return _DEDUP_SECONDS[self.mode] if self.dedup_seconds == "as_mode" else self.dedup_seconds
