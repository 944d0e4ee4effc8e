"""Calls for the tests of who is who, and a journal that is replayed against the rules."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from npsbridge.core.calls import Call, CallType
from npsbridge.core.people import KnownPeople, PeopleChange, Person, PersonId
from npsbridge.core.recognise import People, Recognition, ids_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def call(kind: CallType, user: str | None = None, anonymous: str | None = None, **fields: Any) -> Call:
    return Call(type=kind, message_id="m", user_id=user, anonymous_id=anonymous, timestamp=NOON, **fields)


def identify(user: str | None = None, anonymous: str | None = None, **traits: Any) -> Call:
    email = traits.get("email")
    return call(CallType.IDENTIFY, user, anonymous, traits=traits, email=email if isinstance(email, str) else None)


def track(user: str | None = None, anonymous: str | None = None, **context_traits: Any) -> Call:
    return call(CallType.TRACK, user, anonymous, event="Order Completed", traits=context_traits)


def alias(previous: str, user: str, anonymous: str | None = None) -> Call:
    return call(CallType.ALIAS, user, anonymous, previous_id=previous)


class Memory:
    """A store in its plainest form: recalls what a run needs, keeps what it changed."""

    def __init__(self, suppressed: dict[PersonId, str] | None = None) -> None:
        self.persons: dict[str, Person] = {}
        self.owners: dict[PersonId, str] = {}
        self.suppressed = suppressed or {}
        self.born = 0

    def recall(self, ids: Iterable[PersonId]) -> KnownPeople:
        owners = {one: self.owners[one] for one in ids if one in self.owners}
        return KnownPeople(
            persons={key: self.persons[key] for key in owners.values()},
            owners=owners,
            suppressed=self.suppressed,
            next_number=self.born + 1,
        )

    def keep(self, change: PeopleChange) -> None:
        self.persons |= {person.key: person for person in change.persons}
        self.owners |= change.owners
        self.born = change.next_number - 1
        for newer, older in change.redirects.items():
            self.owners = {one: older if key == newer else key for one, key in self.owners.items()}
            self.persons.pop(newer, None)

    def absorb(self, *calls: Call) -> list[Recognition]:
        """One run."""
        people = People(self.recall([one for call in calls for one in ids_of(call)]))
        recognised = [people.absorb(call) for call in calls]
        self.keep(people.take())
        return recognised

    def tell(self, call: Call) -> Recognition:
        """A run of one call."""
        (recognised,) = self.absorb(call)
        return recognised

    def find(self, person_id: PersonId) -> Person | None:
        key = self.owners.get(person_id)
        return None if key is None else self.persons[key]
