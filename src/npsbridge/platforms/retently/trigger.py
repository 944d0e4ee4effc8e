"""What a delivery asks Retently for, and which of them go into one request (pure).

Knows no HTTP.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from npsbridge.core import reading
from npsbridge.core.forward import SURVEY
from npsbridge.core.model import Delivery, Record
from npsbridge.errors import BadRecord
from npsbridge.net.halves import packed

REQUEST_BYTES: Final = 500_000
"""No limit is documented; servers of this kind commonly stop at 1 MB."""


class _Subscriber(msgspec.Struct):
    email: str


class _Content(msgspec.Struct):
    """The body of a delivery: a whole request for one person."""

    campaign: str
    subscribers: list[msgspec.Raw]


class Trigger(Record, frozen=True, kw_only=True):
    """A delivery, as far as sending and looking for it needs it."""

    delivery: Delivery
    campaign: str
    email: str
    row: bytes


def understood(delivery: Delivery) -> Trigger | None:
    """The request in a delivery; None for what is none of ours (pure)."""
    if delivery.kind != SURVEY:
        return None
    try:
        content = reading.decode(delivery.body, _Content)
        rows = [bytes(row) for row in content.subscribers]
        emails = [reading.decode(row, _Subscriber).email for row in rows]
    except BadRecord:
        return None
    if len(rows) != 1:
        return None
    return Trigger(delivery=delivery, campaign=content.campaign, email=emails[0], row=rows[0])


def parts(triggers: Sequence[Trigger]) -> list[list[Trigger]]:
    """What goes into one request each, in the order to be sent (pure).

    A request is for one campaign, and nobody is in it twice, or the answer could not be read by email. What belongs to
    one person, or goes to one email, keeps its order.
    """
    last: dict[str, int] = {}
    groups: dict[tuple[int, str], list[Trigger]] = {}
    for one in triggers:
        wave = 1 + max(last.get(one.delivery.person, 0), last.get(one.email, 0))
        last[one.delivery.person] = last[one.email] = wave
        groups.setdefault((wave, one.campaign), []).append(one)
    by_id = {one.delivery.id: one for one in triggers}
    return [
        [by_id[delivery.id] for delivery in part]
        for _, group in sorted(groups.items(), key=lambda item: item[0][0])
        for part in packed([one.delivery for one in group], REQUEST_BYTES)
    ]
