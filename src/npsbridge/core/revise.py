"""What a response says, and whether an incoming one says anything new.

Compared by content, because vendors' times are missing, coarse or unmoved by an edit. Knows neither sinks nor the
store; what follows from a verdict is the router's business.
"""

from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from npsbridge.core.model import Campaign, Record, Respondent, Response
from npsbridge.core.records import Origin, RememberedResponse

Known = TypeVar("Known")

# --- what a response says ---------------------------------------------------------------------------------------


def comment_of(response: Response) -> str | None:
    """The comment; None when it is missing, empty or blank, which vendors mix freely."""
    comment = response.comment
    return comment if comment and not comment.isspace() else None


def nps_rating(response: Response) -> int | None:
    """The NPS score, 0 to 10; None for other survey types, without a score, or for a score that no NPS has."""
    score = response.score
    if response.survey_type != "nps" or score is None or not 0 <= score <= 10:  # noqa: PLR2004 -- NPS by definition
        return None
    return int(score) if score == int(score) else None


# --- verdicts ---------------------------------------------------------------------------------------------------


class New(Record, frozen=True, kw_only=True):
    """Never seen before: remember it as revision 1 (or 0 while it is held back)."""

    response: Response
    revision: int = 1


class Revised(Record, frozen=True, kw_only=True):
    """It says something new: remember the merged response under this revision and emit it.

    The revision stays the same when only the vendor's completed or dismissed flag has come: that is no edit, and
    nothing but the milestone is to be said.
    """

    response: Response
    revision: int


class Superseding(Record, frozen=True, kw_only=True):
    """It says something new of a response that is still held back: remember the merged one in its place."""

    response: Response
    revision: int = 1
    """What it becomes when it is emitted."""


class Duplicate(Record, frozen=True, kw_only=True):
    """It says nothing new; nothing is emitted."""

    response: Response | None
    """To be remembered under the old revision: a later time, or a field not known before. None: nothing to store.

    The time matters: it keeps a version between the two from being taken for the latest.
    """


class Stale(Record, frozen=True, kw_only=True):
    """It is older than what is known; nothing is emitted, nothing stored."""


Verdict = New | Revised | Superseding | Duplicate | Stale


def revise(known: RememberedResponse | None, incoming: Response, origin: Origin) -> Verdict:
    """Compare what arrived with what is remembered of the same response.

    A later time alone is no revision, nor is what describes the person or the campaign as they are today. What the
    vendor did not say (UNSET) is no edit. An equal time with other content is a second edit within the vendor's
    resolution.
    """
    if known is None:
        return New(response=incoming)
    stored = known.response
    if origin is Origin.WEBHOOK and _knows_less(stored, incoming):
        incoming = msgspec.structs.replace(stored, completed=incoming.completed, dismissed=incoming.dismissed)
    is_same = same_content(stored, incoming)
    if incoming.changed_at < stored.changed_at:
        return Duplicate(response=None) if is_same else Stale()
    merged = _merge(stored, incoming)
    if is_same and _flags(merged) == _flags(stored):
        return Duplicate(response=merged if merged != stored else None)
    if known.revision == 0:
        return Superseding(response=merged)
    return Revised(response=merged, revision=known.revision if is_same else known.revision + 1)


def same_content(first: Response, second: Response) -> bool:
    """Whether both say the same as far as both say anything.

    Flags and times are no content. Nor are the person, their properties and the campaign's name: vendors show these as
    they are today (Promoter.io the contact's attributes, Retently the customer's), so that an update of a person would
    revise each of their old answers.
    """
    return (
        first.score == second.score
        and comment_of(first) == comment_of(second)
        and first.survey_type == second.survey_type
        and _agree(first.permalink, second.permalink)
        and _agree(first.channel, second.channel)
        and _agree(first.answers, second.answers)
        and _same_tags(first.tags, second.tags)
        and _same_campaign(first.campaign, second.campaign)
    )


def _agree(first: object, second: object) -> bool:
    return first is UNSET or second is UNSET or first == second


def _same_tags(first: list[str] | UnsetType, second: list[str] | UnsetType) -> bool:
    """Tags are a set; vendors list them in any order."""
    return first is UNSET or second is UNSET or first == second or set(first) == set(second)


def _same_campaign(first: Campaign | UnsetType, second: Campaign | UnsetType) -> bool:
    """A webhook may name the campaign where the API gives its id: only two ids can differ."""
    if first is UNSET or second is UNSET:
        return True
    return first.id is None or second.id is None or first.id == second.id


def _knows_less(stored: Response, incoming: Response) -> bool:
    """Whether a webhook of the same time lacks a score or comment that we have; it then tells no more than its flags.

    Webhooks are not ordered (Delighted's page "Webhooks"), and one that tells how a survey ended may leave the answers
    out (SatisMeter's `dismissed`).
    """
    has_less = (comment_of(stored) is not None and comment_of(incoming) is None) or (
        stored.score is not None and incoming.score is None
    )
    return has_less and incoming.changed_at == stored.changed_at


def _flags(response: Response) -> tuple[bool, bool]:
    return response.completed, response.dismissed


# --- merging ----------------------------------------------------------------------------------------------------


def _merge(stored: Response, incoming: Response) -> Response:
    """The incoming response with what only the stored one knows.

    Flags never go back: the API of a vendor may be unable to tell what its webhook told (SatisMeter's `dismissed`).
    """
    filled: dict[str, Any] = {
        "updated_at": incoming.updated_at or stored.updated_at,
        "person": _merge_person(stored.person, incoming.person),
        "permalink": _either(incoming.permalink, stored.permalink),
        "campaign": _merge_campaign(stored.campaign, incoming.campaign),
        "channel": _either(incoming.channel, stored.channel),
        "tags": _either(incoming.tags, stored.tags),
        "answers": _either(incoming.answers, stored.answers),
        "person_properties": _either(incoming.person_properties, stored.person_properties),
        "completed": incoming.completed or stored.completed,
        "dismissed": incoming.dismissed or stored.dismissed,
    }
    return msgspec.structs.replace(incoming, **filled)


def _either(preferred: Known, fallback: Known) -> Known:
    return fallback if preferred is UNSET else preferred


def _merge_person(stored: Respondent, incoming: Respondent) -> Respondent:
    return Respondent(
        id=incoming.id or stored.id,
        email=incoming.email or stored.email,
        name=incoming.name or stored.name,
        user_id=incoming.user_id or stored.user_id,
        anonymous_id=incoming.anonymous_id or stored.anonymous_id,
    )


def _merge_campaign(stored: Campaign | UnsetType, incoming: Campaign | UnsetType) -> Campaign | UnsetType:
    if stored is UNSET or incoming is UNSET:
        return _either(incoming, stored)
    if incoming.id is not None and stored.id is not None and incoming.id != stored.id:
        return incoming
    return Campaign(id=incoming.id or stored.id, name=incoming.name or stored.name)
