"""Which loops a daemon has, and how they start and stop."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import anyio
import pytest

from contract.store.examples import remembered
from npsbridge.app.loops import Loops, make_loops
from npsbridge.app.parts import Parts
from npsbridge.core.familiar import Familiar, Met, Pair
from npsbridge.core.keys import normalised_email
from npsbridge.core.model import Delivery, Response
from npsbridge.core.outcome import Delivered, Outcome
from npsbridge.engine.upkeep import LOOK_EVERY
from npsbridge.errors import StoreError
from npsbridge.platforms import settings_classes
from npsbridge.settings import load
from unit.engine.doubles import MemoryStore, ScriptedDestination, ScriptedSource, a_delivery, seams_of

SETTINGS = load(settings_classes(), environ={})


class Hanging(ScriptedDestination):
    """Takes so many seconds for a batch."""

    def __init__(self, seconds: float) -> None:
        super().__init__(Delivered())
        self.seconds = seconds

    async def deliver(self, batch: Sequence[Delivery]) -> list[Outcome]:
        await asyncio.sleep(self.seconds)
        return await super().deliver(batch)


def loops_of(store: MemoryStore, parts: Parts) -> Loops:
    return make_loops(SETTINGS, parts, seams_of(store))


def test_there_is_a_loop_for_every_part() -> None:
    loops = loops_of(MemoryStore(), Parts(sources=[ScriptedSource()], sinks=[ScriptedDestination()]))
    assert set(loops.own) == {"listen", "budgets"}
    assert set(loops.feeding) == {"purge", "router", "poll shop"}
    assert set(loops.lanes) == {"forward sink"}


def test_without_a_sink_nothing_is_routed() -> None:
    loops = loops_of(MemoryStore(), Parts())
    assert set(loops.feeding) == {"purge"}


@pytest.mark.looptime
@pytest.mark.parametrize(("takes", "delivered", "ends_at"), [(3.0, 1, 3.0), (100.0, 0, 11.0)])
async def test_i18_attempts_under_way_get_their_time_and_no_more(takes: float, delivered: int, ends_at: float) -> None:
    store = MemoryStore()
    store.owed = {1: a_delivery(1)}
    loops = loops_of(store, Parts(sinks=[Hanging(takes)]))
    async with anyio.create_task_group() as group:
        loops.start_lanes(group)
        await asyncio.sleep(1)
        loops.stop_lanes(group, within=10.0)
    assert len(store.settlements) == delivered
    assert asyncio.get_running_loop().time() == ends_at


@pytest.mark.looptime
async def test_f4_a_loop_that_fails_is_counted_under_its_name() -> None:
    store = MemoryStore()
    loops = loops_of(store, Parts(sources=[ScriptedSource([ValueError("a mistake of ours")])], sinks=[]))
    async with anyio.create_task_group() as group:
        loops.start_feeding(group)
        await asyncio.sleep(10)
        group.cancel_scope.cancel()
    sample = loops.seams.metrics.registry.get_sample_value
    assert sample("npsbridge_task_restarts_total", {"task": "poll shop"}) == 1


@pytest.mark.looptime
async def test_f7_a_failing_disk_ends_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail() -> bool:
        raise StoreError("the disk failed")

    store = MemoryStore()
    monkeypatch.setattr(store, "changed_elsewhere", fail)
    loops = loops_of(store, Parts(sources=[ScriptedSource()], sinks=[ScriptedDestination()]))
    with pytest.raises(ExceptionGroup) as raised:
        async with anyio.create_task_group() as group:
            loops.start_feeding(group)
    assert raised.group_contains(StoreError, match="the disk failed")


@pytest.mark.looptime
async def test_i20_records_that_were_read_lately_are_gone_from_memory_once_somebody_was_erased() -> None:
    read: list[bytes] = []

    def parse(connection: str, record: bytes) -> Response:
        read.append(record)
        return remembered("1", connection=connection).response

    store = MemoryStore()
    loops = loops_of(store, Parts(parsers={"shop": parse}))
    listening = asyncio.ensure_future(loops.own["listen"]())
    lately = loops.intake._parsers["shop"]
    for _ in range(2):
        lately("shop", b"ann@example.org")
    assert normalised_email(" Ann@example.org ") == "ann@example.org"
    assert (len(read), normalised_email.cache_info().currsize > 0) == (1, True)
    store.erased += 1
    await asyncio.sleep(LOOK_EVERY + 0.5)
    assert normalised_email.cache_info().currsize == 0
    lately("shop", b"ann@example.org")
    assert len(read) == 2
    listening.cancel()


@pytest.mark.looptime
async def test_i20_whose_calls_need_but_a_glance_are_gone_from_memory_before_the_next_call_comes() -> None:
    store = MemoryStore()
    loops = loops_of(store, Parts(sinks=[ScriptedDestination()]))
    router = cast("Any", loops.feeding["router"]).__self__
    familiar: Familiar = router._desk.calls._familiar
    familiar.commit([Met(person="person:1", pair=Pair("u1", "a1"), message_id="m1", is_news=True)], [])
    listening = asyncio.ensure_future(loops.own["listen"]())
    await asyncio.sleep(LOOK_EVERY + 0.5)
    assert familiar._pairs == {Pair("u1", "a1"): "person:1"}
    store.erased += 1
    await asyncio.sleep(LOOK_EVERY)
    assert (familiar._pairs, familiar._people) == ({}, {})
    listening.cancel()
