"""An archived answer as a row of `survey_responses`, so that it is read like one that was polled (pure)."""

from datetime import datetime
from typing import Any

import msgspec

from npsbridge.core.model import ArchiveRow


def compose(row: ArchiveRow) -> bytes:
    """Put a row into Delighted's own words; times there are seconds since 1970."""
    own = {"segment_user_id": row.user_id} if row.user_id else {}
    source = {"Delighted Source": row.channel} if row.channel else {}
    response: dict[str, Any] = {
        "id": row.id,
        "person": _person(row),
        "survey_type": row.survey_type,
        "score": row.score,
        "comment": row.comment,
        "permalink": row.permalink,
        "created_at": _seconds(row.created_at),
        "updated_at": None if row.updated_at is None else _seconds(row.updated_at),
        "person_properties": {**row.properties, **source, **own} or None,
        "tags": row.tags,
    }
    return msgspec.json.encode({name: value for name, value in response.items() if value is not None})


def _person(row: ArchiveRow) -> dict[str, str] | None:
    person = {"id": row.person_id, "email": row.email, "name": row.name}
    return {name: value for name, value in person.items() if value is not None} or None


def _seconds(moment: datetime) -> float:
    exact = moment.timestamp()
    return int(exact) if exact == int(exact) else exact
