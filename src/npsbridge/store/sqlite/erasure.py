"""Erases whatever the file holds of somebody, in one transaction, and counts what it took.

To look through a large journal takes seconds, so that is done beside the writer first; the transaction then looks only
at what has come since. Knows all tables, and where each of them may speak of a person.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from npsbridge.core.model import State
from npsbridge.core.people import ERASED, IdKind, PersonId, key_of
from npsbridge.core.records import Forgotten
from npsbridge.store.marks import ids_of_respondent, inbound_key
from npsbridge.store.rows import FINISHED, respondent
from npsbridge.store.sqlite import calls, people
from npsbridge.store.sqlite import statements as sql
from npsbridge.store.sqlite.faults import store_fault
from npsbridge.store.sqlite.opening import READING, WRITING, Pragmas, open_database
from npsbridge.store.traces import Traces

NAMED: Final = """
    SELECT number, email FROM persons JOIN person_ids USING (number) WHERE kind = :kind AND value = :value
    UNION SELECT number, email FROM persons WHERE email = :value AND :kind = 'email'
"""
IDS: Final = "SELECT kind, value FROM person_ids WHERE number = ?"
HAVE_EMAIL: Final = """
    SELECT number FROM persons WHERE email = :email
    UNION SELECT number FROM person_ids WHERE kind = 'email' AND value = :email
"""
# What is looked through: by name of the table, its number and its text.
SEARCHED: Final[Mapping[str, tuple[str, str]]] = {
    "journal": ("id", "body"),
    "bodies": ("delivery_id", "body"),
    "responses": ("rowid", "content"),
    "awaited": ("id", "call"),
}
ENTRY: Final = "SELECT body, count FROM journal WHERE id = ?"
REDUCE_ENTRY: Final = "UPDATE journal SET body = ?, count = count - ? WHERE id = ?"
REDUCE_WAITING: Final = "UPDATE unrouted SET count = count - ? WHERE journal_id = ?"
RESPONSE: Final = """
    SELECT connection, response_id, settle_at IS NOT NULL, content FROM responses WHERE rowid = ?
"""
RESPONSES_OF_EMAIL: Final = "SELECT rowid FROM responses WHERE email = ?"
DELETE_RESPONSE: Final = "DELETE FROM responses WHERE rowid = ?"
BODY: Final = "SELECT body FROM bodies WHERE delivery_id = ?"
OF_PERSON: Final = "SELECT id FROM outbox INDEXED BY outbox_person WHERE person = ? AND person GLOB 'person:*'"
OF_SUBJECT: Final = "SELECT id FROM outbox WHERE subject = ?"
DELETE_AWAITED: Final = "DELETE FROM awaited WHERE id = ?"
DELETE_DELIVERY: Final = "DELETE FROM outbox WHERE id = ? RETURNING connection, state"
FORGET_NEWEST: Final = "DELETE FROM newest WHERE person = ?"
OTHERS_OF_EMAIL: Final = "SELECT 1 FROM responses WHERE email = ? LIMIT 1"
HINTS: Final = "SELECT id, hint FROM hints"
FORGET_HINT: Final = "DELETE FROM hints WHERE id = ?"
FOLD_IN: Final = "PRAGMA wal_checkpoint(TRUNCATE)"

NEEDLES_AT_ONCE: Final = 50

# Whoever else is written to by an email is found by it from then on, the newest of them.
INHERIT: Final = """
    INSERT INTO person_ids (kind, value, number)
    SELECT 'email', :email, max(number) FROM persons WHERE email = :email HAVING max(number) IS NOT NULL
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


# --- beside the writer ------------------------------------------------------------------------------------------


def look_for(path: Path, person_id: PersonId) -> Found:
    """The rows that speak of whom an id names, found without holding anybody up.

    Raises:
        StoreError: the file cannot be read.
    """
    with _opened(path, READING) as database:
        named = _named(database, person_id)
        traces = Traces(named.ids)
        searched_to = {table: _last(database, table) for table in SEARCHED}
        rows = {table: list(_speaking(database, table, traces, after=0)) for table in SEARCHED}
        return Found(named.ids, rows, searched_to)


def fold_in(path: Path) -> bool:
    """Copy the WAL into the file and empty it, so that what was deleted is in neither.

    Deleted rows are overwritten (`secure_delete`). False when a reader was in the way for longer than a write waits.

    Raises:
        StoreFull, StoreError: the disk failed; what was deleted stays so.
    """
    with _opened(path, WRITING) as database:
        (is_busy, _, _) = database.execute(FOLD_IN).fetchone()
        return not is_busy


@contextmanager
def _opened(path: Path, pragmas: Pragmas) -> Iterator[sqlite3.Connection]:
    try:
        with closing(open_database(path, pragmas)) as database:
            yield database
    except sqlite3.Error as error:
        raise store_fault(error, path) or error from error


# --- in the transaction -----------------------------------------------------------------------------------------


def erase_all(database: sqlite3.Connection, person_id: PersonId, found: Found) -> Forgotten:
    """Erase everything of whom the id names; `found` spares looking again through what was looked through."""
    named = _named(database, person_id)
    traces = Traces(named.ids)
    if not named.ids <= found.ids:  # an id has joined them since
        found = Found(named.ids, {}, {})
    rows = {table: _all_speaking(database, table, traces, found) for table in SEARCHED}
    records, unrouted = _redact_journal(database, rows["journal"], traces)
    responses = _responses(database, rows["responses"], named, traces)
    deleted = _delete_deliveries(database, _deliveries(database, rows["bodies"], named, responses, traces))
    database.executemany(DELETE_RESPONSE, [(number,) for number in responses])
    _forget_newest(database, responses.values())
    awaited = _delete_awaited(database, rows["awaited"], named)
    _forget_names(database, named.ids, traces)
    people.suppress(database, named.ids, ERASED)
    database.execute(sql.NOTE_ERASURE)
    database.executemany(people.DELETE, [(number,) for number in named.numbers])
    database.executemany(INHERIT, [{"email": email} for email in named.shared])
    unfinished = sum(state not in FINISHED for _, state in deleted) + sum(one.is_settling for one in responses.values())
    database.execute(sql.COUNT, (unrouted + awaited + unfinished, State.ERASED.value))
    connections = {connection for connection, _ in deleted} | {one.connection for one in responses.values()}
    return Forgotten(
        persons=len(named.numbers),
        responses=len(responses),
        deliveries=len(deleted),
        records=records + awaited,
        connections=tuple(sorted(connections)),
    )


def redact(database: sqlite3.Connection, numbers: Iterable[int], ids: Collection[PersonId]) -> None:
    """Take records that speak of these ids out of routed journal entries; they have been counted already."""
    _redact_journal(database, numbers, Traces(ids))


def _named(database: sqlite3.Connection, person_id: PersonId) -> Named:
    """The persons whom an id names: an email those who are found by it and those who are written to by it."""
    wish = {"kind": person_id.kind.value, "value": person_id.value}
    written_to = dict(database.execute(NAMED, wish).fetchall())
    told_by = {PersonId(IdKind(kind), value) for one in written_to for kind, value in database.execute(IDS, (one,))}
    told_by |= {PersonId(IdKind.EMAIL, email) for email in written_to.values() if email}
    shared = {one for one in told_by if one.kind is IdKind.EMAIL and _having(database, one) - set(written_to)}
    own = told_by - shared | {person_id}
    return Named(frozenset(written_to), frozenset(own), frozenset(one.value for one in shared))


def _having(database: sqlite3.Connection, email: PersonId) -> set[int]:
    return {number for (number,) in database.execute(HAVE_EMAIL, {"email": email.value})}


def _last(database: sqlite3.Connection, table: str) -> int:
    number, _ = SEARCHED[table]
    ((last,),) = database.execute(f"SELECT coalesce(max({number}), 0) FROM {table}")  # noqa: S608 - names of our own
    return int(last)


def _speaking(database: sqlite3.Connection, table: str, traces: Traces, *, after: int) -> Iterator[int]:
    """The rows of a table, behind one of them, that speak of the person."""
    number, text = SEARCHED[table]
    for start in range(0, len(traces.needles), NEEDLES_AT_ONCE):
        some = traces.needles[start : start + NEEDLES_AT_ONCE]
        has_one = " OR ".join([f"instr(lower(CAST({text} AS TEXT)), ?) > 0"] * len(some))
        search = f"SELECT {number}, {text} FROM {table} WHERE {number} > ? AND ({has_one})"  # noqa: S608 - names of our own
        yield from (row for row, body in database.execute(search, [after, *some]) if traces.in_body(body))


def _all_speaking(database: sqlite3.Connection, table: str, traces: Traces, found: Found) -> list[int]:
    """Those found before, and those that have come since."""
    late = _speaking(database, table, traces, after=found.searched_to.get(table, 0))
    return sorted({*found.rows.get(table, ()), *late})


def _redact_journal(database: sqlite3.Connection, numbers: Iterable[int], traces: Traces) -> tuple[int, int]:
    """Take records out of journal entries; how many, and how many of them still waited to be routed."""
    removed = unrouted = 0
    for number in numbers:
        entry = database.execute(ENTRY, (number,)).fetchone()
        redacted = traces.redact(*entry) if entry else None
        if redacted is not None:
            removed += redacted.removed
            database.execute(REDUCE_ENTRY, (*redacted, number))
            is_waiting = database.execute(REDUCE_WAITING, (redacted.removed, number)).rowcount == 1
            unrouted += redacted.removed if is_waiting else 0
    return removed, unrouted


class _Response(NamedTuple):
    connection: str
    subject: str
    is_settling: bool
    by: list[PersonId]
    """Who gave it, by its own account."""


def _responses(
    database: sqlite3.Connection, numbers: Iterable[int], named: Named, traces: Traces
) -> dict[int, _Response]:
    """The responses of the person, by row."""
    emails = [one.value for one in named.ids if one.kind is IdKind.EMAIL]
    theirs = {number for email in emails for (number,) in database.execute(RESPONSES_OF_EMAIL, (email,))}
    found = {}
    for number in {*theirs, *numbers}:
        row = database.execute(RESPONSE, (number,)).fetchone()
        if row and (number in theirs or traces.in_body(row[3])):
            by = ids_of_respondent(respondent(row[3]))
            found[number] = _Response(row[0], f"{row[0]}/{row[1]}", bool(row[2]), by)
    return found


def _deliveries(
    database: sqlite3.Connection,
    numbers: Iterable[int],
    named: Named,
    responses: Mapping[int, _Response],
    traces: Traces,
) -> set[int]:
    """Deliveries and shelved items of the person: by their key, by what they speak of, by what they say."""
    found = {number for one in named.numbers for (number,) in database.execute(OF_PERSON, (key_of(one),))}
    for response in responses.values():
        found |= {number for (number,) in database.execute(OF_SUBJECT, (response.subject,))}
    for number in numbers:
        row = database.execute(BODY, (number,)).fetchone()
        found |= {number} if row and traces.in_body(row[0]) else set()
    return found


def _delete_deliveries(database: sqlite3.Connection, numbers: Iterable[int]) -> list[tuple[str, State]]:
    rows = [row for number in numbers for row in database.execute(DELETE_DELIVERY, (number,)).fetchall()]
    return [(connection, State(state)) for connection, state in rows]


def _delete_awaited(database: sqlite3.Connection, numbers: Iterable[int], named: Named) -> int:
    """Calls that wait for the person, and what vendors were told of them; how many waited."""
    deleted = calls.forget(database, [key_of(one) for one in named.numbers])
    return deleted + sum(database.execute(DELETE_AWAITED, (number,)).rowcount for number in numbers)


def _forget_newest(database: sqlite3.Connection, erased: Iterable[_Response]) -> None:
    """When the newest of these answers was given; of a mailbox only if nobody else has answered from it."""
    for one in {said for response in erased for said in response.by}:
        is_shared = one.kind is IdKind.EMAIL and database.execute(OTHERS_OF_EMAIL, (one.value,)).fetchone()
        if not is_shared:
            database.execute(FORGET_NEWEST, (inbound_key(one),))


def _forget_names(database: sqlite3.Connection, ids: Collection[PersonId], traces: Traces) -> None:
    """What is kept under an id itself."""
    database.executemany(FORGET_NEWEST, [(inbound_key(one),) for one in ids])
    hints = database.execute(HINTS).fetchall()
    database.executemany(FORGET_HINT, [(number,) for number, hint in hints if traces.in_text(hint)])
