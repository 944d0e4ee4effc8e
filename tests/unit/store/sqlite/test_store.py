"""What is particular to the file below the store: its size, its bytes, its limits."""

import asyncio
import shutil
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contract.store.examples import START, Wall, arrival, owe, planned, ready, route, settle
from npsbridge.clock import Clock
from npsbridge.core.people import IdKind, PersonId
from npsbridge.core.records import Retention
from npsbridge.errors import StoreError, StoreFull
from npsbridge.store.sqlite.store import SqliteStore, open_sqlite

NOTHING_KEPT = Retention(journal=0, delivered=0, dead=0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "npsbridge.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    async with open_sqlite(path, clock=Clock(Wall()), exclusive=True) as opened:
        yield opened


async def in_writer(store: SqliteStore, statement: str) -> Any:
    def execute(database: sqlite3.Connection) -> Any:
        return database.execute(statement).fetchone()

    return await store._writer.run(execute)


async def fill_disk(store: SqliteStore) -> None:
    """From now on the file may not grow by a single page."""
    await in_writer(store, "PRAGMA max_page_count = 1")


async def make_room(store: SqliteStore) -> None:
    await in_writer(store, "PRAGMA max_page_count = 1000000")


# --- a full disk ------------------------------------------------------------------------------------------------

BIG = b"x" * 200_000


async def test_f6_on_a_full_disk_an_append_and_the_probe_say_so_and_nothing_is_kept(store: SqliteStore) -> None:
    await fill_disk(store)
    before = await store.ledger()
    with pytest.raises(StoreFull):
        await store.append([arrival(body=BIG)], checkpoint=("delighted", b"new"))
    with pytest.raises(StoreFull):
        await store.probe()
    assert await store.ledger() == before
    assert await store.checkpoint("delighted") is None


async def test_f6_on_a_full_disk_deliveries_go_on_and_free_room_that_appends_can_use(store: SqliteStore) -> None:
    numbers = await owe(store, *(planned(f"m{number}", body=BIG) for number in range(4)))
    await fill_disk(store)
    with pytest.raises(StoreFull):
        await store.append([arrival(body=BIG)])
    await settle(store, numbers)
    assert await store.purge(now=START, retention=NOTHING_KEPT) > 0
    await store.append([arrival(body=BIG)])
    await store.probe()


async def test_f6_when_there_is_room_again_appends_go_on_without_a_restart(store: SqliteStore) -> None:
    await fill_disk(store)
    with pytest.raises(StoreFull):
        await store.append([arrival(body=BIG)])
    await make_room(store)
    await store.append([arrival(body=BIG)])
    assert (await store.ledger()).accepted == 1


async def test_f6_one_that_does_not_fit_does_not_take_the_others_of_its_group_with_it(store: SqliteStore) -> None:
    for _ in range(5):
        await route(store, filtered=1)
    await fill_disk(store)
    bodies = [b"[1]", BIG, b"[2]"]
    outcomes = await asyncio.gather(*(store.append([arrival(body=body)]) for body in bodies), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), StoreFull, type(None)]
    assert [entry.body for entry in await store.unrouted(10)] == [b"[1]", b"[2]"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of three megabytes, where the machine lets us have one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    command = [mount or "", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)]
    if mount is None or subprocess.run(command, check=False, capture_output=True).returncode:  # noqa: S603 - ours
        pytest.skip("needs to be allowed to mount")
    yield disk
    subprocess.run([mount.replace("mount", "umount"), str(disk)], check=True)  # noqa: S603 - ours


async def appended_until_full(store: SqliteStore) -> int:
    for kept in range(100):
        try:
            await store.append([arrival(body=BIG)])
        except StoreFull:
            return kept
    pytest.fail("the disk did not fill")


async def test_f6_a_disk_that_is_really_full_keeps_what_was_acknowledged_and_recovers(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1 << 20))
    async with open_sqlite(small_disk / "npsbridge.db", clock=Clock(Wall()), exclusive=True) as store:
        kept = await appended_until_full(store)
        assert (await store.ledger()).accepted == kept == len(await store.unrouted(100))
        ballast.unlink()
        await store.append([arrival(body=BIG)])
        assert (await store.ledger()).accepted == kept + 1


# --- cancelled callers ------------------------------------------------------------------------------------------


async def test_f3_appends_cancelled_at_any_moment_are_whole_or_absent(store: SqliteStore) -> None:
    for steps in range(6):
        pair = [arrival(body=b"[%d]" % steps, count=1)] * 2
        task = asyncio.create_task(store.append(pair, checkpoint=("delighted", b"%d" % steps)))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await store.heartbeat()
    bodies = [entry.body for entry in await store.unrouted(100)]
    assert all(bodies.count(body) == 2 for body in bodies)
    ledger = await store.ledger()
    assert (ledger.accepted, ledger.imbalance) == (len(bodies), 0)


async def test_f3_a_cancelled_read_does_not_disturb_the_next(store: SqliteStore) -> None:
    await store.append([arrival(body=b"[1]")])
    task = asyncio.create_task(store.unrouted(10))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [entry.body for entry in await store.unrouted(10)] == [b"[1]"]


# --- growth -----------------------------------------------------------------------------------------------------


def wal_size(path: Path) -> int:
    return path.with_name(f"{path.name}-wal").stat().st_size


async def test_i17_f12_the_wal_stays_short_while_readers_read(store: SqliteStore, path: Path) -> None:
    biggest = 0
    for _ in range(60):
        await asyncio.gather(store.append([arrival(body=b"x" * 1_000_000)]), store.ledger(), store.depths())
        biggest = max(biggest, wal_size(path))
    assert biggest < 16 << 20


async def test_i17_f12_a_long_reader_from_outside_costs_room_only_while_it_reads(
    store: SqliteStore, path: Path
) -> None:
    outside = sqlite3.connect(path, isolation_level=None)
    outside.execute("BEGIN")
    outside.execute("SELECT count(*) FROM journal").fetchone()
    for _ in range(30):
        await store.append([arrival(body=b"x" * 1_000_000)])
    assert wal_size(path) > 25 << 20
    outside.close()
    for _ in range(3):
        await store.append([arrival()])
    assert wal_size(path) <= 16 << 20


async def test_i17_room_that_retention_frees_is_used_again(store: SqliteStore) -> None:
    sizes = []
    for _ in range(3):
        for _ in range(40):
            await route(store, filtered=1)
            await store.append([arrival(body=BIG)])
            await in_writer(store, "DELETE FROM unrouted")
        while await store.purge(now=START, retention=NOTHING_KEPT):
            pass
        sizes.append((await in_writer(store, "PRAGMA page_count"))[0])
    assert sizes[2] == sizes[1]


async def test_i20_what_retention_deletes_leaves_no_bytes_in_the_files(path: Path) -> None:
    async with open_sqlite(path, clock=Clock(Wall()), exclusive=True) as store:
        secret = b"a comment that nobody may find again"
        await settle(store, await owe(store, planned("m1", body=secret)))
        await route(store, filtered=1)
        await store.append([arrival(body=b"[%s]" % (secret * 1_000))])
        assert b"nobody may find" in path.with_name("npsbridge.db-wal").read_bytes()
        await in_writer(store, "DELETE FROM unrouted")
        while await store.purge(now=START, retention=NOTHING_KEPT):
            pass
    left = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"nobody may find" not in left


# --- the end ----------------------------------------------------------------------------------------------------

CALLS: list[Callable[[SqliteStore], Any]] = [
    lambda store: store.append([arrival()]),
    lambda store: store.unrouted(1),
    lambda store: store.ledger(),
    lambda store: store.heartbeat(),
]


@pytest.mark.parametrize("call", CALLS)
async def test_a_closed_store_refuses(path: Path, call: Callable[[SqliteStore], Any]) -> None:
    async with open_sqlite(path, clock=Clock(Wall()), exclusive=True) as store:
        pass
    with pytest.raises(StoreError, match="closed"):
        await call(store)


async def test_a_store_that_is_closed_is_one_file(path: Path) -> None:
    async with open_sqlite(path, clock=Clock(Wall()), exclusive=True) as store:
        await owe(store, planned("m1"))
    assert {file.name for file in path.parent.iterdir()} == {"npsbridge.db", "npsbridge.db.lock"}


async def test_i6_a_slow_look_does_not_keep_the_line_waiting(store: SqliteStore) -> None:
    slow = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 200000000) SELECT count(*) FROM n"
    look = asyncio.create_task(store._view.rows(slow))
    await asyncio.sleep(0)
    await owe_beside(store)
    assert await ready(store) == ["m1"]
    store._view._is_closing.set()
    with pytest.raises(StoreError, match="interrupted"):
        await look


async def owe_beside(store: SqliteStore) -> None:
    """Owe something without looking at the listing, which is busy."""
    await route(store, deliveries=(planned("m1"),), fanned_out=1)


async def test_closing_does_not_wait_for_a_slow_look(path: Path) -> None:
    slow = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 200000000) SELECT count(*) FROM n"
    async with open_sqlite(path, clock=Clock(Wall()), exclusive=True) as store:
        look = asyncio.create_task(store._view.rows(slow))
        await store.checkpoint("delighted")
    with pytest.raises(StoreError):
        await look


# --- what was written a moment ago --------------------------------------------------------------------------------


async def test_i20_nothing_that_is_owed_stays_in_memory_once_somebody_may_have_been_erased(
    path: Path, store: SqliteStore
) -> None:
    await owe(store, planned("m1"))
    assert not await store.changed_elsewhere()
    assert store._fresh.has_any_for("segment")
    async with open_sqlite(path, clock=Clock(Wall()), exclusive=False) as beside:
        await beside.forget(PersonId(IdKind.EMAIL, "ann@example.com"))
    assert await store.changed_elsewhere()
    assert not store._fresh.has_any_for("segment")
    await owe(store, planned("m2"))
    await store.forget(PersonId(IdKind.EMAIL, "ann@example.com"))
    assert not store._fresh.has_any_for("segment")
    assert await ready(store) == ["m1", "m2"]
