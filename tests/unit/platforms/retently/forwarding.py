"""Calls, persons and deliveries for the tests of what goes to Retently, and a destination that needs no account."""

from datetime import UTC, datetime
from typing import Any, cast

import orjson

from npsbridge.clock import Clock
from npsbridge.core.calls import Call, CallType
from npsbridge.core.forward import SURVEY
from npsbridge.core.model import Delivery, PlannedDelivery, State
from npsbridge.core.people import Person, key_of
from npsbridge.net.client import HttpClient
from npsbridge.platforms.base import Wiring
from npsbridge.platforms.retently.destination import RetentlyDestination
from npsbridge.platforms.retently.settings import RetentlySettings

PURCHASE = "66c100000000000000000001"
VISIT = "66c100000000000000000002"
CAMPAIGNS = {PURCHASE: "Order Completed, Trial Ended", VISIT: ["Order Completed"]}
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def track(event: str | None = "Trial Ended", *, message_id: str = "m-1", **properties: Any) -> Call:
    return Call(type=CallType.TRACK, message_id=message_id, event=event, properties=properties, timestamp=NOON)


def somebody(number: int = 1, **fields: Any) -> Person:
    return Person(key=key_of(number), **fields)


def destination(**settings: Any) -> RetentlyDestination:
    """One that plans; it has nobody to send to."""
    wiring = Wiring(
        name="retently",
        settings=RetentlySettings.model_validate({"api_key": "k", "campaigns": CAMPAIGNS} | settings),
        http=cast("HttpClient", None),
        clock=Clock(),
        prefix="NPSBRIDGE_RETENTLY__",
    )
    return RetentlyDestination(wiring)


def planned(call: Call, person: Person | None = None, **settings: Any) -> list[PlannedDelivery]:
    found = destination(**settings).plan_call(call, person or somebody())
    assert isinstance(found, list), found
    return found


def survey(
    number: int,
    email: str = "",
    *,
    campaign: str = PURCHASE,
    person: int | None = None,
    created_at: int = 0,
    kind: str = SURVEY,
    **row: Any,
) -> Delivery:
    """A request as it stands in the outbox."""
    whom = {"email": email or f"p{number}@example.org", **row}
    return Delivery(
        id=number,
        connection="retently",
        person=key_of(number if person is None else person),
        kind=kind,
        message_id=f"m-{number}:survey:{campaign}",
        body=orjson.dumps({"campaign": campaign, "subscribers": [whom]}),
        state=State.INFLIGHT,
        created_at=created_at,
    )
