"""Looks a store over without changing it, also beside a daemon, and says of each thing whether it is as it must be.

What is read is judged by pure functions; must not know who asks.
"""

import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from stat import S_IMODE, S_IWGRP, S_IWOTH
from typing import Final

from npsbridge.errors import NoStoreYet, StoreError, StoreFull, StorePermission, StoreUnusable
from npsbridge.store import rows
from npsbridge.store.findings import Found, judged_ledger
from npsbridge.store.sqlite import statements as sql
from npsbridge.store.sqlite.faults import store_fault
from npsbridge.store.sqlite.lock import remembered_beside
from npsbridge.store.sqlite.opening import READING, WRITING, find_version, open_database
from npsbridge.store.sqlite.place import beside, in_words, network_below, real_path
from npsbridge.store.sqlite.upgrades import UPGRADES
from npsbridge.store.sqlite.witness import Older, found_older

LONG_WAL: Final = 64 << 20
"""Bytes; four times what a commit folds in and gives back (see npsbridge.store.sqlite.opening)."""
LITTLE_ROOM: Final = 256 << 20
NO_ROOM: Final = 1 << 20
"""Bytes that are free; below the latter, accepting stops at any moment."""
_MOST_FAULTS: Final = 100
_INTEGRITY: Final = f"PRAGMA integrity_check({_MOST_FAULTS})"
_LOOKING: Final = {**READING, "synchronous": WRITING["synchronous"]}
_STEPS: Final = 100_000
"""Steps of SQLite's machine, some milliseconds, between two looks whether Ctrl-C was pressed."""
_RESTORE: Final = "stop npsbridge, keep a copy of the file and of what lies beside it, then restore a backup"
_NUMBERED: Final = """
    SELECT name, last, CASE name
        WHEN 'journal' THEN (SELECT max(id) FROM journal)
        WHEN 'outbox' THEN (SELECT max(id) FROM outbox)
        ELSE (SELECT max(number) FROM persons)
    END FROM numbers
"""


def inspect(path: Path) -> list[Found]:
    """Everything that can be said of the store in a file.

    Nothing in it is changed, and a WAL that a crash has left is not folded in. Reads all of it, while the WAL of a
    daemon that goes on writing grows.
    """
    try:
        path = real_path(path)
        version = version_of_store(path)
        own = [_of_file(path, version), *_of_place(path)]
        remembered, has_wal = remembered_beside(path), beside(path, "-wal").exists()
        with snapshot(path) as database:
            sums = []
            if version == len(UPGRADES):
                sums = [_of_age(database, remembered, has_wal=has_wal), *_sums_of(database)]
            ((journal,),) = _rows(database, "PRAGMA journal_mode")
            return [*own, judged_journal(journal), *damage_in(database), *sums]
    except StoreError as error:
        return [Found(subject="store", is_good=False, text=str(error), exit_code=error.exit_code)]


def version_of_store(path: Path) -> int:
    """The number of the last upgrade that a store has seen.

    Raises:
        NoStoreYet: there is none.
        StoreUnusable: it is none of ours.
        StorePermission: it may not be read and written.
    """
    version = find_version(path)
    if version is None:
        raise NoStoreYet(path)
    return version


@contextmanager
def snapshot(path: Path) -> Iterator[sqlite3.Connection]:
    """A reading connection that sees, for the whole of a block, what was committed at its begin.

    Raises:
        StoreError: the file cannot be read, or is damaged where it is read; the kinds of it say what to do.
    """
    # One that may not write leaves a WAL as it is; without a WAL it could not make the one that reading takes.
    way = "mode=ro" if beside(path, "-wal").exists() else "mode=rw"
    try:
        with closing(open_database(path, _LOOKING, way=way)) as database:
            database.set_progress_handler(_go_on, _STEPS)
            database.execute("BEGIN")
            database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            yield database
    except sqlite3.Error as error:
        if _code(error) == sqlite3.SQLITE_INTERRUPT:
            # Only Ctrl-C interrupts here, and SQLite keeps it to itself.
            raise KeyboardInterrupt from error
        raise store_fault(error, path) or error from error


def _code(error: sqlite3.Error) -> int:
    """What SQLite calls it; an error of Python's own has no code."""
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR))


def _go_on() -> int:
    """Python's own steps are what lets a signal through; see `snapshot`."""
    return 0


# --- the file and where it lies ---------------------------------------------------------------------------------


def _of_file(path: Path, version: int) -> Found:
    text = f"{path}, {in_units(path.stat().st_size)}, version {version}"
    if version < len(UPGRADES):
        return Found(subject="store", is_good=None, text=f"{text}; the next start brings it to {len(UPGRADES)}")
    return Found(subject="store", is_good=True, text=text)


def _of_place(path: Path) -> list[Found]:
    files = [file for end in ("", "-wal", "-shm") if (file := beside(path, end)).exists()]
    wal = beside(path, "-wal")
    return [
        judged_modes({file: S_IMODE(file.stat().st_mode) for file in files}, S_IMODE(path.parent.stat().st_mode)),
        judged_network(network_below(path)),
        judged_room(shutil.disk_usage(path.parent).free),
        judged_wal(wal.stat().st_size if wal.exists() else 0),
    ]


def judged_modes(files: Mapping[Path, int], folder: int) -> Found:
    """Whether only their owner can read the files, and put others in their place."""
    code = StorePermission.exit_code
    for file, mode in files.items():
        if mode & 0o177:
            text = f"others may read personal data: the mode is {mode:03o}, `chmod 600 {file}`"
            return Found(subject="permissions", is_good=False, text=text, exit_code=code)
    # In a folder such as /tmp (sticky), others cannot touch what is not theirs.
    if folder & (S_IWGRP | S_IWOTH) and not folder & 0o1000:
        text = f"others may replace the files: the mode of the folder is {folder:03o}, `chmod 700` it"
        return Found(subject="permissions", is_good=False, text=text, exit_code=code)
    return Found(subject="permissions", is_good=True, text="only the owner can read and write the files")


def judged_network(kind: str | None) -> Found:
    """Whether the file system keeps its word."""
    if kind is None:
        return Found(subject="file system", is_good=True, text="no network file system")
    return Found(subject="file system", is_good=None, text=in_words(kind))


def judged_room(free: int) -> Found:
    """Whether there is room to go on; in bytes."""
    text = f"{in_units(free)} are free"
    if free < NO_ROOM:
        text += "; free some room on the disk: until then calls are answered with 503, and nothing else is needed"
        return Found(subject="room", is_good=False, text=text, exit_code=StoreFull.exit_code)
    if free < LITTLE_ROOM:
        return Found(subject="room", is_good=None, text=f"{text}; free some room before there is none")
    return Found(subject="room", is_good=True, text=text)


def judged_wal(size: int) -> Found:
    """Whether what is written is folded into the file; in bytes."""
    text = f"the WAL has {in_units(size)}"
    if size > LONG_WAL:
        text += "; something reads the store for long and keeps it from being folded in, end that"
    return Found(subject="WAL", is_good=None if size > LONG_WAL else True, text=text)


def in_units(size: int) -> str:
    """A number of bytes for people."""
    for unit, step in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if size >= step:
            return f"{size / step:.1f} {unit}"
    return f"{size} bytes"


# --- what SQLite makes of it ------------------------------------------------------------------------------------


def judged_journal(mode: str) -> Found:
    """Whether commits survive a power cut. `synchronous` is set by each that opens the file; SQLite took it here."""
    if mode == "wal":
        return Found(subject="durability", is_good=True, text="journal_mode wal, synchronous full")
    text = f"another program has set journal_mode to {mode}; the next start of npsbridge sets it to wal"
    return Found(subject="durability", is_good=None, text=text)


def damage_in(database: sqlite3.Connection) -> list[Found]:
    """Whether every page can be read, and rows have what they belong to."""
    return [
        _seen("integrity", lambda: judged_pages(text for (text,) in _rows(database, _INTEGRITY))),
        _seen("references", lambda: judged_references(len(_rows(database, "PRAGMA foreign_key_check")))),
    ]


def _sums_of(database: sqlite3.Connection) -> list[Found]:
    """Whether what is counted adds up, in the shape of today."""
    return [
        _seen("numbers", lambda: judged_numbers(_rows(database, _NUMBERED))),
        _seen("ledger", lambda: judged_ledger(rows.ledger(_rows(database, sql.LEDGER)))),
    ]


def _of_age(database: sqlite3.Connection, remembered: int | None, *, has_wal: bool) -> Found:
    return _seen("age", lambda: judged_age(found_older(database, remembered=remembered, has_wal=has_wal)))


def _rows(database: sqlite3.Connection, statement: str) -> list[rows.Row]:
    return database.execute(statement).fetchall()


def _seen(subject: str, look: Callable[[], Found]) -> Found:
    """What a look finds; that it cannot be read to its end is a finding like another."""
    try:
        return look()
    except sqlite3.DatabaseError as error:
        if _code(error) & 0xFF not in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            raise
        return _damaged(subject, str(error))


def _damaged(subject: str, text: str) -> Found:
    return Found(subject=subject, is_good=False, text=f"{text}; {_RESTORE}", exit_code=StoreUnusable.exit_code)


def judged_pages(lines: Iterable[str]) -> Found:
    """From the lines of SQLite's PRAGMA integrity_check: one `ok`, or the faults."""
    faults = [" ".join(line.split()) for line in lines]
    if faults == ["ok"]:
        return Found(subject="integrity", is_good=True, text="every page and every index is as it must be")
    count = f"{len(faults)} faults or more" if len(faults) >= _MOST_FAULTS else f"{len(faults)} faults"
    return _damaged("integrity", f"{count}, the first: {faults[0] if faults else 'nothing was reported'}")


def judged_references(count: int) -> Found:
    """From the number of rows that belong to others which are not there."""
    if count:
        return _damaged("references", f"{count} rows belong to others that are gone")
    return Found(subject="references", is_good=True, text="whatever belongs to something has it")


def judged_numbers(numbered: Iterable[rows.Row]) -> Found:
    """From (name, last number given, highest number in use): a file that was copied in mid-write is of two times."""
    behind = [name for name, last, highest in numbered if highest is not None and highest > last]
    if behind:
        return _damaged("numbers", f"those of {', '.join(behind)} go further than was ever given")
    return Found(subject="numbers", is_good=True, text="none is in use that was not given")


def judged_age(older: Older | None) -> Found:
    """Whether this is the store that a daemon has left, and not one of an earlier time."""
    if older is None:
        return Found(subject="age", is_good=True, text="it is as npsbridge left it")
    return Found(subject="age", is_good=None, text=older.in_words())
