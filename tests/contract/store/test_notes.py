import pytest

from contract.store.examples import START, owe, planned, remembered, route, settle, shelved
from npsbridge.core.model import State
from npsbridge.core.records import Health
from npsbridge.core.storage import Store


def health(state: str, direction: str = "pull", connection: str = "delighted") -> Health:
    return Health(connection=connection, direction=direction, state=state, reason="why", since=START)


async def test_the_last_note_of_each_direction_stands(store: Store) -> None:
    for note in (health("retrying"), health("paused", "forward"), health("connected")):
        await store.note_health(note)
    assert await store.health() == [health("paused", "forward"), health("connected")]


async def test_facts_are_kept_by_name(store: Store) -> None:
    for name, value in (("a", "1"), ("b", "2"), ("a", "3")):
        await store.note_fact(name, value)
    assert dict(await store.facts()) == {"a": "3", "b": "2"}


async def test_hints_are_kept_in_order_until_they_are_forgotten(store: Store) -> None:
    await store.note_hints("shop", ["b", "a"], heard_at=START)
    await store.note_hints("shop", ["a", "c"], heard_at=START + 1)
    await store.note_hints("other", ["a"], heard_at=START)
    await store.forget_hints("shop", ["b"])
    assert [(one.hint, one.heard_at) for one in await store.hints("shop", 10)] == [("a", START), ("c", START + 1)]
    assert [one.hint for one in await store.hints("shop", 1)] == ["a"]
    assert [one.hint for one in await store.hints("other", 10)] == ["a"]


async def test_a_healthy_store_answers_its_heartbeat_and_its_probe(store: Store) -> None:
    before = await store.ledger()
    await store.heartbeat()
    await store.probe()
    assert await store.ledger() == before


# --- tracing ----------------------------------------------------------------------------------------------------


async def traceable(store: Store) -> int:
    """Two persons with a response each, one of them with two deliveries; returns the journal entry of that one."""
    entry = await route(
        store,
        responses=(remembered("1", email="Ann@Example.com"),),
        deliveries=(planned("m1", subject="delighted/1"), planned("m2", subject="delighted/1")),
        fanned_out=1,
    )
    await route(store, responses=(remembered("2", email="bob@example.com"),), filtered=1)
    await owe(store, planned("m3", subject="delighted/2"))
    return entry


@pytest.mark.parametrize("key", ["ann@example.com", "ANN@example.com ", "1"])
async def test_a_person_or_a_response_is_traced_from_arrival_to_delivery(store: Store, key: str) -> None:
    entry = await traceable(store)
    trace = await store.trace(key)
    assert [one.response.id for one in trace.responses] == ["1"]
    assert [delivery.message_id for delivery in trace.deliveries] == ["m1", "m2"]
    assert [one.id for one in trace.entries] == [entry]


async def test_a_message_is_traced_by_its_id_alone(store: Store) -> None:
    entry = await traceable(store)
    trace = await store.trace("m2")
    assert [one.response.id for one in trace.responses] == ["1"]
    assert [delivery.message_id for delivery in trace.deliveries] == ["m2"]
    assert [one.id for one in trace.entries] == [entry]


async def test_a_message_that_is_finished_is_traced_as_well(store: Store) -> None:
    await settle(store, await owe(store, planned("m1", connection="heap")), State.DEAD, reason="no")
    (delivery,) = (await store.trace("m1")).deliveries
    assert (delivery.state, delivery.reason) == (State.DEAD, "no")


async def test_an_item_on_the_shelf_is_traced_by_its_key(store: Store) -> None:
    entry = await route(store, shelved=(shelved("k1"),))
    trace = await store.trace("k1")
    assert [delivery.body for delivery in trace.deliveries] == [shelved().body]
    assert [one.id for one in trace.entries] == [entry]


async def test_nothing_is_known_of_a_stranger(store: Store) -> None:
    await traceable(store)
    trace = await store.trace("eve@example.com")
    assert (trace.entries, trace.responses, trace.deliveries) == ([], [], [])
