"""What nobody outside the vendor knows for sure, and what a test wants to be different: one switch each.

The defaults are the reading that the vendor's pages and its clients support best; the docstrings name the doubt.
"""

from typing import Annotated, Literal

from msgspec import Meta

from npsbridge.sandbox.switches import AccountSwitches
from npsbridge.sandbox.webhooks import Seconds, WebhookSwitches


class SatisMeterSwitches(AccountSwitches, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The look-alike's switches; change them while it runs with `SatisMeterServer.change_switches`."""

    # --- the account ---------------------------------------------------------------------------------------------
    key_generation: Literal["v3", "old"] = "v3"
    """An old key is refused by v3 with 401 and good for the old export."""
    legacy_errors: Literal["text", "json"] = "text"
    """What is in the body of an error of the old API."""

    # --- lists ---------------------------------------------------------------------------------------------------
    order: Literal["newest", "oldest"] = "newest"
    """Newest first is inferred from how a client keeps its watermark."""
    bounds: Literal["inclusive", "exclusive"] = "inclusive"
    """Whether a response at `startDate` or `endDate` itself is listed."""
    cursor: Literal["keyset", "offset"] = "keyset"
    """Whether a cursor stands for a place in time or for a number of rows; new rows shift only the latter."""
    last_cursor: Literal["null", "absent"] = "null"
    """How `nextPageCursor` is missing on the last page."""
    page_size_out_of_range: Literal["default", "clamp"] = "default"
    """What `pageSize` beyond 100 means."""
    size_says: Literal["asked", "listed"] = "asked"
    """Whether `page.size` is the page size asked for or the number of rows."""
    longest_page: Annotated[int, Meta(ge=1)] | None = None
    """Pages hold no more rows than this, though more exist."""
    tie_order: Literal["id", "shuffled"] = "id"
    """The order inside one moment; shuffled is the same in every request."""
    lists_dismissed: bool = False
    """Whether v3 lists surveys that were closed without an answer."""
    wraps_project: bool = True
    """Whether a project comes under `data`."""
    traits_of: Literal["today", "answer"] = "today"
    """Whether a response shows its user's traits as they are, or as they were when it was given."""
    visibility_lag: Seconds = 0.0
    """A response, or a change of it, is listed so many seconds late."""

    # --- people and surveys --------------------------------------------------------------------------------------
    users_take: Literal["api_key", "write_key"] = "api_key"
    """What users and events are let in by: older recipes put the write key into the body and send no header."""
    trait_writes: Literal["merge", "replace"] = "merge"
    upsert_status: Literal[200, 201, 204] = 200
    resurveyed_after: Seconds = 0.0
    """Seconds in which a second inserted answer of one user to one survey is a "Duplicate response"."""

    # --- webhooks ------------------------------------------------------------------------------------------------
    webhooks: WebhookSwitches = WebhookSwitches(attempts=1)
    """No retries are documented."""
    dismissed_shows_rating: bool = True
    """Whether the body of `dismissed` holds a rating that was given."""
