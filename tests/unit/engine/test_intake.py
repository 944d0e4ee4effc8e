"""The door: what is new is journaled with its checkpoint, what is known costs nothing."""

import asyncio

import orjson
import pytest

from contract.store.examples import response
from end_to_end.harness import log_kept
from npsbridge.core.envelope import CallSource
from npsbridge.core.leases import Lease, under
from npsbridge.core.model import Response
from npsbridge.core.ports import Page
from npsbridge.core.records import Origin
from npsbridge.engine.intake import MOST_WEBHOOKS, REMEMBERED, Intake
from npsbridge.engine.lead import LONGEST_WAIT, Lead
from npsbridge.errors import StoreFull
from unit.engine.doubles import NOW, MemoryStore, seams_of


def page(*records: bytes, checkpoint: bytes = b"1", backfilling: bool = False) -> Page:
    return Page(records=list(records), checkpoint=checkpoint, backfilling=backfilling)


async def test_a_page_is_journaled_with_its_checkpoint_and_rings() -> None:
    store, bell = MemoryStore(), Lead(1_000)
    assert await Intake(seams_of(store), bell).page("shop", page(b'{"id":1}', b'{"id":2}')) == 2
    [arrival] = store.arrivals
    assert orjson.loads(arrival.body) == [{"id": 1}, {"id": 2}]
    assert (arrival.connection, arrival.origin, arrival.count) == ("shop", Origin.POLL, 2)
    assert arrival.received_at == NOW
    assert store.checkpoints == {"shop": b"1"}
    assert await bell.wait(0)


async def test_history_is_journaled_as_such() -> None:
    store = MemoryStore()
    await Intake(seams_of(store), Lead(1_000)).page("shop", page(b"{}", backfilling=True))
    assert store.arrivals[0].origin is Origin.BACKFILL


async def test_a_record_that_came_before_is_left_out() -> None:
    store = MemoryStore()
    intake = Intake(seams_of(store), Lead(1_000))
    await intake.page("shop", page(b'{"id":1}'))
    assert await intake.page("shop", page(b'{"id":1}', b'{"id":2}', checkpoint=b"2")) == 1
    assert store.arrivals[1].body == b'[{"id":2}]'


async def test_the_same_record_of_another_connection_is_new() -> None:
    store = MemoryStore()
    intake = Intake(seams_of(store), Lead(1_000))
    await intake.page("shop", page(b"{}"))
    assert await intake.page("other", page(b"{}")) == 1


async def test_a_record_that_stands_twice_on_a_page_is_taken_once() -> None:
    store = MemoryStore()
    assert await Intake(seams_of(store), Lead(1_000)).page("shop", page(b"{}", b"{}")) == 1


async def test_nothing_new_writes_nothing() -> None:
    store, bell = MemoryStore(), Lead(1_000)
    intake = Intake(seams_of(store), bell)
    await intake.page("shop", page(b"{}"))
    await bell.wait(0)
    store.full = {"append"}
    assert await intake.page("shop", page(b"{}")) == 0
    assert not await bell.wait(0)


async def test_a_checkpoint_that_moves_alone_is_kept() -> None:
    store = MemoryStore()
    intake = Intake(seams_of(store), Lead(1_000))
    await intake.page("shop", page(checkpoint=b"1"))
    await intake.page("shop", page(checkpoint=b"2"))
    assert store.checkpoints == {"shop": b"2"}
    assert store.arrivals == []


async def test_f6_what_found_no_room_is_new_the_next_time() -> None:
    store = MemoryStore()
    intake = Intake(seams_of(store), Lead(1_000))
    store.full = {"append"}
    with pytest.raises(StoreFull):
        await intake.page("shop", page(b"{}"))
    store.full = set()
    assert await intake.page("shop", page(b"{}")) == 1


async def test_f6_a_full_store_is_two_lines_however_many_call_meanwhile() -> None:
    store = MemoryStore()
    intake = Intake(seams_of(store), Lead(1_000))
    with log_kept("INFO") as told:
        await intake.calls(b"{}", 1, CallSource.SDK)
        store.full = {"append"}
        for _ in range(3):
            with pytest.raises(StoreFull):
                await intake.calls(b"{}", 1, CallSource.SDK)
            with pytest.raises(StoreFull):
                await intake.webhook("shop", [b"{}"])
        store.full = set()
        for _ in range(2):
            await intake.calls(b"{}", 1, CallSource.SDK)
    assert [(line.level, line.message) for line in told] == [
        ("ERROR", "What arrives cannot be stored; callers have to come again"),
        ("INFO", "What arrives is stored again"),
    ]
    assert told[0].extra["reason"]


async def test_what_is_remembered_has_a_limit() -> None:
    store = MemoryStore()
    intake = Intake(seams_of(store), Lead(1_000))
    await intake.page("shop", page(b"first"))
    await intake.page("shop", page(*(b"%d" % number for number in range(REMEMBERED))))
    assert await intake.page("shop", page(b"first", b"%d" % (REMEMBERED - 1))) == 1


async def test_a_webhook_is_journaled_without_a_checkpoint() -> None:
    store, bell = MemoryStore(), Lead(1_000)
    await Intake(seams_of(store), bell).webhook("shop", [b'{"id":1}'])
    assert [(arrival.origin, arrival.count) for arrival in store.arrivals] == [(Origin.WEBHOOK, 1)]
    assert store.checkpoints == {}
    assert await bell.wait(0)


# --- other replicas ---------------------------------------------------------------------------------------------


NINE, TWO, OTHER = b'{"id":1,"score":9}', b'{"id":1,"score":2}', b'{"id":2,"score":5}'


def respondent(connection: str, record: bytes) -> Response:
    found = orjson.loads(record)
    return response(str(found["id"]), connection, score=found["score"])


def among_replicas() -> tuple[MemoryStore, Intake]:
    """A store that others share, and the intake of one replica."""
    store = MemoryStore()
    store.leases.is_shared = True
    return store, Intake(seams_of(store), Lead(1_000), {"shop": respondent})


async def test_an_answer_that_is_taken_back_after_a_webhook_at_another_replica_is_news() -> None:
    store, intake = among_replicas()
    await intake.page("shop", page(NINE, OTHER))
    store.webhook_of("shop", b"[" + TWO + b"]")
    assert await intake.page("shop", page(NINE, OTHER)) == 1
    assert await intake.page("shop", page(NINE, OTHER)) == 0


async def test_what_another_replica_took_by_webhook_is_not_journaled_again() -> None:
    store, intake = among_replicas()
    await intake.page("shop", page(NINE, OTHER))
    store.webhook_of("shop", b"[" + TWO + b"]")
    assert await intake.page("shop", page(TWO, OTHER)) == 0


async def test_a_webhook_of_its_own_makes_it_forget_nothing() -> None:
    _, intake = among_replicas()
    await intake.page("shop", page(NINE, OTHER))
    await intake.webhook("shop", [TWO])
    assert await intake.page("shop", page(TWO, OTHER)) == 0


async def test_a_webhook_of_its_own_that_was_overtaken_by_a_page_is_not_the_latest() -> None:
    _, intake = among_replicas()
    await intake.page("shop", page(NINE))
    await intake.webhook("shop", [TWO])
    assert await intake.page("shop", page(NINE)) == 1
    assert await intake.page("shop", page(NINE)) == 0


async def test_of_too_many_webhooks_at_other_replicas_it_trusts_nothing_it_knew() -> None:
    store, intake = among_replicas()
    await intake.page("shop", page(OTHER))
    for _ in range(MOST_WEBHOOKS):
        store.webhook_of("shop", b"[" + NINE + b"]")
    assert await intake.page("shop", page(OTHER)) == 1
    assert await intake.page("shop", page(OTHER)) == 0


async def test_a_poller_that_gets_its_work_back_does_not_trust_what_it_knew() -> None:
    store = MemoryStore()
    intake = Intake(seams_of(store), Lead(1_000))
    for fence, new in ((1, 1), (1, 0), (3, 1)):
        with under(Lease("poll shop", fence, lambda: True)):
            assert await intake.page("shop", page(b"{}")) == new


@pytest.mark.looptime
async def test_a_router_that_goes_on_is_given_a_moment_before_more_is_read_but_no_webhook_waits() -> None:
    bell = Lead(1)
    bell.done(0)
    intake = Intake(seams_of(MemoryStore()), bell)
    await intake.page("shop", page(b'{"id":1}'))
    await intake.webhook("shop", [b'{"id":2}'])
    assert asyncio.get_running_loop().time() == 0
    await intake.page("shop", page(b'{"id":3}'))
    assert asyncio.get_running_loop().time() == pytest.approx(LONGEST_WAIT)
