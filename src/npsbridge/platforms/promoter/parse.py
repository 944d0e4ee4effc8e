"""From Promoter.io's feedback objects, of v1 and of v2, to responses (pure); every quirk of the data ends here."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from npsbridge.core import reading
from npsbridge.core.model import Campaign, Record, Respondent, Response
from npsbridge.errors import BadRecord

SURVEY_TYPE = "nps"
"""The API knows no other."""

# A digit alone, but not as a fraction of a second: fixtures of published clients have times such as `T8:20:00Z`.
_LONE_DIGIT = re.compile(r"(?<![0-9.,])[0-9](?![0-9])")


class Head(msgspec.Struct):
    """As much of a feedback as tells which one it is and when something happened to it."""

    id: Any = None
    score: Any = None
    score_created: Any = None
    posted_date: Any = None
    created: Any = None
    score_modified: Any = None
    comment_updated_date: Any = None


class _Feedback(Head):
    comment: Any = None
    followup_href: Any = None
    href: Any = None
    contact: Any = None
    campaign: Any = None
    survey: Any = None
    channel: Any = None
    tags: Any = None


class Moments(Record, frozen=True, kw_only=True):
    """The times of a feedback; each version has some of the fields."""

    answered: datetime
    posted: datetime
    """What the list's date filters go by."""
    changed: datetime
    """The latest time of any change; tags and status change without one."""


def moments(head: Head) -> Moments:
    """When a feedback was given and last changed.

    Raises:
        BadRecord: a time cannot be read, or there is none at all.
    """
    scored = _optional_instant(head.score_created, "/score_created")
    posted = _optional_instant(head.posted_date, "/posted_date")
    created = _optional_instant(head.created, "/created")
    rescored = _optional_instant(head.score_modified, "/score_modified")
    commented = _optional_instant(head.comment_updated_date, "/comment_updated_date")
    answered, listed = scored or posted or created, posted or created or scored
    if answered is None or listed is None:
        raise BadRecord("/posted_date", "is missing")
    changed = max(moment for moment in (scored, posted, created, rescored, commented) if moment)
    return Moments(answered=answered, posted=listed, changed=changed)


def parse(connection: str, record: bytes) -> Response:
    """Read one feedback.

    Raises:
        BadRecord: what matters (id, times, score, comment, contact) is not what the API promises.
    """
    feedback = reading.decode(record, _Feedback)
    times = moments(feedback)
    properties = _properties(feedback)
    return Response(
        platform="promoter",
        connection=connection,
        id=reading.identifier(feedback.id),
        survey_type=SURVEY_TYPE,
        score=reading.score(feedback.score, SURVEY_TYPE),
        comment=_text(feedback.comment, "/comment"),
        created_at=times.answered,
        updated_at=times.changed,
        person=_respondent(feedback.contact, properties or {}),
        permalink=_link(feedback.followup_href) or _link(feedback.href) or UNSET,
        campaign=_campaign(feedback.campaign),
        channel=feedback.channel if isinstance(feedback.channel, str) and feedback.channel.strip() else UNSET,
        tags=_tags(feedback.tags),
        person_properties=properties,
    )


def _optional_instant(value: object, pointer: str) -> datetime | None:
    if isinstance(value, str):
        value = _LONE_DIGIT.sub(r"0\g<0>", value.strip()) or None
    return reading.optional_instant(value, pointer)


def _text(value: object, pointer: str) -> str | None:
    """Comments can hold NUL characters (a published scraper strips them), which no downstream takes."""
    found = reading.text(value, pointer)
    return reading.text(found.replace("\0", ""), pointer) if found else None


def _link(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _respondent(contact: object, properties: Mapping[str, Any]) -> Respondent:
    known: dict[str, Any] = contact if isinstance(contact, dict) else {"id": contact}
    email = _text(known.get("email"), "/contact/email")
    return Respondent(
        id=reading.optional_identifier(known.get("id"), "/contact/id" if isinstance(contact, dict) else "/contact"),
        email=email.strip() if email else None,
        name=_name(known.get("first_name"), known.get("last_name")),
        user_id=_came_back(properties, "segment_user_id"),
        anonymous_id=_came_back(properties, "segment_anonymous_id"),
    )


def _name(*parts: object) -> str | None:
    given = (part.replace("\0", "").strip() for part in parts if isinstance(part, str))
    return " ".join(part for part in given if part) or None


def _came_back(properties: Mapping[str, Any], name: str) -> str | None:
    value = properties.get(name)
    return str(value).strip() or None if isinstance(value, str | int) and not isinstance(value, bool) else None


def _properties(feedback: _Feedback) -> dict[str, Any] | UnsetType:
    """The contact's attributes and those of the survey, which v1 does not show; of one name the contact's counts."""
    contact, survey = _attributes(feedback.contact), _attributes(feedback.survey)
    return UNSET if contact is None and survey is None else {**(survey or {}), **(contact or {})}


def _attributes(owner: object) -> dict[str, Any] | None:
    found = owner.get("attributes") if isinstance(owner, dict) else None
    return found if isinstance(found, dict) else None


def _campaign(value: object) -> Campaign | UnsetType:
    """v2 has an object; v1 one value, and it is not known whether that is the id or the name."""
    if isinstance(value, dict):
        name = value.get("name")
        return Campaign(
            id=reading.optional_identifier(value.get("id"), "/campaign/id"),
            name=name if isinstance(name, str) and name.strip() else None,
        )
    found = reading.optional_identifier(value, "/campaign")
    if found is None:
        return UNSET
    return Campaign(id=found) if found.isdecimal() else Campaign(name=found)


def _tags(value: object) -> list[str] | UnsetType:
    """Texts, or objects with a name: no page shows which."""
    if not isinstance(value, list):
        return UNSET
    names = (tag.get("name") if isinstance(tag, dict) else tag for tag in value)
    return [name for name in names if isinstance(name, str)]
