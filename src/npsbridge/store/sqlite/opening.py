"""Opens a store's file, or says why it must not be opened; sets and verifies what durability rests on."""

import errno
import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from npsbridge.errors import StoreUnusable
from npsbridge.store.sqlite.faults import file_fault, store_fault
from npsbridge.store.sqlite.place import beside, sync_folder
from npsbridge.store.sqlite.standing import StandingConnection
from npsbridge.store.sqlite.upgrades import APPLICATION_ID, UPGRADES, upgrade, version_of

BUSY_SECONDS: Final = 10
"""How long a write waits for another process to finish its own."""

OLDEST_SQLITE: Final = (3, 37, 0)
"""The first that knows STRICT tables (SQLite's release history)."""

_HEADER_BYTES: Final = 100

Pragmas = Mapping[str, tuple[int | str, int | str]]
"""By name: what is set, and what SQLite must then report."""

WRITING: Final[Pragmas] = {
    "busy_timeout": (BUSY_SECONDS * 1000, BUSY_SECONDS * 1000),
    "journal_mode": ("WAL", "wal"),
    "synchronous": ("FULL", 2),
    "foreign_keys": ("ON", 1),
    # What is deleted is overwritten with zeros, in the file and in the pages it no longer uses.
    "secure_delete": ("ON", 1),
    # Pages are copied home after every 8 MB by the writer itself, without waiting for readers, so no copy takes long;
    # the limit gives back what a long reader from outside has made the WAL grow to.
    "wal_autocheckpoint": (2000, 2000),
    "journal_size_limit": (16 << 20, 16 << 20),
    "cache_size": (-4096, -4096),
    "temp_store": ("MEMORY", 2),
    "trusted_schema": ("OFF", 0),
}
READING: Final[Pragmas] = {
    "busy_timeout": (BUSY_SECONDS * 1000, BUSY_SECONDS * 1000),
    "query_only": ("ON", 1),
    "cache_size": (-2048, -2048),
    "temp_store": ("MEMORY", 2),
    "trusted_schema": ("OFF", 0),
}
# auto_vacuum stays NONE: what retention frees is taken by the next arrivals, so the file does not outgrow its busiest
# week, while pointer maps would cost every event and moving pages would make the writer stall.


def is_current(path: Path) -> bool:
    """Whether a file of ours is there and has seen every upgrade; nothing is written.

    Raises:
        StoreUnusable: what is there is no store, or one of a newer release.
        StorePermission: it may not be read.
    """
    return find_version(path) == len(UPGRADES)


def find_version(path: Path) -> int | None:
    """The number of the last upgrade that a file of ours has seen; None where there is no file. Nothing is written.

    Raises:
        StoreUnusable: what is there is no store, or one of a newer release.
        StorePermission: it may not be read.
    """
    _refuse_what_is_no_store(path)
    return _standing_version(path) if path.exists() else None


def make_current(path: Path) -> None:
    """Create the store when it is missing, upgrade it when it is older; the caller holds it alone.

    Raises:
        StoreUnusable, StorePermission, StoreFull, StoreError: it cannot be done; what was there before still is.
    """
    if is_current(path):
        return
    if path.exists():
        _upgrade_file(path)
    else:
        _create_whole(path)


def open_database(path: Path, pragmas: Pragmas, *, way: str = "mode=rw") -> sqlite3.Connection:
    """Open an existing file with settings that are verified; its commits fail once the file is moved or removed.

    Args:
        path: the file, absolute.
        pragmas: the settings.
        way: how, in the words of SQLite's page "Uniform Resource Identifiers".

    Raises:
        StoreUnusable: SQLite did not take a setting.
        sqlite3.Error: the file cannot be opened.
    """
    database = sqlite3.connect(
        f"{path.as_uri()}?{way}",
        uri=True,
        isolation_level=None,
        timeout=BUSY_SECONDS,
        check_same_thread=False,
        factory=StandingConnection,
    )
    try:
        for name, (wish, expected) in pragmas.items():
            database.execute(f"PRAGMA {name} = {wish}").close()
            (actual,) = database.execute(f"PRAGMA {name}").fetchone()
            _insist(path, name, actual, expected)
        database.stand_by(path)
    except BaseException:
        database.close()
        raise
    return database


def _insist(path: Path, name: str, actual: object, expected: object) -> None:
    if actual != expected:
        raise StoreUnusable(f"{path}: SQLite keeps {name} at {actual!r} where {expected!r} is needed; use a local disk")


def _refuse_what_is_no_store(path: Path) -> None:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise StoreUnusable(f"SQLite {sqlite3.sqlite_version} is too old for {path}; strict tables need 3.37 or newer")
    if not path.exists():
        _refuse_to_replace(path)
    elif not path.is_file():
        raise StoreUnusable(f"{path} is not a file; NPSBRIDGE_STORE_URL must name a file")
    elif path.stat().st_size == 0:
        raise StoreUnusable(
            f"{path} is empty: what it held is lost, and starting afresh would send everything again; restore a "
            "backup, or remove the file if that is what you want"
        )
    elif not (_is_allowed(path, os.R_OK | os.W_OK) and _is_allowed(path.parent, os.W_OK | os.X_OK)):
        # SQLite would open it all the same and fail at the first write.
        number = errno.EROFS if os.statvfs(path).f_flag & os.ST_RDONLY else errno.EACCES
        raise file_fault(OSError(number, os.strerror(number)), path)


def _refuse_to_replace(path: Path) -> None:
    wal = beside(path, "-wal")
    if _holds_something(wal):
        raise StoreUnusable(f"{path} is gone, but its {wal.name} is still there; restore the file, or remove both")


def _holds_something(wal: Path) -> bool:
    """Whether there are pages in a WAL; the last process that leaves the store may remove it at any moment."""
    try:
        return wal.stat().st_size > 0
    except FileNotFoundError:
        return False


def _is_allowed(path: Path, ways: int) -> bool:
    return os.access(path, ways, effective_ids=os.access in os.supports_effective_ids)


def _standing_version(path: Path) -> int:
    """The number of the last upgrade, read without changing a byte."""
    _refuse_what_is_cut_short(path)
    # A read-only connection does not fold in a WAL that a crash has left; where there is none, it must not make one.
    way = "mode=ro" if beside(path, "-wal").exists() else "immutable=1"
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?{way}", uri=True, timeout=BUSY_SECONDS)) as database:
            (application_id,) = database.execute("PRAGMA application_id").fetchone()
            version = version_of(database)
    except sqlite3.Error as error:
        raise store_fault(error, path) or error from error
    if application_id != APPLICATION_ID:
        raise StoreUnusable(f"{path} belongs to another program; NPSBRIDGE_STORE_URL must name another file")
    if version > len(UPGRADES):
        raise StoreUnusable(
            f"{path} is of a newer release (version {version}, this one knows {len(UPGRADES)}); install that release"
        )
    return version


def _refuse_what_is_cut_short(path: Path) -> None:
    """By the header's own count of pages; SQLite itself takes the missing part of a last page for zeros."""
    if _holds_something(beside(path, "-wal")):
        return  # what is missing may be in there
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except OSError as error:
        raise file_fault(error, path) from error
    if (needed := _bytes_by_header(header)) > (there := path.stat().st_size):
        raise StoreUnusable(
            f"{path} is cut short, {there} of {needed} bytes are there; keep a copy, then restore a backup"
        )


def _bytes_by_header(header: bytes) -> int:
    """How long a database is, by its first bytes (SQLite's documentation, "Database File Format", 1.3); else 0."""
    if not header.startswith(b"SQLite format 3\x00"):
        return 0
    page, count = int.from_bytes(header[16:18]), int.from_bytes(header[28:32])
    return count * (65536 if page == 1 else page)


def _upgrade_file(path: Path) -> None:
    try:
        with closing(open_database(path, WRITING)) as database:
            upgrade(database, UPGRADES)
    except sqlite3.Error as error:
        raise store_fault(error, path) or error from error


def _create_whole(path: Path) -> None:
    """Build the store under another name, so that a crash never leaves half a store, nor an empty file."""
    draft = beside(path, ".new")
    try:
        for left_over in ("", "-wal", "-shm"):
            beside(draft, left_over).unlink(missing_ok=True)
        os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        _upgrade_file(draft)
        draft.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise file_fault(error, path) from error
