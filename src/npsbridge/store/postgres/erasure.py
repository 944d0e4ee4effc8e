"""Erases whatever the database holds of somebody, in one transaction, and counts what it took.

To look through a large journal takes seconds, so that is done before; the transaction then looks only at what has come
since. While it runs nobody makes a routing true (see npsbridge.store.postgres.people.TURN), so that what was decided
before cannot bring the person back. Knows all tables, and where each of them may speak of a person.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import asyncpg
from loguru import logger

from npsbridge.core.model import State
from npsbridge.core.people import ERASED, IdKind, PersonId, key_of
from npsbridge.core.records import Forgotten, Remains
from npsbridge.errors import StoreError
from npsbridge.store.marks import ids_of_respondent, inbound_key
from npsbridge.store.postgres import calls, people
from npsbridge.store.postgres import statements as sql
from npsbridge.store.postgres.connections import Connections
from npsbridge.store.postgres.texts import column, stored, told
from npsbridge.store.postgres.writes import count
from npsbridge.store.rows import FINISHED, respondent
from npsbridge.store.traces import Traces

NAMED: Final = """
    SELECT number, email FROM persons JOIN person_ids USING (number) WHERE kind = $1 AND value = $2
    UNION SELECT number, email FROM persons WHERE email = $2 AND $1 = 'email'
"""
IDS: Final = "SELECT kind, value FROM person_ids WHERE number = ANY($1::bigint[])"
HAVE_EMAIL: Final = """
    SELECT email, number FROM persons WHERE email = ANY($1::text[])
    UNION SELECT value, number FROM person_ids WHERE kind = 'email' AND value = ANY($1::text[])
"""
# What is looked through: by name of the table, its number and its bytes.
SEARCHED: Final[Mapping[str, tuple[str, str]]] = {
    "journal": ("id", "body"),
    "bodies": ("delivery_id", "body"),
    "responses": ("id", "content"),
    "awaited": ("id", "call"),
}
ENTRY: Final = "SELECT body, count FROM journal WHERE id = $1 FOR UPDATE"
REDUCE_ENTRY: Final = "UPDATE journal SET body = $1, count = count - $2 WHERE id = $3"
REDUCE_WAITING: Final = "UPDATE unrouted SET count = count - $1 WHERE journal_id = $2 RETURNING 1"
RESPONSES: Final = """
    SELECT id, connection, response_id, settle_at IS NOT NULL, content FROM responses
    WHERE id = ANY($1::bigint[]) OR email = ANY($2::text[])
"""
DELETE_RESPONSES: Final = "DELETE FROM responses WHERE id = ANY($1::bigint[])"
OF_PERSONS: Final = "SELECT id FROM outbox WHERE person = ANY($1::text[]) AND person LIKE 'person:%'"
OF_SUBJECTS: Final = "SELECT id FROM outbox WHERE subject = ANY($1::text[])"
DELETE_AWAITED: Final = "DELETE FROM awaited WHERE id = ANY($1::bigint[]) RETURNING id"
DELETE_DELIVERIES: Final = "DELETE FROM outbox WHERE id = ANY($1::bigint[]) RETURNING connection, state"
DELETE_BODIES: Final = "DELETE FROM bodies WHERE delivery_id = ANY($1::bigint[])"
EMAILS_OF_OTHERS: Final = "SELECT DISTINCT email FROM responses WHERE email = ANY($1::text[])"
FORGET_NEWEST: Final = "DELETE FROM newest WHERE person = ANY($1::text[])"
HINTS: Final = "SELECT id, hint FROM hints"
FORGET_HINTS: Final = "DELETE FROM hints WHERE id = ANY($1::bigint[])"

# By itself VACUUM leaves index entries of few rows alone (PostgreSQL's documentation, "VACUUM", INDEX_CLEANUP).
VACUUM: Final = (
    "VACUUM (INDEX_CLEANUP ON) journal, bodies, outbox, responses, newest, persons, person_ids, redirects, awaited, "
    "said, hints"
)

# Whoever else is written to by an email is found by it from then on, the newest of them.
INHERIT: Final = """
    INSERT INTO person_ids (kind, value, number)
    SELECT 'email', email, max(number) FROM persons WHERE email = ANY($1::text[]) GROUP BY email
    ON CONFLICT (kind, value) DO NOTHING
"""


class Named(NamedTuple):
    """Whom an id names, and all the ids by which they are told."""

    numbers: frozenset[int]
    ids: frozenset[PersonId]
    shared: frozenset[str]
    """Their emails that somebody else has as well, who has not asked for anything."""


class Found(NamedTuple):
    """Rows that speak of somebody, by table."""

    ids: frozenset[PersonId]
    """By which ids they were looked for."""
    rows: Mapping[str, Sequence[int]]
    searched_to: Mapping[str, int]
    """The last row that was looked at."""


# --- beforehand -------------------------------------------------------------------------------------------------


async def look_for(connection: asyncpg.Connection, person_id: PersonId) -> Found:
    """The rows that speak of whom an id names, found without holding anybody up."""
    named = await _named(connection, person_id)
    traces = Traces(named.ids)
    searched_to = {table: await _last(connection, table) for table in SEARCHED}
    rows = {table: await _speaking(connection, table, traces, after=0) for table in SEARCHED}
    return Found(named.ids, rows, searched_to)


# --- in the transaction -----------------------------------------------------------------------------------------


async def erase_all(connection: asyncpg.Connection, person_id: PersonId, found: Found) -> Forgotten:
    """Erase everything of whom the id names; `found` spares looking again through what was looked through."""
    await connection.fetchval(people.TURN)
    named = await _named(connection, person_id)
    traces = Traces(named.ids)
    if not named.ids <= found.ids:  # an id has joined them since
        found = Found(named.ids, {}, {})
    rows = {table: await _all_speaking(connection, table, traces, found) for table in SEARCHED}
    records, unrouted = await _redact_journal(connection, rows["journal"], traces)
    responses = await _responses(connection, rows["responses"], named)
    deleted = await _delete_deliveries(connection, rows["bodies"], named, responses)
    await connection.execute(DELETE_RESPONSES, list(responses))
    await _forget_newest(connection, responses.values())
    awaited = await calls.forget(connection, [key_of(one) for one in named.numbers])
    awaited += len(await connection.fetch(DELETE_AWAITED, rows["awaited"]))
    await _forget_names(connection, named.ids, traces)
    await people.suppress(connection, named.ids, ERASED)
    await connection.execute(sql.NOTE_ERASURE)
    await connection.execute(people.DELETE, list(named.numbers))
    await connection.execute(INHERIT, column(named.shared))
    unfinished = sum(state not in FINISHED for _, state in deleted) + sum(one.is_settling for one in responses.values())
    await count(connection, [Counter({State.ERASED.value: unrouted + awaited + unfinished})])
    connections = {name for name, _ in deleted} | {one.connection for one in responses.values()}
    return Forgotten(
        persons=len(named.numbers),
        responses=len(responses),
        deliveries=len(deleted),
        records=records + awaited,
        connections=tuple(sorted(connections)),
    )


async def vacuum(connections: Connections) -> Remains:
    """Have the database take dead rows out of its tables and indexes now, not when a fifth of a table has changed.

    What it cannot do, or not in time, it does later by itself, and other engines always do.
    """
    try:
        await connections.rows(VACUUM)
    except (StoreError, asyncpg.PostgresError) as error:
        logger.bind(reason=str(error)).warning("The database did not vacuum what was erased; it will do so later")
        return Remains.UNTIL_VACUUMED
    return Remains.UNTIL_REUSED


async def redact(connection: asyncpg.Connection, numbers: Iterable[int], ids: Collection[PersonId]) -> None:
    """Take records that speak of these ids out of routed journal entries; they have been counted already."""
    await _redact_journal(connection, numbers, Traces(ids))


async def _named(connection: asyncpg.Connection, person_id: PersonId) -> Named:
    """The persons whom an id names: an email those who are found by it and those who are written to by it."""
    found = await connection.fetch(NAMED, person_id.kind.value, stored(person_id.value))
    written_to = {number: told(email) for number, email in found}
    ids = await connection.fetch(IDS, list(written_to))
    told_by = {PersonId(IdKind(kind), told(value)) for kind, value in ids}
    told_by |= {PersonId(IdKind.EMAIL, email) for email in written_to.values() if email}
    emails = column(one.value for one in told_by if one.kind is IdKind.EMAIL)
    having = await connection.fetch(HAVE_EMAIL, emails)
    shared = {told(email) for email, number in having if number not in written_to}
    own = {one for one in told_by if not (one.kind is IdKind.EMAIL and one.value in shared)} | {person_id}
    return Named(frozenset(written_to), frozenset(own), frozenset(shared))


async def _last(connection: asyncpg.Connection, table: str) -> int:
    number, _ = SEARCHED[table]
    return int(await connection.fetchval(f"SELECT coalesce(max({number}), 0) FROM {table}"))  # noqa: S608 - names of our own


async def _speaking(connection: asyncpg.Connection, table: str, traces: Traces, *, after: int) -> list[int]:
    """The rows of a table, behind one of them, that speak of the person."""
    if not traces.needles:
        return []
    number, text = SEARCHED[table]
    # As escaped text, which any bytes have: ASCII stands in it as it is, but for the backslash, which no needle has.
    search = f"""
        SELECT {number}, {text} FROM {table} WHERE {number} > $1 AND EXISTS (
            SELECT 1 FROM unnest($2::text[]) AS needle WHERE strpos(lower(encode({text}, 'escape')), needle) > 0
        )
    """  # noqa: S608 - names of our own
    found = await connection.fetch(search, after, traces.needles)
    return [row for row, body in found if traces.in_body(body)]


async def _all_speaking(connection: asyncpg.Connection, table: str, traces: Traces, found: Found) -> list[int]:
    """Those found before, and those that have come since."""
    late = await _speaking(connection, table, traces, after=found.searched_to.get(table, 0))
    return sorted({*found.rows.get(table, ()), *late})


async def _redact_journal(connection: asyncpg.Connection, numbers: Iterable[int], traces: Traces) -> tuple[int, int]:
    """Take records out of journal entries; how many, and how many of them still waited to be routed."""
    removed = unrouted = 0
    for number in numbers:
        entry = await connection.fetchrow(ENTRY, number)
        redacted = traces.redact(*entry) if entry else None
        if redacted is not None:
            removed += redacted.removed
            await connection.execute(REDUCE_ENTRY, redacted.body, redacted.removed, number)
            is_waiting = await connection.fetchval(REDUCE_WAITING, redacted.removed, number)
            unrouted += redacted.removed if is_waiting else 0
    return removed, unrouted


class _Response(NamedTuple):
    connection: str
    subject: str
    is_settling: bool
    by: list[PersonId]
    """Who gave it, by its own account."""


async def _responses(connection: asyncpg.Connection, numbers: Sequence[int], named: Named) -> dict[int, _Response]:
    """The responses of the person, by their numbers."""
    emails = column(one.value for one in named.ids if one.kind is IdKind.EMAIL)
    found = await connection.fetch(RESPONSES, numbers, emails)
    return {
        number: _Response(name, f"{name}/{response_id}", bool(held), ids_of_respondent(respondent(content)))
        for number, name, response_id, held, content in found
    }


async def _delete_deliveries(
    connection: asyncpg.Connection, numbers: Iterable[int], named: Named, responses: Mapping[int, _Response]
) -> list[tuple[str, State]]:
    """Deliveries and shelved items of the person: by their key, by what they speak of, by what they say."""
    of_persons = await connection.fetch(OF_PERSONS, [key_of(one) for one in named.numbers])
    of_subjects = await connection.fetch(OF_SUBJECTS, [one.subject for one in responses.values()])
    theirs = sorted({*numbers, *(number for (number,) in (*of_persons, *of_subjects))})
    deleted = await connection.fetch(DELETE_DELIVERIES, theirs)
    await connection.execute(DELETE_BODIES, theirs)
    return [(name, State(state)) for name, state in deleted]


async def _forget_newest(connection: asyncpg.Connection, erased: Iterable[_Response]) -> None:
    """When the newest of these answers was given; of a mailbox only if nobody else has answered from it."""
    said = {one for response in erased for one in response.by}
    emails = column(one.value for one in said if one.kind is IdKind.EMAIL)
    shared = {told(email) for (email,) in await connection.fetch(EMAILS_OF_OTHERS, emails)}
    own = (one for one in said if one.kind is not IdKind.EMAIL or one.value not in shared)
    await connection.execute(FORGET_NEWEST, column(map(inbound_key, own)))


async def _forget_names(connection: asyncpg.Connection, ids: Collection[PersonId], traces: Traces) -> None:
    """What is kept under an id itself."""
    await connection.execute(FORGET_NEWEST, column(map(inbound_key, ids)))
    hints: list[Any] = await connection.fetch(HINTS)
    theirs = [number for number, hint in hints if traces.in_text(told(hint))]
    await connection.execute(FORGET_HINTS, theirs)
