"""I2 after every integration test: the ledger of every store that the test used balances, whoever used it and how.

Files that are opened in the test's process are noted when they are opened; those of other processes are found where
they lie; schemas of a database are those that the test was given. Each is looked at when the test has ended, and files
of this process at every close as well.
"""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

import databases
from npsbridge.core.records import Ledger
from npsbridge.errors import StoreError
from npsbridge.store import rows
from npsbridge.store.postgres import statements as postgres_statements
from npsbridge.store.postgres.upgrades import UPGRADES as POSTGRES_UPGRADES
from npsbridge.store.sqlite import statements, store
from npsbridge.store.sqlite.inspection import snapshot, version_of_store
from npsbridge.store.sqlite.upgrades import APPLICATION_ID, UPGRADES

_MAGIC: Final = b"SQLite format 3\x00"
_APPLICATION_ID: Final = slice(68, 72)
"""Where a database says whose it is (SQLite's documentation, "Database File Format", 1.3)."""


class Used:
    """The stores that a test has used."""

    def __init__(self, folder: Path | None) -> None:
        self.opened: set[Path] = set()
        self.unbalanced: list[str] = []
        self._folder = folder

    def note(self, path: Path) -> None:
        """A store of this process was closed."""
        self.opened.add(path.resolve())
        self.look_at(path)

    def look_at_all(self) -> None:
        """At the end of the test."""
        for path in sorted(self.opened | set(stores_in(self._folder))):
            self.look_at(path)
        for schema in databases.handed_out():
            if wrong := imbalance_of_schema(schema):
                self.unbalanced.append(wrong)

    def look_at(self, path: Path) -> None:
        """Add a line to `unbalanced` if it is."""
        if path.exists() and (wrong := imbalance(path)):
            self.unbalanced.append(wrong)


def stores_in(folder: Path | None) -> Iterator[Path]:
    """The files below a folder that say that they are stores of ours."""
    for path in folder.rglob("*") if folder is not None else ():
        if path.is_file() and not path.is_symlink() and _is_store(path):
            yield path.resolve()


def _is_store(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            header = file.read(_APPLICATION_ID.stop)
    except OSError:
        return False
    return header.startswith(_MAGIC) and int.from_bytes(header[_APPLICATION_ID]) == APPLICATION_ID


def imbalance(path: Path) -> str | None:
    """What is wrong with the ledger of a store; None when nothing is. One of an older release has none to look at."""
    try:
        if version_of_store(path) != len(UPGRADES):
            return None
        with snapshot(path) as database:
            ledger = rows.ledger(database.execute(statements.LEDGER).fetchall())
    except (StoreError, sqlite3.Error) as error:
        return f"{path} cannot be read: {error}"
    return _told(str(path), ledger)


def imbalance_of_schema(schema: str) -> str | None:
    """The same of a schema of the tests' database; of one that nobody has made yet nothing is wrong."""
    if "upgrades" not in databases.inspector().tables(schema):
        return None
    ((version,),) = databases.inspector().rows(schema, "SELECT max(number) FROM upgrades")
    if version != len(POSTGRES_UPGRADES):
        return None
    return _told(f"schema {schema}", rows.ledger(databases.inspector().rows(schema, postgres_statements.LEDGER)))


def _told(name: str, ledger: Ledger) -> str | None:
    return None if ledger.imbalance == 0 else f"{name} does not balance by {ledger.imbalance}: {ledger}"


@pytest.fixture
def stores_used(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Used]:
    """Notes what is opened meanwhile, and fails the test when a ledger does not balance at its end."""
    folder = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    used = Used(folder)
    monkeypatch.setattr(store, "open_sqlite", _noting(used, store.open_sqlite))
    yield used
    if (broken := request.node.get_closest_marker("breaks_store")) is not None:
        assert broken.args, "say why: breaks_store(reason)"
        return
    used.look_at_all()
    if used.unbalanced:
        pytest.fail("\n".join(used.unbalanced), pytrace=False)


def _noting(used: Used, opening: Any) -> Any:
    @asynccontextmanager
    async def noting(path: Path, **options: Any) -> AsyncIterator[Any]:
        async with opening(path, **options) as opened:
            yield opened
        used.note(path)

    return noting
