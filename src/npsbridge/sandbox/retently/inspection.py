"""What `/__sim/` takes for Retently's account; no part of Retently's API."""

import msgspec
from msgspec import UNSET, UnsetType

from npsbridge.core.model import Record
from npsbridge.sandbox.account_inspection import EditAsked


class AnswerAsked(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /__sim/answers`: somebody answers."""

    person: str | None = msgspec.field(name="email")
    score: float | None
    comment: str | None = None
    created_ms: int | None = None
    metric: str = "nps"


class RetentlyEditAsked(EditAsked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /__sim/edits`: an answer is changed; what is not named stays."""

    tags: tuple[str, ...] | UnsetType = UNSET
