"""Persons in SQLite: what is read of them for a run of calls, and what a routing makes true of them.

The functions that write run inside one transaction of the writer, which begins and ends it. Knows the shape of its
tables and none of the rules by which persons are told apart.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any, Final

import msgspec

from npsbridge.core.model import Identity
from npsbridge.core.people import (
    IdKind,
    KnownPeople,
    PeopleChange,
    Person,
    PersonId,
    key_of,
    number_of,
)
from npsbridge.store.marks import digest_of_id, surveyed_by
from npsbridge.store.sqlite.bulk import Insert, insert, listed
from npsbridge.store.sqlite.reader import Reader

OWNERS: Final = "SELECT kind, value, number FROM person_ids WHERE kind = ? AND value IN (:many)"
PERSONS: Final = "SELECT number, content FROM persons WHERE number IN (:many)"
REDIRECTED: Final = """
    SELECT newer, content FROM redirects JOIN persons USING (number) WHERE newer IN (:many)
"""
SUPPRESSED: Final = "SELECT digest, reason FROM suppressions WHERE digest IN (:many)"
COUNTER: Final = "SELECT last FROM numbers WHERE name = 'persons'"
STANDING: Final = """
    SELECT last, (SELECT value FROM facts WHERE name = 'erasures') FROM numbers WHERE name = 'persons'
"""
DIGEST_KEY: Final = "SELECT key FROM digest_key"
# Nothing where nobody is suppressed: then there is nothing to look for, and no digest to be made.
DIGEST_KEY_IN_USE: Final = "SELECT key FROM digest_key WHERE EXISTS (SELECT 1 FROM suppressions)"

NOTE_COUNTER: Final = "UPDATE numbers SET last = max(last, ?) WHERE name = 'persons'"
KEEP: Final = Insert(
    "INSERT INTO persons (number, email, content)",
    "(?, ?, ?)",
    "ON CONFLICT (number) DO UPDATE SET email = excluded.email, content = excluded.content",
)
ASSIGN: Final = Insert(
    "INSERT INTO person_ids (kind, value, number)",
    "(?, ?, ?)",
    "ON CONFLICT (kind, value) DO UPDATE SET number = excluded.number",
)
# What leads to the newer one leads to the older from then on; a newer one that was never stored has nothing to move.
REDIRECT: Final = (
    "UPDATE person_ids SET number = :older WHERE number = :newer",
    "UPDATE redirects SET number = :older WHERE number = :newer",
    "INSERT INTO redirects (newer, number) VALUES (:newer, :older) ON CONFLICT (newer) DO NOTHING",
    "DELETE FROM persons WHERE number = :newer",
)
REKEY: Final = """
    UPDATE outbox INDEXED BY outbox_person SET person = :older WHERE person = :newer AND person GLOB 'person:*'
"""
EXISTING: Final = "SELECT number FROM persons WHERE number IN (SELECT value FROM json_each(?))"
SUPPRESS: Final = """
    INSERT INTO suppressions (digest, reason) VALUES (?, ?)
    ON CONFLICT (digest) DO UPDATE SET reason = excluded.reason WHERE reason <> 'erased'
"""
ERASED_OF: Final = """
    SELECT digest FROM suppressions WHERE digest IN (SELECT value FROM json_each(?)) AND reason = 'erased'
"""
DELETE: Final = "DELETE FROM persons WHERE number = ?"

_encoder = msgspec.json.Encoder()
_person = msgspec.json.Decoder(Person)


# --- reading ----------------------------------------------------------------------------------------------------


async def recall(reader: Reader, ids: Collection[PersonId]) -> KnownPeople:
    """What is known of these ids."""
    ((last, erasures),) = await reader.rows(STANDING)
    owners = await _owners(reader, ids)
    persons = {number: _person.decode(content) for number, content in await reader.rows_of(PERSONS, {*owners.values()})}
    sought = {*ids, *(one for person in persons.values() for one in surveyed_by(person))}
    return KnownPeople(
        persons={person.key: person for person in persons.values()},
        owners={one: key_of(number) for one, number in owners.items() if number in persons},
        suppressed=await suppressed(reader, sought),
        next_number=last + 1,
        # Read first: who was erased behind it may be missing above.
        erasures=int(erasures or 0),
    )


async def _owners(reader: Reader, ids: Collection[PersonId]) -> dict[PersonId, int]:
    by_kind = defaultdict[IdKind, list[str]](list)
    for one in ids:
        by_kind[one.kind].append(one.value)
    rows = [row for kind, values in by_kind.items() for row in await reader.rows_of(OWNERS, values, kind.value)]
    return {PersonId(IdKind(kind), value): number for kind, value, number in rows}


async def suppressed(reader: Reader, ids: Collection[PersonId]) -> dict[PersonId, str]:
    """Why these ids may not be surveyed; those that may are left out."""
    keys = await reader.rows(DIGEST_KEY_IN_USE) if ids else []
    digests = {digest_of_id(key, one): one for (key,) in keys for one in ids}
    return {digests[found]: reason for found, reason in await reader.rows_of(SUPPRESSED, digests)}


async def by_keys(reader: Reader, keys: Collection[str]) -> dict[str, Person]:
    """Persons by key, also by one that leads to an older person."""
    numbers = [number_of(key) for key in keys]
    rows = [*await reader.rows_of(PERSONS, numbers), *await reader.rows_of(REDIRECTED, numbers)]
    return {key_of(number): _person.decode(content) for number, content in rows}


def identity(email: str, content: bytes) -> Identity:
    """The ids to report under of the person whom an email finds, by what is kept of them."""
    return msgspec.structs.replace(_person.decode(content).identity, email=email)


# --- writing ----------------------------------------------------------------------------------------------------


def keep(database: sqlite3.Connection, change: PeopleChange, erasures: int) -> frozenset[str]:
    """Make a change true, but for persons of whom somebody was erased since it was decided; returns their keys.

    What is there of others under those keys stays as it was before the calls of the change. `erasures` is how often
    somebody has been erased by now.
    """
    if not (change.persons or change.owners or change.redirects):
        return frozenset()
    gone = _erased_meanwhile(database, change) if change.erasures != erasures else frozenset()
    database.execute(NOTE_COUNTER, (change.next_number - 1,))
    insert(database, KEEP, [_row(person) for person in change.persons if person.key not in gone])
    for newer, older in change.redirects.items():
        if older not in gone:
            numbers = {"newer": number_of(newer), "older": number_of(older)}
            for statement in REDIRECT:
                database.execute(statement, numbers)
    assigned = [(one.kind.value, one.value, number_of(key)) for one, key in change.owners.items() if key not in gone]
    insert(database, ASSIGN, assigned)
    return gone


def _row(person: Person) -> tuple[Any, ...]:
    # Why somebody is suppressed follows from other rows, and is read from them.
    content = _encoder.encode(msgspec.structs.replace(person, suppressed_because=None))
    return (number_of(person.key), person.email, content)


def rekey(database: sqlite3.Connection, change: PeopleChange, gone: Collection[str]) -> None:
    """Owe under the older key what was owed under the newer, so that it keeps its place among the rest."""
    moved = [{"newer": newer, "older": older} for newer, older in change.redirects.items() if older not in gone]
    database.executemany(REKEY, moved)


def _erased_meanwhile(database: sqlite3.Connection, change: PeopleChange) -> frozenset[str]:
    """The keys of a change whose persons are there no more, or would get an id that has been erased."""
    last = database.execute(COUNTER).fetchone()[0]
    keys = {*(person.key for person in change.persons), *change.owners.values(), *change.redirects.values()}
    stored = {number: key for key in keys if (number := number_of(key)) <= last}
    there = {number for (number,) in database.execute(EXISTING, (listed(list(stored)),))} if stored else set()
    vanished = {key for number, key in stored.items() if number not in there}
    return frozenset(vanished | _with_erased_ids(database, change))


def _with_erased_ids(database: sqlite3.Connection, change: PeopleChange) -> set[str]:
    if not change.owners:
        return set()
    key = digest_key(database)
    users = {person.key for person in change.persons if person.user_id}
    owners = {
        digest_of_id(key, one): owner
        for one, owner in change.owners.items()
        # A user on the device of somebody who was erased is somebody else.
        if not (one.kind is IdKind.ANONYMOUS and owner in users)
    }
    return {owners[erased] for (erased,) in database.execute(ERASED_OF, (listed(list(owners)),))}


def digest_key(database: sqlite3.Connection) -> bytes:
    """The store's own key for digests."""
    return bytes(database.execute(DIGEST_KEY).fetchone()[0])


def suppress(database: sqlite3.Connection, ids: Iterable[PersonId], because: str) -> None:
    """Note why these ids may not be surveyed."""
    key = digest_key(database)
    database.executemany(SUPPRESS, [(digest_of_id(key, one), because) for one in ids])
