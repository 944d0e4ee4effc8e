"""What the look-alike stores: users, surveys and responses. Times are milliseconds since 1970, ids 24 hex digits."""

from typing import Any

import msgspec

from npsbridge.core.model import Record


class User(Record, frozen=True, kw_only=True):
    """Somebody who can be surveyed, or was."""

    id: str
    """SatisMeter's own."""
    user_id: str | None = None
    """The customer's."""
    anonymous_id: str | None = None
    traits: dict[str, Any] = msgspec.field(default_factory=dict)
    created: int
    survey_date: str | None = None
    is_deleted: bool = False


class Survey(Record, frozen=True, kw_only=True):
    """A campaign."""

    id: str
    name: str
    type: str
    """nps, csat, ces, pmf or custom."""
    state: str = "live"


class SurveyResponse(Record, frozen=True, kw_only=True):
    """An answer as it stands."""

    id: str
    survey: Survey
    user: str
    """SatisMeter's id of the user."""
    created: int
    """Never moves, whatever is edited."""
    score: float | str | None = None
    comment: str | None = None
    more: tuple[dict[str, Any], ...] = ()
    """Further answers, as v3 shows them."""
    method: str = "In-app"
    traits: dict[str, Any] = msgspec.field(default_factory=dict)
    """The user's, when it was given."""
    is_completed: bool = False
    is_dismissed: bool = False
    is_pending: bool = False
    """The survey was shown and waits for an answer; only the old export lists it."""
    version: int = 0
    """How many writes there were; a later one hides an earlier one."""
