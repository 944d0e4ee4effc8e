import msgspec
import pytest

from contract.store.examples import START, Wall, owe, planned, ready, route, settle, shelved
from npsbridge.core.model import State
from npsbridge.core.records import Intent, Settlement
from npsbridge.core.storage import Store

LATER = START + 60_000


# --- what is owed -----------------------------------------------------------------------------------------------


async def test_a_planned_delivery_is_owed_as_it_was_planned(store: Store, wall: Wall) -> None:
    wall.ms += 5
    (number,) = await owe(store, planned("m1", "ann", body=b'{"a":1}', kind="identify", subject="delighted/1"))
    found = await store.delivery(number)
    assert found is not None
    assert (found.connection, found.person, found.kind, found.message_id) == ("segment", "ann", "identify", "m1")
    assert (found.body, found.state, found.attempts, found.subject) == (b'{"a":1}', State.QUEUED, 0, "delighted/1")
    assert (found.created_at, found.next_attempt_at, found.reason) == (START + 5, None, None)


async def test_there_is_no_delivery_by_a_number_that_was_never_given(store: Store) -> None:
    assert await store.delivery(77) is None


async def test_i4_a_known_message_of_a_connection_is_not_owed_again(store: Store) -> None:
    await owe(store, planned("m1", body=b"first"))
    await route(store, deliveries=(planned("m1", body=b"again"), planned("m1", connection="heap")), fanned_out=1)
    assert [delivery.body for delivery in await store.claim("segment", now=START, limit=9)] == [b"first"]
    assert await ready(store, "heap") == ["m1"]


async def test_a_message_twice_in_one_routing_is_owed_once(store: Store) -> None:
    await route(store, deliveries=(planned("m1"), planned("m1"), planned("m2")), fanned_out=1)
    assert await ready(store) == ["m1", "m2"]
    assert (await store.ledger()).duplicate == 1


async def test_a_delivery_for_later_waits_until_then(store: Store) -> None:
    await owe(store, planned("m1", not_before=LATER))
    assert await ready(store, now=LATER - 1) == []
    assert await ready(store, now=LATER) == ["m1"]


async def test_a_delivery_for_a_time_gone_by_is_ready(store: Store) -> None:
    await owe(store, planned("m1", not_before=START - 1))
    (found,) = await store.claim("segment", now=START, limit=1)
    assert (found.state, found.next_attempt_at) == (State.QUEUED, None)


async def test_i20_what_is_owed_no_longer_can_be_told_from_what_still_is(store: Store) -> None:
    numbers = await owe(store, *(planned(f"m{number}", f"p{number}") for number in range(5)))
    delivered, dropped, waiting, inflight, queued = numbers
    await settle(store, [delivered])
    await store.drop([dropped], because="by hand")
    await settle(store, [waiting], State.WAITING, next_attempt_at=LATER)
    await store.settle([Settlement(id=inflight, state=State.INFLIGHT, intent=Intent(recipient="a", set_out_at=START))])
    assert await store.still_owed([*numbers, 10_000]) == {waiting, inflight, queued}
    assert await store.still_owed([]) == set()


# --- claiming ---------------------------------------------------------------------------------------------------


async def test_a_claim_takes_the_first_ones_in_order_of_acceptance(store: Store) -> None:
    await owe(store, *(planned(f"m{number}", f"p{number % 3}") for number in range(10)))
    assert await ready(store, limit=4) == ["m0", "m1", "m2", "m3"]


async def test_what_is_claimed_is_what_the_outbox_holds_however_soon_or_often(store: Store, wall: Wall) -> None:
    wall.ms += 5
    first = await owe(store, planned("m1", "ann", subject="delighted/1"), planned("m2", "ben", kind="identify"))
    soon = await store.claim("segment", now=wall.ms, limit=9)
    await settle(store, first[1:], State.QUEUED, reason="HTTP 503")
    wall.ms += 5
    numbers = first + await owe(store, planned("m3", not_before=START), planned("m4", not_before=LATER), planned("m5"))
    again = await store.claim("segment", now=LATER, limit=9)
    assert soon == [one for one in again if one.id in first[:1]] + [
        msgspec.structs.replace(again[1], attempts=0, reason=None)
    ]
    assert again == [await store.delivery(number) for number in numbers]


async def test_what_was_dropped_since_it_was_decided_is_not_claimed(store: Store) -> None:
    numbers = await owe(store, planned("m1"), planned("m2"), planned("m3"))
    assert await store.drop(numbers[1:2], because="nobody wants it") == 1
    assert await ready(store) == ["m1", "m3"]


async def test_a_claim_goes_on_after_what_the_caller_has_in_hand(store: Store) -> None:
    numbers = await owe(store, *(planned(f"m{number}") for number in range(4)))
    assert await ready(store, after=numbers[1]) == ["m2", "m3"]


async def test_a_claim_is_for_one_connection(store: Store) -> None:
    await owe(store, planned("m1"), planned("m2", connection="heap"))
    assert await ready(store, "heap") == ["m2"]


async def test_claiming_changes_nothing(store: Store) -> None:
    await owe(store, planned("m1"))
    assert await ready(store) == await ready(store) == ["m1"]


async def test_waiting_ones_whose_time_has_come_are_ready_in_their_old_place(store: Store) -> None:
    numbers = await owe(store, planned("m1", "ann"), planned("m2", "bob"), planned("m3", "cid"))
    await settle(store, [numbers[1]], State.WAITING, next_attempt_at=LATER)
    assert await ready(store, now=LATER - 1) == ["m1", "m3"]
    assert await ready(store, now=LATER) == ["m1", "m2", "m3"]
    assert await ready(store, now=LATER, limit=2) == ["m1", "m2"]


BLOCKING = [(State.WAITING, LATER), (State.INFLIGHT, None)]


@pytest.mark.parametrize(("state", "next_attempt_at"), BLOCKING)
async def test_i5_who_has_an_earlier_one_that_is_not_ready_waits_and_nobody_else(
    store: Store, state: State, next_attempt_at: int | None
) -> None:
    numbers = await owe(store, planned("a1", "ann"), planned("b1", "bob"), planned("a2", "ann"), planned("b2", "bob"))
    await settle(store, numbers[:1], state, next_attempt_at=next_attempt_at)
    assert await ready(store) == ["b1", "b2"]


async def test_i5_a_waiting_one_whose_time_has_come_is_held_up_as_well(store: Store) -> None:
    numbers = await owe(store, planned("a1"), planned("a2"))
    await settle(store, numbers[:1], State.INFLIGHT)
    await settle(store, numbers[1:], State.WAITING, next_attempt_at=START)
    assert await ready(store) == []


async def test_i5_an_earlier_waiting_one_whose_time_has_come_goes_first_and_holds_nobody_up(store: Store) -> None:
    numbers = await owe(store, planned("a1"), planned("a2"))
    await settle(store, numbers[:1], State.WAITING, next_attempt_at=START)
    assert await ready(store) == ["a1", "a2"]


async def test_i5_what_the_caller_has_in_hand_holds_nobody_up(store: Store) -> None:
    numbers = await owe(store, planned("a1"), planned("a2"))
    await settle(store, numbers[:1], State.INFLIGHT)
    assert await ready(store, after=numbers[0]) == ["a2"]


async def test_i5_a_later_one_that_waits_does_not_hold_up_an_earlier_one(store: Store) -> None:
    numbers = await owe(store, planned("a1"), planned("a2"))
    await settle(store, numbers[1:], State.WAITING, next_attempt_at=LATER)
    assert await ready(store) == ["a1"]


async def test_i5_order_is_kept_for_each_connection_by_itself(store: Store) -> None:
    numbers = await owe(store, planned("a1"), planned("a2", connection="heap"))
    await settle(store, numbers[:1], State.WAITING, next_attempt_at=LATER)
    assert await ready(store, "heap") == ["a2"]


@pytest.mark.parametrize("state", [State.DELIVERED, State.DEAD, State.HELD, State.FILTERED, State.EXPIRED])
async def test_i5_an_earlier_one_that_is_no_longer_owed_holds_nobody_up(store: Store, state: State) -> None:
    numbers = await owe(store, planned("a1"), planned("a2"))
    await settle(store, numbers[:1], state)
    assert await ready(store) == ["a2"]


async def test_i6_a_claim_passes_those_who_are_held_up(store: Store) -> None:
    numbers = await owe(store, *(planned(f"a{number}", "ann") for number in range(20)), planned("b1", "bob"))
    await settle(store, numbers[:1], State.WAITING, next_attempt_at=LATER)
    assert await ready(store, limit=5) == ["b1"]


async def test_the_next_due_time_is_the_earliest_of_a_connection(store: Store) -> None:
    await owe(store, planned("m1", not_before=LATER + 5), planned("m2", "bob", not_before=LATER), planned("m3", "cid"))
    assert await store.next_due("segment") == LATER
    assert await store.next_due("heap") is None


# --- settling ---------------------------------------------------------------------------------------------------


async def test_a_settlement_records_state_reason_time_and_attempt(store: Store) -> None:
    (number,) = await owe(store, planned("m1"))
    await settle(store, [number], State.WAITING, reason="HTTP 503", next_attempt_at=LATER)
    found = await store.delivery(number)
    assert found is not None
    assert (found.state, found.reason, found.next_attempt_at) == (State.WAITING, "HTTP 503", LATER)
    assert found.attempts == 1


async def test_setting_out_is_not_an_attempt_until_its_outcome_is_recorded(store: Store) -> None:
    (number,) = await owe(store, planned("m1"))
    await settle(store, [number], State.INFLIGHT)
    await settle(store, [number], State.HELD, reason="no answer")
    found = await store.delivery(number)
    assert found is not None
    assert (found.state, found.attempts) == (State.HELD, 1)


async def test_a_waiting_one_that_is_queued_again_waits_for_no_time(store: Store) -> None:
    (number,) = await owe(store, planned("m1", not_before=LATER))
    await settle(store, [number], State.QUEUED)
    assert await ready(store) == ["m1"]
    assert await store.next_due("segment") is None


@pytest.mark.parametrize("state", [State.DELIVERED, State.DEAD, State.HELD, State.EXPIRED, State.ERASED])
async def test_what_is_no_longer_owed_is_left_alone(store: Store, state: State) -> None:
    (number,) = await owe(store, planned("m1"))
    await settle(store, [number], state, reason="first")
    before = await store.ledger()
    await settle(store, [number], State.QUEUED, reason="second")
    found = await store.delivery(number)
    assert found is not None
    assert (found.state, found.reason, found.attempts) == (state, "first", 1)
    assert await store.ledger() == before


async def test_settlements_of_one_delivery_are_taken_in_order(store: Store) -> None:
    (number,) = await owe(store, planned("m1"))
    steps = [(State.INFLIGHT, "one"), (State.DELIVERED, "two"), (State.DEAD, "three")]
    await store.settle([Settlement(id=number, state=state, reason=reason) for state, reason in steps])
    found = await store.delivery(number)
    assert found is not None
    assert (found.state, found.reason) == (State.DELIVERED, "two")


async def test_a_settlement_of_an_unknown_delivery_counts_nothing(store: Store) -> None:
    await settle(store, [4711])
    assert (await store.ledger()).delivered == 0


# --- requests that must not be repeated ---------------------------------------------------------------------------


async def set_out(store: Store, number: int, recipient: str = "ann@example.org", at: int = START) -> None:
    await settle(store, [number], State.INFLIGHT, intent=Intent(recipient=recipient, set_out_at=at))


async def beside(store: Store, number: int, limit: int = 9) -> list[str]:
    return [one.message_id for one in await store.beside(number, limit=limit)]


async def test_i8_when_a_request_set_out_is_kept_with_it_whatever_becomes_of_it(store: Store, wall: Wall) -> None:
    numbers = await owe(store, planned("m1"), planned("m2", "bob"), planned("m3", "cid"))
    for number in numbers:
        await set_out(store, number, at=START + number)
    assert [one.set_out_at for one in await store.inflight("segment")] == [START + number for number in numbers]
    wall.ms += 50
    await settle(store, numbers[:1])
    await settle(store, numbers[1:2], State.HELD)
    found = [await store.delivery(number) for number in numbers]
    times = [(one.set_out_at, one.settled_at) for one in found if one is not None]
    assert times == [(START + numbers[0], START + 50), (START + numbers[1], None), (START + numbers[2], None)]


async def test_what_is_owed_no_longer_does_not_set_out(store: Store) -> None:
    numbers = await owe(store, planned("m1"), planned("m2", "bob"))
    await settle(store, numbers[:1], State.FILTERED)
    for number in numbers:
        await set_out(store, number)
    assert await beside(store, numbers[1]) == []


TAKEN = [State.DELIVERED, State.HELD, State.DEAD, State.INFLIGHT]
NOT_TAKEN = [State.QUEUED, State.WAITING, State.FILTERED]


@pytest.mark.parametrize(("state", "is_beside"), [(one, True) for one in TAKEN] + [(one, False) for one in NOT_TAKEN])
async def test_i8_beside_a_request_is_what_may_have_been_taken(store: Store, state: State, *, is_beside: bool) -> None:
    numbers = await owe(store, planned("m1", "person:1"), planned("m2", "person:1"), planned("m3", "person:1"))
    await set_out(store, numbers[0])
    await settle(store, numbers[:1], state, next_attempt_at=LATER)
    await set_out(store, numbers[1])
    assert await beside(store, numbers[1]) == ["m1"] * is_beside
    assert await beside(store, numbers[2]) == ["m2"] + ["m1"] * is_beside


async def test_i8_what_was_held_and_then_dropped_by_a_person_may_have_been_taken(store: Store) -> None:
    numbers = await owe(store, planned("m1", "person:1"), planned("m2", "person:1"))
    for number in numbers:
        await set_out(store, number)
    await settle(store, numbers[:1], State.HELD)
    await store.drop(numbers[:1], because="by hand")
    assert await beside(store, numbers[1]) == ["m1"]


async def test_i8_beside_a_request_are_those_of_its_recipient_and_of_its_person(store: Store) -> None:
    others = [
        planned("same recipient", "person:2"),
        planned("same person", "person:1"),
        planned("another", "person:3"),
        planned("elsewhere", "person:1", "heap"),
        planned("not set out", "person:1"),
    ]
    number, *numbers = await owe(store, planned("m1", "person:1"), *others)
    recipients = ["ann@example.org", "new@example.org", "bob@example.org", "ann@example.org"]
    await set_out(store, number)
    for other, recipient in zip(numbers, recipients, strict=False):
        await set_out(store, other, recipient, at=START + other)
    assert await beside(store, number) == ["same person", "same recipient"]
    assert await beside(store, number, limit=1) == ["same person"]
    assert await beside(store, numbers[2]) == []


async def test_what_is_sent_again_may_have_been_taken_before(store: Store) -> None:
    numbers = await owe(store, planned("m1", "person:1"), planned("m2", "person:1"))
    for number in numbers:
        await set_out(store, number)
    await settle(store, numbers[:1])
    await store.send_again(numbers[:1])
    assert await beside(store, numbers[1]) == ["m1"]


# --- listing ----------------------------------------------------------------------------------------------------


async def test_deliveries_are_listed_newest_first_with_those_on_the_shelf(store: Store) -> None:
    await owe(store, planned("m1"), planned("m2"))
    await store.shelve(shelved("k1"))
    assert [delivery.message_id for delivery in await store.deliveries()] == ["k1", "m2", "m1"]
    assert [delivery.message_id for delivery in await store.deliveries(limit=1)] == ["k1"]


@pytest.mark.parametrize("state", State)
async def test_deliveries_are_listed_by_state_and_connection(store: Store, state: State) -> None:
    numbers = await owe(
        store, *(planned(f"{other}", f"p-{other}") for other in State), planned(f"{state}", "x", "heap")
    )
    for number, other in zip(numbers, [*State, state], strict=True):
        await settle(store, [number], other, next_attempt_at=LATER)
    both = await store.deliveries(state=state)
    assert [(delivery.state, delivery.connection) for delivery in both] == [(state, "heap"), (state, "segment")]
    assert [delivery.id for delivery in await store.deliveries(state=state, connection="heap")] == [numbers[-1]]


async def test_deliveries_of_one_connection_are_listed_in_any_state(store: Store) -> None:
    numbers = await owe(store, planned("m1"), planned("m2", connection="heap"), planned("m3"))
    await settle(store, numbers[:1])
    assert [delivery.message_id for delivery in await store.deliveries(connection="segment")] == ["m3", "m1"]


async def test_depths_count_all_but_the_delivered(store: Store) -> None:
    numbers = await owe(
        store, *(planned(f"m{number}", f"p{number}") for number in range(6)), planned("h", connection="heap")
    )
    for number, state in zip(
        numbers, [State.DELIVERED, State.WAITING, State.INFLIGHT, State.HELD, State.DEAD], strict=False
    ):
        await settle(store, [number], state, next_attempt_at=LATER)
    await store.shelve(shelved("k1"))
    states = (State.WAITING, State.INFLIGHT, State.HELD, State.DEAD, State.QUEUED)
    expected = {("segment", state): 1 for state in states}
    assert await store.depths() == expected | {("heap", State.QUEUED): 1, ("delighted", State.DEAD): 1}


async def test_the_oldest_owed_of_each_connection_is_known_by_its_age(store: Store, wall: Wall) -> None:
    first = await owe(store, planned("m1", "ann"), planned("h1", connection="heap", not_before=LATER))
    wall.ms += 10
    second = await owe(store, planned("m2", "bob"), planned("x1", connection="extra"))
    wall.ms += 10
    await owe(store, planned("m3", "cid"))
    await settle(store, first[:1])
    await settle(store, second, State.INFLIGHT)
    assert await store.oldest_owed() == {"segment": START + 10, "heap": START, "extra": START + 10}


async def test_nothing_owed_has_no_age(store: Store) -> None:
    await settle(store, await owe(store, planned("m1")))
    await store.shelve(shelved())
    assert await store.oldest_owed() == {}


async def test_what_is_not_to_be_sent_is_never_claimed_and_says_why(store: Store) -> None:
    (number,) = await owe(store, planned("m1", filtered_because="no userId is known", not_before=START + 1))
    assert await ready(store, now=START + 10) == []
    kept = await store.delivery(number)
    assert kept is not None
    assert (kept.state, kept.reason, kept.attempts) == (State.FILTERED, "no userId is known", 0)
