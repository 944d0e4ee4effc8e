"""Leases, fences and shared limits, on a real database and with two openings of it."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

import databases
from contract.store.examples import arrival, owe, planned, route, settle
from npsbridge.clock import Clock
from npsbridge.core.leases import Lease, Replica, under
from npsbridge.core.model import State
from npsbridge.core.records import Origin, Routing
from npsbridge.core.storage import Store
from npsbridge.errors import LeaseLost
from npsbridge.store import open_store

A_MINUTE = 60.0


def me(name: str) -> Replica:
    return Replica(id=name, host=name, version="1", settings="x", works=("poll shop", "router"), started_at=1)


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    async with open_store(databases.postgres_url(), clock=Clock()) as opened:
        yield opened


def lease(name: str, fence: int) -> Lease:
    return Lease(name, fence, lambda: True)


async def test_i16_a_lease_has_one_holder(store: Store) -> None:
    took = await asyncio.gather(
        *(store.leases.take(["router", "poll shop"], holder=name, seconds=A_MINUTE) for name in "abcdef")
    )
    assert sorted(name for one in took for name in one) == ["poll shop", "router"]


async def test_what_all_replicas_have_booked_is_told_as_long_as_it_counts(store: Store) -> None:
    for _ in range(3):
        await store.leases.book("shop", limit=2, seconds=A_MINUTE)
    await store.leases.book("bank", limit=2, seconds=0.001)
    await asyncio.sleep(0.01)
    assert await store.leases.booked() == {"shop": 3, "bank": 0}


async def test_a_lease_that_is_not_renewed_goes_to_the_next_with_a_larger_fence(store: Store) -> None:
    first = await store.leases.take(["router"], holder="a", seconds=0.0)
    await asyncio.sleep(0.01)
    second = await store.leases.take(["router"], holder="b", seconds=A_MINUTE)
    assert second["router"] > first["router"]
    seen = await store.leases.announce(me("a"), first, seconds=A_MINUTE)
    assert [(one.name, one.holder, one.fence) for one in seen.holdings] == [("router", "b", second["router"])]


async def test_a_lease_that_ran_out_unnoticed_is_renewed_while_nobody_took_it(store: Store) -> None:
    held = await store.leases.take(["router"], holder="a", seconds=0.0)
    seen = await store.leases.announce(me("a"), held, seconds=A_MINUTE)
    assert [(one.holder, one.fence) for one in seen.holdings] == [("a", held["router"])]


async def test_what_is_given_back_is_free_at_once_and_only_by_its_holder(store: Store) -> None:
    held = await store.leases.take(["router"], holder="a", seconds=A_MINUTE)
    await store.leases.give_back({"router": held["router"] - 1})
    assert await store.leases.take(["router"], holder="b", seconds=A_MINUTE) == {}
    await store.leases.give_back(held)
    assert set(await store.leases.take(["router"], holder="b", seconds=A_MINUTE)) == {"router"}


async def test_who_is_not_heard_of_is_left_out(store: Store) -> None:
    await store.leases.announce(me("a"), {}, seconds=A_MINUTE)
    seen = await store.leases.announce(me("b"), {}, seconds=A_MINUTE)
    assert [one.id for one in seen.replicas] == ["a", "b"]
    assert seen.replicas[0].works == ("poll shop", "router")
    await store.leases.leave("a")
    assert [one.id for one in (await store.leases.fleet(seconds=A_MINUTE)).replicas] == ["b"]
    await asyncio.sleep(0.01)
    assert (await store.leases.fleet(seconds=0.0)).replicas == ()


async def test_i16_nothing_is_written_under_a_lease_that_another_has_taken(store: Store) -> None:
    numbers = await owe(store, planned("m1"))
    await store.append([arrival()])
    (entry,) = await store.unrouted(1)
    old = lease("router", (await store.leases.take(["router"], holder="a", seconds=0.0))["router"])
    await asyncio.sleep(0.01)
    await store.leases.take(["router"], holder="b", seconds=A_MINUTE)
    with under(old):
        for write in (
            store.append([arrival()], checkpoint=("shop", b"late")),
            store.commit_routing([Routing(journal_id=entry.id, filtered=1)]),
            settle(store, numbers, State.INFLIGHT),
        ):
            with pytest.raises(LeaseLost, match="router"):
                await write
    assert await store.checkpoint("shop") is None
    assert [one.state for one in await store.deliveries()] == [State.QUEUED]
    assert (await store.ledger()).accepted == 2


async def test_what_is_written_under_a_good_lease_is_kept_and_a_renewal_does_not_wait_for_it(store: Store) -> None:
    held = await store.leases.take(["poll shop"], holder="a", seconds=A_MINUTE)
    with under(lease("poll shop", held["poll shop"])):
        writes = [store.append([arrival()], checkpoint=("shop", str(n).encode())) for n in range(20)]
        renewals = [store.leases.announce(me("a"), held, seconds=A_MINUTE) for _ in range(5)]
        await asyncio.gather(*writes, *renewals)
    assert (await store.ledger()).accepted == 20


async def test_a_limit_is_shared_by_all_and_never_passed_in_any_window(store: Store) -> None:
    waits = await asyncio.gather(*(store.leases.book("shop", limit=3, seconds=A_MINUTE) for _ in range(7)))
    assert [round(wait / A_MINUTE) for wait in sorted(waits)] == [0, 0, 0, 1, 1, 1, 2]
    assert await store.leases.book("other", limit=3, seconds=A_MINUTE) == 0.0


async def test_a_booking_leaves_its_window(store: Store) -> None:
    for _ in range(3):
        assert await store.leases.book("shop", limit=1, seconds=0.02) <= 0.02
        await asyncio.sleep(0.05)


async def test_a_webhook_at_another_replica_is_heard_of(store: Store) -> None:
    before = await store.heard("delighted")
    await route(store, filtered=1)
    assert await store.heard("delighted") == before == 0
    await store.append([msgspec.structs.replace(arrival(body=b"[1]"), origin=Origin.WEBHOOK), arrival(body=b"[2]")])
    await store.append([msgspec.structs.replace(arrival("shop"), origin=Origin.WEBHOOK)])
    [entry] = await store.webhooks("delighted", after=before, limit=9)
    assert (entry.id, entry.body) == (await store.heard("delighted"), b"[1]")
    assert await store.webhooks("delighted", after=entry.id, limit=9) == []
