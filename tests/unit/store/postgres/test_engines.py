"""What engines beside PostgreSQL that speak its language lack, or do otherwise; the server is a real one."""

import asyncio

import pytest

import databases
from contract.store.examples import arrival, owe, planned, settle
from engines import Conflicts, rewritten, without_listening
from npsbridge.clock import Clock
from npsbridge.core.model import State
from npsbridge.core.records import Routing
from npsbridge.errors import StoreUnavailable
from npsbridge.store import open_store
from npsbridge.store.postgres import connections, news


async def test_without_listen_and_notify_others_are_looked_for_every_second(monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        rewritten(databases.postgres_url(), without_listening) as url,
        open_store(url, clock=Clock()) as store,
        open_store(url, clock=Clock(), exclusive=False) as verb,
    ):
        await verb.append([arrival()])
        assert len(await store.unrouted(10)) == 1
        assert [await store.changed_elsewhere() for _ in range(3)] == [True, False, False]
        monkeypatch.setattr(news, "LOOK_EVERY", 0.0)
        assert [await store.changed_elsewhere() for _ in range(2)] == [True, True]


async def test_with_notify_and_without_listen_nothing_is_told() -> None:
    asked: list[bytes] = []

    def rewrite(kind: bytes, content: bytes) -> bytes:
        del kind
        asked.append(content)
        return content.replace(b"LISTEN ", b"LISSEN ")

    async with rewritten(databases.postgres_url(), rewrite) as url, open_store(url, clock=Clock()) as store:
        await store.append([arrival()])
    assert not any(b"pg_notify" in one for one in asked)


async def test_without_notify_a_write_is_kept_all_the_same() -> None:
    def rewrite(kind: bytes, content: bytes) -> bytes:
        del kind
        return content.replace(b"pg_notify", b"no_notify")

    async with (
        rewritten(databases.postgres_url(), rewrite) as url,
        open_store(url, clock=Clock(), exclusive=False) as verb,
    ):
        await verb.note_fact("colour", "green")
        assert await verb.facts() == {"colour": "green"}
        assert await verb.changed_elsewhere()


async def test_an_engine_that_cannot_tell_the_size_of_a_table_is_no_trouble() -> None:
    def rewrite(kind: bytes, content: bytes) -> bytes:
        del kind
        return content.replace(b"pg_total_relation_size", b"no_total_relation_size")

    async with rewritten(databases.postgres_url(), rewrite) as url, open_store(url, clock=Clock()) as store:
        assert (await store.size()).database == 0
    async with open_store(databases.postgres_url(), clock=Clock()) as store:
        assert (await store.size()).database > 0


async def test_i2_a_transaction_that_met_others_is_run_again_and_counts_once() -> None:
    conflicts = Conflicts(3)
    async with rewritten(databases.postgres_url(), conflicts) as url, open_store(url, clock=Clock()) as store:
        numbers = await owe(store, planned("m1"), planned("m2"))
        await settle(store, numbers[:1], State.DELIVERED)
        await store.append([arrival()], checkpoint=("shop", b"1"))
        ledger = await store.ledger()
        assert (ledger.accepted, ledger.delivered, ledger.imbalance) == (3, 1, 0)
        assert await store.checkpoint("shop") == b"1"
        assert await store.leases.take(["router"], holder="a", seconds=60.0) == {"router": 1}


async def test_a_conflict_that_never_ends_is_told_after_some_tries_and_nothing_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "_WAIT_SECONDS", 0.0)
    conflicts = Conflicts(1_000)
    async with rewritten(databases.postgres_url(), conflicts) as url, open_store(url, clock=Clock()) as store:
        with pytest.raises(StoreUnavailable, match="others write the same"):
            await store.note_fact("colour", "green")
        assert conflicts.refused == connections.TRIES
        assert await store.facts() == {}


async def test_i2_i5_where_every_transaction_is_serializable_nothing_is_lost_or_counted_twice() -> None:
    """As on CockroachDB, whose transactions are so unless it is told otherwise."""
    url = databases.postgres_url() + "&default_transaction_isolation=serializable"
    async with open_store(url, clock=Clock()) as one, open_store(url, clock=Clock()) as other:
        stores = (one, other)
        await asyncio.gather(*(stores[n % 2].append([arrival()]) for n in range(40)))
        entries = await one.unrouted(100)
        routings = [
            Routing(journal_id=entry.id, deliveries=(planned(f"m{n}", f"p{n % 3}"),), fanned_out=1)
            for n, entry in enumerate(entries)
        ]
        await asyncio.gather(*(stores[n % 2].commit_routing([routing]) for n, routing in enumerate(routings)))
        owed = await one.claim("segment", now=1, limit=100)
        await asyncio.gather(*(settle(stores[n % 2], [delivery.id]) for n, delivery in enumerate(owed)))
        ledger = await one.ledger()
        assert (ledger.accepted, ledger.delivered, ledger.imbalance) == (40, 40, 0)
