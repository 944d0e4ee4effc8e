"""Promoter.io as a destination: contacts from identify calls, surveys of them, and their last order.

Facts from Promoter.io's API reference (developers.promoter.io/reference), its help centre (help.promoter.io,
"Segment"), and Segment's page of its Promoter.io destination. Must not know the store.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from npsbridge.core import reading
from npsbridge.core.calls import Call, CallType
from npsbridge.core.forward import EVENT, IDENTIFY, SURVEY, forward_id
from npsbridge.core.model import Delivery, PlannedDelivery
from npsbridge.core.outcome import Outcome
from npsbridge.core.people import Person
from npsbridge.core.ports import Awaited, Inquiry
from npsbridge.platforms.base import Wiring
from npsbridge.platforms.promoter.contact import contact, is_address, last_order, plain
from npsbridge.platforms.promoter.sending import Sending
from npsbridge.platforms.promoter.settings import PromoterSettings
from npsbridge.platforms.promoter.verifying import Verifying, email_of

ORDER_COMPLETED: Final = "Order Completed"
"""The event that is stored with its contact (Segment's page of this destination)."""


class PromoterDestination:
    """Tells Promoter.io of people with a userId and an email, and asks it to survey those who were identified.

    Everything about a contact can be said again; only a request for a survey must not be.
    """

    label = "Promoter.io"
    once = frozenset({SURVEY})
    batch_limit = 1
    rate_limit = 0.0

    def __init__(self, wiring: Wiring[PromoterSettings]) -> None:
        settings = wiring.settings
        self.connection = wiring.name
        self._campaign, self._list = settings.campaign_id, settings.list_id
        self._campaigns = {one.event: one.campaign_id or settings.campaign_id for one in settings.surveys}
        self.events = frozenset({ORDER_COMPLETED, *self._campaigns})
        self._sending = Sending(wiring)
        self._verifying = Verifying(wiring, self._sending)

    # --- what is owed ---------------------------------------------------------------------------------------------

    def plan_call(self, call: Call, person: Person) -> list[PlannedDelivery] | Awaited:
        """A contact for an identify; for a track the last order, a survey, or both, in that order (pure)."""
        match call.type:
            case CallType.IDENTIFY:
                return [self._planned(IDENTIFY, call, person)]
            case CallType.TRACK:
                return self._plan_track(call, person)
            case _:
                return []

    def _plan_track(self, call: Call, person: Person) -> list[PlannedDelivery] | Awaited:
        wanted = {EVENT: call.event == ORDER_COMPLETED, SURVEY: call.event in self._campaigns}
        kinds = [kind for kind, is_wanted in wanted.items() if is_wanted]
        is_pointless = person.suppressed_because is not None and EVENT not in kinds
        lacking = None if is_pointless else _lacking(person) or _unidentified(person)
        if kinds and lacking:
            return Awaited(reason=lacking)
        return [self._planned(kind, call, person) for kind in kinds]

    def _planned(self, kind: str, call: Call, person: Person) -> PlannedDelivery:
        hindrance = _hindrance(kind, person)
        body = {} if hindrance else self._body(kind, call, person)
        return PlannedDelivery(
            connection=self.connection,
            person=person.key,
            kind=kind,
            message_id=forward_id(call, kind),
            body=orjson.dumps(body),
            filtered_because=hindrance,
        )

    def _body(self, kind: str, call: Call, person: Person) -> dict[str, Any]:
        if kind == SURVEY:
            return self._survey(call, person)
        # An order goes out with all attributes: nobody says whether a contact keeps those that are not named.
        return self._contact(person, last_order(call.properties, call.timestamp) if kind == EVENT else {})

    def _contact(self, person: Person, order: Mapping[str, Any]) -> dict[str, Any]:
        """`POST /contacts/`; `send` is what would survey the contact at once."""
        joins: dict[str, Any] = {"contact_list": [self._list]} if self._list is not None else {}
        if self._campaign is not None:
            joins["campaign"] = self._campaign
        return {**contact(person, order), **joins, "send": False}

    def _survey(self, call: Call, person: Person) -> dict[str, Any]:
        """`POST /v2/survey/`; its own attributes are those of the event, and come back with the answer."""
        event = {"event": call.event, "request_id": forward_id(call, SURVEY)}
        return {
            "campaign_id": self._campaigns[call.event or ""],
            "contact": contact(person),
            "attributes": {**plain(call.properties), **plain(event)},
        }

    # --- what is sent ---------------------------------------------------------------------------------------------

    async def deliver(self, batch: Sequence[Delivery]) -> list[Outcome]:
        """Send each in a request of its own, in order; Promoter.io takes no batches."""
        return [await self._sending.send(delivery) for delivery in batch]

    def recipient(self, delivery: Delivery) -> str:
        """The email of the contact."""
        return email_of(reading.decode(delivery.body, dict[str, Any]))

    async def verify(self, delivery: Delivery, inquiry: Inquiry, beside: Sequence[Delivery] = ()) -> Outcome:
        """See `Verifying`."""
        return await self._verifying.verify(delivery, inquiry, beside)


def _lacking(person: Person) -> str | None:
    """What Promoter.io requires of an identify (Segment's page: "requires a `userId` and `email`")."""
    if person.user_id is None:
        return "no userId is known of this person, and Promoter.io's contacts need one"
    return None if person.email else "no email is known of this person, and Promoter.io's contacts need one"


def _unidentified(person: Person) -> str | None:
    """Only the userId of an identify says which contact to survey (the same page)."""
    return None if person.is_identified else "no identify call has been seen with this userId"


def _hindrance(kind: str, person: Person) -> str | None:
    """Why it is not to be sent at all."""
    if kind == SURVEY and person.suppressed_because is not None:
        return f"this person is not to be surveyed: {person.suppressed_because}"
    if lacking := _lacking(person):
        return lacking
    return None if is_address(person.email or "") else "the email of this person is none that can be written to"
