"""From SatisMeter's own objects to responses (pure); every quirk of the data ends here.

There are three shapes of one response, and all of them are read into the same: v3 has its score and comment among the
`answers`; the old export has `rating` and `feedback` beside them; a webhook has the old shape under `response`.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from npsbridge.core import reading
from npsbridge.core.model import Answer, Campaign, Respondent, Response
from npsbridge.errors import BadRecord

NPS = "nps"
OTHER = "custom"
"""What SatisMeter calls a campaign that measures none of its metrics."""
_OF_NPS = frozenset({"promoter", "passive", "detractor"})

COMPLETED, DISMISSED = "completed", "dismissed"
"""The two events of a webhook (help centre, "Webhooks")."""


class _Row(msgspec.Struct):
    """A response in any shape, or a webhook's envelope around one."""

    event: Any = None
    response: msgspec.Raw | UnsetType = UNSET

    id: Any = None
    created: Any = None
    user: Any = None
    campaign: Any = None
    method: Any = None
    answers: Any = None
    # Only in the old shape.
    rating: Any = UNSET
    feedback: Any = None
    category: Any = UNSET
    completed: Any = None
    dismissed: Any = None
    # Put in by the source (npsbridge.platforms.satismeter.surveys).
    campaign_name: Any = msgspec.field(default=None, name="campaignName")
    # Only in archives (`compose`); SatisMeter itself has none of these.
    updated: Any = None
    permalink: Any = None
    tags: Any = None
    properties: Any = None


class _Score(msgspec.Struct, frozen=True):
    """Where the score stands, and of which kind it is."""

    survey_type: str
    value: Any
    pointer: str


def parse(connection: str, record: bytes) -> Response:
    """Read one response, from v3, from the old export, from an archive, or in a webhook's envelope.

    A user's traits are their `person_properties`; they are those of today, and no content of the answer. A webhook's
    `answers` stay untold, because they leave out the rating that v3 lists.

    Raises:
        BadRecord: what matters (id, time, score, comment, ids of the user, answers) is not what the API promises.
    """
    row = reading.decode(record, _Row)
    if isinstance(row.response, UnsetType):
        return _response(connection, row, completed=row.completed is True, dismissed=row.dismissed is True)
    try:
        told = reading.decode(bytes(row.response), _Row)
        event = event_of(row.event, told.completed, told.dismissed)
        whole = _response(connection, told, completed=event == COMPLETED, dismissed=event == DISMISSED)
    except BadRecord as error:
        raise BadRecord("/response" + error.pointer, error.reason) from error
    return msgspec.structs.replace(whole, answers=UNSET)


def event_of(event: object, completed: object, dismissed: object) -> str | None:
    """Which of the two a webhook tells of; where it has no name for itself, by the flags of its response."""
    if isinstance(event, str):
        return event.strip().lower()
    return DISMISSED if dismissed is True else COMPLETED if completed is True else None


def _response(connection: str, row: _Row, *, completed: bool, dismissed: bool) -> Response:
    answers = _answers(row.answers)
    score = _score(row, answers)
    return Response(
        platform="satismeter",
        connection=connection,
        id=reading.identifier(row.id),
        survey_type=score.survey_type,
        score=_number(score),
        comment=reading.text(row.feedback, "/feedback") or _comment(answers),
        created_at=reading.instant(row.created, "/created"),
        updated_at=reading.optional_instant(row.updated, "/updated"),
        person=_respondent(row.user),
        permalink=row.permalink if isinstance(row.permalink, str) else UNSET,
        campaign=_campaign(row.campaign, row.campaign_name),
        channel=row.method.strip().lower() or UNSET if isinstance(row.method, str) else UNSET,
        tags=[tag for tag in row.tags if isinstance(tag, str)] if isinstance(row.tags, list) else UNSET,
        answers=UNSET if row.answers is None else [_answer(answer) for answer in answers],
        person_properties=row.properties if isinstance(row.properties, dict) else _traits(row.user) or UNSET,
        completed=completed,
        dismissed=dismissed,
    )


# --- score and comment ------------------------------------------------------------------------------------------


def _answers(value: object) -> list[dict[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadRecord("/answers", "is not a list")
    for number, answer in enumerate(value):
        if not isinstance(answer, dict):
            raise BadRecord(f"/answers/{number}", "is not an object")
    return value


def _score(row: _Row, answers: list[dict[str, Any]]) -> _Score:
    """The answer that carries a metric, NPS before any other; else the rating of the old shape."""
    measured = [
        _Score(metric.strip().lower(), answer.get("value"), f"/answers/{number}/value")
        for number, answer in enumerate(answers)
        if isinstance(metric := answer.get("metric"), str) and metric.strip()
    ]
    rating = None if isinstance(row.rating, UnsetType) else row.rating
    if measured:
        best = min(measured, key=lambda score: score.survey_type != NPS)
        return best if best.value is not None else _Score(best.survey_type, rating, "/rating")
    return _Score(_type_without_metric(row, answers, rating), rating, "/rating")


def _type_without_metric(row: _Row, answers: list[dict[str, Any]], rating: object) -> str:
    """The old shape does not name its metric, but only NPS has categories; v3 names it in one of the answers."""
    if isinstance(row.campaign, dict) and isinstance(row.campaign.get("type"), str):
        return str(row.campaign["type"]).strip().lower() or OTHER
    if isinstance(row.rating, UnsetType):
        return OTHER if answers else NPS
    has_no_camp = row.category is not UNSET and row.category not in _OF_NPS
    return OTHER if rating is not None and has_no_camp else NPS


def _number(score: _Score) -> float | None:
    """Of PMF, CSAT and CES the answer may be one of several texts: it is kept among the answers, and is no score."""
    value = score.value
    if isinstance(value, str) and not value.strip():
        return None
    if score.survey_type != NPS and isinstance(value, str | list):
        try:
            return reading.score(value, score.survey_type, score.pointer)
        except BadRecord:
            return None
    return reading.score(value, score.survey_type, score.pointer)


def _comment(answers: list[dict[str, Any]]) -> str | None:
    texts = (answer.get("value") for answer in answers if answer.get("type") == "long-text")
    return next((text for text in texts if isinstance(text, str) and text.strip()), None)


def _answer(answer: Mapping[str, Any]) -> Answer:
    question = answer.get("label") or answer.get("id") or ""
    return Answer(question=str(question), answer=_plain(answer.get("value")))


def _plain(value: object) -> str | float | list[str] | None:
    if isinstance(value, list):
        return [option if isinstance(option, str) else msgspec.json.encode(option).decode() for option in value]
    if value is None or (isinstance(value, str | int | float) and not isinstance(value, bool)):
        return value
    return msgspec.json.encode(value).decode()


# --- who and where ----------------------------------------------------------------------------------------------


def _respondent(user: object) -> Respondent:
    """`userId` is the vendor's field for our user's id; `id` is SatisMeter's own (help centre, "Delete user API").

    `anonymousId` may be the one SatisMeter's widget made up, and webhooks leave it out: it counts only for somebody
    whose email is not known, so that it never hides whom we know by that email. Of a deleted user nothing is taken
    over: their answers stay, anonymous (the same page).
    """
    known: Mapping[str, Any] = user if isinstance(user, dict) else {"id": user}
    if known.get("deleted") is True:
        return Respondent()
    traits = _traits(user)
    email = _text(traits.get("email")) or _text(known.get("email"))
    user_id = reading.optional_identifier(known.get("userId"), "/user/userId")
    anonymous_id = reading.optional_identifier(known.get("anonymousId"), "/user/anonymousId")
    return Respondent(
        id=reading.optional_identifier(known.get("id"), "/user/id"),
        email=email,
        name=_text(traits.get("name")) or _text(known.get("name")),
        user_id=_text(traits.get("segment_user_id")) or user_id,
        anonymous_id=_text(traits.get("segment_anonymous_id")) or (None if email else anonymous_id),
    )


def _traits(user: object) -> dict[str, Any]:
    """What the customer told SatisMeter of a user; of a deleted one nothing."""
    traits = user.get("traits") if isinstance(user, dict) and user.get("deleted") is not True else None
    return traits if isinstance(traits, dict) else {}


def _text(value: object) -> str | None:
    """Traits are what the customer made of them: what is no text is none."""
    return value.strip() or None if isinstance(value, str) else None


def _campaign(value: object, name: object) -> Campaign | UnsetType:
    if isinstance(value, str) and value:
        return Campaign(id=value, name=_text(name))
    if isinstance(value, dict):
        found = Campaign(id=_text(value.get("id")), name=_text(value.get("name")))
        return found if found != Campaign() else UNSET
    return UNSET
