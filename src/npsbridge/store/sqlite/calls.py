"""What is kept about Segment calls in SQLite: which came before, what vendors were told, what waits for its person.

The functions that write run inside one transaction of the writer, which begins and ends it.
"""

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import msgspec

from npsbridge.core.calls import Call
from npsbridge.core.forward import IDENTIFY
from npsbridge.core.keys import normalised_email
from npsbridge.core.records import AwaitedCall, Routing
from npsbridge.store.marks import digest_of_message
from npsbridge.store.sqlite.bulk import Insert, insert
from npsbridge.store.sqlite.reader import Reader

SEEN: Final = "SELECT digest FROM seen WHERE digest IN (:many)"
SAID: Final = "SELECT connection, person, fingerprint FROM said WHERE person IN (:many)"
_AWAITED: Final = "SELECT connection, person, reason, expires_at, call FROM awaited"
AWAITED: Final = f"{_AWAITED} WHERE person IN (:many) ORDER BY id"
NEWEST_AWAITED: Final = f"{_AWAITED} ORDER BY id DESC LIMIT :limit"
NEWEST_AWAITED_ONLY: Final = f"{_AWAITED} WHERE connection = :connection ORDER BY id DESC LIMIT :limit"
TRACED_AWAITED: Final = f"""
    {_AWAITED} WHERE message_id = :key OR person IN (
        SELECT 'person:' || number FROM person_ids WHERE (kind = 'email' OR kind = 'user_id') AND value = :id
    ) ORDER BY id
"""  # noqa: S608 - put together from constants
EXPIRED: Final = f"{_AWAITED} INDEXED BY awaited_expiry WHERE expires_at <= ? ORDER BY expires_at, id LIMIT ?"
NEXT_EXPIRY: Final = "SELECT min(expires_at) FROM awaited"

NOTE_SEEN: Final = Insert("INSERT INTO seen (digest, seen_at)", "(?, ?)", "ON CONFLICT (digest) DO NOTHING")
NOTE_SAID: Final = Insert(
    "INSERT INTO said (person, connection, fingerprint)",
    "(?, ?, ?)",
    "ON CONFLICT (person, connection) DO UPDATE SET fingerprint = excluded.fingerprint",
)
AWAIT: Final = Insert(
    "INSERT INTO awaited (connection, person, message_id, reason, expires_at, call)",
    "(?, ?, ?, ?, ?, ?)",
    "ON CONFLICT (message_id, connection) DO NOTHING",
)
AWAIT_NO_LONGER: Final = "DELETE FROM awaited WHERE connection = ? AND message_id = ?"
# Who has turned out to be an older person takes along what waits; what vendors were told of the older one stands.
REKEY_AWAITED: Final = "UPDATE awaited SET person = :older WHERE person = :newer"
FORGET_SAID: Final = "DELETE FROM said WHERE person = ?"
FORGET_SAID_BY: Final = """
    DELETE FROM said WHERE (person, connection) IN (
        SELECT person, connection FROM outbox WHERE id = ? AND kind = ? AND (state = 'filtered' OR state = 'dead')
    )
"""
FORGET_AWAITED: Final = "DELETE FROM awaited WHERE person = ?"
PURGE_SEEN: Final = """
    DELETE FROM seen WHERE id IN (
        SELECT id FROM (SELECT id, seen_at FROM seen ORDER BY id LIMIT :limit) WHERE seen_at <= :before
    )
"""

_encoder = msgspec.json.Encoder()
_call = msgspec.json.Decoder(Call)


# --- reading ----------------------------------------------------------------------------------------------------


async def seen(reader: Reader, message_ids: Collection[str]) -> set[str]:
    """Those that came before."""
    digests = {digest_of_message(one): one for one in message_ids}
    return {digests[found] for (found,) in await reader.rows_of(SEEN, digests)}


async def said(reader: Reader, persons: Collection[str]) -> dict[tuple[str, str], bytes]:
    """Fingerprints by connection and person."""
    return {(connection, person): mark for connection, person, mark in await reader.rows_of(SAID, persons)}


async def awaited(reader: Reader, persons: Collection[str]) -> list[AwaitedCall]:
    """What waits for these persons."""
    return [_awaited(row) for row in await reader.rows_of(AWAITED, persons)]


async def newest_awaited(reader: Reader, connection: str | None, limit: int) -> list[AwaitedCall]:
    """What waits for its person, newest first."""
    statement = NEWEST_AWAITED if connection is None else NEWEST_AWAITED_ONLY
    return [_awaited(row) for row in await reader.rows(statement, {"connection": connection, "limit": limit})]


async def traced(reader: Reader, key: str) -> list[AwaitedCall]:
    """What waits under a messageId, or for whom an email or a userId names."""
    wish = {"key": key, "id": normalised_email(key) or key}
    return [_awaited(row) for row in await reader.rows(TRACED_AWAITED, wish)]


async def expired(reader: Reader, now: int, limit: int) -> list[AwaitedCall]:
    """What has waited too long."""
    return [_awaited(row) for row in await reader.rows(EXPIRED, (now, limit))]


async def next_expiry(reader: Reader) -> int | None:
    """When the next one has."""
    row = await reader.first(NEXT_EXPIRY)
    return row[0] if row else None


def _awaited(row: tuple[Any, ...]) -> AwaitedCall:
    connection, person, reason, expires_at, call = row
    return AwaitedCall(
        connection=connection, person=person, reason=reason, expires_at=expires_at, call=_call.decode(call)
    )


# --- writing ----------------------------------------------------------------------------------------------------


def note_seen(database: sqlite3.Connection, routings: Iterable[Routing], now: int) -> None:
    """Have the messageIds of all these recognised when they come again."""
    insert(database, NOTE_SEEN, [(digest_of_message(one), now) for routing in routings for one in routing.seen])


def keep(database: sqlite3.Connection, routing: Routing, *, gone: Collection[str]) -> int:
    """Make true what a routing says of its calls, but nothing of those who are gone; returns how many wait anew."""
    told = [(person, connection, mark) for (connection, person), mark in routing.said.items() if person not in gone]
    insert(database, NOTE_SAID, told)
    waiting = [_row(one) for one in routing.awaited if one.person not in gone]
    stored = insert(database, AWAIT, waiting)
    for newer, older in routing.people.redirects.items():
        if older not in gone:
            database.execute(REKEY_AWAITED, {"older": older, "newer": newer})
        database.execute(FORGET_SAID, (newer,))
    return stored


def end_waiting(database: sqlite3.Connection, routing: Routing) -> list[str]:
    """Let the calls wait no longer whose wait a routing ends; returns whose were erased since it was decided."""
    ended = [(one.person, database.execute(AWAIT_NO_LONGER, one.key).rowcount) for one in routing.no_longer_awaited]
    return [person for person, deleted in ended if not deleted]


def forget_said(database: sqlite3.Connection, numbers: Sequence[int]) -> None:
    """Forget that vendors were told what these deliveries say: they ended without having been heard."""
    database.executemany(FORGET_SAID_BY, [(number, IDENTIFY) for number in numbers])


def forget(database: sqlite3.Connection, persons: Sequence[str]) -> int:
    """Delete what was told of persons, and what waits for them; returns how many calls waited."""
    database.executemany(FORGET_SAID, [(person,) for person in persons])
    return sum(database.execute(FORGET_AWAITED, (person,)).rowcount for person in persons)


def purge(database: sqlite3.Connection, *, before: int, limit: int) -> int:
    """Forget a bounded number of messageIds; returns how many."""
    return database.execute(PURGE_SEEN, {"before": before, "limit": limit}).rowcount


def _row(waiting: AwaitedCall) -> tuple[Any, ...]:
    connection, message_id = waiting.key
    call = _encoder.encode(waiting.call)
    return connection, waiting.person, message_id, waiting.reason, waiting.expires_at, call
