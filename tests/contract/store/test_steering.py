"""What a person decides about deliveries: tried again, dropped, sent once more; the ledger balances after each."""

import pytest

from contract.store.examples import (
    NOON,
    START,
    Wall,
    arrival,
    held_back,
    owe,
    planned,
    ready,
    remembered,
    route,
    settle,
    shelved,
)
from contract.store.people import journaled
from npsbridge.core.model import State
from npsbridge.core.records import Ledger, Retention, Routing
from npsbridge.core.storage import Store

ALL_STATES = tuple(State)
BY_HAND = "dropped by hand"
LATER = START + 60_000


async def in_state(store: Store, state: State, message: str = "m1", person: str = "ann") -> int:
    """The number of a delivery that has got so far."""
    (number,) = await owe(store, planned(message, person))
    if state is not State.QUEUED:
        due = LATER if state is State.WAITING else None
        await settle(store, [number], state, reason="HTTP 400", next_attempt_at=due)
    return number


async def on_shelf(store: Store, key: str = "k1") -> int:
    """The number of a shelved record."""
    await route(store, shelved=(shelved(key),))
    return (await store.deliveries(limit=1))[0].id


async def state_of(store: Store, number: int) -> State | None:
    found = await store.delivery(number)
    return found.state if found else None


async def balanced(store: Store) -> Ledger:
    ledger = await store.ledger()
    assert ledger.imbalance == 0
    return ledger


# --- confirming -------------------------------------------------------------------------------------------------


async def test_what_was_held_and_is_known_to_have_happened_is_delivered(store: Store) -> None:
    number = await in_state(store, State.HELD)
    before = await balanced(store)
    assert await store.confirm([number], because="surveyed, somebody says") == 1
    after = await balanced(store)
    assert (after.held, after.delivered) == (before.held - 1, before.delivered + 1)
    found = await store.delivery(number)
    assert found is not None
    assert (found.state, found.reason) == (State.DELIVERED, "surveyed, somebody says")


@pytest.mark.parametrize("state", [one for one in State if one is not State.HELD])
async def test_only_what_is_held_can_be_confirmed(store: Store, state: State) -> None:
    number = await in_state(store, state)
    assert await store.confirm([number, number + 1], because="surveyed") == 0
    assert await state_of(store, number) is state
    await balanced(store)


# --- choosing ---------------------------------------------------------------------------------------------------


async def test_what_is_chosen_comes_oldest_first_and_piece_by_piece(store: Store) -> None:
    numbers = [await in_state(store, State.DEAD, f"m{number}") for number in range(5)]
    await in_state(store, State.HELD, "other")
    first = await store.chosen([State.DEAD], connection=None, after=0, limit=3)
    rest = await store.chosen([State.DEAD], connection=None, after=first[-1].id, limit=3)
    assert [one.id for one in first + rest] == numbers


async def test_what_is_chosen_can_be_of_one_connection_and_of_several_states(store: Store) -> None:
    await on_shelf(store)
    held, dead = await in_state(store, State.HELD, "m1"), await in_state(store, State.DEAD, "m2")
    states = [State.HELD, State.DEAD]
    assert [one.id for one in await store.chosen(states, connection="segment", after=0, limit=9)] == [held, dead]
    assert len(await store.chosen(states, connection=None, after=0, limit=9)) == 3


# --- trying again -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [State.DEAD, State.HELD])
async def test_i2_what_is_held_or_dead_is_owed_again_in_its_old_place(store: Store, state: State) -> None:
    number = await in_state(store, state, "m1")
    await owe(store, planned("m2"))
    assert await store.requeue([number]) == 1
    assert await ready(store) == ["m1", "m2"]
    ledger = await balanced(store)
    assert (ledger.waiting, ledger.dead, ledger.held) == (2, 0, 0)


async def test_what_is_tried_again_is_tried_as_long_as_something_new(store: Store, wall: Wall) -> None:
    number = await in_state(store, State.DEAD)
    wall.ms += 30 * 86_400_000
    await store.requeue([number])
    (found,) = await store.claim("segment", now=wall.ms, limit=1)
    assert (found.created_at, found.tried_since, found.reason) == (START, wall.ms, None)


@pytest.mark.parametrize("state", [one for one in ALL_STATES if one not in {State.DEAD, State.HELD}])
async def test_nothing_else_is_tried_again(store: Store, state: State) -> None:
    number = await in_state(store, state)
    before = await store.ledger()
    assert await store.requeue([number, 999]) == 0
    assert (await state_of(store, number), await balanced(store)) == (state, before)


async def test_what_is_shelved_cannot_be_sent(store: Store) -> None:
    assert await store.requeue([await on_shelf(store)]) == 0
    assert (await balanced(store)).dead == 1


async def test_what_was_tried_again_and_delivered_counts_as_delivered_alone(store: Store) -> None:
    number = await in_state(store, State.DEAD)
    await store.requeue([number])
    await settle(store, [number])
    assert await balanced(store) == Ledger(accepted=1, delivered=1)


async def test_what_was_tried_again_leaves_with_its_retention(store: Store, wall: Wall) -> None:
    number = await in_state(store, State.DEAD)
    await store.requeue([number])
    keep = Retention(journal=1e9, delivered=1, dead=1)
    await store.purge(now=wall.ms + 10_000, retention=keep)
    assert await state_of(store, number) is State.QUEUED


# --- off the shelf ----------------------------------------------------------------------------------------------


async def test_i2_a_shelved_record_waits_in_the_journal_again(store: Store) -> None:
    number = await on_shelf(store)
    assert await store.unshelve({number: arrival(body=b'[{"score":"x"}]')}) == 1
    assert [entry.body for entry in await store.unrouted(9)] == [b'[{"score":"x"}]']
    assert await state_of(store, number) is None
    assert await balanced(store) == Ledger(accepted=1, waiting=1)


async def test_a_record_that_fails_again_is_back_on_the_shelf(store: Store) -> None:
    await store.unshelve({await on_shelf(store): arrival()})
    (entry,) = await store.unrouted(9)
    await store.commit_routing([Routing(journal_id=entry.id, shelved=(shelved(),))])
    assert await balanced(store) == Ledger(accepted=1, dead=1)


async def test_i2_a_page_that_is_forgotten_is_filtered_and_dead_anew_when_it_comes_again(store: Store) -> None:
    await store.shelve(shelved("page"))
    (page,) = await store.deliveries(state=State.DEAD)
    assert await store.unshelve({page.id: None}) == 1
    assert await balanced(store) == Ledger(accepted=1, filtered=1)
    await store.shelve(shelved("page"))
    assert await balanced(store) == Ledger(accepted=2, filtered=1, dead=1)


async def test_only_what_is_on_the_shelf_is_taken_off_it_and_only_once(store: Store) -> None:
    shelf, delivery = await on_shelf(store), await in_state(store, State.DEAD)
    await store.unshelve({shelf: arrival()})
    assert await store.unshelve({shelf: arrival(), delivery: arrival()}) == 0
    assert await state_of(store, delivery) is State.DEAD
    assert (await balanced(store)).waiting == 1


# --- dropping ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [State.QUEUED, State.WAITING, State.HELD, State.DEAD])
async def test_i2_what_is_dropped_is_filtered_with_the_reason(store: Store, state: State) -> None:
    number = await in_state(store, state)
    assert await store.drop([number], because=BY_HAND) == 1
    found = await store.delivery(number)
    assert found is not None
    assert (found.state, found.reason, found.next_attempt_at) == (State.FILTERED, BY_HAND, None)
    assert await ready(store, now=LATER) == []
    assert await balanced(store) == Ledger(accepted=1, filtered=1)


@pytest.mark.parametrize("state", [State.INFLIGHT, State.DELIVERED, State.FILTERED, State.EXPIRED])
async def test_what_is_on_its_way_or_finished_is_not_dropped(store: Store, state: State) -> None:
    number = await in_state(store, state)
    assert await store.drop([number], because=BY_HAND) == 0
    assert await state_of(store, number) is state
    await balanced(store)


async def test_dropping_nothing_changes_nothing(store: Store) -> None:
    before = await store.ledger()
    assert [await store.drop([], because=BY_HAND), await store.requeue([]), await store.unshelve({})] == [0, 0, 0]
    assert await store.ledger() == before


async def test_what_a_vendor_was_to_be_told_of_a_person_may_be_told_again(store: Store) -> None:
    said = {("delighted", "person:1"): b"mark"}
    owed = planned("m1", "person:1", "delighted", kind="identify")
    await store.commit_routing(
        [Routing(journal_id=await journaled(store), deliveries=(owed,), fanned_out=1, said=said)]
    )
    (delivery,) = await store.deliveries()
    await store.drop([delivery.id], because=BY_HAND)
    assert await store.said(["person:1"]) == {}


async def test_a_late_outcome_of_what_was_dropped_changes_nothing(store: Store) -> None:
    number = await in_state(store, State.QUEUED)
    await store.drop([number], because=BY_HAND)
    await settle(store, [number])
    assert await balanced(store) == Ledger(accepted=1, filtered=1)


# --- sending once more ------------------------------------------------------------------------------------------


async def delivered(store: Store, wall: Wall, *messages: str) -> list[int]:
    """Deliveries that were made a second apart."""
    numbers = await owe(store, *(planned(one, one, kind=f"kind-{one}", subject=f"delighted/{one}") for one in messages))
    for number in numbers:
        wall.ms += 1000
        await settle(store, [number])
    return numbers


async def test_what_was_sent_is_told_in_the_order_in_which_it_was(store: Store, wall: Wall) -> None:
    one, two, three = await delivered(store, wall, "a", "b", "c")
    found = await store.sent("segment", before=START + 3000, after=(START + 1000, 0), limit=9)
    assert [(row.id, row.kind, row.subject, row.settled_at) for row in found] == [
        (one, "kind-a", "delighted/a", START + 1000),
        (two, "kind-b", "delighted/b", START + 2000),
    ]
    rest = await store.sent("segment", before=LATER, after=(START + 1000, one), limit=9)
    assert [row.id for row in rest] == [two, three]


async def test_what_was_sent_at_the_same_moment_is_passed_one_by_one(store: Store) -> None:
    numbers = await owe(store, *(planned(f"m{number}") for number in range(3)))
    await settle(store, numbers)
    found = await store.sent("segment", before=LATER, after=(START, numbers[0]), limit=1)
    assert [row.id for row in found] == numbers[1:2]


async def test_a_later_delivery_of_the_kind_about_the_same_response_makes_one_outdated(store: Store) -> None:
    about = [planned(f"m{number}", subject=f"delighted/{number // 2}", kind="identify") for number in range(3)]
    await settle(store, await owe(store, *about, planned("other", subject="delighted/1", kind="submit")))
    found = await store.sent("segment", before=LATER, after=(0, 0), limit=9)
    assert [row.is_latest for row in found] == [False, True, True, True]


async def test_a_later_delivery_about_the_same_person_makes_one_to_a_survey_platform_outdated(store: Store) -> None:
    told = [planned(f"m{number}", "person:1", "delighted", kind="identify") for number in range(3)]
    numbers = await owe(store, *told)
    await settle(store, numbers[:2])
    await store.drop(numbers[2:], because=BY_HAND)
    found = await store.sent("delighted", before=LATER, after=(0, 0), limit=9)
    assert [row.is_latest for row in found] == [False, True]


async def test_of_other_connections_and_states_nothing_was_sent(store: Store, wall: Wall) -> None:
    await delivered(store, wall, "a")
    await in_state(store, State.DEAD)
    assert await store.sent("heap", before=LATER, after=(0, 0), limit=9) == []
    assert len(await store.sent("segment", before=LATER, after=(0, 0), limit=9)) == 1


async def test_i2_what_is_sent_again_is_accepted_and_delivered_twice(store: Store, wall: Wall) -> None:
    numbers = await delivered(store, wall, "a", "b")
    assert await store.send_again(numbers) == 2
    assert await ready(store) == ["a", "b"]
    assert await balanced(store) == Ledger(accepted=4, delivered=2, waiting=2)
    await settle(store, numbers)
    assert await balanced(store) == Ledger(accepted=4, delivered=4)


async def test_only_what_was_delivered_is_sent_again(store: Store) -> None:
    dead = await in_state(store, State.DEAD)
    assert await store.send_again([dead, 999]) == 0
    assert await balanced(store) == Ledger(accepted=1, dead=1)


# --- what a connection was never told ---------------------------------------------------------------------------


async def test_untold_are_the_responses_of_which_a_connection_has_nothing(store: Store) -> None:
    about = planned("m1", subject="delighted/1")
    known = (remembered("1"), remembered("2"), remembered("3"))
    await route(store, responses=known, deliveries=(about,), fanned_out=1, count=1)
    told = await store.untold("segment", after=0, limit=9)
    assert [one.response.id for _, one in told] == ["2", "3"]
    (number, first), *_ = await store.untold("heap", after=0, limit=1)
    assert (first.response.id, first.response.created_at) == ("1", NOON)
    assert [one.response.id for _, one in await store.untold("heap", after=number, limit=9)] == ["2", "3"]


async def test_what_is_held_back_is_not_untold_but_still_to_come(store: Store) -> None:
    await route(store, responses=(held_back(),), settling=1)
    assert await store.untold("segment", after=0, limit=9) == []
