import errno
import sqlite3
from pathlib import Path

import pytest

from npsbridge.errors import StoreError, StoreFull, StorePermission, StoreUnusable
from npsbridge.store.sqlite.faults import file_fault, is_broken, is_everybodys, store_fault

PATH = Path("/data/x.db")


def sqlite_error(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("as SQLite says")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (sqlite3.SQLITE_FULL, StoreFull),
        (sqlite3.SQLITE_IOERR_SHMSIZE, StoreFull),
        (sqlite3.SQLITE_BUSY, StoreFull),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, StoreFull),
        (sqlite3.SQLITE_READONLY, StorePermission),
        (sqlite3.SQLITE_READONLY_DBMOVED, StoreUnusable),
        (sqlite3.SQLITE_CANTOPEN, StorePermission),
        (sqlite3.SQLITE_CORRUPT_INDEX, StoreUnusable),
        (sqlite3.SQLITE_NOTADB, StoreUnusable),
        (sqlite3.SQLITE_IOERR_FSYNC, StoreError),
        (sqlite3.SQLITE_IOERR_WRITE, StoreError),
    ],
)
def test_every_failure_of_the_disk_says_what_happens_next(code: int, kind: type[StoreError]) -> None:
    fault = store_fault(sqlite_error(code), PATH)
    assert type(fault) is kind
    assert "/data/x.db" in str(fault)


@pytest.mark.parametrize("code", [sqlite3.SQLITE_CONSTRAINT_NOTNULL, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISUSE])
def test_a_mistake_of_our_own_is_nobodys_disk(code: int) -> None:
    assert store_fault(sqlite_error(code), PATH) is None


def test_f7_only_a_disk_that_failed_ends_all_writing() -> None:
    broken = {
        sqlite3.SQLITE_READONLY_DBMOVED,
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
    }
    passing = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_READONLY}
    assert all(is_broken(sqlite_error(code)) for code in broken)
    assert not any(is_broken(sqlite_error(code)) for code in passing)
    assert not is_broken(LookupError())


def test_a_full_disk_may_still_take_the_smaller_writes_of_a_group() -> None:
    assert not is_everybodys(sqlite_error(sqlite3.SQLITE_FULL))
    assert not is_everybodys(LookupError())
    assert is_everybodys(sqlite_error(sqlite3.SQLITE_BUSY))


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EACCES, StorePermission),
        (errno.EROFS, StorePermission),
        (errno.ENOSPC, StoreFull),
        (errno.EIO, StoreError),
    ],
)
def test_an_error_of_the_file_system_is_sorted_the_same_way(number: int, kind: type[StoreError]) -> None:
    assert type(file_fault(OSError(number, "as the system says"), PATH)) is kind
