"""The shop of the demo: a customer's own programme, whose calls say who its people are and what they buy.

Makes calls as an SDK of Segment does and keeps what they said; must not know where they go and what comes of them.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import msgspec

from npsbridge.core.model import Record
from npsbridge.core.times import iso_utc

ORDERED: Final = "Order Completed"
"""The event that triggers a survey, by its name in Segment's e-commerce Spec."""
PLANS: Final = ("free", "team", "business")
TRAITS: Final = ("plan", "visits")
"""What changes of a person."""

_LIBRARY: Final = {"name": "analytics-python", "version": "2.3.4"}
_FIRST_NUMBER: Final = 1001
_NAMES: Final = (("Ada", "Brandt"), ("Noor", "Haddad"), ("Luis", "Ferrer"), ("Mei", "Tanaka"), ("Ola", "Nyberg"))

Message = dict[str, Any]
"""A call of Segment's tracking API."""


class Order(Record, frozen=True, kw_only=True):
    """Something that was bought."""

    user_id: str
    number: str
    visits: str | None
    """The buyer's trait of this name when the order could be told first; None while nobody knows the buyer."""


class Shop:
    """Tells of people and orders, and remembers it.

    Args:
        now: wall clock, seconds since 1970.

    Attributes:
        traits: what was last told of each person, by userId.
        orders: all orders, in the order in which they were told.
        message_ids: of all calls.
        early: the userIds of those who bought before anybody knew them.
        answers: who answered a survey that an order had triggered: the userId by platform and response id.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.traits: dict[str, dict[str, Any]] = {}
        self.orders: list[Order] = []
        self.message_ids: list[str] = []
        self.early: list[str] = []
        self.answers: dict[tuple[str, str], str] = {}

    def newcomers(self, count: int) -> list[str]:
        """The userIds of the next so many people whom nothing was told of yet."""
        first = _FIRST_NUMBER + len(self.traits)
        return [f"u-{number}" for number in range(first, first + count)]

    def identify(self, user_id: str, *, is_changed: bool = False) -> Message:
        """Who somebody is: as it was last told, or with something new."""
        known = self.traits.get(user_id)
        traits = known or _first_traits(user_id)
        if known is None:
            self._know(user_id, traits)
        elif is_changed:
            visits = known["visits"] + 1
            traits = {**known, "visits": visits, "plan": PLANS[visits % len(PLANS)]}
        self.traits[user_id] = traits
        return self._call("identify", user_id, traits=traits)

    def order(self, user_id: str) -> Message:
        """Somebody buys something."""
        number, known = f"S-{len(self.orders) + 1:04}", self.traits.get(user_id)
        self.orders.append(Order(user_id=user_id, number=number, visits=_visits(known)))
        if known is None:
            self.early.append(user_id)
        total = 19.9 + len(self.orders)
        products = [{"product_id": "p-7", "name": "Oat milk, 12 l", "price": total, "quantity": 1}]
        said = {"order_id": number, "total": total, "currency": "EUR", "products": products}
        return self._call("track", user_id, event=ORDERED, properties=said)

    @property
    def due(self) -> list[Order]:
        """The orders of people who are known."""
        return [order for order in self.orders if order.visits is not None]

    @property
    def throttled(self) -> int:
        """How many of these orders came from somebody who had bought before."""
        return len(self.due) - len(self.buyers)

    @property
    def buyers(self) -> Sequence[str]:
        """The userIds of those who have bought something and are known, in the order of their first order."""
        return list(Counter(order.user_id for order in self.due))

    def email(self, user_id: str) -> str:
        """The email of somebody who is known."""
        return str(self.traits[user_id]["email"])

    def _know(self, user_id: str, traits: Message) -> None:
        """Orders of who is known from now on can be told from now on."""
        self.orders = [
            msgspec.structs.replace(order, visits=_visits(traits)) if order.user_id == user_id else order
            for order in self.orders
        ]

    def _call(self, kind: str, user_id: str, **more: Any) -> Message:
        message_id = str(uuid5(NAMESPACE_URL, f"call {len(self.message_ids)} of the shop"))
        self.message_ids.append(message_id)
        at = iso_utc(datetime.fromtimestamp(self._now(), UTC))
        head = {"type": kind, "messageId": message_id, "timestamp": at, "userId": user_id}
        return {**head, "context": {"library": _LIBRARY}, "integrations": {}, **more}


def _first_traits(user_id: str) -> Message:
    number = int(user_id.removeprefix("u-"))
    first, last = _NAMES[number % len(_NAMES)]
    email = f"{first}.{last}.{number}@shop.example".lower()
    return {"email": email, "firstName": first, "lastName": last, "plan": PLANS[0], "visits": 0}


def _visits(traits: Message | None) -> str | None:
    return None if traits is None else str(traits["visits"])
