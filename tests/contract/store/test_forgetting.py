"""I20: what is left of somebody who was erased, and what is left of everybody else."""

from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from contract.store.examples import arrival, held_back, planned, response, route, settle, shelved
from contract.store.people import ANN, BOB, absorbed, anonymous, email, find, identify, journaled, tell, user
from npsbridge.clock import Clock
from npsbridge.core.model import Respondent, State
from npsbridge.core.people import ERASED, IdKind, PersonId
from npsbridge.core.records import AwaitedCall, Ledger, RememberedResponse, Routing
from npsbridge.core.storage import Store
from npsbridge.errors import ErasedMeanwhile
from npsbridge.store import open_store

ALL_OF_ANN = [user("u1"), anonymous("a1"), email(ANN)]


async def balanced(store: Store) -> Ledger:
    ledger = await store.ledger()
    assert ledger.imbalance == 0
    return ledger


def answer(number: str, **person: Any) -> RememberedResponse:
    return RememberedResponse(response=response(number, person=Respondent(**person)), revision=1)


# --- persons ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", ALL_OF_ANN)
async def test_i20_a_person_is_erased_by_any_of_their_ids_and_known_as_erased_by_all(
    store: Store, asked: PersonId
) -> None:
    await tell(store, identify("u1", "a1", email=ANN))
    assert (await store.forget(asked)).persons == 1
    known = await store.recall_people(ALL_OF_ANN)
    assert (known.persons, known.owners) == ({}, {})
    assert known.suppressed == dict.fromkeys(ALL_OF_ANN, ERASED)


async def test_i20_later_calls_of_an_erased_person_are_erased_also_after_a_restart(
    store_url: str, clock: Clock
) -> None:
    async with open_store(store_url, clock=clock) as before:
        await tell(before, identify("u1", email=ANN))
        await before.forget(email(ANN))
    async with open_store(store_url, clock=clock) as after:
        assert await tell(after, identify("u1", plan="x")) is None
        assert await tell(after, identify("u7", email=ANN)) is None
        assert (await balanced(after)).erased == 2
        assert (await after.recall("any", responses=[], people=[], emails=[ANN, BOB])).erased == {ANN}


async def test_i20_each_erasure_can_be_noticed_also_by_another_process(store_url: str, clock: Clock) -> None:
    async with open_store(store_url, clock=clock) as store:
        await tell(store, identify("u1", email=ANN))
        before = await store.erasures()
        await store.suppress([email(BOB)], because="unsubscribed")
        assert await store.erasures() == before
        await store.forget(email(ANN))
        once = await store.erasures()
        await store.forget(email("somebody@example.org"))
        twice = await store.erasures()
    async with open_store(store_url, clock=clock) as other:
        assert before < once < twice == await other.erasures()


async def test_i20_what_was_decided_of_answers_before_an_erasure_is_not_made_true_after_it(store: Store) -> None:
    await store.append([arrival("delighted")])
    (entry,) = await store.unrouted(1)
    recall = await store.recall("delighted", responses=["1"], people=[], emails=[ANN])
    decided = Routing(
        journal_id=entry.id, responses=(answer("1", email=ANN),), deliveries=(planned("m1"),), fanned_out=1
    )
    await store.forget(email(ANN))
    with pytest.raises(ErasedMeanwhile):
        await store.commit_routing([decided], erasures=recall.erasures)
    assert await store.unrouted(1) == [entry]
    assert await store.deliveries() == []
    anew = await store.recall("delighted", responses=["1"], people=[], emails=[ANN])
    assert not anew.responses
    assert anew.erased == {ANN}
    await store.commit_routing([replace(decided, responses=(), deliveries=(), fanned_out=0)], erasures=anew.erasures)
    assert await store.unrouted(1) == []


async def test_i20_many_answers_at_once_are_decided_by_what_was_known_at_first(store: Store) -> None:
    many = [str(number) for number in range(1200)]
    for _ in range(2):
        recall = await store.recall("delighted", responses=many, people=[], emails=[ANN])
        assert recall.erasures == await store.erasures()
        await store.forget(email(ANN))


async def test_i20_who_was_never_heard_of_can_be_erased_beforehand(store: Store) -> None:
    await store.forget(email(ANN))
    assert await tell(store, identify("u1", email=ANN)) is None


async def test_an_email_names_everyone_who_has_it(store: Store) -> None:
    for name in ("u1", "u2"):
        await tell(store, identify(name, email=ANN))
    await tell(store, identify("u3", email=BOB))
    assert (await store.forget(email(ANN))).persons == 2
    assert await find(store, user("u3")) is not None


async def test_who_shares_the_mailbox_of_an_erased_user_stays_and_is_found_by_it(store: Store) -> None:
    for name in ("u2", "u1"):
        await tell(store, identify(name, email=ANN))
    assert (await store.forget(user("u1"))).persons == 1
    other = await find(store, email(ANN))
    assert other is not None
    assert (other.user_id, await find(store, user("u1"))) == ("u2", None)
    assert (await store.recall_people([email(ANN)])).suppressed == {}


async def test_an_erased_person_is_not_brought_back_by_what_was_decided_before(store: Store) -> None:
    await tell(store, identify("u1", email=ANN))
    _, change = await absorbed(store, [identify("u1", plan="team")])
    entry = await journaled(store)
    await store.forget(user("u1"))
    late = (planned("m1", "person:1", "delighted"), planned("m2", "person:2", "delighted"))
    await store.commit_routing([Routing(journal_id=entry, people=change, deliveries=late, fanned_out=1)])
    assert await find(store, user("u1")) is None
    assert [one.message_id for one in await store.deliveries()] == ["m2"]
    assert (await balanced(store)).erased == 1


async def test_somebody_erased_beforehand_is_not_kept_by_what_was_decided_before(store: Store) -> None:
    _, change = await absorbed(store, [identify("u1", email=ANN)])
    entry = await journaled(store)
    await store.forget(email(ANN))
    late = (planned("m1", "person:1", "delighted"),)
    await store.commit_routing([Routing(journal_id=entry, people=change, deliveries=late, fanned_out=1)])
    assert (await store.recall_people([user("u1")])).persons == {}
    assert (await balanced(store)).erased == 1


async def test_what_a_user_says_on_the_device_of_somebody_erased_meanwhile_is_kept(store: Store) -> None:
    await tell(store, identify("u2", plan="solo"))
    _, change = await absorbed(store, [identify("u2", "a1", plan="team")])
    entry = await journaled(store)
    await store.forget(anonymous("a1"))
    await store.commit_routing([Routing(journal_id=entry, people=change, filtered=1)])
    person = await find(store, user("u2"))
    assert person is not None
    assert person.traits == {"plan": "team"}


async def test_i20_no_later_reason_hides_that_somebody_was_erased(store: Store) -> None:
    await store.forget(email(ANN))
    await store.suppress([email(ANN)], because="unsubscribed")
    assert (await store.recall_people([email(ANN)])).suppressed == {email(ANN): ERASED}


async def test_who_would_become_one_with_somebody_erased_meanwhile_stays_as_they_were(store: Store) -> None:
    await tell(store, identify(None, "a1", email=ANN))
    before = await tell(store, identify("u1", plan="team"), message="m1")
    _, change = await absorbed(store, [identify("u1", "a1")])
    entry = await journaled(store)
    await store.forget(email(ANN))
    await store.commit_routing([Routing(journal_id=entry, people=change, filtered=1)])
    assert await find(store, user("u1")) == before
    assert [one.person for one in await store.deliveries()] == ["person:2"]
    assert (await store.recall_people([anonymous("a1")])).owners == {}


# --- everything else --------------------------------------------------------------------------------------------


async def test_i20_responses_go_by_email_and_by_user_id(store: Store) -> None:
    theirs = (answer("1", email="Ann@Example.com"), answer("2", user_id="u1"), answer("3", email=BOB))
    await route(store, count=3, responses=theirs, filtered=3)
    await tell(store, identify("u1", email=ANN))
    assert (await store.forget(user("u1"))).responses == 2
    assert set((await store.recall("delighted", responses=["1", "2", "3"], people=[], emails=[])).responses) == {"3"}


async def test_i20_what_was_learned_and_noted_under_their_ids_goes(store: Store) -> None:
    keys = [f"email:{ANN}", "user:u1", "user:u2"]
    await route(store, newest=dict.fromkeys(keys, 5), filtered=1)
    await store.note_hints("retently", [f"email:{ANN}", BOB], heard_at=1)
    await tell(store, identify("u1", email=ANN), identify("u2", email=BOB))
    await store.forget(user("u1"))
    known = await store.recall("any", responses=[], people=keys, emails=[ANN, BOB])
    assert (set(known.identities), set(known.newest)) == ({BOB}, {"user:u2"})
    assert [one.hint for one in await store.hints("retently", 10)] == [BOB]


async def test_i20_what_only_their_answers_said_of_them_goes_too(store: Store) -> None:
    keys = [f"email:{ANN}", "user:u1", f"email:{BOB}"]
    theirs = (answer("1", email=ANN, user_id="u1"), answer("2", email=BOB, user_id="u1"), answer("3", email=BOB))
    await route(store, count=3, responses=theirs, newest=dict.fromkeys(keys, 5), filtered=3)
    await store.forget(user("u1"))
    assert set((await store.recall("delighted", responses=[], people=keys, emails=[])).newest) == {f"email:{BOB}"}


async def test_i20_deliveries_go_and_those_that_were_owed_or_held_count_as_erased(store: Store) -> None:
    person = await tell(store, identify("u1", email=ANN), message="m1")
    assert person is not None
    for message in ("m2", "m3", "m4"):
        await tell(store, identify("u1"), message=message)
    numbers = {one.message_id: one.id for one in await store.deliveries()}
    await settle(store, [numbers["m2"]], State.HELD)
    await settle(store, [numbers["m3"]], State.DELIVERED)
    await settle(store, [numbers["m4"]], State.INFLIGHT)
    forgotten = await store.forget(user("u1"))
    assert (forgotten.deliveries, forgotten.connections, await store.deliveries()) == (4, ("delighted",), [])
    ledger = await balanced(store)
    assert (ledger.erased, ledger.delivered, ledger.waiting) == (3, 1, 0)


async def test_i20_what_an_answer_led_to_goes_with_it(store: Store) -> None:
    owed = (
        planned("m1", "user:x", subject="delighted/1"),
        planned("m2", "user:y", body=b'{"email":"ANN@example.com"}'),
    )
    await route(store, count=2, responses=(answer("1", email=ANN),), deliveries=owed, fanned_out=2)
    await route(store, deliveries=(planned("m3", "user:z", body=b'{"email":"joann@example.com"}'),), fanned_out=1)
    await store.forget(email(ANN))
    assert [one.message_id for one in await store.deliveries()] == ["m3"]
    assert (await balanced(store)).erased == 2


async def test_i20_a_held_back_answer_counts_as_erased(store: Store) -> None:
    held = held_back("1")
    theirs = RememberedResponse(response=answer("1", email=ANN).response, revision=0, settle_at=held.settle_at)
    await route(store, responses=(theirs,), settling=1)
    await store.forget(email(ANN))
    assert await store.next_settle() is None
    assert (await balanced(store)).erased == 1


async def test_i20_what_lies_on_the_shelf_goes_and_stays_counted_as_dead(store: Store) -> None:
    await store.shelve(replace(shelved(), body=f'{{"e":"{ANN}"'.encode()))
    await store.forget(email(ANN))
    assert await store.deliveries() == []
    assert (await balanced(store)).dead == 1


async def test_i20_calls_that_wait_for_them_or_speak_of_them_go(store: Store) -> None:
    await tell(store, identify("u1", email=ANN))
    await tell(store, identify("u2", email=BOB))
    calls = {
        "w1": ("person:1", identify("u1")),
        "w2": ("person:2", identify("u2", cc=ANN)),
        "w3": ("person:2", identify("u2")),
    }
    waiting = tuple(
        AwaitedCall(connection="delighted", person=key, call=replace(call, message_id=name), reason="r", expires_at=9)
        for name, (key, call) in calls.items()
    )
    said = {("delighted", "person:1"): b"x", ("delighted", "person:2"): b"y"}
    await route(store, count=3, awaited=waiting, said=said, fanned_out=3)
    assert (await store.forget(email(ANN))).records == 2
    assert [one.key for one in await store.awaited(["person:1", "person:2"])] == [("delighted", "w3")]
    assert set(await store.said(["person:1", "person:2"])) == {("delighted", "person:2")}
    assert (await balanced(store)).erased == 2


# --- the journal ------------------------------------------------------------------------------------------------

OTHERS = {"type": "track", "userId": "u2", "context": {"traits": {"email": "joann@example.com"}}}
THEIRS = [
    {"userId": "u1"},
    {"userId": None, "anonymousId": "a1"},
    {"traits": {"email": "Ann@Example.COM"}},
    {"properties": {"note": ["write to <ann@example.com>."]}},
    {"previousId": "u1"},
    {"person": {"properties": {"segment_user_id": "u1"}}},
]


async def journal_left(store: Store, body: object, count: int) -> Any:
    await tell(store, identify("u1", "a1", email=ANN))
    await store.append([arrival(body=orjson.dumps(body), count=count)])
    await store.forget(user("u1"))
    await balanced(store)
    (entry,) = await store.unrouted(10)
    return entry.count, orjson.loads(entry.body)


@pytest.mark.parametrize("record", THEIRS)
async def test_i20_their_records_leave_the_journal_and_those_of_others_wait_on(store: Store, record: object) -> None:
    assert await journal_left(store, [OTHERS, record, OTHERS], 3) == (2, [OTHERS, OTHERS])
    assert (await store.ledger()).erased == 1


async def test_i20_calls_leave_their_batch(store: Store) -> None:
    batch = {"batch": [{"userId": "u1"}, OTHERS], "source": "sdk", "sentAt": "2026"}
    assert await journal_left(store, batch, 2) == (1, batch | {"batch": [OTHERS]})


async def test_i20_a_batch_that_speaks_of_them_as_a_whole_goes_as_a_whole(store: Store) -> None:
    batch = {"batch": [OTHERS, OTHERS], "context": {"traits": {"email": ANN}}}
    assert await journal_left(store, batch, 2) == (0, {"batch": []})
    assert (await store.ledger()).erased == 2


async def test_i20_records_that_came_of_them_later_leave_a_routed_entry(store: Store) -> None:
    await store.append([arrival(body=orjson.dumps([OTHERS, {"userId": "u1"}]), count=2)])
    (entry,) = await store.unrouted(10)
    await store.commit_routing([Routing(journal_id=entry.id, shelved=(shelved("k1"),), erased=1)])
    await store.redact([entry.id], {user("u1")})
    (left,) = (await store.trace("k1")).entries
    assert (left.count, orjson.loads(left.body)) == (1, [OTHERS])
    assert (await balanced(store)).erased == 1


async def test_i2_a_record_that_was_routed_before_is_not_counted_again(store: Store) -> None:
    entry = await journaled(store, body=b'[{"userId":"u1"}]')
    await store.commit_routing([Routing(journal_id=entry, filtered=1)])
    assert (await store.forget(user("u1"))).records == 1
    assert await balanced(store) == Ledger(accepted=1, filtered=1)


@pytest.mark.parametrize("record", [{"userId": "u11"}, {"score": "u1"}, {"email": "ann@example.com.au"}])
async def test_what_only_looks_like_their_ids_stays(store: Store, record: object) -> None:
    assert await journal_left(store, [record], 1) == (1, [record])


async def test_to_forget_again_changes_nothing(store: Store) -> None:
    await tell(store, identify("u1", email=ANN), message="m1")
    await store.forget(user("u1"))
    before = await store.ledger()
    again = await store.forget(user("u1"))
    assert (again.persons, again.deliveries, again.records, await store.ledger()) == (0, 0, 0, before)


async def test_i2_whatever_is_erased_the_ledger_balances(store: Store) -> None:
    await tell(store, identify("u1", email=ANN), identify("u2", email=BOB), message="m1")
    await tell(store, identify("u1"), message="m2")
    await store.append([arrival(body=orjson.dumps([{"userId": "u1"}, {"userId": "u2"}]), count=2)])
    for one in (user("u1"), email(BOB), email("nobody@example.com")):
        await store.forget(one)
        await balanced(store)
    assert (await store.ledger()).waiting == 0


async def test_an_erased_user_id_is_known_as_such(store: Store) -> None:
    await store.suppress([PersonId(IdKind.USER, "u1")], because=ERASED)
    known = await store.recall("any", responses=[], people=[], emails=[], user_ids=["u1", "u2"])
    assert known.erased == {"u1"}
