"""From Retently's own objects to responses (pure); every quirk of the data ends here.

There are two kinds of records: feedback, and sent surveys from the outbox, which only tell that a survey was opened.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from npsbridge.core import reading
from npsbridge.core.keys import normalised_email
from npsbridge.core.model import Answer, Campaign, Respondent, Response
from npsbridge.core.times import iso_utc
from npsbridge.errors import BadRecord

REQUEST: Final = "request:"
"""What the id of a survey request begins with, so that none is ever equal to the id of a response."""


class _Row(msgspec.Struct, rename="camel"):
    """What both kinds of records say of the customer and the campaign."""

    customer_id: Any = None
    email: Any = None
    first_name: Any = None
    last_name: Any = None
    campaign_id: Any = None
    channel: Any = None
    metrics_type: Any = None


class _Feedback(_Row, rename="camel"):
    id: Any = None
    created_date: Any = None
    score: Any = None
    comment: Any = None
    campaign_name: Any = None
    feedback_tags: Any = UNSET
    feedback_tags_new: Any = UNSET
    additional_questions: Any = UNSET
    custom_props: Any = UNSET
    permalink: Any = UNSET
    """In no schema of the vendor's; an imported archive may have one."""


class Status(msgspec.Struct, rename="camel"):
    """What became of a sent survey."""

    is_opened: Any = None
    opened_date: Any = None

    @property
    def was_opened(self) -> bool:
        """Whether somebody looked at it; the date alone says so too."""
        return self.is_opened is True or bool(self.opened_date)


class _SentSurvey(_Row, rename="camel"):
    sent_date: Any = None
    campaign: Any = None
    mandrill_message_id: Any = None
    detailed_status: Status | None = None
    attributes: Any = None


class _Shape(msgspec.Struct, rename="camel"):
    created_date: msgspec.Raw | UnsetType = UNSET
    sent_date: msgspec.Raw | UnsetType = UNSET
    detailed_status: msgspec.Raw | UnsetType = UNSET

    @property
    def is_sent_survey(self) -> bool:
        return self.detailed_status is not UNSET or (self.sent_date is not UNSET and self.created_date is UNSET)


def parse(connection: str, record: bytes) -> Response:
    """Read a feedback object, or a row of the outbox.

    Raises:
        BadRecord: what matters (id, time, score, comment, person, survey type) is not what the API promises.
    """
    if reading.decode(record, _Shape).is_sent_survey:
        return _viewed(connection, reading.decode(record, _SentSurvey))
    return _answered(connection, reading.decode(record, _Feedback))


def _answered(connection: str, row: _Feedback) -> Response:
    survey_type = _survey_type(row)
    return Response(
        platform="retently",
        connection=connection,
        id=reading.identifier(row.id),
        survey_type=survey_type,
        score=reading.score(row.score, survey_type),
        comment=reading.text(row.comment, "/comment"),
        created_at=reading.instant(row.created_date, "/createdDate"),
        person=_respondent(row, row.custom_props),
        permalink=row.permalink if isinstance(row.permalink, str) else UNSET,
        campaign=_campaign(row.campaign_id, row.campaign_name),
        channel=_channel(row.channel),
        tags=_tags(row.feedback_tags, row.feedback_tags_new),
        answers=_answers(row.additional_questions),
        person_properties=_properties(row.custom_props),
    )


def _viewed(connection: str, row: _SentSurvey) -> Response:
    """A sent survey that was opened; what else the outbox says of it is no news."""
    status = row.detailed_status or Status()
    if not status.was_opened:
        raise BadRecord("/detailedStatus/isOpened", "is not true: a survey that nobody opened is no news")
    custom_props = row.attributes.get("customProps") if isinstance(row.attributes, dict) else UNSET
    opened_at = reading.optional_instant(status.opened_date or None, "/detailedStatus/openedDate")
    return Response(
        platform="retently",
        connection=connection,
        id=_request_id(row),
        survey_type=_survey_type(row),
        created_at=opened_at or reading.instant(row.sent_date, "/sentDate"),
        person=_respondent(row, custom_props),
        campaign=_campaign(row.campaign_id, row.campaign),
        channel=_channel(row.channel),
        person_properties=_properties(custom_props),
        viewed=True,
    )


def _request_id(row: _SentSurvey) -> str:
    """The id of a sent survey: no field is promised to be one (PostHog's source for Retently found `surveyId` rare)."""
    message = reading.optional_identifier(row.mandrill_message_id, "/mandrillMessageId")
    if message:
        return REQUEST + message
    email = reading.text(row.email, "/email")
    whom = normalised_email(email) or reading.identifier(row.customer_id, "/customerId")
    campaign = reading.optional_identifier(row.campaign_id, "/campaignId") or ""
    sent_at = iso_utc(reading.instant(row.sent_date, "/sentDate"))
    return REQUEST + reading.digest(f"{whom}\n{campaign}\n{sent_at}".encode())


# --- what both kinds share --------------------------------------------------------------------------------------


def _survey_type(row: _Row) -> str:
    """The case varies from answer to answer; what has none is from the days when there was only NPS."""
    return (reading.text(row.metrics_type, "/metricsType") or "nps").strip().casefold()


def _respondent(row: _Row, custom_props: object) -> Respondent:
    names = [reading.text(row.first_name, "/firstName"), reading.text(row.last_name, "/lastName")]
    email = reading.text(row.email, "/email")
    return Respondent(
        id=reading.optional_identifier(row.customer_id, "/customerId"),
        email=email.strip() if email else None,
        name=" ".join(name for name in names if name) or None,
        user_id=_came_back(custom_props, "segmentuserid"),
        anonymous_id=_came_back(custom_props, "segmentanonymousid"),
    )


def _came_back(custom_props: object, squeezed: str) -> str | None:
    """The id we gave, however the server spells the property: `segment_user_id`, `Segment user id`, `segmentUserId`."""
    for item in _objects(custom_props):
        value = item.get("value")
        names = {"".join(filter(str.isalnum, str(item.get(key)))).casefold() for key in ("name", "label")}
        if squeezed in names and isinstance(value, str | int) and not isinstance(value, bool):
            return str(value).strip() or None
    return None


def _campaign(campaign: object, name: object) -> Campaign | UnsetType:
    found = Campaign(
        id=reading.optional_identifier(campaign, "/campaignId"), name=name if isinstance(name, str) and name else None
    )
    return UNSET if found == Campaign() else found


def _channel(value: object) -> str | UnsetType:
    return value.strip().lower() if isinstance(value, str) and value.strip() else UNSET


def _properties(value: object) -> dict[str, Any] | UnsetType:
    """`[{name, label, type, value}]` as an object; the name is the server's own form of the label."""
    if not isinstance(value, list):
        return UNSET
    return {name: item.get("value") for item in _objects(value) if (name := _first_text(item, ("name", "label")))}


def _tags(*generations: object) -> list[str] | UnsetType:
    """Two generations of response tags, as one; a customer's own `tags` are none of them."""
    known = [value for value in generations if isinstance(value, list)]
    if not known:
        return UNSET
    return list(dict.fromkeys(tag for value in known for tag in value if isinstance(tag, str)))


def _answers(value: object) -> list[Answer] | UnsetType:
    if not isinstance(value, list):
        return UNSET
    questions = ("questionText", "question")
    return [
        Answer(question=_first_text(item, questions) or "", answer=_plain(item.get("answer")))
        for item in _objects(value)
    ]


def _plain(value: object) -> str | float | list[str] | None:
    if isinstance(value, list):
        return [str(_plain(item)) for item in value if item is not None]
    if isinstance(value, dict):
        return _first_text(value, ("text", "label", "value", "name"))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str | int | float) else None


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _first_text(item: Mapping[str, Any], names: Iterable[str]) -> str | None:
    return next((found for name in names if isinstance(found := item.get(name), str) and found), None)
