"""A connection whose commits count only while its files stand where others will look for them.

Knows files and SQLite's word for them, nothing of what is written.
"""

import sqlite3
from pathlib import Path
from typing import Any, Final

from npsbridge.store.sqlite.faults import MOVED
from npsbridge.store.sqlite.place import beside

_FILES: Final = ("", "-wal", "-shm")
_COMMIT: Final = "COMMIT"

Identity = tuple[int, int]


class StandingConnection(sqlite3.Connection):
    """Fails a COMMIT after which the database, its WAL or its index lie no longer at their path.

    To SQLite a file is what it has open. One that was removed, or replaced by a backup while it was in use, takes every
    commit all the same, and all of them are gone with the process (SQLite's page "How To Corrupt An SQLite Database
    File", 2.4). Whoever commits through here is told instead, with SQLite's own code for a file that was moved.
    """

    _standing: dict[Path, Identity] | None = None

    def stand_by(self, path: Path) -> None:
        """Remember which files these are; called once SQLite has opened them all."""
        files = (beside(path, end) for end in _FILES)
        self._standing = {file: _identity(file) for file in files if file.exists()}

    def execute(self, statement: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Execute a statement.

        Raises:
            sqlite3.Error: as SQLite has it, or with the code SQLITE_READONLY_DBMOVED for a COMMIT into nowhere.
        """
        cursor = super().execute(statement, parameters)
        if statement == _COMMIT and self._standing is not None:
            _insist_on(self._standing)
        return cursor


def _insist_on(standing: dict[Path, Identity]) -> None:
    for file, identity in standing.items():
        try:
            is_there = _identity(file) == identity
        except OSError:
            is_there = False
        if not is_there:
            error = sqlite3.OperationalError(f"{file.name} was moved, removed or replaced while it was in use")
            error.sqlite_errorcode, error.sqlite_errorname = MOVED, "SQLITE_READONLY_DBMOVED"
            raise error


def _identity(file: Path) -> Identity:
    known = file.stat()
    return known.st_dev, known.st_ino
