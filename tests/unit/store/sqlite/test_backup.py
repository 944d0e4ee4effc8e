import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from npsbridge.core.forward import SURVEY
from npsbridge.errors import StoreFull, StoreUnusable, UsageError
from npsbridge.store.sqlite import backup
from npsbridge.store.sqlite.backup import back_up
from npsbridge.store.sqlite.inspection import inspect
from npsbridge.store.sqlite.opening import WRITING, make_current, open_database

OWE = "INSERT INTO outbox (connection, person, kind, message_id, state, created_at, next_attempt_at) VALUES "


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "npsbridge.db"
    make_current(path)
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "backups").mkdir()
    return tmp_path / "backups" / "copy.db"


def unseen(done: int, total: int) -> None:
    del done, total


def execute(path: Path, *statements: str) -> None:
    with closing(open_database(path, WRITING)) as database:
        for statement in statements:
            database.execute(statement)


def facts(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as database:
        return [name for (name,) in database.execute("SELECT name FROM facts ORDER BY name")]


def files_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_copy_is_one_whole_file_for_its_owner_alone(path: Path, target: Path) -> None:
    execute(path, "INSERT INTO facts VALUES ('a', '')")
    size = back_up(path, target, force=False, progress=unseen)
    assert (target.stat().st_size, target.stat().st_mode & 0o777) == (size, 0o600)
    assert [found.text for found in inspect(target) if found.is_good is False] == []
    assert facts(target) == ["a"]
    assert files_in(target.parent) == ["copy.db"]


def test_the_store_is_not_touched(path: Path, target: Path) -> None:
    before = path.read_bytes()
    back_up(path, target, force=False, progress=unseen)
    assert path.read_bytes() == before
    assert files_in(path.parent) == ["backups", "npsbridge.db"]


def test_what_is_committed_meanwhile_neither_waits_nor_makes_it_start_anew(
    path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "STEP_PAGES", 1)
    seen: list[int] = []
    with closing(open_database(path, WRITING)) as database:

        def write(done: int, total: int) -> None:
            assert total
            database.execute("INSERT INTO facts VALUES (?, '')", (f"{len(seen)}",))
            seen.append(done)

        back_up(path, target, force=False, progress=write)
    assert seen == list(range(1, len(seen) + 1))
    assert len(facts(path)) == len(seen)
    assert facts(target) == []


def test_surveys_that_are_owed_are_in_doubt_in_the_copy_and_nothing_else_is(path: Path, target: Path) -> None:
    rows = [
        f"('delighted', 'p', '{SURVEY}', 'm1', 'queued', 0, NULL)",
        f"('delighted', 'p', '{SURVEY}', 'm2', 'waiting', 0, 9)",
        f"('delighted', 'p', '{SURVEY}', 'm3', 'held', 0, NULL)",
        "('delighted', 'p', 'identify', 'm4', 'queued', 0, NULL)",
        "('segment', 'p', 'submit', 'm5', 'waiting', 0, 9)",
    ]
    execute(path, OWE + ", ".join(rows))
    back_up(path, target, force=False, progress=unseen)
    with closing(sqlite3.connect(target)) as copy:
        states = dict(copy.execute("SELECT message_id, state FROM outbox"))
    assert states == {"m1": "inflight", "m2": "inflight", "m3": "held", "m4": "queued", "m5": "waiting"}


def test_a_store_that_a_newer_release_upgrades_can_be_copied_before(path: Path, target: Path) -> None:
    execute(path, "PRAGMA user_version = 4")
    back_up(path, target, force=False, progress=unseen)
    assert inspect(target)[0].is_good is None


# --- what is at the target stays unless all went well -----------------------------------------------------------


def test_what_is_there_is_replaced_only_by_force(path: Path, target: Path) -> None:
    target.write_text("last week's")
    with pytest.raises(UsageError, match="--force"):
        back_up(path, target, force=False, progress=unseen)
    assert target.read_text() == "last week's"
    back_up(path, target, force=True, progress=unseen)
    assert target.stat().st_mode & 0o777 == 0o600
    assert [found.text for found in inspect(target) if found.is_good is False] == []


def test_what_appears_there_meanwhile_is_not_replaced(path: Path, target: Path) -> None:
    def somebody_else(done: int, total: int) -> None:
        del done, total
        target.write_text("theirs")

    with pytest.raises(UsageError, match="there already"):
        back_up(path, target, force=False, progress=somebody_else)
    assert target.read_text() == "theirs"


@pytest.mark.parametrize("name", ["npsbridge.db", "npsbridge.db-wal", "npsbridge.db-shm", "npsbridge.db.lock"])
def test_the_store_is_never_its_own_backup(path: Path, name: str) -> None:
    before = path.read_bytes()
    with pytest.raises(UsageError, match="the store itself"):
        back_up(path, path.with_name(name), force=True, progress=unseen)
    assert path.read_bytes() == before


@pytest.mark.parametrize(("name", "words"), [("backups", "is a folder"), ("missing/copy.db", "make it first")])
def test_a_copy_needs_a_name_in_a_folder(path: Path, name: str, words: str) -> None:
    (path.parent / "backups").mkdir()
    with pytest.raises(UsageError, match=words):
        back_up(path, path.parent / name, force=True, progress=unseen)


def test_f9_of_a_damaged_store_no_copy_is_kept_and_the_last_one_stays(path: Path, target: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-4096:] = b"\xff" * 4096
    path.write_bytes(content)
    target.write_text("the last good one")
    with pytest.raises(StoreUnusable, match="no copy was kept"):
        back_up(path, target, force=True, progress=unseen)
    assert target.read_text() == "the last good one"
    assert files_in(target.parent) == ["copy.db"]


def no_more(done: int, total: int) -> None:
    del done, total
    raise KeyboardInterrupt


def no_room(done: int, total: int) -> None:
    del done, total
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(("trouble", "error"), [(no_more, KeyboardInterrupt), (no_room, StoreFull)])
def test_a_copy_that_ends_early_leaves_nothing(
    path: Path, target: Path, trouble: backup.Progress, error: type[BaseException]
) -> None:
    with pytest.raises(error):
        back_up(path, target, force=False, progress=trouble)
    assert files_in(target.parent) == []


def test_nothing_is_no_store(tmp_path: Path, target: Path) -> None:
    with pytest.raises(StoreUnusable, match="npsbridge run"):
        back_up(tmp_path / "npsbridge.db", target, force=False, progress=unseen)


def test_the_name_is_true_only_once_the_content_is_on_disk(
    path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def noted(name: str, act: Callable[..., None]) -> Callable[..., None]:
        def noting(*arguments: object) -> None:
            done.append(name)
            act(*arguments)

        return noting

    monkeypatch.setattr("os.fsync", noted("sync", os.fsync))
    monkeypatch.setattr(Path, "rename", noted("rename", Path.rename))
    back_up(path, target, force=False, progress=unseen)
    assert done == ["sync", "rename", "sync"]
