"""Whom a call is about, and what we know of that person after it (pure).

The rules, which hold for calls in the order of the journal:

1. A userId is the strongest id and names one person for ever. A call with another userId is about another person and
   changes nothing of the first; only an alias says that two userIds are one person.
2. An anonymousId that comes with a userId belongs to that userId from then on, with all that was known of it. If it
   belongs to another userId already (a shared device), it stays there, and the call is about its userId alone.
3. A call without userId is about the person whom its anonymousId names.
4. An email is the weakest id. It joins persons as long as at most one of them has a userId, and never joins two
   userIds: of those who share a mailbox, the one who identified last is found by it; all are written to by it.
5. An alias makes `previousId` and `userId` one person, who is reported under `userId` and found by both. If
   `previousId` is known as an anonymousId, rule 2 holds.
6. When persons turn out to be one, the key of the older stays, and the newer key leads to it. The traits of whom the
   userId names go over those of the others. No id is lost.
7. The traits of an identify are merged by name: null removes, an object or a list is replaced as a whole. Its email is
   the person's; null takes it away for writing to, but answers under it still find the person.
8. Other calls teach nothing but ids, and the email in their `context.traits` while none is known. An email among the
   properties may be anybody's, and the traits of a group are the group's.
9. A call is erased when its userId, its email or its `previousId` was, or its anonymousId and it has no userId. Nothing
   is kept of it, and an erased id is never learned again.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from npsbridge.core.calls import Call, CallType
from npsbridge.core.keys import normalised_email
from npsbridge.core.model import Record
from npsbridge.core.people import (
    ERASED,
    IdKind,
    KnownPeople,
    PeopleChange,
    Person,
    PersonId,
    key_of,
    number_of,
    why_suppressed,
)

ANONYMOUS_IDS_SHOWN: Final = 5
"""How many anonymousIds a person carries along, as many as Segment Unify does (its "Identity Resolution Settings")."""

_replace = msgspec.structs.replace


class Recognition(Record, frozen=True, kw_only=True):
    """Whom a call is about."""

    person: Person | None = None
    """As they are after the call; None when it names nobody, or somebody who was erased."""
    before: Person | None = None
    """As the same person was before the call; None when nobody was known by its ids."""
    is_erased: bool = False
    """The person was erased; nothing of the call may be kept."""


class Said(Record, frozen=True, kw_only=True):
    """What a call says of a person, sorted by what the rules do with it."""

    user: PersonId | None
    anonymous: PersonId | None
    email: PersonId | None
    previous: tuple[PersonId, ...]
    """What the `previousId` of an alias may be."""
    is_identify: bool
    traits: dict[str, Any]

    @property
    def ids(self) -> tuple[PersonId, ...]:
        """All that it gives, the strongest first."""
        return tuple(one for one in (self.user, self.anonymous, self.email) if one is not None)


def said_in(call: Call) -> Said:
    """What counts of a call."""
    is_identify = call.type is CallType.IDENTIFY
    return Said(
        user=_id(IdKind.USER, call.user_id),
        anonymous=_id(IdKind.ANONYMOUS, call.anonymous_id),
        email=None if call.type is CallType.GROUP else _id(IdKind.EMAIL, _email_of(call.traits)),
        previous=_previous(call),
        is_identify=is_identify,
        traits=call.traits if is_identify else {},
    )


def ids_of(call: Call) -> tuple[PersonId, ...]:
    """What has to be known of before the call can be absorbed.

    An email among the properties is one of them: it names nobody, but a survey may be asked for to go there.
    """
    said = said_in(call)
    mailbox = _id(IdKind.EMAIL, normalised_email(call.email))
    return tuple(dict.fromkeys([*said.ids, *said.previous, *([mailbox] if mailbox else [])]))


def _id(kind: IdKind, value: str | None) -> PersonId | None:
    return PersonId(kind, value) if value else None


def _email_of(traits: dict[str, Any]) -> str | None:
    value = traits.get("email")
    return normalised_email(value) if isinstance(value, str) else None


def _previous(call: Call) -> tuple[PersonId, ...]:
    if call.type is not CallType.ALIAS or not call.previous_id or not call.user_id or call.previous_id == call.user_id:
        return ()
    return PersonId(IdKind.USER, call.previous_id), PersonId(IdKind.ANONYMOUS, call.previous_id)


class People:
    """The persons whom a run of calls is about; `take` hands over what has changed and starts afresh."""

    def __init__(self, known: KnownPeople) -> None:
        """Start from what the store knows of the ids (`ids_of`) of all calls of the run."""
        self._suppressed = known.suppressed
        self._persons = {key: self._judged(person) for key, person in known.persons.items()}
        self._owners = dict(known.owners)
        self._merged: dict[str, str] = {}
        self._former_keys: dict[str, list[str]] = {}
        self._next_number = known.next_number
        self._erasures = known.erasures
        self._pile = _Pile()

    def find(self, person_id: PersonId) -> Person | None:
        """Whom an id names at this moment."""
        key = self._owners.get(person_id)
        return None if key is None else self._persons[self._living(key)]

    @property
    def knows_of_suppressed(self) -> bool:
        """Whether anybody of whom the run tells may not be surveyed, or is erased; nearly always nobody."""
        return bool(self._suppressed)

    def why_suppressed(self, email: str) -> str | None:
        """Why nobody may write to an email, such as one that a call has among its properties."""
        return self._suppressed.get(PersonId(IdKind.EMAIL, email))

    def absorb(self, call: Call) -> Recognition:
        """Learn what a call says; the same call again changes nothing more."""
        said = said_in(call)
        if self._is_erased(said):
            return Recognition(is_erased=True)
        if not said.ids:
            return Recognition()
        same = self._all_the_same(said)
        ids = self._learned(said, same)
        person = self._judged(_told(self._united(same), said, ids))
        self._keep(person, same, ids)
        return Recognition(person=person, before=same[0] if same else None)

    def keys_of(self, key: str) -> tuple[str, ...]:
        """All keys that lead to a person: their own, and those of whom they have turned out to be within the run."""
        return (key, *self._former_keys.get(key, ()))

    def take(self) -> PeopleChange:
        """What has changed since it was last asked."""
        pile, self._pile = self._pile, _Pile()
        return PeopleChange(
            persons=tuple(self._persons[key] for key in pile.changed if key in self._persons),
            owners={one: self._living(self._owners[one]) for one in pile.assigned},
            redirects={newer: self._living(newer) for newer in pile.redirects},
            next_number=self._next_number,
            erasures=self._erasures,
        )

    # --- who it is ------------------------------------------------------------------------------------------------

    def _is_erased(self, said: Said) -> bool:
        if not self._suppressed:
            return False
        decisive = (said.user or said.anonymous, said.email, *said.previous)
        return any(self._suppressed.get(one) == ERASED for one in decisive if one is not None)

    def _all_the_same(self, said: Said) -> list[Person]:
        """The known persons who are one by this call; the one whom the userId names first."""
        same = _distinct(self._by_ids(said))
        mailbox = self.find(said.email) if said.email and _counts(said, same) else None
        if mailbox is not None and not (mailbox.user_id and _has_user(said, same)):
            same = _distinct([*same, mailbox])
        return sorted(same, key=lambda person: person.user_id is None)

    def _by_ids(self, said: Said) -> list[Person | None]:
        by_anonymous = self.find(said.anonymous) if said.anonymous else None
        if said.user is None:
            return [by_anonymous]
        return [self.find(said.user), self._replaced(said), _without_user(by_anonymous)]

    def _replaced(self, said: Said) -> Person | None:
        """Whom an alias gives another userId."""
        if not said.previous:
            return None
        by_user, by_anonymous = map(self.find, said.previous)
        return by_user or _without_user(by_anonymous)

    # --- what is learned ------------------------------------------------------------------------------------------

    def _learned(self, said: Said, same: Sequence[Person]) -> tuple[PersonId, ...]:
        """The ids that name the person from now on."""
        wanted = (*self._previous_ids(said), said.user, said.anonymous)
        learned = [one for one in wanted if one is not None and self._is_free(one, same)]
        if said.email and _counts(said, same):
            is_newest_user = said.is_identify and said.user is not None
            learned += [said.email] if is_newest_user or self._is_free(said.email, same) else []
        return tuple(dict.fromkeys(learned))

    def _previous_ids(self, said: Said) -> tuple[PersonId, ...]:
        """What the `previousId` of an alias is: what it is known as, or else both, because nobody can tell."""
        known = tuple(one for one in said.previous if one in self._owners)
        return known[:1] or said.previous

    def _is_free(self, person_id: PersonId, same: Sequence[Person]) -> bool:
        owner = self.find(person_id)
        return self._suppressed.get(person_id) != ERASED and (owner is None or owner in same)

    def _united(self, same: Sequence[Person]) -> Person:
        if not same:
            self._next_number += 1
            return Person(key=key_of(self._next_number - 1))
        united = same[0]
        for other in same[1:]:
            united = _union(united, other)
        return united

    def _judged(self, person: Person) -> Person:
        because = why_suppressed(person, self._suppressed)
        return person if because == person.suppressed_because else _replace(person, suppressed_because=because)

    def _keep(self, person: Person, same: Sequence[Person], ids: Iterable[PersonId]) -> None:
        for one in ids:
            if self.find(one) not in same:
                self._owners[one] = person.key
                self._pile.assigned[one] = None
        for newer in same:
            if newer.key != person.key:
                self._merged[newer.key] = person.key
                self._former_keys.setdefault(person.key, []).extend(self.keys_of(newer.key))
                self._pile.redirects[newer.key] = None
                del self._persons[newer.key]
        if self._persons.get(person.key) != person:
            self._persons[person.key] = person
            self._pile.changed[person.key] = None

    def _living(self, key: str) -> str:
        while key in self._merged:
            key = self._merged[key]
        return key


class _Pile:
    """What has changed; dictionaries for the sake of their order."""

    def __init__(self) -> None:
        self.changed: dict[str, None] = {}
        self.assigned: dict[PersonId, None] = {}
        self.redirects: dict[str, None] = {}


def _distinct(persons: Iterable[Person | None]) -> list[Person]:
    return list({person.key: person for person in persons if person is not None}.values())


def _without_user(person: Person | None) -> Person | None:
    return None if person is None or person.user_id else person


def _has_user(said: Said, same: Sequence[Person]) -> bool:
    return said.user is not None or any(person.user_id for person in same)


def _counts(said: Said, same: Sequence[Person]) -> bool:
    """Whether the email of a call is one to learn."""
    return said.is_identify or all(person.email is None for person in same)


# --- what is known of one person --------------------------------------------------------------------------------


def _union(first: Person, other: Person) -> Person:
    """Two persons who are one; what is known of the first counts more."""
    return Person(
        key=min(first.key, other.key, key=number_of),
        user_id=first.user_id or other.user_id,
        former_user_ids=_without(dict.fromkeys([*other.user_ids, *first.former_user_ids]), first.user_id),
        anonymous_ids=_newest([*other.anonymous_ids, *first.anonymous_ids]),
        email=first.email or other.email,
        traits=other.traits | first.traits,
        is_identified=first.is_identified or other.is_identified,
    )


def _told(person: Person, said: Said, ids: Sequence[PersonId]) -> Person:
    """The person after what was said; `ids` are those that name them from now on."""
    return _replace(
        _named(person, said, ids),
        anonymous_ids=_anonymous_ids_after(person, said, ids),
        email=_email_after(person, said),
        traits=_merged_traits(person.traits, said.traits) if said.traits else person.traits,
        is_identified=person.is_identified or said.is_identify,
    )


def _named(person: Person, said: Said, ids: Sequence[PersonId]) -> Person:
    """The person with the userIds as they are now."""
    if said.user is None:
        return person
    previous = [one.value for one in said.previous if one.kind is IdKind.USER and one in ids]
    current = said.user.value if said.previous or person.user_id is None else person.user_id
    former = dict.fromkeys([*previous, *person.user_ids])
    return _replace(person, user_id=current, former_user_ids=_without(former, current))


def _anonymous_ids_after(person: Person, said: Said, ids: Sequence[PersonId]) -> tuple[str, ...]:
    if said.anonymous is None or said.anonymous not in ids or said.anonymous.value in person.anonymous_ids[-1:]:
        return person.anonymous_ids
    return _newest([*person.anonymous_ids, said.anonymous.value])


def _email_after(person: Person, said: Said) -> str | None:
    if said.is_identify and "email" in said.traits and said.traits["email"] is None:
        return None
    told = said.email.value if said.email else None
    return told or person.email if said.is_identify else person.email or told


def _merged_traits(known: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (known | said).items() if value is not None}


def _newest(anonymous_ids: Iterable[str]) -> tuple[str, ...]:
    """The last few; of one that comes twice the last counts."""
    newest_first = dict.fromkeys(reversed(list(anonymous_ids)))
    return tuple(reversed(list(newest_first)[:ANONYMOUS_IDS_SHOWN]))


def _without(values: Iterable[str], one: str | None) -> tuple[str, ...]:
    return tuple(value for value in values if value != one)
