"""How the tests route calls: simple forwarders, and a line that remembers like the store does."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec

from npsbridge.core.calls import Call, CallType
from npsbridge.core.envelope import CallSource, Envelope
from npsbridge.core.familiar import Familiar
from npsbridge.core.forward import IDENTIFY, SURVEY, forward_id
from npsbridge.core.model import PlannedDelivery
from npsbridge.core.outcome import Outcome
from npsbridge.core.people import KnownPeople, PeopleChange, Person
from npsbridge.core.ports import Awaited
from npsbridge.core.records import AwaitedCall, JournalEntry, Origin, Routing
from npsbridge.core.route_calls import CallRecall, calls_of, expire, people_of, read_entry, route_calls

NOW = 1_772_366_400_000
DAY = 86_400.0
ORDER = "Order Completed"


class Vendor:
    """Tells of people by email, and surveys after an order; breaks on an event named `Broken`."""

    once = frozenset({SURVEY})
    events = frozenset({ORDER, "Broken"})
    batch_limit = 1
    rate_limit = 0.0

    def __init__(self, connection: str = "delighted", label: str = "Delighted") -> None:
        self.connection = connection
        self.label = label

    def plan_call(self, call: Call, person: Person) -> list[PlannedDelivery] | Awaited:
        match call.type, call.event:
            case CallType.IDENTIFY, _:
                return [self._planned(call, person, IDENTIFY, None if person.email else "no email is known")]
            case CallType.TRACK, "Order Completed":
                return [self._planned(call, person, SURVEY)] if person.email else Awaited(reason="no email is known")
            case CallType.TRACK, "Broken":
                raise ZeroDivisionError
            case _:
                return []

    def _planned(self, call: Call, person: Person, kind: str, filtered_because: str | None = None) -> PlannedDelivery:
        return PlannedDelivery(
            connection=self.connection,
            person=person.key,
            kind=kind,
            message_id=forward_id(call, kind),
            body=json.dumps([person.email, person.traits]).encode(),
            filtered_because=filtered_because,
        )

    async def deliver(self, batch: Any) -> list[Outcome]:
        raise NotImplementedError

    def recipient(self, delivery: Any) -> str:
        raise NotImplementedError

    async def verify(self, delivery: Any, inquiry: Any, beside: Any = ()) -> Outcome:
        raise NotImplementedError


def at(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()


def identify(user_id: str = "u1", email: str | None = "ana@example.org", **more: Any) -> dict[str, Any]:
    traits = {"email": email, **more.pop("traits", {})} if email else more.pop("traits", {})
    return {"type": "identify", "userId": user_id, "traits": traits, "timestamp": at(NOW), **more}


def track(event: str = ORDER, user_id: str = "u1", **more: Any) -> dict[str, Any]:
    return {"type": "track", "userId": user_id, "event": event, "timestamp": at(NOW), **more}


class CallLine:
    """Routes request after request."""

    def __init__(self, *vendors: Vendor, familiar: Familiar | None = None) -> None:
        """`familiar` learns along; without it every call is read in full."""
        self.vendors = vendors or (Vendor(),)
        self.familiar = familiar
        self.now = NOW
        self.count = 0
        self.seen: set[str] = set()
        self.said: dict[tuple[str, str], bytes] = {}
        self.awaited: dict[tuple[str, str], AwaitedCall] = {}
        self.known = KnownPeople()

    def routes(self, *requests: list[dict[str, Any]]) -> list[Routing]:
        familiar = self.familiar or Familiar(())
        familiar.begin()
        entries = [read_entry(self.entry(*request), familiar) for request in requests]
        assert people_of(calls_of(entries)) is not None
        recall = CallRecall(
            seen=frozenset(self.seen), people=self.known, awaited=tuple(self.awaited.values()), said=dict(self.said)
        )
        routings, met = route_calls(entries, recall, forwarders=self.vendors, max_age=DAY, now=self.now)
        if self.familiar:
            self.familiar.commit(met, [newer for routing in routings for newer in routing.people.redirects])
        return [self._keep(routing) for routing in routings]

    def route(self, *calls: dict[str, Any]) -> Routing:
        return self.routes(list(calls))[0]

    def expire(self) -> Routing:
        return self._keep(expire([one for one in self.awaited.values() if one.expires_at <= self.now]))

    def entry(self, *calls: dict[str, Any], source: CallSource = CallSource.WEBHOOK) -> JournalEntry:
        """One request, by default of Segment's webhook, which may say more than an SDK."""
        for call in calls:
            self.count += 1
            call.setdefault("messageId", f"m{self.count}")
        body = Envelope(batch=[msgspec.Raw(json.dumps(call).encode()) for call in calls], source=source).encode()
        return JournalEntry(
            id=self.count, connection="ingest", origin=Origin.SDK, body=body, count=len(calls), received_at=self.now
        )

    def _keep(self, routing: Routing) -> Routing:
        self.seen |= set(routing.seen)
        self.said |= dict(routing.said)
        self.awaited |= {one.key: one for one in routing.awaited}
        for one in routing.no_longer_awaited:
            del self.awaited[one.key]
        self._learn(routing.people)
        return routing

    def _learn(self, change: PeopleChange) -> None:
        persons = dict(self.known.persons) | {person.key: person for person in change.persons}
        owners = dict(self.known.owners) | dict(change.owners)
        for newer, older in change.redirects.items():
            owners = {one: older if key == newer else key for one, key in owners.items()}
            persons.pop(newer, None)
        self.known = KnownPeople(
            persons=persons, owners=owners, next_number=max(change.next_number, self.known.next_number)
        )


def parts(routing: Routing) -> list[str]:
    """What each delivery is: its message id, with a mark for those that are not to be sent."""
    return [
        one.message_id + ("-" if one.filtered_because else "") + ("!" if one.expired_because else "")
        for one in routing.deliveries
    ]


def balance(routing: Routing) -> int:
    """How many records a routing accounts for, as the ledger counts them."""
    made = len(routing.deliveries) + len(routing.awaited)
    grown = max(made + routing.partly_shelved - routing.fanned_out, 0)
    said = made + len(routing.shelved) + routing.filtered + routing.duplicates + routing.erased
    return said - grown - len(routing.no_longer_awaited)
