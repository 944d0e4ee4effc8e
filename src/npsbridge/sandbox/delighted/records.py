"""What the look-alike stores: people, survey requests, responses, and who may not be mailed.

Times are integer seconds since 1970, ids are strings of digits, as in the vendor's answers.
"""

from enum import StrEnum
from typing import Any

from npsbridge.core.model import Record


class Person(Record, frozen=True, kw_only=True):
    """Somebody who can be surveyed; has an email or a phone number, or neither (link, kiosk)."""

    id: str
    email: str | None = None
    phone_number: str | None = None
    name: str | None = None
    created_at: int
    last_sent_at: int | None = None
    last_responded_at: int | None = None


class RequestState(StrEnum):
    """What became of a survey request; the API caller is told of none of the refusals."""

    PENDING = "pending"
    SENT = "sent"
    THROTTLED = "throttled"
    UNREACHABLE = "unreachable"
    """Unsubscribed, or their mail bounced."""
    CANCELLED = "cancelled"


class SurveyRequest(Record, frozen=True, kw_only=True):
    """A survey asked for by the API or by Autopilot."""

    id: str
    person_id: str
    channel: str = "email"
    asked_at: int
    scheduled_at: int
    properties: dict[str, str]
    state: RequestState = RequestState.PENDING
    sent_at: int | None = None
    by_autopilot: bool = False


class Note(Record, frozen=True, kw_only=True):
    """A remark of the vendor's user on a response."""

    id: str
    text: str
    user_email: str
    created_at: int


class SurveyResponse(Record, frozen=True, kw_only=True):
    """An answer as it stands. An edit makes a new record with one more in `edits`."""

    id: str
    person_id: str | None
    survey_type: str = "nps"
    score: int
    comment: str | None = None
    created_at: int
    updated_at: int
    person_properties: dict[str, str] | None = None
    notes: tuple[Note, ...] = ()
    tags: tuple[str, ...] = ()
    additional_answers: tuple[dict[str, Any], ...] = ()
    edits: int = 0
    """How many edits moved `updated_at`."""
    version: int = 0
    """How many writes of any kind there were."""


class Unreachable(Record, frozen=True, kw_only=True):
    """An unsubscription or a bounce."""

    person_id: str
    email: str | None
    name: str | None
    at: int


class Membership(Record, frozen=True, kw_only=True):
    """A person in Autopilot."""

    person_id: str
    created_at: int
    updated_at: int
    properties: dict[str, str]
    order: int
    """Place in the order of joining."""


class AutopilotPlan(Record, frozen=True, kw_only=True):
    """Autopilot's configuration on one platform."""

    platform_id: str
    active: bool = True
    frequency: int = 90 * 86400
    """Seconds between two surveys of one person."""
    created_at: int
    updated_at: int
