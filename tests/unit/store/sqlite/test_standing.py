import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from npsbridge.store.sqlite.opening import WRITING, make_current, open_database


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "npsbridge.db"
    make_current(path)
    return path


def note(database: sqlite3.Connection, name: str) -> None:
    database.execute("BEGIN IMMEDIATE")
    database.execute("INSERT INTO facts (name, value) VALUES (?, '')", (name,))
    database.execute("COMMIT")


def replace(file: Path) -> None:
    shutil.copy(file, file.with_suffix(".other"))
    file.with_suffix(".other").replace(file)


@pytest.mark.parametrize("end", ["", "-wal", "-shm"])
@pytest.mark.parametrize("take_away", [Path.unlink, replace, lambda file: file.rename(f"{file}.moved")])
def test_f10_a_commit_into_a_file_that_is_no_longer_there_fails(
    path: Path, end: str, take_away: Callable[[Path], None]
) -> None:
    with closing(open_database(path, WRITING)) as database:
        note(database, "before")
        take_away(path.with_name(path.name + end))
        with pytest.raises(sqlite3.OperationalError, match="moved, removed or replaced") as failure:
            note(database, "behind")
    assert failure.value.sqlite_errorcode == sqlite3.SQLITE_READONLY_DBMOVED


def test_files_that_stay_where_they_are_take_every_commit(path: Path) -> None:
    with closing(open_database(path, WRITING)) as database, closing(open_database(path, WRITING)) as other:
        for number in range(5):
            note(database, f"mine {number}")
            note(other, f"other {number}")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()


def test_a_link_to_the_folder_may_change_when_the_real_path_was_given(path: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with closing(open_database((tmp_path / "link" / path.name).resolve(), WRITING)) as database:
        (tmp_path / "link").unlink()
        note(database, "a")
