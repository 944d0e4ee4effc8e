"""Stores of older releases: made from one of today, by taking away what that release did not have."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from npsbridge.store.sqlite.upgrades import UPGRADES, upgrade

OLDEST: Final = 1
"""The first version that was released; whoever has it can upgrade."""
NOT_CARRIED: Final = frozenset({"numbers"})
"""Tables of the first version to which later ones add rows of their own."""


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
    """By table of the oldest version: its columns."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        upgrade(database, UPGRADES[:OLDEST])
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {
            table: ", ".join(name for _, name, *_ in database.execute(f"PRAGMA table_info({table})"))
            for table in tables
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
