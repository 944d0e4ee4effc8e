import asyncio

from contract.store.examples import START, arrival, remembered
from npsbridge.clock import Clock
from npsbridge.core.records import Origin, Routing
from npsbridge.core.storage import Store
from npsbridge.store import open_store


async def test_what_was_appended_is_unrouted_in_the_order_of_arrival(store: Store) -> None:
    await store.append([arrival(body=b"[1]"), arrival(body=b"[2]")])
    await store.append([arrival(body=b"[3]")])
    entries = await store.unrouted(10)
    assert [entry.body for entry in entries] == [b"[1]", b"[2]", b"[3]"]
    assert [entry.id for entry in entries] == sorted({entry.id for entry in entries})


async def test_an_entry_is_the_arrival_with_a_number(store: Store) -> None:
    given = arrival("retently", count=3, body=b"[\x00\xff]", at=START + 7)
    await store.append([given])
    (entry,) = await store.unrouted(10)
    assert (entry.connection, entry.origin, entry.count) == ("retently", Origin.POLL, 3)
    assert (entry.body, entry.received_at) == (given.body, START + 7)


async def test_unrouted_gives_the_oldest_entries_up_to_its_limit(store: Store) -> None:
    await store.append([arrival(body=b"[%d]" % number) for number in range(5)])
    assert [entry.body for entry in await store.unrouted(2)] == [b"[0]", b"[1]"]


async def test_a_connection_that_never_stored_a_checkpoint_has_none(store: Store) -> None:
    await store.append([], checkpoint=("retently", b"x"))
    assert await store.checkpoint("delighted") is None


async def test_the_last_checkpoint_of_each_connection_counts(store: Store) -> None:
    await store.append([arrival()], checkpoint=("delighted", b"one"))
    await store.append([], checkpoint=("retently", b"other"))
    await store.append([arrival()], checkpoint=("delighted", b"\x00two"))
    assert await store.checkpoint("delighted") == b"\x00two"
    assert await store.checkpoint("retently") == b"other"


async def test_i3_many_callers_at_once_lose_nothing_and_mix_nothing(store: Store) -> None:
    bodies = [b"[%d]" % number for number in range(200)]
    await asyncio.gather(*(store.append([arrival(body=body), arrival(body=body)]) for body in bodies))
    found = [entry.body for entry in await store.unrouted(1_000)]
    assert found == [body for body in bodies for _ in range(2)]


async def test_i11_arrivals_and_checkpoint_outlive_the_process_together(store_url: str, clock: Clock) -> None:
    async with open_store(store_url, clock=clock) as before:
        await before.append([arrival(body=b"[7]")], checkpoint=("delighted", b"seven"))
    async with open_store(store_url, clock=clock) as after:
        assert await after.checkpoint("delighted") == b"seven"
        assert [entry.body for entry in await after.unrouted(10)] == [b"[7]"]


async def test_a_routed_entry_is_no_longer_unrouted(store: Store) -> None:
    await store.append([arrival(body=b"[1]"), arrival(body=b"[2]")])
    first, second = await store.unrouted(10)
    await store.commit_routing([Routing(journal_id=first.id, filtered=1)])
    assert await store.unrouted(10) == [second]


async def test_i4_a_routing_of_an_entry_that_was_consumed_is_left_out_as_a_whole(store: Store) -> None:
    await store.append([arrival()])
    (entry,) = await store.unrouted(10)
    await store.commit_routing([Routing(journal_id=entry.id, filtered=1)])
    again = Routing(journal_id=entry.id, filtered=1, responses=(remembered("9"),), newest={"ann": 1})
    await store.commit_routing([again])
    known = await store.recall("delighted", responses=["9"], people=["ann"], emails=[])
    assert (known.responses, known.newest) == ({}, {})
    assert (await store.ledger()).filtered == 1


async def test_large_entries_are_read_a_few_at_a_time_and_at_least_one(store: Store) -> None:
    large = [arrival(body=b'["%d' % number + b"x" * size + b'"]') for number, size in enumerate((9 << 20, 9 << 20, 1))]
    await store.append(large)
    assert [entry.body for entry in await store.unrouted(10)] == [large[0].body]
