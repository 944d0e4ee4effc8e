import errno
import hashlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from npsbridge.errors import StoreError, StorePermission, StoreUnusable
from npsbridge.store.sqlite import opening
from npsbridge.store.sqlite.opening import READING, WRITING, is_current, make_current, open_database
from npsbridge.store.sqlite.upgrades import APPLICATION_ID, UPGRADES


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "npsbridge.db"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)


# --- creating ---------------------------------------------------------------------------------------------------


def test_a_missing_store_is_created_whole_and_for_this_user_alone(path: Path) -> None:
    make_current(path)
    assert is_current(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["npsbridge.db"]


def test_the_files_beside_the_store_are_for_this_user_alone(path: Path) -> None:
    make_current(path)
    with closing(open_database(path, WRITING)) as database:
        database.execute("INSERT INTO facts VALUES ('a', 'b')")
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert modes == {"npsbridge.db": 0o600, "npsbridge.db-wal": 0o600, "npsbridge.db-shm": 0o600}


def test_a_store_of_today_is_left_as_it_is(path: Path) -> None:
    make_current(path)
    before = digest(path)
    make_current(path)
    assert digest(path) == before


def test_a_wal_that_a_leaving_daemon_removes_meanwhile_is_no_trouble(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_current(path)
    carry_out = Path.exists
    # It is there when somebody looks, and gone when its length is asked for.
    monkeypatch.setattr(Path, "exists", lambda file: file.name.endswith("-wal") or carry_out(file))
    assert is_current(path)


def test_f1_what_a_crash_left_of_a_creation_is_no_hindrance(path: Path) -> None:
    for end in ("", "-wal", "-shm"):
        path.with_name(f"npsbridge.db.new{end}").write_bytes(b"half")
    make_current(path)
    assert [file.name for file in path.parent.iterdir()] == ["npsbridge.db"]


def test_f1_a_creation_that_fails_leaves_nothing_that_looks_like_a_store(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(draft: Path, target: Path) -> None:
        raise OSError(errno.EIO, "Input/output error", str(draft), None, str(target))

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(StoreError, match="Input/output error"):
        make_current(path)
    assert list(path.parent.iterdir()) == []


def test_an_older_store_is_upgraded_in_place(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_current(path)
    later = (*UPGRADES, ("CREATE TABLE later (x TEXT) STRICT",))
    monkeypatch.setattr(opening, "UPGRADES", later)
    assert not is_current(path)
    make_current(path)
    assert is_current(path)


# --- refusing ---------------------------------------------------------------------------------------------------


def newer(path: Path) -> None:
    make_current(path)
    execute(path, f"PRAGMA user_version = {len(UPGRADES) + 1}")


def newer_after_a_crash(path: Path) -> None:
    """The newer version is only in the WAL, as a killed process leaves it."""
    make_current(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(f"PRAGMA user_version = {len(UPGRADES) + 1}")
        left = {end: path.with_name(path.name + end).read_bytes() for end in ("", "-wal")}
    for end, content in left.items():
        path.with_name(path.name + end).write_bytes(content)


def foreign(path: Path) -> None:
    execute(path, "CREATE TABLE theirs (x)")


def foreign_with_a_mark(path: Path) -> None:
    execute(path, f"PRAGMA application_id = {APPLICATION_ID + 1}", "CREATE TABLE theirs (x)")


def no_database(path: Path) -> None:
    path.write_bytes(b"a letter to the editor " * 100)


def corrupt_header(path: Path) -> None:
    make_current(path)
    path.write_bytes(b"\x00" * 16 + path.read_bytes()[16:])


REFUSED = [
    (newer, "newer release"),
    (newer_after_a_crash, "newer release"),
    (foreign, "another program"),
    (foreign_with_a_mark, "another program"),
    (no_database, "not a database"),
    (corrupt_header, "not a database"),
]


@pytest.mark.parametrize(("make", "words"), REFUSED, ids=lambda value: getattr(value, "__name__", ""))
def test_i21_f9_f14_what_is_no_store_of_ours_is_refused_unchanged(path: Path, make: object, words: str) -> None:
    assert callable(make)
    make(path)
    before = {file.name: digest(file) for file in path.parent.iterdir() if not file.name.endswith("-shm")}
    with pytest.raises(StoreUnusable, match=words) as refusal:
        make_current(path)
    assert refusal.value.exit_code == 65
    assert str(path) in str(refusal.value)
    assert {file.name: digest(file) for file in path.parent.iterdir() if not file.name.endswith("-shm")} == before


def test_f10_an_empty_file_is_refused_with_the_way_out(path: Path) -> None:
    path.touch()
    with pytest.raises(StoreUnusable, match="restore a backup, or remove the file"):
        make_current(path)
    assert path.stat().st_size == 0


def test_f10_a_store_that_vanished_from_under_its_wal_is_not_replaced(path: Path) -> None:
    path.with_name("npsbridge.db-wal").write_bytes(b"what is left")
    with pytest.raises(StoreUnusable, match="is gone"):
        make_current(path)
    assert not path.exists()


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match="not a file"):
        make_current(tmp_path)


def test_an_old_sqlite_is_refused_by_its_number(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))
    with pytest.raises(StoreUnusable, match="too old"):
        make_current(path)


# --- permission -------------------------------------------------------------------------------------------------


@pytest.fixture
def others_store() -> Iterator[Path]:
    """A store in a folder of its own; while the test runs, this process is not root."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "npsbridge.db"
        make_current(path)
        nobody, is_root = 65534, os.geteuid() == 0
        if is_root:
            os.chown(folder, nobody, -1)
            os.chown(path, nobody, -1)
            os.seteuid(nobody)
        yield path
        path.parent.chmod(0o700)
        if is_root:
            os.seteuid(0)


def test_f8_a_file_that_may_not_be_read_is_a_matter_of_permission(others_store: Path) -> None:
    others_store.chmod(0o000)
    with pytest.raises(StorePermission, match="readable and writable") as refusal:
        make_current(others_store)
    assert refusal.value.exit_code == 77


def test_f8_a_file_that_may_not_be_written_is_a_matter_of_permission(others_store: Path) -> None:
    others_store.chmod(0o400)
    with pytest.raises(StorePermission, match="readable and writable"):
        make_current(others_store)


def test_f8_a_folder_that_may_not_be_written_is_a_matter_of_permission(others_store: Path) -> None:
    others_store.parent.chmod(0o500)
    with pytest.raises(StorePermission, match="readable and writable"):
        make_current(others_store)


def test_f8_a_store_cannot_be_created_where_nothing_may_be_written(others_store: Path) -> None:
    others_store.unlink()
    others_store.parent.chmod(0o500)
    with pytest.raises(StorePermission, match="writable"):
        make_current(others_store)


# --- settings ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pragmas", [WRITING, READING])
def test_every_connection_has_its_settings(path: Path, pragmas: opening.Pragmas) -> None:
    make_current(path)
    with closing(open_database(path, pragmas)) as database:
        actual = {name: database.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas}
    assert actual == {name: expected for name, (_, expected) in pragmas.items()}


def test_what_is_durable_is_synced_at_every_commit() -> None:
    assert WRITING["journal_mode"] == ("WAL", "wal")
    assert WRITING["synchronous"] == ("FULL", 2)


def test_a_setting_that_sqlite_does_not_take_is_refused(path: Path) -> None:
    make_current(path)
    with pytest.raises(StoreUnusable, match="keeps synchronous at 1 where 2 is needed"):
        open_database(path, {"synchronous": ("NORMAL", 2)})


def test_a_reader_cannot_write(path: Path) -> None:
    make_current(path)
    with closing(open_database(path, READING)) as database, pytest.raises(sqlite3.OperationalError, match="readonly"):
        database.execute("DELETE FROM facts")


def test_opening_never_creates_a_file(path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        open_database(path, WRITING)
    assert not path.exists()
