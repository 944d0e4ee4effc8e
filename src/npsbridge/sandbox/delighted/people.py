"""The people of an account: who they are, in which order they came, and who may not be mailed any more.

Pure state; times are handed in. It knows neither surveys nor responses.
"""

import itertools
from bisect import insort
from collections.abc import Iterator, Mapping
from operator import attrgetter
from types import MappingProxyType
from typing import Any

import msgspec

from npsbridge.sandbox.delighted.records import Person, Unreachable
from npsbridge.sandbox.delighted.table import TimeIndex

_FIRST_ID = 70001


class People:
    """Everybody the account knows."""

    def __init__(self, *, case_sensitive: bool = True) -> None:
        self._people: dict[str, Person] = {}
        self._order = TimeIndex(shuffled=False)
        self._ids = itertools.count(_FIRST_ID)
        self.unsubscribes: list[Unreachable] = []
        self.bounces: list[Unreachable] = []
        self._unreachable: set[str] = set()
        self.reorganise(case_sensitive=case_sensitive)

    def reorganise(self, *, case_sensitive: bool) -> None:
        """Look emails up with or without regard to case from now on."""
        self._case_sensitive = case_sensitive
        self._by_email = {self._spelt(person.email): person.id for person in self._people.values() if person.email}
        self._by_phone = {person.phone_number: person.id for person in self._people.values() if person.phone_number}

    @property
    def all(self) -> Mapping[str, Person]:
        """By id, not to be changed."""
        return MappingProxyType(self._people)

    def __iter__(self) -> Iterator[Person]:
        return iter(self._people.values())

    # --- finding --------------------------------------------------------------------------------------------------

    def find(self, person_id: str | None) -> Person | None:
        """By id."""
        return None if person_id is None else self._people.get(person_id)

    def find_by_email(self, email: str | None) -> Person | None:
        """By email, with or without regard to case as the account was told."""
        return None if email is None else self.find(self._by_email.get(self._spelt(email)))

    def find_by_phone(self, phone_number: str | None) -> Person | None:
        """By phone number as it is written."""
        return None if phone_number is None else self.find(self._by_phone.get(phone_number))

    def find_by_identifier(self, identifier: str) -> Person | None:
        """By `ID`, `email:…` or `phone_number:…`."""
        kind, separator, value = identifier.partition(":")
        match (kind, separator):
            case ("email", ":"):
                return self.find_by_email(value)
            case ("phone_number", ":"):
                return self.find_by_phone(value)
            case _:
                return self.find(identifier)

    def page(
        self, *, since: int | None, until: int | None, after: int | None, count: int
    ) -> tuple[list[Person], int | None]:
        """People of an inclusive range of `created_at`, oldest first, and the cursor of the next page if there is one.

        Args:
            since: First second.
            until: Last second.
            after: The cursor that the page before gave.
            count: At most so many.
        """
        span = self._order.span(since, until)
        first = span.start if after is None else max(span.start, self._order.after(after))
        positions = range(first, span.stop)[:count]
        found = [self._people[str(number)] for number in self._order.numbers(positions)]
        has_more = bool(found) and positions.stop < span.stop
        return found, (self._cursor(found[-1]) if has_more else None)

    def is_unreachable(self, person_id: str) -> bool:
        """Whether emails to them are stopped."""
        return person_id in self._unreachable

    # --- changing -------------------------------------------------------------------------------------------------

    def add(self, *, created_at: int, **fields: Any) -> Person:
        """A new person; the fields are those of `Person` but `id`."""
        person = Person(id=str(next(self._ids)), created_at=created_at, **fields)
        self._people[person.id] = person
        self._order.add(person.created_at, int(person.id))
        self._note(person)
        return person

    def change(self, person_id: str, **fields: Any) -> Person:
        """Change fields of a person; `created_at` and `id` never change."""
        old = self._people[person_id]
        self._forget(old)
        person = self._people[person_id] = msgspec.structs.replace(old, **fields)
        self._note(person)
        return person

    def remove(self, person_id: str) -> None:
        """Delete a person and what was known of their reachability."""
        person = self._people.pop(person_id)
        self._forget(person)
        self._order.remove(person.created_at, int(person.id))
        self._unreachable.discard(person_id)
        self.unsubscribes = [entry for entry in self.unsubscribes if entry.person_id != person_id]
        self.bounces = [entry for entry in self.bounces if entry.person_id != person_id]

    def unsubscribe(self, person: Person, at: int) -> Unreachable:
        """Stop email surveys to a person; earlier responses stay, and it may happen again."""
        return self._stop(self.unsubscribes, person, at)

    def bounce(self, person: Person, at: int) -> Unreachable:
        """Note that a mail came back."""
        return self._stop(self.bounces, person, at)

    def _stop(self, entries: list[Unreachable], person: Person, at: int) -> Unreachable:
        entry = Unreachable(person_id=person.id, email=person.email, name=person.name, at=at)
        insort(entries, entry, key=attrgetter("at"))
        self._unreachable.add(person.id)
        return entry

    def _cursor(self, person: Person) -> int:
        return self._order.key(person.created_at, int(person.id))

    def _note(self, person: Person) -> None:
        if person.email:
            self._by_email[self._spelt(person.email)] = person.id
        if person.phone_number:
            self._by_phone[person.phone_number] = person.id

    def _forget(self, person: Person) -> None:
        if person.email:
            self._by_email.pop(self._spelt(person.email), None)
        if person.phone_number:
            self._by_phone.pop(person.phone_number, None)

    def _spelt(self, email: str) -> str:
        return email if self._case_sensitive else email.lower()
