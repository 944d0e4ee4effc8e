"""Calls and people for the store's tests, told to a store as the router tells them."""

from collections.abc import Sequence
from typing import Any

from contract.store.examples import NOON, arrival, planned
from npsbridge.core.calls import Call, CallType
from npsbridge.core.people import IdKind, PeopleChange, Person, PersonId
from npsbridge.core.recognise import People, Recognition, ids_of
from npsbridge.core.records import Routing
from npsbridge.core.storage import Store

ANN = "ann@example.com"
BOB = "bob@example.com"


def user(value: str) -> PersonId:
    return PersonId(IdKind.USER, value)


def anonymous(value: str) -> PersonId:
    return PersonId(IdKind.ANONYMOUS, value)


def email(value: str) -> PersonId:
    return PersonId(IdKind.EMAIL, value)


def identify(user_id: str | None = None, anonymous_id: str | None = None, **traits: Any) -> Call:
    return Call(
        type=CallType.IDENTIFY,
        message_id="m",
        user_id=user_id,
        anonymous_id=anonymous_id,
        traits=traits,
        timestamp=NOON,
    )


def alias(previous: str, user_id: str) -> Call:
    return Call(type=CallType.ALIAS, message_id="m", user_id=user_id, previous_id=previous, timestamp=NOON)


async def absorbed(store: Store, calls: Sequence[Call]) -> tuple[list[Recognition], PeopleChange]:
    """What calls lead to, decided and not yet made true."""
    people = People(await store.recall_people({one for call in calls for one in ids_of(call)}))
    return [people.absorb(call) for call in calls], people.take()


async def journaled(store: Store, count: int = 1, body: bytes = b"[{}]") -> int:
    """The number of a new journal entry."""
    await store.append([arrival(count=count, body=body)])
    return (await store.unrouted(1_000))[-1].id


async def tell(store: Store, *calls: Call, message: str | None = None) -> Person | None:
    """The person whom the last call is about, once all are routed; a delivery of theirs is owed under `message`."""
    recognised, change = await absorbed(store, calls)
    person = recognised[-1].person
    owed = (planned(message, person.key, "delighted"),) if message and person else ()
    erased = sum(one.is_erased for one in recognised)
    routing = Routing(
        journal_id=await journaled(store, len(calls)),
        people=change,
        deliveries=owed,
        fanned_out=len(owed),
        erased=erased,
        filtered=len(calls) - len(owed) - erased,
    )
    await store.commit_routing([routing])
    return person


async def find(store: Store, person_id: PersonId) -> Person | None:
    known = await store.recall_people([person_id])
    key = known.owners.get(person_id)
    return known.persons[key] if key else None
