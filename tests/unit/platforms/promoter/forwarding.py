"""Calls, people and deliveries for the tests of the destination."""

from datetime import UTC, datetime
from typing import Any

import orjson

from npsbridge.core.calls import Call, CallType
from npsbridge.core.model import Delivery, PlannedDelivery, State
from npsbridge.core.people import Person
from npsbridge.core.ports import Awaited
from npsbridge.platforms.promoter.destination import PromoterDestination
from unit.platforms.promoter.engine import Engine
from unit.sandbox.calling import NEW_YEAR

TED = {"email": "ted@mosbiusdesigns.com", "firstName": "Ted", "lastName": "Mosby", "plan": "Premium"}
"""The traits of the example on Segment's page."""


def ted(**known: Any) -> Person:
    known = {"user_id": "12345", "email": TED["email"], "traits": TED, "is_identified": True, **known}
    return Person(key="person:1", **known)


def call(kind: CallType = CallType.IDENTIFY, **said: Any) -> Call:
    return Call(**{"type": kind, "message_id": "m-1", "timestamp": datetime.fromtimestamp(NEW_YEAR, UTC), **said})


def track(event: str, /, **properties: Any) -> Call:
    return call(CallType.TRACK, event=event, properties=properties)


def planned(destination: PromoterDestination, told: Call, person: Person) -> list[PlannedDelivery]:
    plan = destination.plan_call(told, person)
    assert not isinstance(plan, Awaited)
    return plan


def bodies(destination: PromoterDestination, told: Call, person: Person) -> list[Any]:
    return [orjson.loads(one.body) for one in planned(destination, told, person)]


def stored(plan: PlannedDelivery, *, at: float, number: int = 1) -> Delivery:
    """As the store hands it to the lane."""
    return Delivery(
        id=number,
        connection=plan.connection,
        person=plan.person,
        kind=plan.kind,
        message_id=plan.message_id,
        body=plan.body,
        state=State.QUEUED,
        created_at=int(at * 1000),
    )


def destination(engine: Engine) -> PromoterDestination:
    """As after a restart."""
    return PromoterDestination(engine.wiring())
