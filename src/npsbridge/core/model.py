"""The nouns: what a survey answer is, who gave it, what is owed to whom.

Records are frozen; times are aware datetimes in UTC where they come from a vendor, and milliseconds since 1970
(`*_ms`) where they are ours.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Base of all records: frozen, slotted, keyword-only, JSON in and out.

    A frozen record holds only what was there before it, so it is never part of a cycle, and the collector need not
    look at it; there are tens of thousands of them under way.
    """


class Campaign(Record, frozen=True, kw_only=True):
    """The vendor's campaign or survey that asked the question."""

    id: str | None = None
    name: str | None = None


class Answer(Record, frozen=True, kw_only=True):
    """An additional question and what was answered: text, number or list of texts."""

    question: str
    answer: str | float | list[str] | None


class Respondent(Record, frozen=True, kw_only=True):
    """The person as the vendor knows them."""

    id: str | None = None
    email: str | None = None
    name: str | None = None
    # What came back of the ids that we (or the vendor's own field for them) gave this person.
    user_id: str | None = None
    anonymous_id: str | None = None


class Response(Record, frozen=True, kw_only=True):
    """A survey answer, as a platform's parser read it.

    A field that is UNSET was not in what the vendor sent; that is not the same as empty, and never an edit.
    """

    platform: str
    connection: str
    id: str
    survey_type: str
    """Lower case: nps, csat, ces, star, enps, pmf, ..."""
    score: int | float | None = None
    comment: str | None = None
    created_at: datetime
    """When the person answered."""
    updated_at: datetime | None = None
    """When the vendor last changed it; None when the vendor does not say."""
    person: Respondent = Respondent()
    permalink: str | UnsetType | None = UNSET
    campaign: Campaign | UnsetType = UNSET
    channel: str | UnsetType = UNSET
    tags: list[str] | UnsetType = UNSET
    answers: list[Answer] | UnsetType = UNSET
    person_properties: dict[str, Any] | UnsetType = UNSET
    completed: bool = False
    """The vendor's own flag that the whole survey was filled in."""
    dismissed: bool = False
    """The vendor says that the survey was closed without an answer."""
    viewed: bool = False
    """No answer at all: the vendor says that a survey request was opened. `id` is the request's, `created_at` when."""

    @property
    def changed_at(self) -> datetime:
        """The vendor's time of the last change we can know of."""
        return self.updated_at or self.created_at


class Identity(Record, frozen=True, kw_only=True):
    """Who a call is about. Exactly one of the two ids is set when it goes out."""

    user_id: str | None = None
    anonymous_id: str | None = None
    email: str | None = None


class Kind(StrEnum):
    """What a call says of a response; part of its messageId (contract §6)."""

    IDENTIFY = "identify"
    SUBMIT = "submit"
    ANSWERED = "answered"
    COMPLETED = "completed"
    CLOSED = "closed"
    VIEWED = "viewed"
    QUESTION = "question"
    """Said only in the vocabulary that EVENTS__ALSO adds."""


class Emission(Record, frozen=True, kw_only=True):
    """One revision of a response with everything needed to put it into words for a sink."""

    response: Response
    revision: int
    identity: Identity
    is_newest: bool
    """No newer answer of that person is known."""
    kinds: tuple[Kind, ...]
    """What is to be said, in this order."""


class State(StrEnum):
    """The life of a delivery. Queued, waiting, inflight and unknown are still owed."""

    QUEUED = "queued"
    """Ready to go."""
    WAITING = "waiting"
    """Not before `next_attempt_at`."""
    INFLIGHT = "inflight"
    """A request that must not be repeated is on its way."""
    HELD = "held"
    """In doubt; a person decides."""
    DELIVERED = "delivered"
    DEAD = "dead"
    """Will never work as it is."""
    FILTERED = "filtered"
    DUPLICATE = "duplicate"
    EXPIRED = "expired"
    ERASED = "erased"


class Delivery(Record, frozen=True, kw_only=True):
    """One thing owed to one connection."""

    id: int
    connection: str
    person: str
    """Deliveries of one person to one connection go out in the order of their ids."""
    kind: str
    message_id: str
    body: bytes
    state: State
    attempts: int = 0
    reason: str | None = None
    created_at: int
    """Milliseconds since 1970."""
    next_attempt_at: int | None = None
    subject: str | None = None
    """What it speaks of: `<connection>/<response id>`."""
    retried_at: int | None = None
    """When a person had it sent again, milliseconds since 1970; how long it is tried counts from then."""
    set_out_at: int | None = None
    """When a request that must not be repeated left last, milliseconds since 1970; None if it came to nothing."""
    settled_at: int | None = None
    """When it was done with, milliseconds since 1970."""

    @property
    def tried_since(self) -> int:
        """From when on RETENTION__RETRY counts, milliseconds since 1970."""
        return self.created_at if self.retried_at is None else self.retried_at


class ArchiveRow(Record, frozen=True, kw_only=True):
    """A survey answer from an exported file, before a platform puts it into the shape of its own objects."""

    id: str
    created_at: datetime
    survey_type: str = "nps"
    score: int | float | None = None
    comment: str | None = None
    updated_at: datetime | None = None
    permalink: str | None = None
    person_id: str | None = None
    user_id: str | None = None
    email: str | None = None
    name: str | None = None
    campaign_id: str | None = None
    campaign_name: str | None = None
    channel: str | None = None
    tags: list[str] | None = None
    properties: dict[str, str] = msgspec.field(default_factory=dict)
    """Every further column by its header."""


class PlannedDelivery(Record, frozen=True, kw_only=True):
    """A delivery before the store has given it a number."""

    connection: str
    person: str
    kind: str
    message_id: str
    body: bytes
    subject: str | None = None
    """What it speaks of: `<connection>/<response id>`, for tracing."""
    not_before: int | None = None
    """Milliseconds since 1970; None means at once."""
    filtered_because: str | None = None
    """Why it is not to be sent at all; it is then kept and counted as filtered."""
    expired_because: str | None = None
    """Why it is too late to send it; it is then kept and counted as expired."""
