"""What can be looked at: answers by facets, their counts, and deliveries without what they carry."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contract.store.examples import NOON, START, owe, planned, remembered, route, settle, shelved
from npsbridge.core.keys import normalised_email
from npsbridge.core.model import Campaign, State
from npsbridge.core.people import IdKind, PeopleChange, Person, PersonId
from npsbridge.core.storage import Store
from npsbridge.core.views import Answers, Scored

HERE = Answers(connections=("delighted",))
DAY = 86_400_000
TODAY = START // DAY


async def given(store: Store, *answers: dict[str, Any]) -> None:
    """Keep answers; they are numbered from 1 where they do not say how."""
    kept = [remembered(fields.pop("number", str(number)), **fields) for number, fields in enumerate(answers, 1)]
    await route(store, count=len(kept), responses=tuple(kept), filtered=len(kept))


async def ids(store: Store, which: Answers = HERE, **how: Any) -> list[str]:
    return [known.response.id for known in await store.views.answers(which, **how)]


async def test_answers_come_newest_first_a_page_at_a_time(store: Store) -> None:
    await given(store, *({"created_at": NOON + timedelta(days=day)} for day in (2, 0, 1)))
    assert await ids(store) == ["1", "3", "2"]
    assert await ids(store, skip=1, limit=1) == ["3"]


async def test_lowest_first_is_by_score_and_then_newest_first_and_leaves_out_what_has_no_score(store: Store) -> None:
    later = NOON + timedelta(days=1)
    await given(store, {"score": 3}, {"score": 0}, {"score": 3, "created_at": later}, {"score": None})
    assert await ids(store, lowest_first=True) == ["2", "3", "1"]
    assert await ids(store, lowest_first=True, skip=1, limit=1) == ["3"]


@pytest.mark.parametrize(
    ("narrowed", "found"),
    [
        ({"survey_type": "csat"}, ["2"]),
        ({"campaign": "Spring"}, ["3"]),
        ({"campaign": "c-7"}, ["4"]),
        ({"lowest": 2, "highest": 5}, ["2", "1"]),
        ({"lowest": 5.5}, ["3", "4"]),
        ({"since": START + DAY}, ["3", "4"]),
        ({"until": START + DAY}, ["2", "1"]),
        ({"with_comment": True}, ["3"]),
        ({"connections": ()}, []),
        ({"connections": ("elsewhere",)}, ["5"]),
        ({"connections": ("delighted", "elsewhere"), "highest": 2}, ["5", "1"]),
    ],
)
async def test_each_facet_narrows(store: Store, narrowed: dict[str, Any], found: list[str]) -> None:
    later = NOON + timedelta(days=1)
    await given(
        store,
        {"score": 2},
        {"score": 5, "survey_type": "csat", "created_at": NOON + timedelta(hours=1)},
        {"score": 9, "campaign": Campaign(id="c-3", name="Spring"), "created_at": later + timedelta(1), "comment": "!"},
        {"score": 6, "campaign": Campaign(id="c-7"), "created_at": later, "comment": ""},
        {"score": 1, "connection": "elsewhere", "created_at": later},
    )
    which = Answers(**({"connections": ("delighted",)} | narrowed))
    assert await ids(store, which) == found


async def test_a_survey_that_was_opened_or_closed_is_no_answer(store: Store) -> None:
    await given(store, {"viewed": True}, {"dismissed": True}, {})
    assert await ids(store) == ["3"]
    found = await store.views.answer("delighted", "1")
    assert found is not None
    assert found.response.viewed


async def test_an_edited_answer_counts_as_it_is_now_and_an_unknown_one_is_none(store: Store) -> None:
    await given(store, {"score": 2, "comment": "no"})
    await given(store, {"score": 9, "comment": None, "created_at": NOON + timedelta(days=1)})
    assert await store.views.scores_by_day(HERE) == [Scored(key=(TODAY + 1,), score=9, count=1)]
    assert await ids(store, Answers(connections=("delighted",), with_comment=True)) == []
    assert await store.views.answer("delighted", "2") is None


async def test_scores_are_counted_by_day_in_order(store: Store) -> None:
    midnight = datetime(2026, 3, 2, tzinfo=UTC)
    before = midnight - timedelta(milliseconds=1)
    await given(
        store,
        {"score": 9, "created_at": midnight},
        {"score": 0, "created_at": before},
        {"score": 9, "created_at": before},
        {"score": 9, "created_at": before},
        {"score": None},
    )
    assert await store.views.scores_by_day(HERE) == [
        Scored(key=(TODAY,), score=0, count=1),
        Scored(key=(TODAY,), score=9, count=2),
        Scored(key=(TODAY + 1,), score=9, count=1),
    ]


async def test_days_before_1970_are_days_as_well(store: Store) -> None:
    await given(store, {"created_at": datetime(1969, 12, 31, 23, tzinfo=UTC)})
    assert [one.key for one in await store.views.scores_by_day(HERE)] == [(-1,)]


async def test_scores_are_counted_by_connection_and_campaign(store: Store) -> None:
    spring = Campaign(name="Spring")
    await given(store, {"campaign": spring}, {"campaign": spring}, {}, {"connection": "elsewhere", "score": 3.5})
    both = Answers(connections=("delighted", "elsewhere"))
    assert sorted(await store.views.scores_by_group(both), key=str) == [
        Scored(key=("delighted", "Spring"), score=9, count=2),
        Scored(key=("delighted", None), score=9, count=1),
        Scored(key=("elsewhere", None), score=3.5, count=1),
    ]


async def test_connections_are_those_that_have_an_answer(store: Store) -> None:
    assert (await store.views.connections(), await store.views.last_answers()) == ({}, {})
    later = NOON + timedelta(days=1)
    await given(
        store,
        {"connection": "b", "platform": "retently"},
        {"connection": "a", "created_at": later},
        {"connection": "a"},
        {"connection": "c", "viewed": True},
    )
    assert await store.views.connections() == {"a": "delighted", "b": "retently"}
    assert await store.views.last_answers() == {"a": START + DAY, "b": START}


async def test_survey_types_are_those_of_the_answers_meant(store: Store) -> None:
    await given(store, {"survey_type": "nps"}, {"survey_type": "csat"}, {"survey_type": "ces", "connection": "b"})
    assert await store.views.survey_types(HERE) == ["csat", "nps"]


async def test_an_erased_answer_is_counted_nowhere(store: Store) -> None:
    await given(store, {"email": "ann@x.org"}, {})
    await store.forget(PersonId(IdKind.EMAIL, str(normalised_email("ann@x.org"))))
    assert await ids(store) == ["2"]
    assert [one.count for one in await store.views.scores_by_day(HERE)] == [1]


# --- deliveries -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [None, *State])
async def test_deliveries_are_listed_by_state_and_connection_a_page_at_a_time(
    store: Store, state: State | None
) -> None:
    wanted = state or State.QUEUED
    numbers = await owe(store, *(planned(f"m{number}", str(number)) for number in range(3)))
    numbers += await owe(store, planned("other", connection="heap"))
    due = START + 1 if wanted is State.WAITING else None
    if wanted is not State.QUEUED:
        await settle(store, numbers, wanted, reason="HTTP 400", next_attempt_at=due)
    listed = await store.views.deliveries(state=state)
    assert [one.id for one in listed] == numbers[::-1]
    assert {one.state for one in listed} == {wanted}
    assert listed[0].next_attempt_at == due
    one_page = await store.views.deliveries(state=state, connection="segment", before=numbers[2], limit=1)
    assert [(one.id, one.message_id, one.connection) for one in one_page] == [(numbers[1], "m1", "segment")]


@pytest.mark.parametrize("state", State)
async def test_of_other_states_nothing_is_listed(store: Store, state: State) -> None:
    (number,) = await owe(store, planned("m1"))
    other = State.HELD if state is not State.HELD else State.DEAD
    await settle(store, [number], other)
    assert [one.id for one in await store.views.deliveries(state=state)] == ([number] if state is other else [])


async def test_the_shelf_is_listed_with_the_dead(store: Store) -> None:
    await route(store, shelved=(shelved("k1"),))
    (listed,) = await store.views.deliveries(state=State.DEAD)
    assert (listed.kind, listed.message_id, listed.reason, listed.subject) == (
        "record",
        "k1",
        "/score: no number",
        None,
    )


async def test_what_vendors_are_told_of_a_person_is_listed_newest_first(store: Store) -> None:
    people = PeopleChange(persons=tuple(Person(key=f"person:{number}") for number in (1, 2)), next_number=3)
    told = (planned("m1", "person:1"), planned("m2", "person:2"), planned("m3", "person:1"))
    await route(store, people=people, deliveries=told, fanned_out=1)
    assert [one.message_id for one in await store.views.deliveries_of(("person:1",))] == ["m3", "m1"]
    assert [one.message_id for one in await store.views.deliveries_of(("person:1", "person:2"), limit=2)] == [
        "m3",
        "m2",
    ]
    assert await store.views.deliveries_of(()) == []
