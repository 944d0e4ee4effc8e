"""Stores of the first release: made from one of today, by taking away what that release did not have."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import asyncpg

import databases
from fault.crash.keeping import Files, Keeping, Schema
from npsbridge.store.postgres import upgrades as postgres
from npsbridge.store.sqlite.upgrades import UPGRADES, upgrade, version_of

OLDEST: Final = 1
"""The first version that was released; whoever has it can upgrade."""
NOT_CARRIED: Final = frozenset({"numbers"})
"""Tables of the first version to which later ones add rows of their own."""
GIVEN_UP: Final = frozenset({"identities"})
"""Tables of the first version that nothing was ever kept in, and that later ones do not have."""


async def old_store(newest: Keeping) -> Keeping:
    """The same store as the first release would have kept it, where every round is to begin."""
    match newest:
        case Files():
            return OldFiles(newest)
        case Schema():
            return await OldSchema.made(newest)
    raise NotImplementedError(newest)


# --- SQLite -----------------------------------------------------------------------------------------------------


class OldFiles(Files):
    """A file that is to be upgraded."""

    def __init__(self, newest: Files) -> None:
        super().__init__(newest.folder)
        downgrade(self.store, self.template, to=OLDEST)
        with closing(sqlite3.connect(self.template)) as database:
            self.before = content(database)

    def check_disk(self, database: sqlite3.Connection) -> None:
        super().check_disk(database)
        version = version_of(database)
        assert shape(database) == SHAPES.get(version), f"I21: this is no version {version}"
        assert content(database) == self.before, f"I21: version {version} does not hold what was there before"


def shape(database: sqlite3.Connection) -> frozenset[tuple[str, str]]:
    """All tables and indexes, and how they were made."""
    return frozenset(database.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"))


def _shape_of(version: int) -> frozenset[tuple[str, str]]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        upgrade(database, UPGRADES[:version])
        return shape(database)


SHAPES: Final[Mapping[int, frozenset[tuple[str, str]]]] = {
    version: _shape_of(version) for version in range(OLDEST, len(UPGRADES) + 1)
}
"""By version."""


def _columns() -> dict[str, str]:
    """By table of the oldest version that there still is: its columns."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        upgrade(database, UPGRADES[:OLDEST])
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        return {
            table: ", ".join(name for _, name, *_ in database.execute(f"PRAGMA table_info({table})"))
            for table in tables - GIVEN_UP
        }


COLUMNS: Final[Mapping[str, str]] = _columns()


def content(database: sqlite3.Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the tables of the oldest version, as far as that version knows it."""
    return {
        table: sorted(database.execute(f"SELECT {columns} FROM {table}"), key=repr)  # noqa: S608 - names of ours
        for table, columns in COLUMNS.items()
        if table not in NOT_CARRIED
    }


def downgrade(newer: Path, older: Path, *, to: int) -> None:
    """Make a store of an older version that holds what a newer one does."""
    with closing(sqlite3.connect(older, isolation_level=None)) as database:
        upgrade(database, UPGRADES[:to])
        database.execute("ATTACH ? AS newer", (str(newer),))
        database.execute("BEGIN")
        for table, columns in COLUMNS.items():
            database.execute(f"DELETE FROM main.{table}")  # noqa: S608 - names of ours
            known = f"SELECT {columns} FROM newer.{table}"  # noqa: S608 - the same
            database.execute(f"INSERT INTO main.{table} ({columns}) {known}")
        database.execute("DELETE FROM main.numbers WHERE name NOT IN ('journal', 'outbox')")
        database.execute("COMMIT")
        database.execute("DETACH newer")
        database.execute("PRAGMA journal_mode = WAL")


# --- PostgreSQL -------------------------------------------------------------------------------------------------

_SHAPE: Final = """
    SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = current_schema()
    UNION ALL SELECT tablename, indexname, NULL FROM pg_indexes WHERE schemaname = current_schema()
"""


class OldSchema(Schema):
    """A schema that is to be upgraded. Made by `made`."""

    columns: dict[str, list[str]]
    """Of the tables of the first release that there still are, but for its version."""
    shapes: Mapping[int, frozenset[tuple[Any, ...]]]
    """By version."""

    @classmethod
    async def made(cls, newest: Schema) -> "OldSchema":
        """Take away from a store what the first release did not have."""
        old, scratch = cls(newest.url), f"{newest.name}_of_old"
        versions = range(len(postgres.UPGRADES), OLDEST - 1, -1)
        old.shapes = {version: await _made_shape(newest.url, scratch, version) for version in versions}
        old.columns = databases.inspector().columns(scratch)
        for table in ("upgrades", *GIVEN_UP):
            del old.columns[table]
        old.template = databases.inspector().content(old.name, old.columns)
        return old

    async def put_back(self) -> None:
        databases.inspector().hang_up()
        await _make(self.url, self.name, OLDEST)
        databases.inspector().restore(self.name, self.template, self.columns)

    async def check(self) -> None:
        await super().check()
        ((version,),) = databases.inspector().rows(self.name, "SELECT max(number) FROM upgrades")
        assert _shape(self.name) == self.shapes.get(version), f"I21: this is no version {version}"
        content = databases.inspector().content(self.name, self.columns)
        assert content == self.template, f"I21: version {version} does not hold what was there before"


async def _make(url: str, schema: str, version: int) -> None:
    """An empty store of a release, wherever the URL leads."""
    databases.inspector().new(schema)
    connection = await asyncpg.connect(url, server_settings={"search_path": schema})
    await postgres.upgrade(connection, postgres.UPGRADES[:version])
    await connection.close()


async def _made_shape(url: str, schema: str, version: int) -> frozenset[tuple[Any, ...]]:
    await _make(url, schema, version)
    return _shape(schema)


def _shape(schema: str) -> frozenset[tuple[Any, ...]]:
    return frozenset(databases.inspector().rows(schema, _SHAPE))
