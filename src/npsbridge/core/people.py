"""Who is who: one person as calls have told of them, and the ids they are found by.

The nouns only; `npsbridge.core.recognise` has the rules. Knows neither calls, platforms nor the store.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

import msgspec

from npsbridge.core.model import Identity, Record

ERASED: Final = "erased"
"""Why nobody may survey a person who asked to be forgotten; of such a person we hold nothing."""

_KEY: Final = "person:"


class IdKind(StrEnum):
    """What sort of id it is, from the strongest to the weakest."""

    USER = "user_id"
    ANONYMOUS = "anonymous_id"
    EMAIL = "email"
    """As `npsbridge.core.keys.normalised_email` writes it."""


class PersonId(NamedTuple):
    """One thing by which a person is found; it names one person at any time."""

    kind: IdKind
    value: str


class Person(Record, frozen=True, kw_only=True):
    """One person, as all calls up to now have described them."""

    key: str
    """Names the person in our own store, for good; deliveries of one person go out in order.

    When two persons turn out to be one, the key of the older stays, and the other leads to it.
    """
    user_id: str | None = None
    """The one to report under; an id is never taken away by a call that leaves it out."""
    former_user_ids: tuple[str, ...] = ()
    """Those that an alias has replaced, oldest first; the person is found by them all the same."""
    anonymous_ids: tuple[str, ...] = ()
    """The newest few, oldest first; the person is found by all the others as well."""
    email: str | None = None
    """Where to write to: the newest, lower case. Persons who share a mailbox all have it here."""
    traits: dict[str, Any] = msgspec.field(default_factory=dict)
    """All that identify calls have said, the newest of each name; null has removed its name."""
    is_identified: bool = False
    """An identify call has been seen."""
    suppressed_because: str | None = None
    """Why nobody may survey this person: unsubscribed, bounced. Follows from the email and the userIds."""

    @property
    def user_ids(self) -> tuple[str, ...]:
        """All of them, the one to report under last."""
        return self.former_user_ids if self.user_id is None else (*self.former_user_ids, self.user_id)

    @property
    def identity(self) -> Identity:
        """The ids to report under, the newest of each kind."""
        anonymous_id = self.anonymous_ids[-1] if self.anonymous_ids else None
        return Identity(user_id=self.user_id, anonymous_id=anonymous_id, email=self.email)


def key_of(number: int) -> str:
    """The key of the person who was seen as the n-th."""
    return f"{_KEY}{number}"


def is_key(key: str) -> bool:
    """Whether it is the key of a person, and not that of somebody who is known by an answer alone."""
    return key.startswith(_KEY)


def number_of(key: str) -> int:
    """As the how manyth a person was seen; the smaller, the older.

    Raises:
        ValueError: it is no key of a person.
    """
    if not is_key(key):
        raise ValueError("the key of a person begins with person:")
    return int(key.removeprefix(_KEY))


class KnownPeople(Record, frozen=True, kw_only=True):
    """What the store knows of some ids."""

    persons: Mapping[str, Person] = msgspec.field(default_factory=dict)
    """By key: everyone whom one of the ids names."""
    owners: Mapping[PersonId, str] = msgspec.field(default_factory=dict)
    """The key of the person whom an id names; unknown ids are left out."""
    suppressed: Mapping[PersonId, str] = msgspec.field(default_factory=dict)
    """Why an id may not be surveyed: of those asked for, and of the emails and userIds of the persons found."""
    next_number: int = 1
    """What the key of the next new person is made of."""
    erasures: int | None = None
    """How often somebody had been erased when this was read, or before; None where nobody has looked."""


class PeopleChange(Record, frozen=True, kw_only=True):
    """What calls have made different, for the store to make true as a whole."""

    persons: tuple[Person, ...] = ()
    """New or changed, as they are now."""
    owners: Mapping[PersonId, str] = msgspec.field(default_factory=dict)
    """Whom these ids name from now on."""
    redirects: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Who has turned out to be an older person, who is nobody else: what is the first key's becomes the second's."""
    next_number: int = 1
    """No number below it may be given again, whether or not its person is still there."""
    erasures: int | None = None
    """How often somebody had been erased when this was decided: as often as that, and all it is about are there."""


def why_suppressed(person: Person, suppressed: Mapping[PersonId, str]) -> str | None:
    """Why nobody may survey this person, as things stand; None when anybody may."""
    if not suppressed:
        return None
    ids = [PersonId(IdKind.USER, user_id) for user_id in reversed(person.user_ids)]
    if person.email is not None:
        ids.append(PersonId(IdKind.EMAIL, person.email))
    return next((suppressed[one] for one in ids if one in suppressed), None)
