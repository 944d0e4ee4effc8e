"""What nobody outside Heap knows for sure, and what a test wants to be different: one switch each.

The defaults are the reading that Heap's pages (developers.heap.io, Track to User Deletion) support best; the
docstrings name the doubt.
"""

from typing import Annotated, Literal

from msgspec import Meta

from npsbridge.core.model import Record
from npsbridge.sandbox.rate import RateLimit

Count = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0)]


class HeapSwitches(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The look-alike's switches; change them while it runs with `HeapServer.change_switches`."""

    # --- the environment -----------------------------------------------------------------------------------------
    standing: Literal["open", "unauthorized", "forbidden", "missing"] = "open"
    """The others answer 401, 403 and 404 to everything that writes; when Heap does is not documented."""
    unknown_app: Literal["taken", "refused", "unauthorized"] = "taken"
    """What a well-formed but wrong app id gets: 200 and silence, 400 or 401. Not documented."""
    success_status: Literal[200, 202, 204] = 200
    """A client's own tests use 204."""

    # --- limits ----------------------------------------------------------------------------------------------------
    single_limit: RateLimit | None = RateLimit(requests=30, seconds=30)
    """Single requests per identity; documented."""
    identity_limit: RateLimit | None = RateLimit(requests=1000)
    """Events in bulk requests per identity; documented."""
    app_limit: RateLimit | None = RateLimit(requests=15_000)
    """Events in bulk requests of the environment; documented."""
    users_limit: RateLimit | None = None
    """Entries in bulk requests for properties; whether there is a limit is not documented."""
    limit_body: Literal["object", "text", "html"] = "object"
    """The body of a 429 is not documented."""
    retry_after_header: bool = False
    """Whether a 429 says how long to wait."""

    # --- bulk requests -----------------------------------------------------------------------------------------------
    most_entries: Count = 1000
    oversize: Literal["refused", "too_large", "cut"] = "refused"
    """Above it: 400, 413, or only the first ones are taken."""
    most_bytes: Count | None = None
    """A larger request is a 413; no limit is documented."""
    bad_entry: Literal["refuses_all", "refused_alone", "dropped"] = "refuses_all"
    """One bad entry: 400 and nothing taken, 400 and the others taken, or 200 and the others taken."""
    order: Literal["kept", "reversed"] = "kept"
    """In which order the entries of one request take effect."""
    fails_every: Count | None = None
    """Every so many-th request takes effect and is answered with 500."""

    # --- entries -----------------------------------------------------------------------------------------------------
    long_text: Literal["cut", "refused"] = "refused"
    """A property of 1,024 characters or more."""
    text_counts: Literal["characters", "utf16"] = "utf16"
    """Whether a character beyond the basic plane counts once or twice."""
    other_types: Literal["refused", "kept"] = "refused"
    """Booleans, nulls and objects as values of properties; documented are texts, numbers and lists of them."""
    id_property: Literal["refused", "dropped"] = "refused"
    """A user property named `id` in any spelling."""
    oldest_event: Seconds | None = None
    """An event that is older is refused; no limit is documented."""
    future_events: Literal["taken", "refused"] = "taken"
    key_memory: Seconds | None = None
    """How long an idempotency key is remembered; None for ever. Not documented."""
    key_scope: Literal["app", "identity"] = "app"
    """Within what an idempotency key is one. Not documented."""

    # --- deletion ----------------------------------------------------------------------------------------------------
    token_life: Seconds = 300.0
    """Heap's guide says five minutes; a client believes fifty."""
    deletion_takes: Annotated[float, Meta(ge=0)] = 60.0
    """Seconds until a deletion is complete."""
