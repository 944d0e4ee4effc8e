"""Moves a store from a SQLite file, whose daemon is stopped, into a PostgreSQL schema.

Rows are copied table by table in one order, each chunk in one transaction with how far it reaches: killed at any
moment, the same command goes on where it was. Numbers and keys stay what they are, so nothing is sent again and
everybody who was erased stays known as such. The new store cannot be run before the end, nor the old one afterwards.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg

from npsbridge.core.records import Ledger
from npsbridge.core.storage import MOVED, MOVING
from npsbridge.errors import StoreUnusable, UsageError
from npsbridge.store import rows
from npsbridge.store.postgres import statements as postgres_sql
from npsbridge.store.postgres.connections import Connections, open_connections
from npsbridge.store.postgres.place import place_of
from npsbridge.store.postgres.texts import stored
from npsbridge.store.sqlite import statements as sqlite_sql
from npsbridge.store.sqlite.faults import store_fault
from npsbridge.store.sqlite.lock import held_alone
from npsbridge.store.sqlite.opening import WRITING, make_current, open_database
from npsbridge.store.sqlite.place import real_path

CHUNK: Final = 2_000
CHUNK_OF_BODIES: Final = 100
"""Rows that may have half a megabyte each."""

Progress = Callable[[int, int], None]
"""Told how many rows are copied, and of how many."""
_ORDERS: Final[Mapping[str, tuple[str, str]]] = {
    # By table: the columns, and by what they are told apart, in the words of SQLite.
    "journal": ("id, connection, origin, count, received_at, body", "id"),
    "unrouted": ("journal_id, count", "journal_id"),
    "checkpoints": ("connection, checkpoint", "connection"),
    "hints": ("id, connection, hint, heard_at", "id"),
    "responses": (
        (
            "rowid AS id, connection, response_id, revision, milestones, settle_at, email, journal_id, content, "
            "answered_at, survey_type, score, campaign, has_comment"
        ),
        "rowid",
    ),
    "newest": ("person, answered_at", "person"),
    "persons": ("number, email, content", "number"),
    "person_ids": ("kind, value, number", "kind, value"),
    "redirects": ("newer, number", "newer"),
    "suppressions": ("digest, reason", "digest"),
    "seen": ("digest, seen_at", "id"),
    "said": ("person, connection, fingerprint", "person, connection"),
    "awaited": ("id, connection, person, message_id, reason, expires_at, call", "id"),
    "outbox": (
        (
            "id, connection, person, kind, message_id, subject, state, attempts, reason, created_at, next_attempt_at, "
            "settled_at, journal_id, retried_at, recipient, set_out_at"
        ),
        "id",
    ),
    "bodies": ("delivery_id, body", "delivery_id"),
    "ledger": ("name, 0 AS shard, amount", "name"),
    "health": ("connection, direction, state, reason, since", "connection, direction"),
    "facts": ("name, value", "name"),
}
_LARGE: Final = frozenset({"journal", "responses", "bodies", "awaited"})
_NUMBERED: Final = {"journal": "journal", "outbox": "outbox"}
"""Tables whose numbers go on where the last one given was, by their counter in SQLite."""
_EMPTY: Final = ("journal", "outbox", "responses", "persons", "suppressions", "facts", "ledger")


@dataclass(frozen=True, slots=True)
class Moved:
    """What was moved."""

    counts: Mapping[str, int]
    """Rows by table, counted on both sides."""
    ledger: Ledger
    """The same on both sides."""


async def move(source: Path, target: str, *, progress: Progress) -> Moved:
    """Copy everything, and have the old store refuse to run.

    Raises:
        StoreLocked: a daemon holds the source.
        UsageError: the target holds something else, or is in use.
        StoreUnusable: there is no source, or what arrived differs from what was sent; the source can still be run.
        StoreError: one of them cannot be read or written; the same command goes on later.
    """
    path = real_path(source)
    if not path.exists():
        raise StoreUnusable(f"there is no store at {path}")
    with ExitStack() as stack:
        stack.enter_context(held_alone(path))
        make_current(path)
        try:
            database = stack.enter_context(closing(open_database(path, WRITING)))
            async with open_connections(place_of(target)) as connections:
                moved = await _Move(database, connections, progress).run()
            database.execute(sqlite_sql.NOTE_FACT, (MOVED, place_of(target).shown))
        except sqlite3.Error as error:
            raise store_fault(error, path) or error from error
    return moved


class _Move:
    """One move, under way."""

    def __init__(self, database: sqlite3.Connection, connections: Connections, progress: Progress) -> None:
        self._database = database
        self._connections = connections
        self._progress = progress
        self._counts = {table: self._count(f"SELECT count(*) FROM {table}") for table in _ORDERS}  # noqa: S608 - ours
        self._digest_key: bytes = database.execute("SELECT key FROM digest_key").fetchone()[0]
        self._name = self._digest_key[:8].hex()
        """Tells this source from others."""
        self._done = 0

    async def run(self) -> Moved:
        reached = await self._begin()
        self._done = sum(reached.values())
        for table in _ORDERS:
            for chunk in self._chunks(table, reached.get(table, 0)):
                await self._copy(table, chunk)
        counts = await self._insist_on_all()
        ledger = await self._insist_on_ledger()
        await self._connections.together(self._end)
        return Moved(counts, ledger)

    def _count(self, statement: str) -> int:
        return int(self._database.execute(statement).fetchone()[0])

    async def _begin(self) -> dict[str, int]:
        """How far an earlier run came, by table; the target is empty, or is refused."""
        facts: dict[str, str] = dict(await self._connections.rows(postgres_sql.FACTS))
        if await self._connections.rows("SELECT 1 FROM replicas LIMIT 1"):
            raise UsageError(f"replicas run on {self._connections.place.shown}; stop them first")
        if facts.get(MOVING) == self._name:
            places = {name.removeprefix(f"{MOVING}:"): value for name, value in facts.items() if ":" in name}
            return {table: int(places[table]) for table in _ORDERS if table in places}
        for table in _EMPTY:
            if await self._connections.rows(f"SELECT 1 FROM {table} LIMIT 1"):  # noqa: S608 - names of our own
                raise UsageError(
                    f"{self._connections.place.shown} holds something already; name an empty database, or another "
                    "schema with ?search_path="
                )
        await self._connections.rows(postgres_sql.NOTE_FACT, MOVING, self._name)
        return {}

    def _chunks(self, table: str, reached: int) -> Iterator[list[tuple[Any, ...]]]:
        columns, order = _ORDERS[table]
        # Nobody writes to the source meanwhile: what comes in which order stays the same.
        wish = f"SELECT {columns} FROM {table} ORDER BY {order} LIMIT -1 OFFSET ?"  # noqa: S608 - names of our own
        found = self._database.execute(wish, (reached,))
        while chunk := found.fetchmany(CHUNK_OF_BODIES if table in _LARGE else CHUNK):
            yield chunk

    async def _copy(self, table: str, chunk: Sequence[tuple[Any, ...]]) -> None:
        columns = [one.split()[-1] for one in _ORDERS[table][0].split(", ")]
        given = [tuple(map(_value, columns, row)) for row in chunk]

        async def act(connection: asyncpg.Connection) -> None:
            await connection.copy_records_to_table(table, records=given, columns=columns)
            reached = await connection.fetchval("SELECT value FROM facts WHERE name = $1", f"{MOVING}:{table}")
            await connection.execute(postgres_sql.NOTE_FACT, f"{MOVING}:{table}", str(int(reached or 0) + len(given)))

        await self._connections.together(act)
        self._done += len(given)
        self._progress(self._done, sum(self._counts.values()))

    async def _insist_on_all(self) -> dict[str, int]:
        for table, sent in self._counts.items():
            others = f" WHERE name <> '{MOVING}' AND name NOT LIKE '{MOVING}:%'" if table == "facts" else ""
            ((arrived,),) = await self._connections.rows(f"SELECT count(*) FROM {table}{others}")  # noqa: S608 - ours
            if arrived != sent:
                raise StoreUnusable(f"of {sent} rows in {table} {arrived} arrived; empty the target and move again")
        return self._counts

    async def _insist_on_ledger(self) -> Ledger:
        sent = rows.ledger(self._database.execute(sqlite_sql.LEDGER).fetchall())
        arrived = rows.ledger(await self._connections.rows(postgres_sql.LEDGER))
        if sent != arrived:
            raise StoreUnusable(f"the ledger was {sent} and arrived as {arrived}; empty the target and move again")
        return arrived

    async def _end(self, connection: asyncpg.Connection) -> None:
        """Numbers go on from the last one, erased people are known by the old key, and the store may be run."""
        last = dict(self._database.execute("SELECT name, last FROM numbers").fetchall())
        for table in ("journal", "outbox", "responses", "hints", "awaited"):
            highest = await connection.fetchval(f"SELECT coalesce(max(id), 0) FROM {table}")  # noqa: S608 - ours
            number = max(highest, last.get(_NUMBERED.get(table, ""), 0))
            if number:
                await connection.execute("SELECT setval(pg_get_serial_sequence($1, 'id'), $2)", table, number)
        await connection.execute("UPDATE numbers SET last = $1 WHERE name = 'persons'", last["persons"])
        await connection.execute("UPDATE digest_key SET key = $1", self._digest_key)
        await connection.execute("DELETE FROM facts WHERE name = $1 OR name LIKE $2", MOVING, f"{MOVING}:%")


def _value(column: str, value: Any) -> Any:
    """As PostgreSQL has it."""
    if column == "has_comment" and value is not None:
        return bool(value)
    return stored(value) if isinstance(value, str) else value
