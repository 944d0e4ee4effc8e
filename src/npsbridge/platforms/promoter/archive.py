"""An archived answer as a feedback object of v2, so that it is read like one that was polled (pure)."""

from datetime import datetime
from typing import Any

import msgspec

from npsbridge.core.model import ArchiveRow
from npsbridge.errors import BadRecord
from npsbridge.platforms.promoter.parse import SURVEY_TYPE


def compose(row: ArchiveRow) -> bytes:
    """Put a row into Promoter.io's own words.

    Raises:
        BadRecord: it is no NPS answer; Promoter.io has nothing else.
    """
    if row.survey_type != SURVEY_TYPE:
        raise BadRecord("/survey_type", "is not nps, and Promoter.io asks for nothing else")
    feedback: dict[str, Any] = {
        "id": row.id,
        "followup_href": row.permalink,
        "score": row.score,
        "comment": row.comment,
        "posted_date": _iso(row.created_at),
        "comment_updated_date": None if row.updated_at is None else _iso(row.updated_at),
        "contact": _contact(row),
        "campaign": _campaign(row),
        "channel": row.channel,
        "tags": row.tags,
    }
    return msgspec.json.encode({name: value for name, value in feedback.items() if value is not None})


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _contact(row: ArchiveRow) -> dict[str, Any]:
    own = {"segment_user_id": row.user_id} if row.user_id else {}
    attributes = {**row.properties, **own}
    contact = {"id": row.person_id, "email": row.email, "first_name": row.name, "attributes": attributes or None}
    return {name: value for name, value in contact.items() if value is not None}


def _campaign(row: ArchiveRow) -> dict[str, str] | None:
    campaign = {"id": row.campaign_id, "name": row.campaign_name}
    return {name: value for name, value in campaign.items() if value is not None} or None
