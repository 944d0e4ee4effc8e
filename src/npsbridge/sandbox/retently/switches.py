"""What nobody outside the vendor knows for sure, and what a test wants to be different: one switch each.

The defaults are the reading that the vendor's pages and clients support best; the docstrings name the doubt.
"""

from typing import Annotated, Literal

from msgspec import Meta

from npsbridge.sandbox.rate import RateLimit
from npsbridge.sandbox.switches import AccountSwitches
from npsbridge.sandbox.webhooks import Seconds, WebhookSwitches


class RetentlySwitches(AccountSwitches, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The look-alike's switches; change them while it runs with `RetentlyServer.change_switches`."""

    # --- the account ---------------------------------------------------------------------------------------------
    rate_limit: RateLimit | None = RateLimit(requests=150)
    """Per account; the number is documented."""
    refusal_body: Literal["envelope", "html", "empty"] = "envelope"
    """The body of a 429."""
    retry_after_header: bool = False
    has_ping: bool = True
    """`/ping` is known from one client only."""
    has_outbox: bool = True
    """Otherwise the outbox answers 403, as on a plan without it."""

    # --- lists -----------------------------------------------------------------------------------------------------
    sort: Literal["honoured", "ignored"] = "honoured"
    """Ignored: always newest first. Nobody has verified that the server sorts as it is asked to."""
    start_date: Literal["inclusive", "exclusive"] = "inclusive"
    """`endDate` too."""
    precision: Literal["milliseconds", "seconds"] = "milliseconds"
    """What the bounds are compared by."""
    past_the_end: Literal["empty", "not_found"] = "empty"
    """A page beyond the last one."""
    paging_at: Literal["data", "top", "nowhere"] = "data"
    """Where `page`, `pages`, `limit` and `total` are."""
    rows_at: Literal["data", "top", "bare"] = "data"
    """Where lists are: `data.responses`, `responses`, or `data` itself."""
    templates_at: Literal["templates", "data"] = "templates"
    """Two connectors disagree."""
    short_by: Annotated[int, Meta(ge=0)] = 0
    """So many rows fewer on a page than its `limit` says, though there are more."""
    tie_order: Literal["id", "shuffled"] = "id"
    """The order inside one millisecond; shuffled differs from request to request."""
    visibility_lag: Seconds = 0.0
    """New answers appear in lists up to this many seconds late, each after its own time."""

    # --- objects ---------------------------------------------------------------------------------------------------
    metrics_type: Literal["lower", "upper"] = "lower"
    missing_comment: Literal["null", "empty", "absent"] = "null"
    one_response: Literal["list", "object"] = "list"
    """What `/feedback/{id}` answers."""
    one_customer: Literal["object", "list"] = "object"
    message_ids: bool = True
    """Whether rows of the outbox have a `mandrillMessageId`."""

    # --- what is asked of the account --------------------------------------------------------------------------------
    known_customer: Literal["updated", "exists"] = "updated"
    """A customer who is there already: updated, or `failed` with the reason `exists` as on the old route."""
    tags_on_update: Literal["replace", "merge"] = "replace"
    unknown_unsubscribe: Literal["skipped", "refused"] = "refused"
    """An unknown email in a batch of opt-outs."""
    survey_answer: Literal["top", "data"] = "top"
    """Where `success` and `status` of a survey request are."""
    survey_rows: Literal["none", "map", "list"] = "none"
    """Whether a survey request tells what became of each person: not at all, by email as with customers, as a list."""
    bad_row: Literal["failed", "refused"] = "failed"
    """What an email that is none does to a survey request: only this row fails, or all of it is refused."""
    inactive_campaign: Literal["refused", "accepted"] = "refused"
    outbox_lag: Seconds = 0.0
    """Surveys that were asked for appear in the outbox so many seconds late."""

    # --- webhooks --------------------------------------------------------------------------------------------------
    webhooks: WebhookSwitches = WebhookSwitches(attempts=1, order="reversed")
    """Nothing is documented of retries and order, so each is posted once, whatever the answer."""
