"""What is kept about Segment calls: which came before, what vendors were told, what waits for its person."""

from typing import Any

import pytest

from contract.store.examples import NOON, START, Wall, planned, route
from npsbridge.clock import Clock
from npsbridge.core.calls import Call, CallType
from npsbridge.core.model import State
from npsbridge.core.people import IdKind, PeopleChange, Person, PersonId
from npsbridge.core.records import AwaitedCall, Ledger, Retention, Routing
from npsbridge.core.storage import Store
from npsbridge.store import open_store

KEPT_A_DAY = Retention(journal=86_400, delivered=86_400, dead=86_400)


def waiting(message: str = "m1", person: str = "person:1", connection: str = "delighted", **more: Any) -> AwaitedCall:
    call = Call(type=CallType.TRACK, message_id=message, event="Order Completed", timestamp=NOON, properties={"n": 1})
    given: dict[str, Any] = {"reason": "no email is known", "expires_at": START + 1000} | more
    return AwaitedCall(connection=connection, person=person, call=call, **given)


async def test_a_message_id_that_came_before_is_known(store: Store) -> None:
    await route(store, seen=("a", "b", "x" * 5000), filtered=1)
    assert await store.seen({"a", "c", "x" * 5000}) == {"a", "x" * 5000}


async def test_what_a_vendor_was_last_told_is_known_by_connection_and_person(store: Store) -> None:
    await route(store, said={("delighted", "person:1"): b"1", ("promoter", "person:1"): b"2"}, filtered=1)
    await route(store, said={("delighted", "person:1"): b"3"}, filtered=1)
    said = await store.said({"person:1", "person:2"})
    assert said == {("delighted", "person:1"): b"3", ("promoter", "person:1"): b"2"}


async def test_i2_a_call_that_waits_counts_as_waiting_and_is_found_by_its_person(store: Store) -> None:
    await route(store, awaited=(waiting("m1"), waiting("m2"), waiting("m1", connection="promoter")), fanned_out=1)
    assert await store.ledger() == Ledger(accepted=3, waiting=3)
    assert await store.awaited({"person:1"}) == [
        waiting("m1"),
        waiting("m2"),
        waiting("m1", connection="promoter"),
    ]
    assert await store.awaited({"person:2"}) == []


async def test_i2_what_is_released_is_owed_instead(store: Store) -> None:
    await route(store, awaited=(waiting(),), fanned_out=1)
    await route(
        store, deliveries=(planned("i1"), planned("s1"), planned("s2")), no_longer_awaited=(waiting(),), fanned_out=2
    )
    assert await store.awaited({"person:1"}) == []
    assert await store.ledger() == Ledger(accepted=3, waiting=3)


async def test_i2_what_has_waited_too_long_is_expired_and_listed(store: Store) -> None:
    await route(store, awaited=(waiting("m1"), waiting("m2", expires_at=START + 5000)), fanned_out=1)
    assert await store.next_expiry() == START + 1000
    late = await store.expired_calls(now=START + 1000, limit=10)
    assert late == [waiting("m1")]
    gone = planned("m1", connection="delighted", expired_because="no email is known")
    await store.commit_routing(
        [Routing(journal_id=None, deliveries=(gone,), no_longer_awaited=tuple(late), fanned_out=1)]
    )
    assert await store.ledger() == Ledger(accepted=2, waiting=1, expired=1)
    (listed,) = await store.deliveries(state=State.EXPIRED)
    assert (listed.reason, await store.next_expiry()) == ("no email is known", START + 5000)


async def test_i2_the_same_call_waits_once(store: Store) -> None:
    for _ in range(2):
        await route(store, awaited=(waiting(),), fanned_out=1)
    assert await store.ledger() == Ledger(accepted=2, waiting=1, duplicate=1)


async def test_what_waits_goes_along_when_its_person_turns_out_to_be_an_older_one(store: Store) -> None:
    older, newer = (Person(key=f"person:{n}", user_id=f"u{n}") for n in (1, 2))
    owners = {PersonId(IdKind.USER, "u1"): "person:1", PersonId(IdKind.USER, "u2"): "person:2"}
    both = PeopleChange(persons=(older, newer), owners=owners, next_number=3)
    await route(store, people=both, awaited=(waiting(person="person:2"),), fanned_out=1)
    merged = PeopleChange(persons=(older,), redirects={"person:2": "person:1"}, next_number=3)
    await route(store, people=merged, filtered=1)
    assert await store.awaited({"person:1"}) == [waiting()]


async def test_i2_nothing_waits_for_somebody_who_was_forgotten(store: Store) -> None:
    person = Person(key="person:1", user_id="u1")
    known = PeopleChange(persons=(person,), owners={PersonId(IdKind.USER, "u1"): "person:1"}, next_number=2)
    await route(store, people=known, awaited=(waiting(),), said={("delighted", "person:1"): b"1"}, fanned_out=1)
    await store.forget(PersonId(IdKind.USER, "u1"))
    assert await store.awaited({"person:1"}) == []
    assert await store.said({"person:1"}) == {}
    assert await store.ledger() == Ledger(accepted=1, erased=1)


async def test_message_ids_are_kept_as_long_as_the_journal(store: Store, wall: Wall) -> None:
    await route(store, seen=("old",), filtered=1)
    wall.ms += 86_400_000
    await route(store, seen=("new",), filtered=1)
    while await store.purge(now=wall.ms, retention=KEPT_A_DAY):
        pass
    assert await store.seen({"old", "new"}) == {"new"}


async def test_i1_what_waits_and_what_was_said_outlives_the_process(store_url: str, clock: Clock) -> None:
    async with open_store(store_url, clock=clock) as before:
        await route(before, awaited=(waiting(),), seen=("m1",), said={("delighted", "person:1"): b"1"}, fanned_out=1)
    async with open_store(store_url, clock=clock) as after:
        assert await after.awaited({"person:1"}) == [waiting()]
        assert await after.seen({"m1"}) == {"m1"}
        assert await after.said({"person:1"}) == {("delighted", "person:1"): b"1"}


async def test_i2_a_call_that_was_forgotten_while_its_wait_ended_is_neither_kept_nor_counted_twice(
    store: Store,
) -> None:
    person = Person(key="person:1", user_id="u1")
    known = PeopleChange(persons=(person,), owners={PersonId(IdKind.USER, "u1"): "person:1"}, next_number=2)
    await route(store, people=known, awaited=(waiting(),), fanned_out=1)
    late = await store.expired_calls(now=START + 1000, limit=10)
    await store.forget(PersonId(IdKind.USER, "u1"))
    gone = planned("m1", "person:1", "delighted", expired_because="no email is known")
    await store.commit_routing(
        [Routing(journal_id=None, deliveries=(gone,), no_longer_awaited=tuple(late), fanned_out=1)]
    )
    ledger = await store.ledger()
    assert (await store.deliveries(), ledger.imbalance, ledger.expired) == ([], 0, 0)


async def test_what_a_call_led_to_is_traced_by_its_message_id(store: Store) -> None:
    entry = await route(
        store, deliveries=(planned("m1:identify"), planned("m1:survey"), planned("m11:survey")), fanned_out=2
    )
    trace = await store.trace("m1")
    assert [one.message_id for one in trace.deliveries] == ["m1:identify", "m1:survey"]
    assert [one.id for one in trace.entries] == [entry]


async def test_what_vendors_were_told_of_somebody_is_traced_by_email_and_user_id(store: Store) -> None:
    person = Person(key="person:1", user_id="u1", email="ann@example.org")
    ids = (PersonId(IdKind.USER, "u1"), PersonId(IdKind.EMAIL, "ann@example.org"))
    known = PeopleChange(persons=(person,), owners=dict.fromkeys(ids, "person:1"), next_number=2)
    await route(store, people=known, deliveries=(planned("m1:identify", "person:1", "delighted"),), fanned_out=1)
    for key in ("Ann@Example.org", "u1"):
        assert [one.message_id for one in (await store.trace(key)).deliveries] == ["m1:identify"]


async def test_calls_that_wait_are_listed_newest_first_and_by_connection(store: Store) -> None:
    await route(store, awaited=(waiting("m1"), waiting("m2"), waiting("m1", connection="promoter")), fanned_out=1)
    assert [one.key for one in await store.waiting_calls(limit=2)] == [("promoter", "m1"), ("delighted", "m2")]
    assert [one.key for one in await store.waiting_calls(connection="delighted")] == [
        ("delighted", "m2"),
        ("delighted", "m1"),
    ]


@pytest.mark.parametrize("key", ["m1", "u1", "Ann@Example.com"])
async def test_a_call_that_waits_is_traced_by_its_message_id_and_by_whom_it_waits_for(store: Store, key: str) -> None:
    ann = Person(key="person:1", user_id="u1", email="ann@example.com")
    owners = {PersonId(IdKind.USER, "u1"): "person:1", PersonId(IdKind.USER, "u2"): "person:2"}
    owners[PersonId(IdKind.EMAIL, "ann@example.com")] = "person:1"
    other = Person(key="person:2", user_id="u2")
    known = PeopleChange(persons=(ann, other), owners=owners, next_number=3)
    await route(store, people=known, awaited=(waiting("m1"), waiting("m2", person="person:2")), fanned_out=1)
    assert (await store.trace(key)).awaited == [waiting("m1")]
    assert (await store.trace("nobody")).awaited == []
