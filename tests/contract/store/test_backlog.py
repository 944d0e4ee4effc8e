"""What waits before it is a delivery, what waits longest, and what the store takes."""

from contract.store.examples import START, Wall, arrival, held_back, owe, planned, route, settle
from contract.store.test_calls import waiting
from npsbridge.core.model import State
from npsbridge.core.records import Backlog
from npsbridge.core.storage import Store


async def test_an_empty_store_has_no_backlog(store: Store) -> None:
    assert await store.backlog() == Backlog()


async def test_what_is_not_routed_counts_by_record_and_has_the_age_of_its_first_entry(store: Store) -> None:
    await store.append([arrival(count=3, at=START + 5), arrival(count=4, at=START + 9)])
    assert await store.backlog() == Backlog(unrouted=7, oldest_unrouted=START + 5)
    await route(store, filtered=1)
    assert (await store.backlog()).unrouted == 7


async def test_held_back_answers_and_calls_that_wait_are_counted(store: Store) -> None:
    await route(store, responses=(held_back(),), settling=1)
    await route(store, awaited=(waiting("m1"), waiting("m2"), waiting("m1", connection="promoter")), fanned_out=1)
    assert await store.backlog() == Backlog(settling=1, awaited={waiting().connection: 2, "promoter": 1})


async def test_the_oldest_delivery_in_doubt_is_told_by_connection(store: Store, wall: Wall) -> None:
    numbers = await owe(store, planned("a", connection="delighted"))
    wall.ms += 1000
    numbers += await owe(store, planned("b", connection="delighted"), planned("c", connection="promoter"))
    await owe(store, planned("d", connection="segment"))
    await settle(store, numbers, State.HELD, reason="in doubt")
    assert (await store.backlog()).oldest_held == {"delighted": START, "promoter": START + 1000}
    await settle(store, numbers, State.DELIVERED)
    assert await store.confirm(numbers, because="seen at the vendor's") == 3
    assert (await store.backlog()).oldest_held == {}


async def test_the_store_takes_room_and_knows_what_is_left(store: Store) -> None:
    size = await store.size()
    assert size.database > 0
    assert size.log is None or size.log >= 0
    assert size.free is None or size.free > 0
