from contract.store.examples import (
    arrival,
    held_back,
    owe,
    planned,
    remembered,
    route,
    settle,
    shelved,
)
from npsbridge.clock import Clock
from npsbridge.core.model import State
from npsbridge.core.records import Ledger, Routing
from npsbridge.core.storage import Store
from npsbridge.store import open_store


async def test_i2_records_wait_while_they_are_unrouted(store: Store) -> None:
    await store.append([arrival(count=3), arrival(count=2)])
    assert await store.ledger() == Ledger(accepted=5, waiting=5)


async def test_i2_a_record_that_fans_out_counts_once_for_each_delivery(store: Store) -> None:
    await route(store, count=2, deliveries=tuple(planned(f"m{n}") for n in range(5)), fanned_out=2)
    assert await store.ledger() == Ledger(accepted=5, waiting=5)


async def test_i2_every_record_of_a_page_has_its_line(store: Store) -> None:
    await route(
        store,
        count=7,
        filtered=1,
        duplicates=2,
        settling=1,
        responses=(held_back("1"),),
        shelved=(shelved("k1"), shelved("k2")),
        deliveries=(planned("m1"), planned("m2")),
        fanned_out=1,
    )
    assert await store.ledger() == Ledger(accepted=8, filtered=1, duplicate=2, waiting=3, dead=2)


async def test_i2_a_known_delivery_and_a_known_record_are_duplicates(store: Store) -> None:
    known = {"deliveries": (planned("m1"), planned("m2")), "fanned_out": 1, "shelved": (shelved("k1"),)}
    await route(store, count=2, **known)
    await route(store, count=2, **known)
    assert await store.ledger() == Ledger(accepted=6, waiting=2, dead=1, duplicate=3)


async def test_i2_a_delivery_that_is_not_to_be_sent_is_filtered_from_the_start(store: Store) -> None:
    unsent = planned("m2", connection="heap", filtered_because="no userId")
    for _ in range(2):
        await route(store, deliveries=(planned("m1"), unsent), fanned_out=1)
    assert await store.ledger() == Ledger(accepted=4, waiting=1, filtered=1, duplicate=2)


async def test_i2_what_only_one_of_two_sinks_could_not_say_is_dead_beside_what_the_other_is_owed(store: Store) -> None:
    await route(store, deliveries=(planned("m1"),), shelved=(shelved("k1"),), fanned_out=1, partly_shelved=1)
    assert await store.ledger() == Ledger(accepted=2, waiting=1, dead=1)


async def test_i2_a_release_turns_what_was_held_back_into_what_is_owed(store: Store) -> None:
    await route(store, count=2, responses=(held_back("1"), held_back("2")), settling=2)
    released = Routing(
        journal_id=None,
        responses=(remembered("1"), remembered("2")),
        deliveries=(planned("m1"), planned("m2"), planned("m3")),
        settling=-2,
        fanned_out=2,
    )
    await store.commit_routing([released])
    assert await store.ledger() == Ledger(accepted=3, waiting=3)


async def test_i2_settled_deliveries_move_to_the_line_of_their_state(store: Store) -> None:
    finished = [State.DELIVERED, State.DEAD, State.FILTERED, State.DUPLICATE, State.EXPIRED, State.ERASED, State.HELD]
    numbers = await owe(store, *(planned(f"m{n}") for n in range(len(finished) + 1)))
    for number, state in zip(numbers, finished, strict=False):
        await settle(store, [number], state)
    lines = {state.value: 1 for state in finished}
    assert await store.ledger() == Ledger(accepted=8, waiting=1, **lines)


async def test_i2_an_unreadable_page_is_accepted_and_dead_once(store: Store) -> None:
    for _ in range(3):
        await store.shelve(shelved("k1"))
    assert await store.ledger() == Ledger(accepted=1, dead=1)
    (item,) = await store.deliveries()
    assert (item.state, item.attempts, item.reason) == (State.DEAD, 3, "/score: no number")


async def test_i2_a_record_that_no_decision_accounts_for_is_seen_as_lost(store: Store) -> None:
    await route(store, count=3, filtered=1)
    assert (await store.ledger()).imbalance == 2


async def test_i2_records_said_to_be_fanned_out_into_nothing_are_seen_as_lost(store: Store) -> None:
    await route(store, count=3, fanned_out=3, deliveries=(planned("m1"),))
    assert (await store.ledger()).imbalance == 2


async def test_i2_a_record_counted_twice_is_seen(store: Store) -> None:
    await route(store, count=1, filtered=1, duplicates=1)
    assert (await store.ledger()).imbalance == -1


async def test_i2_the_ledger_outlives_the_process(store_url: str, clock: Clock) -> None:
    async with open_store(store_url, clock=clock) as before:
        await settle(before, (await owe(before, planned("m1"), planned("m2")))[:1])
    async with open_store(store_url, clock=clock) as after:
        assert await after.ledger() == Ledger(accepted=2, delivered=1, waiting=1)
