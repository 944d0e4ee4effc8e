import pytest
from msgspec import UNSET

from contract.store.examples import NOON, START, held_back, remembered, response, route
from contract.store.people import ANN, BOB, identify, tell
from npsbridge.core.model import Answer, Campaign, Identity, Kind, Respondent
from npsbridge.core.records import RememberedResponse, Routing
from npsbridge.core.storage import Store


async def recalled(store: Store, *numbers: str, connection: str = "delighted") -> dict[str, RememberedResponse]:
    known = await store.recall(connection, responses=numbers, people=[], emails=[])
    return known.responses


async def test_a_response_comes_back_with_every_field_it_had(store: Store) -> None:
    whole = response(
        "1",
        score=8.5,
        comment='"quoted"\n\x00 ünïcode 🙂',
        updated_at=NOON,
        person=Respondent(id="7", email="Ann@Example.com", name="Ann", user_id="u", anonymous_id="a"),
        permalink=None,
        campaign=Campaign(id="c"),
        channel="email",
        tags=["a", "b"],
        answers=[Answer(question="q", answer=["x", "y"])],
        person_properties={"deep": {"list": [1, None, 2.5]}},
        completed=True,
    )
    given = RememberedResponse(response=whole, revision=3, milestones=(Kind.ANSWERED, Kind.COMPLETED))
    await route(store, responses=(given,), filtered=1)
    assert await recalled(store, "1") == {"1": given}


async def test_what_a_vendor_did_not_send_stays_unset(store: Store) -> None:
    await route(store, responses=(remembered("1"),), filtered=1)
    found = (await recalled(store, "1"))["1"].response
    assert found.tags is UNSET
    assert found.permalink is UNSET


async def test_the_latest_memory_of_a_response_replaces_the_one_before(store: Store) -> None:
    await route(store, responses=(remembered("1", score=1), remembered("1", score=2, revision=2)), filtered=1)
    found = (await recalled(store, "1"))["1"]
    assert (found.response.score, found.revision) == (2, 2)


async def test_responses_of_another_connection_are_others(store: Store) -> None:
    await route(store, responses=(remembered("1"),), filtered=1)
    assert await recalled(store, "1", connection="retently") == {}


async def test_unknown_things_are_left_out_of_a_recall(store: Store) -> None:
    await route(store, responses=(remembered("1"),), newest={"ann": 5}, filtered=1)
    known = await store.recall("delighted", responses=["1", "2"], people=["ann", "bob"], emails=["x@example.com"])
    assert (set(known.responses), known.newest, known.identities) == ({"1"}, {"ann": 5}, {})


async def test_a_recall_of_thousands_is_complete(store: Store) -> None:
    numbers = [str(number) for number in range(1_200)]
    await route(store, count=1_200, responses=tuple(map(remembered, numbers)), filtered=1_200)
    assert set(await recalled(store, *numbers)) == set(numbers)


async def test_a_recall_tells_what_it_was_asked_for_however_many_of_each(store: Store) -> None:
    persons = {f"p{number}": number for number in range(700)}
    await route(store, responses=(remembered("1"),), newest=persons, filtered=1)
    await tell(store, identify("u", email=ANN), identify("v", email=BOB))
    known = await store.recall("delighted", responses=["1"], people=persons, emails=[BOB], user_ids=["u"])
    assert (set(known.responses), known.newest, known.erased) == ({"1"}, persons, frozenset())
    assert known.identities == {BOB: Identity(user_id="v", email=BOB)}


@pytest.mark.parametrize("number", ["a\x00b", "'; --", "ÄÖ", "1 OR 1", "x" * 500, " "])
async def test_f33_any_text_serves_as_an_id(store: Store, number: str) -> None:
    await route(store, count=2, responses=(remembered("a"), remembered(number)), filtered=2)
    assert set(await recalled(store, number)) == {number}


async def test_i14_the_newest_answer_of_a_person_never_goes_back_in_time(store: Store) -> None:
    for answered_at in (20, 30, 10):
        await route(store, newest={"ann": answered_at}, filtered=1)
    assert (await store.recall("any", responses=[], people=["ann"], emails=[])).newest == {"ann": 30}


# --- held back --------------------------------------------------------------------------------------------------


async def test_responses_are_held_back_until_their_time(store: Store) -> None:
    await route(
        store, count=2, responses=(held_back("2", until=START + 20), held_back("1", until=START + 10)), settling=2
    )
    assert await store.settled_responses(now=START + 9, limit=10) == []
    assert [one.response.id for one in await store.settled_responses(now=START + 10, limit=10)] == ["1"]
    assert [one.response.id for one in await store.settled_responses(now=START + 20, limit=1)] == ["1"]
    assert await store.next_settle() == START + 10


async def test_a_released_response_is_held_back_no_more(store: Store) -> None:
    await route(store, responses=(held_back("1"),), settling=1)
    await store.commit_routing([Routing(journal_id=None, responses=(remembered("1"),), settling=-1, filtered=1)])
    assert await store.settled_responses(now=START * 2, limit=10) == []
    assert await store.next_settle() is None


async def test_i2_a_release_that_was_made_before_is_left_out_as_a_whole(store: Store) -> None:
    await route(store, responses=(held_back("1"),), settling=1)
    release = Routing(journal_id=None, responses=(remembered("1"),), settling=-1, filtered=1)
    await store.commit_routing([release])
    await store.commit_routing([release])
    ledger = await store.ledger()
    assert (ledger.filtered, ledger.imbalance) == (1, 0)
