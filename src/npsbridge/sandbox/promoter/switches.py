"""What nobody outside Promoter.io knows for sure, and what a test wants to be different: one switch each.

The defaults are the reading that the vendor's pages and published clients support best; the docstrings name the doubt.
"""

from typing import Annotated, Literal

from msgspec import Meta

from npsbridge.sandbox.switches import AccountSwitches
from npsbridge.sandbox.webhooks import Seconds, WebhookSwitches

Share = Annotated[float, Meta(ge=0, le=1)]


class PromoterSwitches(AccountSwitches, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The look-alike's switches; change them while it runs with `PromoterServer.change_switches`.

    A bad key may be told with 401 or 403. The rate limit is per key and minute, by the plan, and the API does not tell
    it; a 429 says in its body too how long to wait.
    """

    # --- the account ---------------------------------------------------------------------------------------------
    edition: Literal["general", "ecommerce"] = "general"
    """eCommerce accounts have other event names in their webhooks."""
    throttle_days: Literal[0, 30, 60, 90, 180] = 0
    """The account's own throttle between two surveys of one contact; 24 hours are always kept."""
    survey_status: Literal[200, 201] = 200
    """For a survey that was sent: stubs of clients use 200."""
    attributes_of_known: Literal["merge", "replace"] = "merge"
    """What posting a known email does to the attributes that are not named."""

    # --- feedback --------------------------------------------------------------------------------------------------
    has_v2: bool = True
    v2_by_id: Literal["found", "missing", "put_only"] = "found"
    """`GET /v2/feedback/{id}/`: only its PUT is documented."""
    page_size: Annotated[int, Meta(ge=1)] = 100
    order: Literal["id", "newest", "shuffled", "random"] = "id"
    """No sort parameter is known. `shuffled` is the same in every request, `random` another in each."""
    filters_work: bool = True
    """Whether the filters do anything: misspelt ones are ignored in silence."""
    last_day: Literal["inclusive", "exclusive"] = "inclusive"
    """Whether the day of `posted_date_1` is part of the list."""
    zone_hours: Annotated[int, Meta(ge=-12, le=14)] = 0
    """Hours that the zone of the date filters is ahead of UTC."""
    visibility_lag: Seconds = 0.0
    """An answer appears in lists so many seconds after it was posted."""
    next_origin: str | None = None
    """Scheme and host of `next`; None for this server's own. The vendor's own is what a proxy would let through."""
    times: Literal["padded", "unpadded"] = "padded"
    """A fixture of v1 has hours without a leading zero."""
    v1_campaign: Literal["id", "name"] = "id"
    """What the one value is that v1 shows of a campaign."""
    v2_has_posted_date: bool = True
    """Clients of v2 read `created`."""
    has_followup_href: bool = True
    """Not every fixture of a list has it."""
    tags_are: Literal["names", "objects"] = "names"

    # --- webhooks --------------------------------------------------------------------------------------------------
    hook_shape: Literal["hook_and_data", "event_and_data", "flat", "bare"] = "hook_and_data"
    """No page shows a body."""
    hooks_dropped: Share = 0.0
    """The share of webhooks that are never sent."""
    webhooks: WebhookSwitches = WebhookSwitches(attempts=1)
    """No retries are documented."""
