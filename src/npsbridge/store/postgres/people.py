"""Persons in PostgreSQL: what is read of them for a run of calls, and what routings make true of them.

The functions that write run inside one transaction that others begin and end. Knows the shape of its tables and none
of the rules by which persons are told apart.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import asyncpg
import msgspec

from npsbridge.core.model import Identity
from npsbridge.core.people import IdKind, KnownPeople, PeopleChange, Person, PersonId, key_of, number_of
from npsbridge.store.marks import digest_of_id, surveyed_by
from npsbridge.store.postgres.connections import Connections, Row
from npsbridge.store.postgres.texts import column, stored, told

OWNERS: Final = """
    SELECT kind, value, number FROM person_ids
    WHERE (kind, value) IN (SELECT * FROM unnest($1::text[], $2::text[]))
"""
PERSONS: Final = "SELECT number, content FROM persons WHERE number = ANY($1::bigint[])"
REDIRECTED: Final = """
    SELECT newer, content FROM redirects JOIN persons USING (number) WHERE newer = ANY($1::bigint[])
"""
SUPPRESSED: Final = "SELECT digest, reason FROM suppressions WHERE digest = ANY($1::text[])"
COUNTER: Final = "SELECT last FROM numbers WHERE name = 'persons'"
STANDING: Final = """
    SELECT last, (SELECT value FROM facts WHERE name = 'erasures') FROM numbers WHERE name = 'persons'
"""
DIGEST_KEY: Final = "SELECT key FROM digest_key"
# Nothing where nobody is suppressed: then there is nothing to look for, and no digest to be made.
DIGEST_KEY_IN_USE: Final = "SELECT key FROM digest_key WHERE EXISTS (SELECT 1 FROM suppressions)"
# Whoever holds it makes routings true, or erases somebody; nobody else does meanwhile.
TURN: Final = "SELECT key FROM digest_key FOR UPDATE"
BY_EMAIL: Final = """
    SELECT value, content FROM person_ids JOIN persons USING (number)
    WHERE kind = 'email' AND value = ANY($1::text[])
"""

NOTE_COUNTER: Final = "UPDATE numbers SET last = greatest(last, $1) WHERE name = 'persons'"
KEEP: Final = """
    INSERT INTO persons (number, email, content) SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[])
    ON CONFLICT (number) DO UPDATE SET email = excluded.email, content = excluded.content
"""
ASSIGN: Final = """
    INSERT INTO person_ids (kind, value, number) SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])
    ON CONFLICT (kind, value) DO UPDATE SET number = excluded.number
"""
# What leads to the newer one leads to the older from then on; a newer one that was never stored has nothing to move.
REDIRECT: Final = (
    "UPDATE person_ids SET number = $2 WHERE number = $1",
    "UPDATE redirects SET number = $2 WHERE number = $1",
    "INSERT INTO redirects (newer, number) VALUES ($1, $2) ON CONFLICT (newer) DO NOTHING",
)
REKEY: Final = "UPDATE outbox SET person = $2 WHERE person = $1 AND person LIKE 'person:%'"
EXISTING: Final = "SELECT number FROM persons WHERE number = ANY($1::bigint[])"
SUPPRESS: Final = """
    INSERT INTO suppressions (digest, reason) SELECT digest, $2 FROM unnest($1::text[]) AS given (digest)
    ON CONFLICT (digest) DO UPDATE SET reason = excluded.reason WHERE suppressions.reason <> 'erased'
"""
ERASED_AMONG: Final = "SELECT digest FROM suppressions WHERE digest = ANY($1::text[]) AND reason = 'erased'"
DELETE: Final = "DELETE FROM persons WHERE number = ANY($1::bigint[])"

_encoder = msgspec.json.Encoder()
_person = msgspec.json.Decoder(Person)


# --- reading ----------------------------------------------------------------------------------------------------


async def recall(connections: Connections, ids: Collection[PersonId]) -> KnownPeople:
    """What is known of these ids."""
    ((last, erasures),) = await connections.rows(STANDING)
    owners = await _owners(connections, ids)
    found = await connections.rows_of(PERSONS, {*owners.values()})
    persons = {number: _person.decode(content) for number, content in found}
    sought = {*ids, *(one for person in persons.values() for one in surveyed_by(person))}
    return KnownPeople(
        persons={person.key: person for person in persons.values()},
        owners={one: key_of(number) for one, number in owners.items() if number in persons},
        suppressed=await suppressed(connections, sought),
        next_number=last + 1,
        # Read first: who was erased behind it may be missing above.
        erasures=int(erasures or 0),
    )


async def _owners(connections: Connections, ids: Collection[PersonId]) -> dict[PersonId, int]:
    if not ids:
        return {}
    rows = await connections.rows(OWNERS, [one.kind.value for one in ids], column(one.value for one in ids))
    return {PersonId(IdKind(kind), told(value)): number for kind, value, number in rows}


async def suppressed(connections: Connections, ids: Collection[PersonId]) -> dict[PersonId, str]:
    """Why these ids may not be surveyed; those that may are left out."""
    keys = await connections.rows(DIGEST_KEY_IN_USE) if ids else []
    digests = {digest_of_id(key, one): one for (key,) in keys for one in ids}
    return {digests[found]: reason for found, reason in await connections.rows_of(SUPPRESSED, digests)}


async def by_keys(connections: Connections, keys: Collection[str]) -> dict[str, Person]:
    """Persons by key, also by one that leads to an older person."""
    numbers = [number_of(key) for key in keys]
    rows = [*await connections.rows_of(PERSONS, numbers), *await connections.rows_of(REDIRECTED, numbers)]
    return {key_of(number): _person.decode(content) for number, content in rows}


async def identities(connections: Connections, emails: Collection[str]) -> dict[str, Identity]:
    """The ids to report under, by the email that finds the person."""
    rows = await connections.rows_of(BY_EMAIL, column(emails))
    named = ((told(email), _person.decode(content).identity) for email, content in rows)
    return {email: msgspec.structs.replace(identity, email=email) for email, identity in named}


# --- writing ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Changes:
    """What several routings, one after the other, have made different of people; made true at once."""

    gone: frozenset[str]
    """Keys of whom somebody was erased since it was decided; what is there of others under them stays as it was."""
    persons: dict[str, Person] = field(default_factory=dict)
    next_number: int = 1
    _owners: dict[PersonId, str] = field(default_factory=dict)
    _redirects: dict[str, str] = field(default_factory=dict)

    def add(self, change: PeopleChange) -> None:
        """Behind those before."""
        self.next_number = max(self.next_number, change.next_number)
        self.persons |= {person.key: person for person in change.persons if person.key not in self.gone}
        for newer, older in change.redirects.items():
            if older not in self.gone:
                self._redirects[newer] = older
                self.persons.pop(newer, None)
        self._owners |= {one: key for one, key in change.owners.items() if key not in self.gone}

    @property
    def owners(self) -> dict[PersonId, str]:
        """Whom ids name in the end."""
        return {one: self._living(key) for one, key in self._owners.items()}

    @property
    def redirects(self) -> dict[str, str]:
        """Who has turned out to be whom in the end: those in between may never have been stored."""
        return {newer: self._living(newer) for newer in self._redirects}

    def _living(self, key: str) -> str:
        while key in self._redirects:
            key = self._redirects[key]
        return key


async def keep(
    connection: asyncpg.Connection, changes: Sequence[PeopleChange], *, digest_key: bytes, erasures: int
) -> Changes:
    """Make changes true, in order, but for persons of whom somebody was erased since they were decided.

    `erasures` is how often somebody has been erased by now.
    """
    given = [one for one in changes if one.persons or one.owners or one.redirects]
    if not given:
        return Changes(frozenset())
    is_doubtful = any(one.erasures != erasures for one in given)
    kept = Changes(await _erased_meanwhile(connection, given, digest_key) if is_doubtful else frozenset())
    for change in given:
        kept.add(change)
    await connection.execute(NOTE_COUNTER, kept.next_number - 1)
    if kept.persons:
        await connection.execute(KEEP, *map(list, zip(*map(_row, kept.persons.values()), strict=True)))
    redirects, owners = kept.redirects, kept.owners
    for newer, older in redirects.items():
        for statement in REDIRECT:
            await connection.execute(statement, number_of(newer), number_of(older))
    if redirects:
        await connection.execute(DELETE, [number_of(newer) for newer in redirects])
    if owners:
        kinds, values = [one.kind.value for one in owners], column(one.value for one in owners)
        await connection.execute(ASSIGN, kinds, values, [number_of(key) for key in owners.values()])
    return kept


def _row(person: Person) -> Row:
    # Why somebody is suppressed follows from other rows, and is read from them.
    content = _encoder.encode(msgspec.structs.replace(person, suppressed_because=None))
    return (number_of(person.key), stored(person.email), content)


async def rekey(connection: asyncpg.Connection, changes: Changes) -> None:
    """Owe under the older key what was owed under the newer, so that it keeps its place among the rest."""
    for newer, older in changes.redirects.items():
        await connection.execute(REKEY, newer, older)


async def _erased_meanwhile(
    connection: asyncpg.Connection, changes: Sequence[PeopleChange], digest_key: bytes
) -> frozenset[str]:
    """The keys of changes whose persons are there no more, or would get an id that has been erased."""
    last = await connection.fetchval(COUNTER)
    keys = {key for change in changes for key in _keys(change)}
    before = [number_of(key) for key in keys if number_of(key) <= last]
    existing = {number for (number,) in await connection.fetch(EXISTING, before)} if before else set()
    vanished = {key_of(number) for number in before if number not in existing}
    return frozenset(vanished | await _with_erased_ids(connection, changes, digest_key))


def _keys(change: PeopleChange) -> Iterable[str]:
    return (*(person.key for person in change.persons), *change.owners.values(), *change.redirects.values())


async def _with_erased_ids(
    connection: asyncpg.Connection, changes: Sequence[PeopleChange], digest_key: bytes
) -> set[str]:
    users = {person.key for change in changes for person in change.persons if person.user_id}
    owner_by_digest = {
        digest_of_id(digest_key, one): owner
        for change in changes
        for one, owner in change.owners.items()
        # A user on the device of somebody who was erased is somebody else.
        if not (one.kind is IdKind.ANONYMOUS and owner in users)
    }
    erased = await connection.fetch(ERASED_AMONG, list(owner_by_digest)) if owner_by_digest else []
    return {owner_by_digest[found] for (found,) in erased}


async def suppress(connection: asyncpg.Connection, ids: Iterable[PersonId], because: str) -> None:
    """Note why these ids may not be surveyed."""
    key = await connection.fetchval(DIGEST_KEY)
    await connection.execute(SUPPRESS, sorted({digest_of_id(key, one) for one in ids}), because)
