"""The writer's promises, with writes that wait for the test where their timing matters."""

import asyncio
import resource
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from npsbridge.errors import StoreError, StoreFull
from npsbridge.store.sqlite import writer as writer_module
from npsbridge.store.sqlite.opening import make_current
from npsbridge.store.sqlite.writer import Writer, open_writer

LIMIT = 10.0
"""Seconds after which a test has failed; nothing here takes that long."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "npsbridge.db"
    make_current(path)
    return path


@pytest.fixture
async def writer(path: Path) -> AsyncIterator[Writer]:
    async with open_writer(path) as opened:
        yield opened


def note(name: str) -> Callable[[sqlite3.Connection], str]:
    """A write that leaves a fact behind, so that a test can see whether it happened."""

    def write(database: sqlite3.Connection) -> str:
        database.execute("INSERT INTO facts (name, value) VALUES (?, '')", (name,))
        return name

    return write


def fail(database: sqlite3.Connection) -> None:
    """Writes something, then fails: what it wrote must be gone."""
    note("half")(database)
    raise LookupError("a mistake of the caller")


def names(path: Path) -> set[str]:
    database = sqlite3.connect(path)
    try:
        return {name for (name,) in database.execute("SELECT name FROM facts")}
    finally:
        database.close()


@contextmanager
def writer_held_up(writer: Writer) -> Iterator[None]:
    """The writer's thread stands still in a transaction for the length of the block."""
    go_on = threading.Event()

    def stand_still(database: sqlite3.Connection) -> None:
        del database
        go_on.wait(LIMIT)

    waiting = writer.run(stand_still)
    try:
        yield
    finally:
        go_on.set()
    del waiting


async def test_a_write_is_on_disk_when_it_is_done(writer: Writer, path: Path) -> None:
    assert await writer.run(note("a")) == "a"
    assert names(path) == {"a"}


async def test_writes_that_wait_together_share_a_transaction(writer: Writer) -> None:
    groups: list[list[int]] = []

    def work(database: sqlite3.Connection, items: Sequence[int]) -> list[int]:
        del database
        groups.append(list(items))
        return [item * 10 for item in items]

    with writer_held_up(writer):
        done = [writer.write(work, number) for number in range(5)]
    assert await asyncio.gather(*done) == [0, 10, 20, 30, 40]
    assert groups == [[0, 1, 2, 3, 4]]


async def test_writes_of_different_work_keep_their_order(writer: Writer) -> None:
    order: list[str] = []

    def one(database: sqlite3.Connection, items: Sequence[str]) -> list[None]:
        del database
        order.extend(items)
        return [None] * len(items)

    def other(database: sqlite3.Connection, items: Sequence[str]) -> list[None]:
        return one(database, items)

    with writer_held_up(writer):
        done = [writer.write(work, name) for work, name in ((one, "a"), (one, "b"), (other, "c"), (one, "d"))]
    await asyncio.gather(*done)
    assert order == ["a", "b", "c", "d"]


async def test_i3_a_write_that_fails_takes_back_its_own_part_and_nobody_elses(writer: Writer, path: Path) -> None:
    with writer_held_up(writer):
        done: list[Awaitable[object]] = [writer.run(note("a")), writer.run(fail), writer.run(note("b"))]
    first, failed, last = await asyncio.gather(*done, return_exceptions=True)
    assert (first, last) == ("a", "b")
    assert isinstance(failed, LookupError)
    assert names(path) == {"a", "b"}


async def test_f3_a_caller_cancelled_in_the_queue_leaves_a_whole_write(writer: Writer, path: Path) -> None:
    with writer_held_up(writer):
        caller = asyncio.ensure_future(writer.run(note("cancelled")))
        caller.cancel()
        behind = writer.run(note("behind"))
    assert await behind == "behind"
    assert caller.cancelled()
    assert names(path) == {"cancelled", "behind"}


async def test_f3_a_caller_cancelled_while_its_write_commits_leaves_a_whole_write(writer: Writer, path: Path) -> None:
    has_written, go_on = threading.Event(), threading.Event()

    def write_slowly(database: sqlite3.Connection) -> None:
        note("first half")(database)
        has_written.set()
        go_on.wait(LIMIT)
        note("second half")(database)

    caller = asyncio.ensure_future(writer.run(write_slowly))
    assert await asyncio.to_thread(has_written.wait, LIMIT)
    caller.cancel()
    go_on.set()
    assert await writer.run(note("behind")) == "behind"
    assert names(path) == {"first half", "second half", "behind"}


async def test_f3_a_failure_that_nobody_waits_for_harms_nobody(writer: Writer, path: Path) -> None:
    with writer_held_up(writer):
        writer.run(fail).cancel()
    await writer.run(note("a"))
    assert names(path) == {"a"}


async def test_f40_a_full_queue_refuses_at_once(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "QUEUE_LIMIT", 3)
    with writer_held_up(writer):
        done = [writer.run(note(name)) for name in "ab"]
        with pytest.raises(StoreFull, match="3 writes wait"):
            writer.run(note("c"))
    await asyncio.gather(*done)
    assert await writer.run(note("d")) == "d"


async def test_what_waits_when_closing_is_still_written(path: Path) -> None:
    async with open_writer(path) as writer:
        with writer_held_up(writer):
            done = [writer.run(note(name)) for name in "ab"]
    assert [future.result() for future in done] == ["a", "b"]
    assert names(path) == {"a", "b"}


async def test_a_closed_writer_refuses(path: Path) -> None:
    async with open_writer(path) as writer:
        pass
    with pytest.raises(StoreError, match="is closed"):
        writer.run(note("a"))


async def test_a_database_that_cannot_be_opened_is_told_to_who_opens_it(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"missing\.db"):
        async with open_writer(tmp_path / "missing.db"):
            pytest.fail("it must not open")


async def test_closing_does_not_wait_for_ever_for_a_disk_that_hangs(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "CLOSE_SECONDS", 0.0)
    writer = Writer(path)
    await writer.open()
    with writer_held_up(writer):
        await writer.close()
    await asyncio.to_thread(writer._thread.join, LIMIT)
    assert not writer._thread.is_alive()


# --- a disk that is full, or fails ------------------------------------------------------------------------------


def grow(database: sqlite3.Connection) -> None:
    database.execute("INSERT INTO filler (content) VALUES (zeroblob(200000))")


async def limit_pages(writer: Writer, more: int) -> None:
    def limit(database: sqlite3.Connection) -> None:
        (pages,) = database.execute("PRAGMA page_count").fetchone()
        database.execute(f"PRAGMA max_page_count = {pages + more}")

    await writer.run(limit)


async def test_f6_a_full_disk_refuses_what_does_not_fit_and_goes_on_with_the_rest(writer: Writer, path: Path) -> None:
    await limit_pages(writer, 5)
    with writer_held_up(writer):
        done: list[Awaitable[object]] = [writer.run(note("before")), writer.run(grow), writer.run(note("behind"))]
    before, refused, behind = await asyncio.gather(*done, return_exceptions=True)
    assert isinstance(refused, StoreFull)
    assert (before, behind) == ("before", "behind")
    assert names(path) == {"before", "behind"}


async def test_f6_room_that_comes_back_is_used_without_a_restart(writer: Writer) -> None:
    await limit_pages(writer, 5)
    with pytest.raises(StoreFull, match="free some room"):
        await writer.run(grow)
    await limit_pages(writer, 500)
    await writer.run(grow)


def wal_size(path: Path) -> int:
    return path.with_name(f"{path.name}-wal").stat().st_size


@contextmanager
def files_cannot_grow_beyond(size: int) -> Iterator[None]:
    """Writes behind that offset fail with EFBIG, which SQLite reports as an I/O error; Python ignores SIGXFSZ."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_f7_a_disk_error_while_committing_ends_all_writing(writer: Writer, path: Path) -> None:
    await writer.run(note("before"))
    with files_cannot_grow_beyond(wal_size(path) + 100_000), pytest.raises(StoreError) as failure:
        await writer.run(grow)
    assert type(failure.value) is StoreError
    assert failure.value.exit_code == 74
    with pytest.raises(StoreError, match="start again"):
        await writer.run(note("behind"))
    assert names(path) == {"before"}


async def test_f7_everybody_who_shares_the_failed_commit_is_told(writer: Writer, path: Path) -> None:
    await writer.run(note("before"))
    with files_cannot_grow_beyond(wal_size(path) + 100_000):
        with writer_held_up(writer):
            done: list[Awaitable[object]] = [writer.run(note("a")), writer.run(grow), writer.run(note("b"))]
        outcomes = await asyncio.gather(*done, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StoreError] * 3
    assert names(path) == {"before"}


async def test_f13_another_process_that_keeps_writing_is_waited_for_then_named(writer: Writer, path: Path) -> None:
    await writer.run(lambda database: database.execute("PRAGMA busy_timeout = 1").close())
    other = sqlite3.connect(path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreFull, match="another process"):
            await writer.run(note("a"))
        other.execute("COMMIT")
        assert await writer.run(note("b")) == "b"
    finally:
        other.close()
