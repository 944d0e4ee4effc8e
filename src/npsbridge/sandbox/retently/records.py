"""What the look-alike stores: customers, campaigns, sent surveys, feedback.

Ids are 24 hexadecimal digits, as in the vendor's answers; `*_ms` are milliseconds since 1970.
"""

from typing import Any

import msgspec

from npsbridge.core.model import Record


class Customer(Record, frozen=True, kw_only=True):
    """Somebody who can be surveyed; the email is the key."""

    id: str
    email: str
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    tags: tuple[str, ...] = ()
    properties: dict[str, Any] = msgspec.field(default_factory=dict)
    """By label."""
    created_ms: int
    is_unsubscribed: bool = False


class Campaign(Record, frozen=True, kw_only=True):
    """A survey that is sent to many; its own options decide whether a request becomes a mail."""

    id: str
    name: str
    metric: str = "nps"
    type: str = "transactional"
    is_active: bool = True
    sample: float = 1.0
    """The share of requests that are sent."""
    throttle_days: int = 0
    """Nobody is surveyed again for so many days."""


class SurveyRequest(Record, frozen=True, kw_only=True):
    """A request to survey one person, as it was asked for, and why no mail went out if none did."""

    email: str
    campaign_id: str | None
    delay_days: float
    asked_ms: int
    refused_because: str | None = None


class SentSurvey(Record, frozen=True, kw_only=True):
    """A row of the outbox."""

    id: str
    customer_id: str | None
    email: str | None
    campaign_id: str
    sent_ms: int
    opened_ms: int | None = None
    responded_ms: int | None = None
    is_opted_out: bool = False
    is_bounced: bool = False
    channel: str = "email"


class Feedback(Record, frozen=True, kw_only=True):
    """An answer as it stands; an edit keeps id and time."""

    id: str
    customer_id: str | None
    email: str | None
    campaign_id: str | None
    created_ms: int
    score: float | None
    comment: str | None = None
    metric: str = "nps"
    tags: tuple[str, ...] = ()
    """Of the answer, in the newer of the two fields."""
    answers: tuple[dict[str, Any], ...] = ()
    topics: tuple[dict[str, Any], ...] = ()
    channel: str = "email"
    properties: dict[str, Any] = msgspec.field(default_factory=dict)
    """The customer's, by name, as they were."""


class PastFeedback(Record, frozen=True, kw_only=True):
    """An answer to be loaded in bulk; its customer is created on first sight of the email."""

    email: str | None
    score: float | None
    created_ms: int
    first_name: str | None = None
    comment: str | None = None
    metric: str = "nps"
    tags: tuple[str, ...] = ()
    properties: dict[str, Any] = msgspec.field(default_factory=dict)
