"""What nobody outside the vendor knows for sure, and what a test wants to be different: one switch each.

The defaults are the reading that the vendor's pages and clients support best; the docstrings name the doubt.
"""

from typing import Annotated, Literal

from msgspec import Meta

from npsbridge.sandbox.switches import AccountSwitches
from npsbridge.sandbox.webhooks import Seconds, WebhookSwitches

Count = Annotated[int, Meta(ge=0)]


class DelightedSwitches(AccountSwitches, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The look-alike's switches; change them while it runs with `DelightedServer.change_switches`.

    The service itself is `retired` since 2026-07-01. No rate limit was ever published: it only bit on extreme use.
    """

    # --- the account ---------------------------------------------------------------------------------------------
    url_limit: Annotated[int, Meta(ge=100)] = 8190
    """Characters of path and query beyond which the answer is 414."""
    error_bodies: Literal["json", "empty"] = "json"
    """Bodies of 401, 403, 404, 406, 410: presumably `{status, message}`, only documented for 422."""
    created_status: Literal[200, 201] = 201
    """The status for something new; the vendor's table says 201, a catalogue lists 200."""

    # --- people and survey requests --------------------------------------------------------------------------------
    values_are_case_sensitive: bool = True
    """Emails too: the vendor's introduction says that all parameter values are."""
    people_list_hides_unreachable: bool = False
    """Whether the unsubscribed and bounced are left out of `GET /people`."""
    array_properties: Literal["json", "joined"] = "json"
    """How a list given as a property becomes a string."""
    throttle_days: Count | None = 30
    """Whole days between two surveys of one person; None for no throttling."""
    throttle_decided_later: bool = False
    """A throttled request is answered with a time, and is silently never sent; otherwise with no time."""
    unscheduled_is: Literal["null", "absent"] = "null"
    """`survey_scheduled_at` where nothing is scheduled."""
    pending_requests_coexist: bool = True
    """Whether a person can have two pending survey requests; otherwise the newer replaces the older."""
    sending_takes: Seconds = 0.0
    """Seconds from the scheduled time until the survey is out and `last_sent_at` moves."""
    due_is_shown: bool = True
    """Whether `next_survey_scheduled_at` shows a survey until it is out, or only until its time has come."""
    deletion_takes: Seconds = 0.0
    """Seconds until a deleted person is gone; the vendor answers 202 and deletes later."""

    # --- lists -----------------------------------------------------------------------------------------------------
    over_max_per_page: Literal["clamp", "default", "refuse"] = "clamp"
    """What `per_page` above 100 means."""
    link_on_numbered_pages: bool = False
    """Whether lists with page numbers have a `Link` header as well."""

    # --- survey responses ------------------------------------------------------------------------------------------
    updated_at: Literal["set", "null_until_edited", "always_null"] = "set"
    """The vendor's list example shows null beside `created_at`, the create example shows both equal."""
    updated_since_matches_null: bool = True
    """Whether a null `updated_at` is compared by `created_at`; otherwise `updated_since` never finds it."""
    updated_since_sorts_by_update: bool = False
    """Whether `updated_since` alone changes the default order."""
    tie_order: Literal["id", "shuffled"] = "id"
    """The order inside one second; shuffled is the same in every request."""
    visibility_lag: Seconds = 0.0
    """A change appears in lists up to this many seconds after its `updated_at`, each one after its own time."""
    backdated_updated_at: Literal["now", "created_at"] = "now"
    """`updated_at` of a response created through the API with a `created_at` of its own."""
    additional_answers_count_as_update: bool = True
    notes_and_tags_count_as_update: bool = False
    put_takes_notes_and_tags: bool = True
    """Claimed by one third party only."""
    notes_without_expand: Literal["objects", "ids"] = "objects"
    expanded_person: Literal["small", "full"] = "small"
    """`small` is id, email, name, created_at; `full` is what `GET /people` shows."""

    # --- webhooks --------------------------------------------------------------------------------------------------
    webhooks: WebhookSwitches = WebhookSwitches()
    """The vendor retries "several times over several days"; no schedule is published."""
    api_writes_fire_webhooks: bool = True
    """Whether responses created or changed through the API are announced like a person's own clicks."""
    unsubscribe_event: Literal["person", "flat"] = "flat"
    """`event_data` of `unsubscribe.created`: `{person: {…}, unsubscribed_at}`, or an item of `GET /unsubscribes`."""
