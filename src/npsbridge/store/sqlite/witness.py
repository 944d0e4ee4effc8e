"""Notices that a store has become an older one: it was copied back from a backup, or without its WAL.

Two witnesses. Every commit of a daemon counts one up, and the count stands in the store and beside it, in the lock
file: what is in the store is never less, whatever is killed or loses power, unless the store was replaced. And a store
that a daemon has open says so; found like that and without a WAL, it was copied away from it, perhaps on to a machine
where no lock file knows better.

Both are of this process and this file system alone; what a vendor knows better is found out by reading it again.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from npsbridge.core.forward import SURVEY
from npsbridge.core.model import Record
from npsbridge.store.sqlite.faults import store_fault
from npsbridge.store.sqlite.lock import Lock
from npsbridge.store.sqlite.opening import WRITING, open_database
from npsbridge.store.sqlite.place import beside

COUNT_COMMIT: Final = "UPDATE witness SET commits = commits + 1 RETURNING commits"
SEEN: Final = "SELECT commits, in_use FROM witness"
USE: Final = "UPDATE witness SET in_use = ?"

# A survey that is owed here may have been asked for since, no earlier than its request was accepted. As one that is on
# its way, whose fate nobody knows, it is treated as ON_UNKNOWN says when the daemon has started.
_DOUBT_QUEUED: Final = """
    UPDATE outbox SET state = 'inflight', set_out_at = created_at WHERE state = 'queued' AND kind = ?
"""
_DOUBT_WAITING: Final = """
    UPDATE outbox SET state = 'inflight', set_out_at = created_at, next_attempt_at = NULL
    WHERE state = 'waiting' AND kind = ?
"""


class Older(Record, frozen=True, kw_only=True):
    """A store is not what it was."""

    missing: int | None
    """So many commits; None when nobody knows how many."""

    def in_words(self) -> str:
        """For the operator."""
        by = "" if self.missing is None else f", by {self.missing} commits"
        return (
            f"it is older than when npsbridge last used it{by}: a backup was put back, or the file without its WAL. "
            "Answers since then are read again from the vendors; calls that came since and had not been delivered are "
            "lost; surveys that were owed may have been requested since, and are treated as ON_UNKNOWN says"
        )


class Witness:
    """Counts the commits of the daemon that holds a lock."""

    def __init__(self, path: Path, lock: Lock) -> None:
        self._path = path
        self._lock = lock
        self._has_wal = beside(path, "-wal").exists()

    def take_up(self) -> Older | None:
        """Say in the store that it is in use from now on; returns whether it is an older one.

        Raises:
            StoreError: it cannot be written.
        """
        try:
            with closing(open_database(self._path, WRITING)) as database:
                return self._taken_up(database)
        except sqlite3.Error as error:
            raise store_fault(error, self._path) or error from error

    def _taken_up(self, database: sqlite3.Connection) -> Older | None:
        database.execute("BEGIN IMMEDIATE")
        older = found_older(database, remembered=self._lock.remembered, has_wal=self._has_wal)
        if older is not None:
            doubt_surveys(database)
        database.execute(USE, (True,))
        number = self.count(database)
        database.execute("COMMIT")
        self.note(number)
        # A copy of the file alone has to say it as well; to close it does the same, unless somebody reads beside us.
        database.execute("PRAGMA wal_checkpoint(PASSIVE)").close()
        return older

    def count(self, database: sqlite3.Connection) -> int:
        """Count a commit that is about to happen; returns its number."""
        return int(database.execute(COUNT_COMMIT).fetchone()[0])

    def note(self, commit: int) -> None:
        """It has happened."""
        self._lock.remember(commit)


def found_older(database: sqlite3.Connection, *, remembered: int | None, has_wal: bool) -> Older | None:
    """Whether the store is an older one than a daemon has left.

    Args:
        database: the store.
        remembered: the last commit that the lock file knows of, if it knows any.
        has_wal: whether there was a WAL before anybody opened it.
    """
    commits, is_in_use = database.execute(SEEN).fetchone()
    if remembered is not None:
        return Older(missing=remembered - commits) if remembered > commits else None
    return Older(missing=None) if is_in_use and not has_wal else None


def leave(database: sqlite3.Connection) -> None:
    """The store is not in use any more: what is in this file is all there is."""
    database.execute(USE, (False,))


def doubt_surveys(database: sqlite3.Connection) -> None:
    """Have every survey that is owed taken for one that may have been requested."""
    for statement in (_DOUBT_QUEUED, _DOUBT_WAITING):
        database.execute(statement, (SURVEY,))
