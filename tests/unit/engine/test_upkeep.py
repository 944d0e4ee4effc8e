"""Forgetting what is past its retention, and noticing what others wrote."""

import asyncio

import pytest

from npsbridge.core.records import Retention
from npsbridge.engine.bell import Bell
from npsbridge.engine.upkeep import BETWEEN_CHUNKS, LOOK_EVERY, PURGE_EVERY, Upkeep
from unit.engine.doubles import MemoryStore, seams_of

pytestmark = pytest.mark.looptime


def an_upkeep(store: MemoryStore, *bells: Bell) -> Upkeep:
    return Upkeep(seams_of(store), retention=Retention(journal=1, delivered=1, dead=1), bells=bells)


async def test_what_is_old_is_deleted_chunk_by_chunk() -> None:
    store = MemoryStore()
    store.purged = [0, 5, 500, 500]
    running = asyncio.create_task(an_upkeep(store).purge())
    await asyncio.sleep(4 * BETWEEN_CHUNKS)
    assert store.purged == []
    running.cancel()


async def test_it_looks_again_after_a_while() -> None:
    store = MemoryStore()
    running = asyncio.create_task(an_upkeep(store).purge())
    await asyncio.sleep(1)
    store.purged = [0, 7]
    await asyncio.sleep(PURGE_EVERY - 2)
    assert len(store.purged) == 2
    await asyncio.sleep(2)
    assert store.purged == []
    running.cancel()


async def test_f6_deleting_that_finds_no_room_is_tried_later() -> None:
    store = MemoryStore()
    store.full = {"purge"}
    store.purged = [7]
    running = asyncio.create_task(an_upkeep(store).purge())
    await asyncio.sleep(1)
    store.full.clear()
    await asyncio.sleep(PURGE_EVERY)
    assert store.purged == []
    running.cancel()


async def test_every_bell_rings_when_another_process_has_written() -> None:
    store, bells = MemoryStore(), [Bell(), Bell()]
    running = asyncio.create_task(an_upkeep(store, *bells).listen())
    store.changes = [True, False]
    await asyncio.sleep(LOOK_EVERY + 0.5)
    assert [await bell.wait(0) for bell in bells] == [False, False]
    await asyncio.sleep(LOOK_EVERY)
    assert [await bell.wait(0) for bell in bells] == [True, True]
    running.cancel()


async def test_i20_once_somebody_was_erased_nobody_is_kept_in_memory() -> None:
    store, forgotten = MemoryStore(), list[str]()
    keep = Retention(journal=1, delivered=1, dead=1)
    upkeep = Upkeep(seams_of(store), retention=keep, bells=(), forget=lambda: forgotten.append("all"))
    running = asyncio.create_task(upkeep.listen())
    await asyncio.sleep(LOOK_EVERY + 0.5)
    assert forgotten == []
    store.erased = 1
    await asyncio.sleep(LOOK_EVERY)
    assert forgotten == ["all"]
    await asyncio.sleep(3 * LOOK_EVERY)
    assert forgotten == ["all"]
    running.cancel()
