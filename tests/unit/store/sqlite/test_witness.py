"""A store that has become an older one is noticed, and one that has not is not suspected (F11)."""

import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from contract.store.examples import planned, route, sqlite_url
from end_to_end.harness import Told, log_kept
from npsbridge.clock import Clock
from npsbridge.core.forward import SURVEY
from npsbridge.core.model import State
from npsbridge.core.storage import Store
from npsbridge.store import open_store
from npsbridge.store.sqlite.backup import back_up
from npsbridge.store.sqlite.inspection import inspect
from npsbridge.store.sqlite.lock import remembered_beside
from npsbridge.store.sqlite.place import beside

ALL = ("", "-wal", "-shm", ".lock")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "npsbridge.db"


async def lived(path: Path, *facts: str, kill: Path | None = None) -> None:
    """A daemon that notes some facts; with `kill`, its files as a SIGKILL would leave them are put there."""
    async with open_store(sqlite_url(path.parent), clock=Clock()) as store:
        for fact in facts:
            await store.note_fact(fact, "x")
        if kill is not None:
            copied(path, kill, *ALL)


def copied(path: Path, folder: Path, *ends: str) -> Path:
    folder.mkdir(exist_ok=True)
    for end in ends:
        if beside(path, end).exists():
            shutil.copy(beside(path, end), folder)
    return folder / path.name


def removed(path: Path, *ends: str) -> None:
    for end in ends:
        beside(path, end).unlink()


async def warnings_at_start(path: Path) -> list[Told]:
    with log_kept("WARNING") as told:
        async with open_store(sqlite_url(path.parent), clock=Clock()):
            pass
    return told


def age(path: Path) -> str | None:
    """What `db check` says of the age, if it is anything but good."""
    (found,) = [found for found in inspect(path) if found.subject == "age"]
    return found.text if found.is_good is None else None


# --- noticed ----------------------------------------------------------------------------------------------------


async def test_f11_a_store_that_is_copied_back_without_its_wal_is_told_once(path: Path, tmp_path: Path) -> None:
    await lived(path, "a", "b", "c", kill=tmp_path / "killed")
    killed = tmp_path / "killed" / path.name
    removed(killed, "-wal", "-shm")
    assert "older than when npsbridge last used it, by 3 commits" in str(age(killed))
    (warning,) = await warnings_at_start(killed)
    assert str(killed) in warning.message
    assert "by 3 commits: a backup was put back, or the file without its WAL" in warning.message
    assert (age(killed), await warnings_at_start(killed)) == (None, [])


async def test_f11_so_is_one_that_went_to_another_machine_without_it(path: Path, tmp_path: Path) -> None:
    async with open_store(sqlite_url(tmp_path), clock=Clock()) as store:
        await store.note_fact("a", "x")
        there = copied(path, tmp_path / "elsewhere", "")
    assert "it is older than when npsbridge last used it: a backup" in str(age(there))
    assert len(await warnings_at_start(there)) == 1
    assert await warnings_at_start(there) == []


async def test_f11_somebody_who_reads_beside_keeps_nothing_of_that_out_of_the_file(path: Path, tmp_path: Path) -> None:
    await lived(path)
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("SELECT count(*) FROM facts").fetchone()
        async with open_store(sqlite_url(tmp_path), clock=Clock()):
            there = copied(path, tmp_path / "elsewhere", "")
    assert "it is older than when npsbridge last used it: a backup" in str(age(there))


async def test_f11_every_single_commit_is_missed(path: Path, tmp_path: Path) -> None:
    async with open_store(sqlite_url(tmp_path), clock=Clock()) as store:
        for number in range(3):
            await store.note_fact(f"a{number}", "x")
            assert remembered_beside(path) == 2 + number
        await store.heartbeat()
        assert remembered_beside(path) == 4


async def test_i8_f11_a_survey_that_was_owed_then_is_in_doubt_and_nothing_else_is(path: Path, tmp_path: Path) -> None:
    async with open_store(sqlite_url(tmp_path), clock=Clock()) as store:
        await route(store, deliveries=(planned("nps-a"), planned("s-1", kind=SURVEY)), fanned_out=1)
        checkpointed(path)
        alone = copied(path, tmp_path / "alone", "", ".lock")
        await store.note_fact("later", "x")
        copied(path, tmp_path / "alone", ".lock")
        assert await states(store) == {"nps-a": State.QUEUED, "s-1": State.QUEUED}
    async with open_store(sqlite_url(alone.parent), clock=Clock()) as store:
        assert await states(store) == {"nps-a": State.QUEUED, "s-1": State.INFLIGHT}
        assert (await store.ledger()).imbalance == 0


def checkpointed(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(PASSIVE)")


async def states(store: Store) -> dict[str, State]:
    return {one.message_id: one.state for one in await store.deliveries()}


# --- not suspected ----------------------------------------------------------------------------------------------


async def killed_with_its_wal(path: Path, tmp_path: Path) -> Path:
    await lived(path, "a", kill=tmp_path / "killed")
    return tmp_path / "killed" / path.name


async def ended_in_peace(path: Path, _: Path) -> Path:
    await lived(path, "a")
    return path


async def ended_and_taken_elsewhere(path: Path, tmp_path: Path) -> Path:
    await lived(path, "a")
    return copied(path, tmp_path / "elsewhere", "")


async def backed_up_and_taken_elsewhere(path: Path, tmp_path: Path) -> Path:
    (tmp_path / "elsewhere").mkdir()
    async with open_store(sqlite_url(tmp_path), clock=Clock()):
        back_up(path, tmp_path / "elsewhere" / path.name, force=False, progress=lambda _, __: None)
    return tmp_path / "elsewhere" / path.name


async def killed_and_looked_at_by_a_verb(path: Path, tmp_path: Path) -> Path:
    """The last to close a store folds in the WAL and removes it."""
    killed = await killed_with_its_wal(path, tmp_path)
    async with open_store(sqlite_url(killed.parent), clock=Clock(), exclusive=False) as store:
        await store.ledger()
    assert not beside(killed, "-wal").exists()
    return killed


async def made_anew(path: Path, _: Path) -> Path:
    await lived(path, "a", "b")
    removed(path, "", ".lock")
    return path


@pytest.mark.parametrize(
    "become",
    [
        killed_with_its_wal,
        ended_in_peace,
        ended_and_taken_elsewhere,
        backed_up_and_taken_elsewhere,
        killed_and_looked_at_by_a_verb,
        made_anew,
    ],
)
async def test_f11_what_is_as_it_was_left_is_not_suspected(
    path: Path, tmp_path: Path, become: Callable[[Path, Path], Awaitable[Path]]
) -> None:
    there = await become(path, tmp_path)
    assert await warnings_at_start(there) == []
    assert age(there) is None
