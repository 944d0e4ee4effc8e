import pytest

from contract.store.examples import START, Wall, arrival, owe, planned, ready, remembered, route, settle, shelved
from npsbridge.core.model import State
from npsbridge.core.records import Retention, Routing
from npsbridge.core.storage import Store

DAY = 86_400_000
KEPT = Retention(journal=7 * 86_400, delivered=3 * 86_400, dead=30 * 86_400)


async def purge(store: Store, *, days: float, kept: Retention = KEPT) -> int:
    """Purge until nothing is left to delete, that many days after the start."""
    total = 0
    while deleted := await store.purge(now=START + int(days * DAY), retention=kept):
        total += deleted
    return total


async def left(store: Store) -> set[str]:
    return {delivery.message_id for delivery in await store.deliveries()}


@pytest.mark.parametrize(("state", "days"), [(State.DELIVERED, 3), (State.DEAD, 30), (State.EXPIRED, 30)])
async def test_finished_deliveries_go_when_their_time_is_over(store: Store, state: State, days: int) -> None:
    await settle(store, await owe(store, planned("m1"), planned("m2")), state)
    await owe(store, planned("m3"))
    await purge(store, days=days - 0.01)
    assert await left(store) == {"m1", "m2", "m3"}
    await purge(store, days=days)
    assert await left(store) == {"m3"}


@pytest.mark.parametrize("state", [State.QUEUED, State.WAITING, State.INFLIGHT, State.HELD])
async def test_i7_what_is_owed_or_in_doubt_stays_for_ever(store: Store, state: State) -> None:
    await settle(store, await owe(store, planned("m1")), state, next_attempt_at=START)
    await settle(store, await owe(store, planned("m2")))
    await purge(store, days=3_650)
    assert "m1" in await left(store)


async def test_the_shelf_is_kept_as_long_as_the_dead(store: Store) -> None:
    await store.shelve(shelved("k1"))
    await owe(store, planned("m1"))
    assert await purge(store, days=29) == 1  # the journal entry above
    await purge(store, days=30)
    assert await left(store) == {"m1"}


async def test_only_routed_entries_leave_the_journal(store: Store) -> None:
    await store.append([arrival(body=b"[1]"), arrival(body=b"[2]"), arrival(body=b"[3]")])
    first, second, third = await store.unrouted(10)
    await store.commit_routing([Routing(journal_id=second.id, filtered=1)])
    assert await purge(store, days=8) == 1
    assert await store.unrouted(10) == [first, third]


async def test_young_entries_stay_in_the_journal(store: Store) -> None:
    await route(store, responses=(remembered("1"),), filtered=1)
    await store.append([arrival()])
    await purge(store, days=6.9)
    assert len((await store.trace("1")).entries) == 1


async def test_i2_retention_leaves_the_ledger_as_it_was(store: Store) -> None:
    numbers = await owe(store, *(planned(f"m{n}") for n in range(4)))
    for number, state in zip(numbers, [State.DELIVERED, State.DEAD, State.DUPLICATE], strict=False):
        await settle(store, [number], state)
    await store.shelve(shelved("k1"))
    before = await store.ledger()
    assert await purge(store, days=100) > 0
    assert await store.ledger() == before
    assert before.imbalance == 0


async def test_i17_a_purge_is_bounded_and_says_when_it_is_done(store: Store) -> None:
    await settle(store, await owe(store, *(planned(f"m{n}") for n in range(2_000))))
    await owe(store, planned("last"))
    first = await store.purge(now=START + 9 * DAY, retention=KEPT)
    assert 0 < first < 1_000
    await purge(store, days=9)
    assert await left(store) == {"last"}


async def test_i5_a_number_is_never_given_twice(store: Store, wall: Wall) -> None:
    (before,) = await owe(store, planned("m1"))
    await settle(store, [before])
    await purge(store, days=100)
    wall.ms += 100 * DAY
    (after,) = await owe(store, planned("m2"))
    assert after > before
    assert await ready(store, now=wall.ms, after=before) == ["m2"]


async def test_a_journal_number_is_never_given_twice(store: Store) -> None:
    before = await route(store, filtered=1)
    await purge(store, days=100)
    assert await route(store, filtered=1) > before
