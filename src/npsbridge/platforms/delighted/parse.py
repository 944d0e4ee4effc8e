"""From Delighted's own objects to responses (pure); every quirk of the data ends here."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from npsbridge.core import reading
from npsbridge.core.model import Answer, Respondent, Response


class _Row(msgspec.Struct):
    """A row of `survey_responses`, and the `event_data` of a webhook.

    By Delighted's pages "Listing survey responses" and "Webhooks".
    """

    id: Any = None
    created_at: Any = None
    updated_at: Any = None
    person: Any = None
    survey_type: Any = "nps"
    score: Any = None
    comment: Any = None
    permalink: Any = UNSET
    tags: Any = UNSET
    person_properties: Any = UNSET
    additional_answers: Any = UNSET


def parse(connection: str, record: bytes) -> Response:
    """Read one survey response.

    Raises:
        BadRecord: what matters (id, times, score, comment, person, survey type) is not what the API promises.
    """
    row = reading.decode(record, _Row)
    survey_type = (reading.text(row.survey_type, "/survey_type") or "nps").lower()
    properties = row.person_properties if isinstance(row.person_properties, dict) else UNSET
    return Response(
        platform="delighted",
        connection=connection,
        id=reading.identifier(row.id),
        survey_type=survey_type,
        score=reading.score(row.score, survey_type),
        comment=reading.text(row.comment, "/comment"),
        created_at=reading.instant(row.created_at, "/created_at"),
        updated_at=reading.optional_instant(row.updated_at, "/updated_at"),
        person=_respondent(row.person, properties or {}),
        permalink=row.permalink if isinstance(row.permalink, str) else UNSET,
        channel=_channel(properties or {}),
        tags=_tags(row.tags),
        answers=_answers(row.additional_answers),
        person_properties=properties,
    )


def _respondent(person: object, properties: Mapping[str, Any]) -> Respondent:
    """An object where it was expanded, else the id; null for an anonymous answer, or one from a link or a kiosk."""
    known: dict[str, Any] = person if isinstance(person, dict) else {"id": person}
    name = known.get("name")
    return Respondent(
        id=reading.optional_identifier(known.get("id"), "/person/id" if isinstance(person, dict) else "/person"),
        email=_stripped(reading.text(known.get("email"), "/person/email")),
        name=name if isinstance(name, str) else None,
        user_id=_came_back(properties, "segment_user_id"),
        anonymous_id=_came_back(properties, "segment_anonymous_id"),
    )


def _stripped(value: str | None) -> str | None:
    return value.strip() if value else None


def _came_back(properties: Mapping[str, Any], name: str) -> str | None:
    value = properties.get(name)
    return str(value).strip() or None if isinstance(value, str | int) and not isinstance(value, bool) else None


def _channel(properties: Mapping[str, Any]) -> str | UnsetType:
    source = properties.get("Delighted Source")
    return source.lower() if isinstance(source, str) and source else UNSET


def _tags(value: object) -> list[str] | UnsetType:
    return [tag for tag in value if isinstance(tag, str)] if isinstance(value, list) else UNSET


def _answers(value: object) -> list[Answer] | UnsetType:
    if not isinstance(value, list):
        return UNSET
    return [answer for item in value if isinstance(item, dict) and (answer := _answer(item))]


def _answer(item: Mapping[str, Any]) -> Answer | None:
    """Only the value that matches the question's type is filled (Delighted's page "Listing survey responses")."""
    question, value = item.get("question"), item.get("value")
    if not isinstance(question, dict) or not isinstance(value, dict):
        return None
    filled = next((found for found in value.values() if found is not None), None)
    return Answer(question=str(question.get("text") or question.get("id") or ""), answer=_plain(filled))


def _plain(value: object) -> str | float | list[str] | None:
    """Free text, a number of a scale, the text of the option or of the options."""
    match value:
        case list():
            return [_option(option) for option in value]
        case dict():
            return _option(value)
        case str() | int() | float() if not isinstance(value, bool):
            return value
        case _:
            return None


def _option(option: object) -> str:
    chosen = option.get("text") or option.get("id") or "" if isinstance(option, dict) else option
    return str(chosen)
