"""From an archived answer to an object of SatisMeter's old shape, so that `parse` reads it like a polled one (pure)."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from npsbridge.core.model import ArchiveRow


def compose(row: ArchiveRow) -> bytes:
    """The answer as JSON; `answers` stay untold, so that v3 can add them later without making a new revision.

    `updated`, `permalink`, `tags` and `properties` are fields that SatisMeter does not have; an archive may.
    """
    return msgspec.json.encode(
        {
            "id": row.id,
            "created": _iso(row.created_at),
            "rating": row.score,
            "feedback": row.comment,
            "campaign": _told({"id": row.campaign_id, "name": row.campaign_name, "type": row.survey_type}),
            "user": _told({"id": row.person_id, "userId": row.user_id, "email": row.email, "name": row.name}),
        }
        | _told(
            {
                "method": row.channel,
                "updated": _iso(row.updated_at) if row.updated_at else None,
                "permalink": row.permalink,
                "tags": row.tags,
                "properties": row.properties or None,
            }
        )
    )


def _told(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
