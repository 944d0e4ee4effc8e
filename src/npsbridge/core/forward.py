"""The rules that forwarding to any survey platform shares: who is asked, what is too late, who is left alone (pure).

What a platform does with a call is its own business; knows no vendor.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from npsbridge.core.calls import Call
from npsbridge.core.keys import well_formed
from npsbridge.core.model import Delivery
from npsbridge.core.people import Person

IDENTIFY: Final = "identify"
"""The kind of a delivery that tells a vendor of a person; the newest says all."""
SURVEY: Final = "survey"
"""The kind of a delivery that asks a vendor to survey somebody; never twice."""
EVENT: Final = "event"
"""The kind of a delivery that tells a vendor of something a person did."""

MESSAGE_ID_LIMIT: Final = 100
"""Characters of a call's messageId that are taken as they are."""
_SCALE: Final = 2**64


def is_sampled(event: str, person: str, message_id: str, rate: float) -> bool:
    """Whether a trigger belongs to the sample: the same answer on every retry, restart and machine (contract §5)."""
    if rate >= 1:
        return True
    text = f"npsbridge sample\n{event}\n{person}\n{message_id}"
    return int.from_bytes(hashlib.sha256(well_formed(text).encode()).digest()[:8]) < rate * _SCALE


def too_old(call: Call, *, received_at: datetime, most: float) -> str | None:
    """Why a trigger comes too late to ask anybody, or None; `most` is INGEST__MAX_TRIGGER_AGE in seconds."""
    age = (received_at - call.timestamp).total_seconds()
    if age <= most:
        return None
    return f"happened {age:.0f} s before it came, more than INGEST__MAX_TRIGGER_AGE allows ({most:.0f} s)"


def switched_off(integrations: Mapping[str, Any], label: str) -> bool:
    """Whether the sender does not want this destination to have the call (Segment's Spec, "Selecting destinations").

    A destination's own entry goes before `All`; an entry that is an object holds options, and means yes. `Promoter` and
    `Promoter.io` are the same.
    """
    wishes = {_plain(name): value for name, value in integrations.items() if value is not None}
    return wishes.get(_plain(label), wishes.get("all")) is False


def _plain(name: str) -> str:
    return name.strip().casefold().removesuffix(".io")


def forward_id(call: Call, kind: str) -> str:
    """The message id of a delivery that a call leads to, unique per connection and the same however often it comes."""
    if len(call.message_id) <= MESSAGE_ID_LIMIT:
        return f"{call.message_id}:{kind}"
    return f"{hashlib.sha256(well_formed(call.message_id).encode()).hexdigest()}:{kind}"


def call_id(message_id: str, kind: str) -> str:
    """The messageId of the call that a delivery comes of: `forward_id` taken back; of a sink's delivery its own."""
    call, kind_marked, _ = message_id.rpartition(f":{kind}")
    return call if kind_marked else message_id


def came_back(person: Person) -> dict[str, str]:
    """The property by which an answer finds its way home (contract §5).

    An anonymousId only of somebody without a userId: a person has a new one on each device, and whoever told vendors of
    it would tell them of the same person again and again.
    """
    if person.user_id:
        return {"segment_user_id": person.user_id}
    return {"segment_anonymous_id": person.anonymous_ids[-1]} if person.anonymous_ids else {}


def superseded(deliveries: Sequence[Delivery]) -> set[int]:
    """The numbers of those that a newer identify of the same person makes superfluous.

    Only where nothing else of that person stands between the two: a survey goes out under what was said before it.
    """
    outdated: set[int] = set()
    last: dict[str, Delivery] = {}
    for delivery in deliveries:
        before = last.get(delivery.person)
        if before is not None and before.kind == delivery.kind == IDENTIFY:
            outdated.add(before.id)
        last[delivery.person] = delivery
    return outdated
