"""A daemon and a command line verb on one store."""

from collections.abc import AsyncIterator

import pytest

from contract.store.examples import arrival, owe, planned, ready, remembered, route, settle
from npsbridge.clock import Clock
from npsbridge.core.model import State
from npsbridge.core.records import Retention
from npsbridge.core.storage import Store
from npsbridge.errors import StoreLocked
from npsbridge.store import open_store


@pytest.fixture
async def beside(store: Store, store_url: str, clock: Clock) -> AsyncIterator[Store]:
    """A second opening of the same store, as a verb has it."""
    del store
    async with open_store(store_url, clock=clock, exclusive=False) as opened:
        yield opened


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_i16_a_second_daemon_on_one_file_is_turned_away(store: Store, store_url: str, clock: Clock) -> None:
    with pytest.raises(StoreLocked, match="another daemon") as refusal:
        async with open_store(store_url, clock=clock):
            pytest.fail("it must not open")
    assert refusal.value.exit_code == 75
    await store.append([arrival()])


@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
async def test_a_second_daemon_on_one_database_is_a_replica(store: Store, store_url: str, clock: Clock) -> None:
    async with open_store(store_url, clock=clock) as replica:
        await replica.append([arrival(body=b"[1]")])
        assert [entry.body for entry in await store.unrouted(9)] == [b"[1]"]


async def test_the_next_daemon_may_open_when_the_first_has_closed(store_url: str, clock: Clock) -> None:
    for _ in range(2):
        async with open_store(store_url, clock=clock) as opened:
            await opened.append([arrival()])


async def test_what_one_writes_the_other_reads(store: Store, beside: Store) -> None:
    await beside.append([arrival(body=b"[1]")])
    await store.append([arrival(body=b"[2]")])
    assert [entry.body for entry in await store.unrouted(9)] == [b"[1]", b"[2]"]
    assert await beside.ledger() == await store.ledger()


async def test_a_verb_settles_what_the_daemon_owes(store: Store, beside: Store) -> None:
    await settle(beside, await owe(store, planned("m1"), planned("m2")), State.QUEUED)
    assert await ready(store) == ["m1", "m2"]


async def test_only_what_another_process_wrote_counts_as_changed_elsewhere(store: Store, beside: Store) -> None:
    await store.append([arrival()])
    assert not await store.changed_elsewhere()
    await beside.note_fact("paused:segment", "yes")
    assert await store.changed_elsewhere()
    assert not await store.changed_elsewhere()


async def test_reading_and_upkeep_of_ones_own_are_no_change(store: Store, beside: Store) -> None:
    for number in range(30):
        body = b"x" * 100_000
        await route(store, count=2, responses=(remembered(str(number)),), duplicates=1, filtered=1)
        await store.append([arrival(body=body)])
    await store.purge(now=1 << 45, retention=Retention(journal=0, delivered=0, dead=0))
    await store.probe()
    await beside.ledger()
    assert not await store.changed_elsewhere()
