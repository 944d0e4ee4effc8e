"""What an error of SQLite or of the file system means for the next step, in the words of npsbridge.errors."""

import errno
import sqlite3
from pathlib import Path
from typing import Final

from npsbridge.errors import StoreError, StoreFull, StorePermission, StoreUnusable

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NOT_ALLOWED: Final = frozenset({errno.EACCES, errno.EPERM})
_PERMISSION: Final = "the file and its folder must be readable and writable by this user"
MOVED: Final = sqlite3.SQLITE_READONLY_DBMOVED
"""SQLite's own word for a file that is no longer where it was opened."""
_MEANINGS: Final[dict[int, tuple[type[StoreError], str]]] = {
    # A person has to act before the next start, which would find no store, or another one.
    MOVED: (
        StoreUnusable,
        "what came since may be lost; before the next start put the file back, or restore a backup",
    ),
    sqlite3.SQLITE_FULL: (StoreFull, "free some room on the disk, nothing else is needed"),
    sqlite3.SQLITE_BUSY: (StoreFull, "another process keeps writing to it; end that one, nothing else is needed"),
    sqlite3.SQLITE_READONLY: (StorePermission, _PERMISSION),
    sqlite3.SQLITE_CANTOPEN: (StorePermission, _PERMISSION),
    sqlite3.SQLITE_CORRUPT: (StoreUnusable, "it is damaged; keep a copy, then restore a backup"),
    sqlite3.SQLITE_NOTADB: (
        StoreUnusable,
        "NPSBRIDGE_STORE_URL must name a store of npsbridge; if this was one, keep a copy, then restore a backup",
    ),
    sqlite3.SQLITE_IOERR: (StoreError, "check the disk, then start again"),
    sqlite3.SQLITE_NOMEM: (StoreError, "the machine has too little memory"),
    sqlite3.SQLITE_INTERRUPT: (StoreError, "the store is being closed"),
}
_BROKEN: Final = frozenset({MOVED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_EVERYBODYS: Final = _BROKEN | {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}


def _code(error: Exception) -> int:
    """SQLite's primary code, except where an extended one means something else to us."""
    extended: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    if extended == MOVED:
        return MOVED
    # The WAL's index cannot grow: a full disk under another name (SQLite's unixShmMap has no word for ENOSPC).
    return sqlite3.SQLITE_FULL if extended == sqlite3.SQLITE_IOERR_SHMSIZE else extended & 0xFF


def store_fault(error: sqlite3.Error, path: Path) -> StoreError | None:
    """The error of ours that says what to do; None for a mistake of our own, which nobody outside can mend."""
    if (known := _MEANINGS.get(_code(error))) is None:
        return None
    kind, advice = known
    return kind(f"{path}: {error}; {advice}")


def is_broken(error: Exception) -> bool:
    """Whether what is on disk can no longer be known, so that nothing may be written behind it.

    A failed fsync must not be tried again: the kernel may have dropped the pages and will report success
    (the PostgreSQL wiki, "Fsync Errors").
    """
    return _code(error) in _BROKEN


def is_everybodys(error: Exception) -> bool:
    """Whether the error would meet every write of a transaction, not only the one that ran into it."""
    return _code(error) in _EVERYBODYS


def file_fault(error: OSError, path: Path) -> StoreError:
    """The same for the files beside the database."""
    text = f"{path}: {error.strerror or error}"
    if error.errno == errno.EROFS:
        return StorePermission(f"{text}; mount it writable, or let NPSBRIDGE_STORE_URL name another place")
    if error.errno in _NOT_ALLOWED:
        return StorePermission(f"{text}; {_PERMISSION}")
    if error.errno in _NO_ROOM:
        return StoreFull(f"{text}; free some room")
    return StoreError(f"{text}; NPSBRIDGE_STORE_URL may name another place")
