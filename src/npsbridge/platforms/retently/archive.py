"""Archived answers as Retently's own objects, so that they read like polled ones (pure)."""

from datetime import UTC
from typing import Any

import msgspec

from npsbridge.core.model import ArchiveRow


def compose(row: ArchiveRow) -> bytes:
    """The feedback object that a poll would have read.

    What the archive does not know is left out, so that a later poll fills it in rather than edits it. `updated_at` is
    left out always: the vendor has no such time, and with it every later poll of the same answer would look outdated.
    """
    feedback: dict[str, Any] = {
        "id": row.id,
        "customerId": row.person_id,
        "email": row.email,
        "firstName": row.name,
        "lastName": None,
        "createdDate": row.created_at.astimezone(UTC).isoformat(),
        "score": row.score,
        "comment": row.comment,
        "metricsType": row.survey_type,
    }
    if row.user_id is not None or row.properties:
        feedback["customProps"] = _custom_props(row)
    known = {
        "campaignId": row.campaign_id,
        "campaignName": row.campaign_name,
        "channel": row.channel,
        "feedbackTags": row.tags,
        "permalink": row.permalink,
    }
    return msgspec.json.encode(feedback | {name: value for name, value in known.items() if value is not None})


def _custom_props(row: ArchiveRow) -> list[dict[str, str]]:
    came_back = {"segment_user_id": row.user_id} if row.user_id is not None else {}
    properties = came_back | row.properties | came_back  # first, and not to be overridden
    return [{"name": name, "type": "text", "value": value} for name, value in properties.items()]
