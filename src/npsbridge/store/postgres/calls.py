"""Calls in PostgreSQL: which came before, what vendors were last told of a person, and which wait for theirs.

The functions that write run inside one transaction that others begin and end.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg
import msgspec

from npsbridge.core.calls import Call
from npsbridge.core.forward import IDENTIFY
from npsbridge.core.keys import normalised_email
from npsbridge.core.records import AwaitedCall, Routing
from npsbridge.store.marks import digest_of_message
from npsbridge.store.postgres.connections import Connections, Row
from npsbridge.store.postgres.texts import column, stored, told

SEEN: Final = "SELECT digest FROM seen WHERE digest = ANY($1::bytea[])"
SAID: Final = "SELECT connection, person, fingerprint FROM said WHERE person = ANY($1::text[])"
_AWAITED: Final = "SELECT connection, person, reason, expires_at, call FROM awaited"
AWAITED: Final = f"{_AWAITED} WHERE person = ANY($1::text[]) ORDER BY id"
NEWEST_AWAITED: Final = f"""
    {_AWAITED} WHERE $1::text IS NULL OR connection = $1 ORDER BY id DESC LIMIT $2
"""
TRACED_AWAITED: Final = f"""
    {_AWAITED} WHERE message_id = $1 OR person IN (
        SELECT 'person:' || number::text FROM person_ids WHERE (kind = 'email' OR kind = 'user_id') AND value = $2
    ) ORDER BY id
"""  # noqa: S608 - put together from constants
EXPIRED: Final = f"{_AWAITED} WHERE expires_at <= $1 ORDER BY expires_at, id LIMIT $2"
NEXT_EXPIRY: Final = "SELECT min(expires_at) FROM awaited"

NOTE_SEEN: Final = """
    INSERT INTO seen (digest, seen_at) SELECT digest, $2 FROM unnest($1::bytea[]) AS given (digest)
    ON CONFLICT (digest) DO NOTHING
"""
NOTE_SAID: Final = """
    INSERT INTO said (person, connection, fingerprint) SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[])
    ON CONFLICT (person, connection) DO UPDATE SET fingerprint = excluded.fingerprint
"""
FORGET_SAID: Final = "DELETE FROM said WHERE person = ANY($1::text[])"
FORGET_SAID_BY: Final = """
    DELETE FROM said USING outbox
    WHERE outbox.id = ANY($1::bigint[]) AND outbox.kind = $2 AND outbox.state IN ('filtered', 'dead')
      AND said.person = outbox.person AND said.connection = outbox.connection
"""
AMONG_AWAITED: Final = """
    SELECT connection, message_id FROM awaited
    WHERE (connection, message_id) IN (SELECT * FROM unnest($1::text[], $2::text[])) FOR UPDATE
"""
AWAIT: Final = """
    INSERT INTO awaited (connection, person, message_id, reason, expires_at, call)
    SELECT connection, person, message_id, reason, expires_at, call
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bytea[]) WITH ORDINALITY
        AS given (connection, person, message_id, reason, expires_at, call, place)
    ORDER BY place
"""
AWAIT_NO_LONGER: Final = """
    DELETE FROM awaited WHERE (connection, message_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))
"""
# Who has turned out to be an older person takes along what waits; what vendors were told of the older one stands.
REKEY_AWAITED: Final = "UPDATE awaited SET person = $2 WHERE person = $1"
FORGET_AWAITED: Final = "DELETE FROM awaited WHERE person = ANY($1::text[]) RETURNING id"
PURGE_SEEN: Final = """
    DELETE FROM seen WHERE digest = ANY(ARRAY(
        SELECT digest FROM seen WHERE seen_at <= $1 ORDER BY seen_at LIMIT $2 FOR UPDATE SKIP LOCKED
    )) RETURNING 1
"""

Key = tuple[str, str]
_encoder = msgspec.json.Encoder()
_call = msgspec.json.Decoder(Call)


# --- reading ----------------------------------------------------------------------------------------------------


async def seen(connections: Connections, message_ids: Collection[str]) -> set[str]:
    """Those that came before."""
    digests = {digest_of_message(one): one for one in message_ids}
    return {digests[found] for (found,) in await connections.rows_of(SEEN, digests)}


async def said(connections: Connections, persons: Collection[str]) -> dict[Key, bytes]:
    """Fingerprints by connection and person."""
    return {(connection, person): mark for connection, person, mark in await connections.rows_of(SAID, persons)}


async def awaited(connections: Connections, persons: Collection[str]) -> list[AwaitedCall]:
    """What waits for these persons."""
    return [_awaited(row) for row in await connections.rows_of(AWAITED, persons)]


async def newest_awaited(connections: Connections, connection: str | None, limit: int) -> list[AwaitedCall]:
    """What waits for its person, newest first."""
    return [_awaited(row) for row in await connections.rows(NEWEST_AWAITED, connection, limit)]


async def traced(connections: Connections, key: str) -> list[AwaitedCall]:
    """What waits under a messageId, or for whom an email or a userId names."""
    found = await connections.rows(TRACED_AWAITED, stored(key), stored(normalised_email(key) or key))
    return [_awaited(row) for row in found]


async def expired(connections: Connections, now: int, limit: int) -> list[AwaitedCall]:
    """What has waited too long."""
    return [_awaited(row) for row in await connections.rows(EXPIRED, now, limit)]


async def next_expiry(connections: Connections) -> int | None:
    """When the next one has."""
    row = await connections.first(NEXT_EXPIRY)
    return row[0] if row else None


def _awaited(row: Row) -> AwaitedCall:
    connection, person, reason, expires_at, call = row
    return AwaitedCall(
        connection=connection, person=person, reason=told(reason), expires_at=expires_at, call=_call.decode(call)
    )


# --- writing ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Waits:
    """Which calls wait, as several routings change it one after the other; made true at once."""

    before: frozenset[Key]
    """Those concerned that wait in the table."""
    now: dict[Key, AwaitedCall | None] = field(default_factory=dict)
    """Those that wait now; without a call, as they stand in the table."""

    def end(self, routing: Routing) -> list[str]:
        """Let the calls wait no longer whose wait a routing ends; returns whose were erased since it was decided."""
        gone = []
        for one in routing.no_longer_awaited:
            if one.key in self.now:
                del self.now[one.key]
            else:
                gone.append(one.person)
        return gone

    def add(self, routing: Routing, gone: Collection[str]) -> int:
        """Let the calls of a routing wait, but for those who are gone; returns how many wait anew."""
        fresh = [one for one in routing.awaited if one.person not in gone and one.key not in self.now]
        self.now |= {one.key: one for one in fresh}
        return len({one.key for one in fresh})


async def waits_of(connection: asyncpg.Connection, routings: Iterable[Routing]) -> Waits:
    """What waits of that which routings speak of."""
    keys = {one.key for routing in routings for one in (*routing.awaited, *routing.no_longer_awaited)}
    if not keys:
        return Waits(frozenset())
    found = await connection.fetch(AMONG_AWAITED, *_columns(keys))
    at = {(name, stored(message)): (name, message) for name, message in keys}
    before = frozenset(at[name, message] for name, message in found)
    return Waits(before, dict.fromkeys(before))


async def make_true(connection: asyncpg.Connection, waits: Waits) -> None:
    """Have the table say what waits."""
    # What waits anew under a key that waited before is another call: the old one goes first.
    if ended := [key for key in waits.before if key not in waits.now or waits.now[key] is not None]:
        await connection.execute(AWAIT_NO_LONGER, *_columns(ended))
    if added := [one for one in waits.now.values() if one is not None]:
        rows = [_row(one) for one in added]
        await connection.execute(AWAIT, *map(list, zip(*rows, strict=True)))


async def keep_said(
    connection: asyncpg.Connection, routings: Sequence[Routing], redirects: Iterable[Key], gone: Collection[str]
) -> None:
    """Make true what vendors are told of persons, and of whom nothing counts as told any more."""
    said: dict[str, dict[str, bytes]] = {}
    for routing in routings:
        for (name, person), mark in routing.said.items():
            if person not in gone:
                said.setdefault(person, {})[name] = mark
        for newer in routing.people.redirects:
            said.pop(newer, None)
    for newer, older in redirects:
        await connection.execute(REKEY_AWAITED, newer, older)
    if forgotten := [newer for routing in routings for newer in routing.people.redirects]:
        await connection.execute(FORGET_SAID, forgotten)
    if rows := [(person, name, mark) for person, marks in said.items() for name, mark in marks.items()]:
        await connection.execute(NOTE_SAID, *map(list, zip(*rows, strict=True)))


async def note_seen(connection: asyncpg.Connection, routings: Iterable[Routing], now: int) -> None:
    """Remember the messageIds of calls."""
    if digests := {digest_of_message(one) for routing in routings for one in routing.seen}:
        await connection.execute(NOTE_SEEN, list(digests), now)


async def forget_said(connection: asyncpg.Connection, numbers: Sequence[int]) -> None:
    """Forget that vendors were told what these deliveries say: they ended without having been heard."""
    if numbers:
        await connection.execute(FORGET_SAID_BY, numbers, IDENTIFY)


async def forget(connection: asyncpg.Connection, persons: Sequence[str]) -> int:
    """Delete what was told of persons, and what waits for them; returns how many calls waited."""
    await connection.execute(FORGET_SAID, persons)
    return len(await connection.fetch(FORGET_AWAITED, persons))


async def purge(connection: asyncpg.Connection, *, before: int, limit: int) -> int:
    """Forget a bounded number of messageIds; returns how many."""
    return len(await connection.fetch(PURGE_SEEN, before, limit))


def _columns(keys: Collection[Key]) -> tuple[list[str], list[str]]:
    return [name for name, _ in keys], column(message for _, message in keys)


def _row(waiting: AwaitedCall) -> tuple[Any, ...]:
    name, message_id = waiting.key
    call = _encoder.encode(waiting.call)
    return name, waiting.person, stored(message_id), stored(waiting.reason), waiting.expires_at, call
