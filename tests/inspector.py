"""Looks into the stores on the tests' PostgreSQL, and sets them to what a test begins with, past all code of ours.

It has a thread and a connection of its own, so that it can be asked from tests of any kind, and also in the middle of
one whose event loop is in virtual time.
"""

import asyncio
from collections.abc import Coroutine, Mapping
from io import BytesIO
from threading import Thread
from typing import Any, Final, TypeVar

T = TypeVar("T")

PATIENCE: Final = 30.0
"""Seconds for anything that is asked of the server."""
STANDING: Final = frozenset({"upgrades", "digest_key", "numbers"})
"""Tables that an empty store has something in."""
OF_REPLICAS: Final = frozenset({"replicas", "leases", "budgets"})
"""Tables in which replicas tell each other that they live, and what each does; they are written all the time."""

_TABLES: Final = "SELECT tablename FROM pg_tables WHERE schemaname = $1 ORDER BY tablename"
_COLUMNS: Final = """
    SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = $1
    ORDER BY table_name, ordinal_position
"""
_NUMBERED: Final = """
    SELECT table_name FROM information_schema.columns
    WHERE table_schema = $1 AND column_name = 'id' AND is_identity = 'YES'
"""
_HANG_UP: Final = f"""
    SELECT pg_terminate_backend(pid, {PATIENCE * 1000:.0f}) FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND application_name LIKE 'npsbridge%'
"""  # noqa: S608 - a number of ours

Columns = Mapping[str, list[str]]
"""By table."""
Content = Mapping[str, bytes]
"""By table: all its rows, in the form in which PostgreSQL copies them."""


class Inspector:
    """One connection to a server, closed by `close`."""

    def __init__(self, url: str) -> None:
        import asyncpg  # noqa: PLC0415 - most tests need no database

        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="inspector", daemon=True)
        self._thread.start()
        self._connection: Any = self._done(asyncpg.connect(url))

    def _done(self, asked: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(asked, self._loop).result(PATIENCE)

    def close(self) -> None:
        """Ask no more."""
        self._done(self._connection.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    def rows(self, schema: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """What a statement finds in a schema."""

        async def asked() -> list[tuple[Any, ...]]:
            await self._connection.execute(f'SET search_path = "{schema}"')
            return [tuple(row) for row in await self._connection.fetch(statement, *values)]

        return self._done(asked())

    def execute(self, schema: str, statements: str) -> None:
        """Carry out statements in a schema, all or none of them."""
        self._done(self._connection.execute(f'SET search_path = "{schema}"; {statements}'))

    def tables(self, schema: str) -> list[str]:
        """What there is in a schema; nothing where there is none."""
        return [name for (name,) in self.rows("pg_catalog", _TABLES, schema)]

    def hang_up(self) -> None:
        """End whatever the server still does for a daemon, be it dead or alive."""
        self.rows("pg_catalog", _HANG_UP)

    def empty(self, schema: str) -> None:
        """Make a store what it was when it was new."""
        tables = self.tables(schema)
        deleting = "".join(f"{_delete(schema, table)};" for table in tables if table not in STANDING)
        self.execute(schema, f"{deleting} UPDATE numbers SET last = 0" if tables else "")  # noqa: S608 - ours

    def lapse(self, schema: str) -> None:
        """Let so much time pass that nobody who has died is taken for alive any more."""
        if "leases" in self.tables(schema):
            self.execute(schema, "DELETE FROM replicas; UPDATE leases SET held_until = 0")

    def new(self, schema: str) -> None:
        """Make a schema that has nothing in it."""
        self.execute("public", f'DROP SCHEMA IF EXISTS "{schema}" CASCADE; CREATE SCHEMA "{schema}"')

    # --- all that is in a store -----------------------------------------------------------------------------------

    def columns(self, schema: str) -> dict[str, list[str]]:
        """What there is in a schema, table by table."""
        found: dict[str, list[str]] = {}
        for table, column in self.rows("pg_catalog", _COLUMNS, schema):
            found.setdefault(table, []).append(column)
        return found

    def content(self, schema: str, columns: Columns | None = None) -> Content:
        """All rows of a store, or some columns of them; what replicas tell each other is left out."""
        wanted = self.columns(schema) if columns is None else columns
        return {table: self._rows_of(schema, table, wanted[table]) for table in wanted if table not in OF_REPLICAS}

    def _rows_of(self, schema: str, table: str, columns: list[str]) -> bytes:
        rows = BytesIO()
        copying = self._connection.copy_from_table(
            table, schema_name=schema, columns=columns, output=rows, format="binary", timeout=PATIENCE
        )
        self._done(copying)
        return rows.getvalue()

    def restore(self, schema: str, content: Content, columns: Columns | None = None) -> None:
        """Make a store what it was; nobody has it open."""
        wanted = self.columns(schema) if columns is None else columns

        async def asked() -> None:
            async with self._connection.transaction():
                # Rows come table by table, some before those that they refer to.
                await self._connection.execute("SET LOCAL session_replication_role = replica")
                for table in (*content, *OF_REPLICAS):
                    await self._connection.execute(_delete(schema, table))
                for table, rows in content.items():
                    await self._connection.copy_to_table(
                        table, schema_name=schema, columns=wanted[table], source=BytesIO(rows), format="binary"
                    )
                for (table,) in await self._connection.fetch(_NUMBERED, schema):
                    await self._connection.execute(_go_on_behind(schema, table))

        self._done(asked())


def _go_on_behind(schema: str, table: str) -> str:
    """Number what comes behind what is there."""
    name = f'"{schema}"."{table}"'
    return f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), coalesce(max(id), 0) + 1, false) FROM {name}"  # noqa: S608 - names of our own


def _delete(schema: str, table: str) -> str:
    return f'DELETE FROM "{schema}"."{table}"'  # noqa: S608 - names of our own
