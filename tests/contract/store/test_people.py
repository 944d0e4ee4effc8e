from typing import Any

import pytest

from contract.store.examples import START, planned, ready, route, settle
from contract.store.people import (
    ANN,
    BOB,
    absorbed,
    alias,
    anonymous,
    email,
    find,
    identify,
    journaled,
    tell,
    user,
)
from npsbridge.clock import Clock
from npsbridge.core.calls import Call
from npsbridge.core.model import Identity, State
from npsbridge.core.people import KnownPeople, PersonId
from npsbridge.core.recognise import People, ids_of
from npsbridge.core.records import Routing
from npsbridge.core.storage import Store
from npsbridge.store import open_store

# --- remembering ------------------------------------------------------------------------------------------------


async def test_a_person_comes_back_with_everything_by_every_id(store: Store) -> None:
    given = await tell(store, identify("ü\x00 1", "a1", email=ANN, deep={"list": [1, None, 2.5, 2**63]}, name="🙂"))
    assert [await find(store, one) for one in (user("ü\x00 1"), anonymous("a1"), email(ANN))] == [given] * 3


async def test_unknown_ids_are_left_out(store: Store) -> None:
    assert await store.recall_people([user("u1"), email(ANN)]) == KnownPeople(erasures=0)


async def test_ids_of_different_kinds_do_not_meet(store: Store) -> None:
    await tell(store, identify("x"))
    assert await find(store, anonymous("x")) is None


async def test_people_outlive_the_process(store_url: str, clock: Clock) -> None:
    async with open_store(store_url, clock=clock) as before:
        await tell(before, identify(None, "a1", plan="team"))
        person = await tell(before, identify("u1", "a1", email=ANN))
        await before.suppress([email(ANN)], because="bounced")
    async with open_store(store_url, clock=clock) as after:
        found = await find(after, anonymous("a1"))
        assert person is not None
        assert found is not None
        assert (found.key, found.traits) == (person.key, {"plan": "team", "email": ANN})
        assert found.suppressed_because is None
        again = await tell(after, identify("u1"))
        assert again is not None
        assert again.suppressed_because == "bounced"


async def test_what_later_calls_say_is_kept(store: Store) -> None:
    await tell(store, identify("u1", plan="solo", gone=1))
    person = await tell(store, identify("u1", plan="team", gone=None))
    assert person is not None
    assert (await find(store, user("u1")), person.traits) == (person, {"plan": "team"})


async def test_a_key_is_never_given_again(store: Store) -> None:
    first = await tell(store, identify("u1"))
    await store.forget(user("u1"))
    second = await tell(store, identify("u2"))
    assert first is not None
    assert second is not None
    assert first.key != second.key


async def test_i2_a_routing_that_was_made_before_teaches_nothing_again(store: Store) -> None:
    _, change = await absorbed(store, [identify("u1", plan="old")])
    routing = Routing(journal_id=await journaled(store), people=change, filtered=1)
    await store.commit_routing([routing])
    await tell(store, identify("u1", plan="new"))
    await store.commit_routing([routing])
    found = await find(store, user("u1"))
    assert found is not None
    assert found.traits == {"plan": "new"}


# --- one person out of two --------------------------------------------------------------------------------------


async def united(store: Store) -> tuple[str, str]:
    """The older and the newer key of two persons who have turned out to be one."""
    older = await tell(store, identify(None, "a1", email=ANN), message="m1")
    newer = await tell(store, identify("u1", "a2"), message="m2")
    await tell(store, identify("u1", "a1"), message="m3")
    assert older is not None
    assert newer is not None
    return older.key, newer.key


async def test_every_id_of_both_finds_the_one_they_have_become(store: Store) -> None:
    older, _ = await united(store)
    found = [await find(store, one) for one in (user("u1"), anonymous("a1"), anonymous("a2"), email(ANN))]
    assert {person.key if person else None for person in found} == {older}


async def test_i20_nothing_is_left_of_the_newer_one_once_they_are_forgotten(store: Store) -> None:
    older, newer = await united(store)
    await store.forget(user("u1"))
    assert await store.people([older, newer]) == {}


async def test_the_newer_key_leads_to_the_older_person(store: Store) -> None:
    older, newer = await united(store)
    people = await store.people([older, newer, "person:99"])
    assert people[older] == people[newer] == await find(store, user("u1"))
    assert set(people) == {older, newer}


async def test_keys_lead_on_when_persons_become_one_again_and_again(store: Store) -> None:
    for name in ("u1", "u2", "u3"):
        await tell(store, identify(name))
    await tell(store, alias("u3", "u2"))
    await tell(store, alias("u2", "u1"))
    found = await store.people(["person:1", "person:2", "person:3"])
    assert {person.user_id for person in found.values()} == {"u1"}
    assert len(found) == 3


async def test_i5_what_is_owed_under_both_keys_goes_out_in_one_order(store: Store) -> None:
    older, newer = await united(store)
    assert await ready(store, "delighted") == ["m1", "m2", "m3"]
    owed = await store.deliveries(connection="delighted")
    assert {delivery.person for delivery in owed} == {older}
    assert older != newer
    first = owed[-1].id
    await settle(store, [first], State.WAITING, next_attempt_at=START + 5)
    assert await ready(store, "delighted") == []


async def test_a_person_born_and_united_within_one_run_is_kept_under_the_older_key(store: Store) -> None:
    await tell(store, identify(None, "a1"), identify("u1"), identify("u1", "a1"), identify("u9"))
    keys = [person.key for one in (user("u1"), user("u9")) if (person := await find(store, one))]
    assert keys == ["person:1", "person:3"]


A_CHAIN = [
    identify(None, "a1", email=ANN),
    identify(None, "a2"),
    identify(None, "a3"),
    identify(None, "a2", email=BOB),
    identify(None, "a3", email=BOB),
    identify(None, "a2", email=ANN),
]
"""The third person turns out to be the second, and the second to be the first."""


@pytest.mark.parametrize("together", [1, 2, len(A_CHAIN)])
async def test_a_chain_of_those_who_turn_out_to_be_one_leads_to_the_oldest_however_they_come(
    store: Store, together: int
) -> None:
    people = People(await store.recall_people({one for call in A_CHAIN for one in ids_of(call)}))
    routings = []
    for start in range(0, len(A_CHAIN), together):
        for call in A_CHAIN[start : start + together]:
            people.absorb(call)
        entry = await journaled(store, together)
        routings.append(Routing(journal_id=entry, people=people.take(), filtered=together))
    await store.commit_routing(routings)
    found = await store.people([f"person:{number}" for number in (1, 2, 3)])
    assert {key: person.key for key, person in found.items()} == {f"person:{one}": "person:1" for one in (1, 2, 3)}
    assert [await find(store, anonymous(f"a{one}")) for one in (1, 2, 3)] == [found["person:1"]] * 3


# --- whose email it is ------------------------------------------------------------------------------------------


async def identity_of(store: Store, address: str = ANN) -> Identity | None:
    return (await store.recall("any", responses=[], people=[], emails=[address])).identities.get(address)


async def test_the_answers_of_a_person_find_the_ids_of_their_calls(store: Store) -> None:
    await tell(store, identify("u1", "a1", email=" Ann@Example.com"))
    assert await identity_of(store) == Identity(user_id="u1", anonymous_id="a1", email=ANN)


async def test_an_email_that_was_given_up_still_finds_the_person(store: Store) -> None:
    await tell(store, identify("u1", email=ANN))
    await tell(store, identify("u1", email=BOB))
    assert await identity_of(store) == Identity(user_id="u1", email=ANN)


async def test_the_newest_user_of_a_shared_mailbox_gets_its_answers(store: Store) -> None:
    for name in ("u1", "u2"):
        await tell(store, identify(name, email=ANN))
    assert await identity_of(store) == Identity(user_id="u2", email=ANN)


# --- who may not be surveyed ------------------------------------------------------------------------------------


@pytest.mark.parametrize("one", [user("u1"), email(ANN)])
async def test_who_is_suppressed_stays_so_whether_known_before_or_not(store: Store, one: PersonId) -> None:
    await store.suppress([one], because="unsubscribed")
    person = await tell(store, identify("u1", email=ANN))
    assert person is not None
    assert person.suppressed_because == "unsubscribed"


async def test_a_later_reason_replaces_an_earlier_one(store: Store) -> None:
    for reason in ("bounced", "unsubscribed"):
        await store.suppress([email(ANN)], because=reason)
    assert (await store.recall_people([email(ANN)])).suppressed == {email(ANN): "unsubscribed"}


async def test_a_former_email_suppresses_nobody(store: Store) -> None:
    await store.suppress([email(ANN)], because="bounced")
    await tell(store, identify("u1", email=ANN))
    await tell(store, identify("u1", email=BOB))
    known = await store.recall_people([user("u1")])
    assert known.suppressed == {}


async def test_a_suppression_of_the_person_s_email_is_known_when_only_the_user_id_is_asked_for(store: Store) -> None:
    await tell(store, identify("u1", email=ANN))
    await store.suppress([email(ANN)], because="bounced")
    assert (await store.recall_people([user("u1")])).suppressed == {email(ANN): "bounced"}


# --- many at once -----------------------------------------------------------------------------------------------


def crowd(size: int, **traits: Any) -> list[Call]:
    return [identify(f"u{n}", f"a{n}", email=f"p{n}@example.com", plan="team", **traits) for n in range(size)]


async def test_a_thousand_people_in_one_routing_are_all_remembered(store: Store) -> None:
    await tell(store, *crowd(1_000))
    await tell(store, *crowd(1_000, seen=2))
    known = await store.recall_people([user(f"u{n}") for n in range(1_000)])
    assert {person.traits["seen"] for person in known.persons.values()} == {2}
    assert len(known.persons) == 1_000


async def test_deliveries_of_others_keep_their_persons(store: Store) -> None:
    await route(store, deliveries=(planned("m9", "user:u1"),), fanned_out=1)
    await united(store)
    assert [one.person for one in await store.deliveries(connection="segment")] == ["user:u1"]
