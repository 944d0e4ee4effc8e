"""What a Segment call is, once it has been read (pure).

Knows neither how calls are written nor where they came from: core.callreading makes these of what is in the journal.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from npsbridge.core.model import Record


class CallType(StrEnum):
    """The methods of Segment's Spec, and the deletion that its Webhooks destination tells of."""

    IDENTIFY = "identify"
    TRACK = "track"
    PAGE = "page"
    SCREEN = "screen"
    GROUP = "group"
    ALIAS = "alias"
    DELETE = "delete"


class Call(Record, frozen=True, kw_only=True):
    """One call; whatever an SDK left out is None or empty. At least one of userId, anonymousId and email is there."""

    type: CallType
    message_id: str
    """As sent; where a sender left it out, a digest of the call."""
    user_id: str | None = None
    """As written; None also for what is no id, such as `"null"` or zeros."""
    anonymous_id: str | None = None
    previous_id: str | None = None
    """Of an alias: the id that the person had until now."""
    group_id: str | None = None
    email: str | None = None
    """From the traits, the context's traits or the properties; lower case, without blanks around it."""
    event: str | None = None
    """Of a track: its name, exactly as written."""
    traits: dict[str, Any] = msgspec.field(default_factory=dict)
    """The person's: those of an identify over those of its context; of every other call only the context's."""
    group_traits: dict[str, Any] = msgspec.field(default_factory=dict)
    """Of a group: the company's, whose email is nobody's."""
    properties: dict[str, Any] = msgspec.field(default_factory=dict)
    integrations: dict[str, Any] = msgspec.field(default_factory=dict)
    timestamp: datetime
    """When it happened, by our clock where `sentAt` allows to correct it; never later than an hour from now."""
    is_ours: bool = False
    """We emitted it ourselves, and it has come back."""


class BadCall(Record, frozen=True, kw_only=True):
    """One item that is no call, or none that can be used; for the shelf."""

    pointer: str
    """JSON pointer into the item."""
    reason: str
    """Without the value: it may be personal."""
    raw: bytes
    """The item as it came, without a write key."""
