"""Survey responses: listed, added, changed, and when each change can be seen."""

import random
from typing import Any

import pytest

from npsbridge.sandbox import DelightedServer, PastAnswer
from npsbridge.sandbox.delighted import Note
from unit.sandbox.calling import NEW_YEAR, Caller, Hands

PATH = "/survey_responses.json"
FIELDS = {
    "id",
    "person",
    "survey_type",
    "score",
    "comment",
    "permalink",
    "created_at",
    "updated_at",
    "person_properties",
    "notes",
    "tags",
    "additional_answers",
}


def load(server: DelightedServer, count: int, **fields: Any) -> list[str]:
    """Answers of one second each, three a second."""
    return server.load(
        PastAnswer(email=f"p{number}@example.org", score=number % 11, created_at=NEW_YEAR + number // 3, **fields)
        for number in range(count)
    )


async def test_a_response_has_exactly_the_documented_fields(delighted: DelightedServer, api: Caller) -> None:
    person = delighted.add_person("ana@example.org")
    delighted.answer(person, 0)
    [row] = (await api.get(PATH)).json
    assert set(row) == FIELDS
    assert (row["person"], row["score"], row["comment"], row["survey_type"]) == (person.id, 0, None, "nps")
    assert (row["notes"], row["tags"], row["additional_answers"], row["person_properties"]) == ([], [], [], None)
    assert row["permalink"].startswith("https://app.delighted.com/r/")
    assert len(row["permalink"].rpartition("/")[2]) == 32


async def test_a_page_past_the_end_is_an_empty_array(delighted: DelightedServer, api: Caller) -> None:
    load(delighted, 3)
    assert (await api.get(f"{PATH}?page=2")).json == []


async def test_pages_of_100_at_most_read_every_row_once(delighted: DelightedServer, api: Caller) -> None:
    ids = load(delighted, 250)
    sizes, read = [], []
    for page in range(1, 5):
        reply = await api.get(f"{PATH}?per_page=500&page={page}")
        sizes.append(len(reply.json))
        read += reply.ids
    assert sizes == [100, 100, 50, 0]
    assert read == ids


async def test_numbered_pages_have_no_link_unless_switched(delighted: DelightedServer, api: Caller) -> None:
    ids = load(delighted, 30)
    assert "Link" not in (await api.get(PATH)).headers
    delighted.change_switches({"link_on_numbered_pages": True})
    first = await api.get(f"{PATH}?order=asc")
    rest = await api.get(first.headers["Link"].split(">")[0][1:])
    assert first.ids + rest.ids == ids
    assert "Link" not in rest.headers


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (f"since={NEW_YEAR + 1}", [3, 4, 5, 6, 7, 8]),
        (f"until={NEW_YEAR}", [0, 1, 2]),
        (f"since={NEW_YEAR + 1}&until={NEW_YEAR + 1}", [3, 4, 5]),
        (f"updated_since={NEW_YEAR + 2}", [6, 7, 8]),
        (f"updated_until={NEW_YEAR}&order=desc", [2, 1, 0]),
        ("order=desc&per_page=2", [8, 7]),
        ("order=asc:updated_at&per_page=2", [0, 1]),
        ("order=desc%3Aupdated_at&per_page=2", [8, 7]),
        ("person_email=p4@example.org", [4]),
        ("person_email=nobody@example.org", []),
        ("person_id=99", []),
    ],
)
async def test_filters_are_inclusive_and_orders_are_kept(
    delighted: DelightedServer, api: Caller, query: str, expected: list[int]
) -> None:
    ids = load(delighted, 9)
    assert (await api.get(f"{PATH}?{query}")).ids == [ids[number] for number in expected]


@pytest.mark.parametrize("query", ["order=newest", "since=yesterday", "per_page=many"])
async def test_a_parameter_that_cannot_be_read_is_422(api: Caller, query: str) -> None:
    reply = await api.get(f"{PATH}?{query}")
    assert (reply.status, list(reply.json["errors"])) == (422, [query.partition("=")[0]])


async def test_no_trend_exists(api: Caller) -> None:
    assert (await api.get(f"{PATH}?trend=17")).status == 404


async def test_a_person_is_expanded_on_demand(delighted: DelightedServer, api: Caller) -> None:
    person = delighted.add_person("ana@example.org", name="Ana")
    delighted.answer(person, 9)
    [row] = (await api.get(f"{PATH}?expand[]=person&expand[]=notes")).json
    assert row["person"] == {"id": person.id, "email": "ana@example.org", "name": "Ana", "created_at": NEW_YEAR}
    delighted.change_switches({"expanded_person": "full"})
    [row] = (await api.get(f"{PATH}?expand[]=person")).json
    assert row["person"]["last_responded_at"] == NEW_YEAR


async def test_expand_without_brackets_is_not_understood(delighted: DelightedServer, api: Caller) -> None:
    person = delighted.add_person("ana@example.org")
    delighted.answer(person, 9)
    assert (await api.get(f"{PATH}?expand=person")).json[0]["person"] == person.id


async def test_f33_an_anonymous_answer_has_no_person(delighted: DelightedServer, api: Caller) -> None:
    delighted.answer(None, 9)
    assert (await api.get(f"{PATH}?expand[]=person")).json[0]["person"] is None


async def test_notes_are_ids_without_expand_by_switch(delighted: DelightedServer, api: Caller) -> None:
    response_id = delighted.answer(None, 9)
    delighted.edit(response_id, notes=[Note(id="12", text="called", user_email="cs@example.org", created_at=NEW_YEAR)])
    shown = {"id": "12", "text": "called", "user_email": "cs@example.org", "created_at": NEW_YEAR}
    assert (await api.get(PATH)).json[0]["notes"] == [shown]
    delighted.change_switches({"notes_without_expand": "ids"})
    assert (await api.get(PATH)).json[0]["notes"] == ["12"]
    assert (await api.get(f"{PATH}?expand[]=notes")).json[0]["notes"] == [shown]


async def test_a_response_is_added_and_read_back(delighted: DelightedServer, api: Caller) -> None:
    person = delighted.add_person("ana@example.org")
    body = {"person": person.id, "score": 0, "comment": "slow", "person_properties": {"plan": "team"}}
    added = await api.post(PATH, body)
    assert added.status == 201
    assert (added.json["created_at"], added.json["updated_at"]) == (NEW_YEAR, NEW_YEAR)
    assert (await api.get(f"/survey_responses/{added.json['id']}.json")).json == added.json
    assert added.json["person_properties"] == {"plan": "team"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"score": 9}, "person"),
        ({"person": "99", "score": 9}, "person"),
        ({"person": "{id}"}, "score"),
        ({"person": "{id}", "score": 11}, "score"),
        ({"person": "{id}", "score": -1}, "score"),
        ({"person": "{id}", "score": 9.5}, "score"),
        ({"person": "{id}", "score": True}, "score"),
        ({"person": "{id}", "score": 9, "created_at": "2018-04-11"}, "created_at"),
    ],
)
async def test_f34_a_wrong_answer_is_told_what_is_wrong(
    delighted: DelightedServer, api: Caller, body: dict[str, Any], field: str
) -> None:
    person = delighted.add_person("ana@example.org")
    filled = {name: person.id if value == "{id}" else value for name, value in body.items()}
    reply = await api.post(PATH, filled)
    assert (reply.status, list(reply.json["errors"])) == (422, [field])
    assert not delighted.responses


async def test_adding_twice_makes_two(delighted: DelightedServer, api: Caller) -> None:
    body = {"person": delighted.add_person("ana@example.org").id, "score": 9}
    await api.post(PATH, body)
    await api.post(PATH, body)
    assert len(delighted.responses) == 2


@pytest.mark.parametrize(("reading", "updated_at"), [("now", NEW_YEAR), ("created_at", 1_500_000_000)])
async def test_a_backdated_answer_keeps_its_date(
    delighted: DelightedServer, api: Caller, reading: str, updated_at: int
) -> None:
    delighted.change_switches({"backdated_updated_at": reading})
    body = {"person": delighted.add_person("ana@example.org").id, "score": 9, "created_at": 1_500_000_000}
    added = (await api.post(PATH, body)).json
    assert (added["created_at"], added["updated_at"]) == (1_500_000_000, updated_at)


async def test_a_whole_object_put_back_changes_what_differs(
    delighted: DelightedServer, api: Caller, hands: Hands
) -> None:
    delighted.answer(delighted.add_person("ana@example.org"), 3)
    [row] = (await api.get(f"{PATH}?expand[]=person")).json
    hands.forward(60)
    changed = (await api.put(f"/survey_responses/{row['id']}", {**row, "score": 9, "comment": "better"})).json
    assert (changed["score"], changed["comment"], changed["updated_at"]) == (9, "better", NEW_YEAR + 60)
    assert changed["created_at"] == NEW_YEAR


async def test_a_put_may_name_the_person_by_id_and_ask_to_expand(delighted: DelightedServer, api: Caller) -> None:
    response_id = delighted.answer(delighted.add_person("ana@example.org"), 3)
    other = delighted.add_person("ben@example.org")
    changed = await api.put(f"/survey_responses/{response_id}", {"person": other.id, "expand": ["person"]})
    assert changed.json["person"]["email"] == "ben@example.org"
    assert (await api.get(f"{PATH}?person_id={other.id}")).ids == [response_id]


async def test_a_put_that_changes_nothing_leaves_the_time_alone(
    delighted: DelightedServer, api: Caller, hands: Hands
) -> None:
    response_id = delighted.answer(delighted.add_person("ana@example.org"), 3)
    hands.forward(60)
    assert (await api.put(f"/survey_responses/{response_id}", {"score": 3})).json["updated_at"] == NEW_YEAR


@pytest.mark.parametrize("takes", [True, False])
async def test_a_put_takes_tags_by_switch(delighted: DelightedServer, api: Caller, *, takes: bool) -> None:
    delighted.change_switches({"put_takes_notes_and_tags": takes})
    response_id = delighted.answer(None, 3)
    changed = await api.put(f"/survey_responses/{response_id}", {"tags": ["billing"]})
    assert changed.json["tags"] == (["billing"] if takes else [])


@pytest.mark.parametrize(
    ("changes", "switch", "moves"),
    [
        ({"score": 4}, {}, True),
        ({"comment": "x"}, {}, True),
        ({"additional_answers": [{"id": "88"}]}, {}, True),
        ({"additional_answers": [{"id": "88"}]}, {"additional_answers_count_as_update": False}, False),
        ({"tags": ["x"]}, {}, False),
        ({"tags": ["x"]}, {"notes_and_tags_count_as_update": True}, True),
    ],
)
async def test_what_counts_as_an_update(
    delighted: DelightedServer, hands: Hands, changes: dict[str, Any], switch: dict[str, Any], *, moves: bool
) -> None:
    delighted.change_switches(switch)
    response_id = delighted.answer(None, 3)
    hands.forward(60)
    delighted.edit(response_id, **changes)
    assert delighted.responses[response_id].updated_at == NEW_YEAR + 60 * moves


async def test_updated_at_may_be_null_until_edited(delighted: DelightedServer, api: Caller, hands: Hands) -> None:
    delighted.change_switches({"updated_at": "null_until_edited"})
    first, second = delighted.answer(None, 3), delighted.answer(None, 4)
    hands.forward(60)
    delighted.edit(second, comment="x")
    shown = {row["id"]: row["updated_at"] for row in (await api.get(PATH)).json}
    assert shown == {first: None, second: NEW_YEAR + 60}


@pytest.mark.parametrize("matches", [True, False])
async def test_updated_since_finds_null_or_not(delighted: DelightedServer, api: Caller, *, matches: bool) -> None:
    delighted.change_switches({"updated_at": "always_null", "updated_since_matches_null": matches})
    response_id = delighted.answer(None, 3)
    assert (await api.get(f"{PATH}?updated_since={NEW_YEAR}")).ids == ([response_id] if matches else [])


async def test_updated_since_alone_may_change_the_order(delighted: DelightedServer, api: Caller, hands: Hands) -> None:
    first, second = delighted.answer(None, 3), delighted.answer(None, 4)
    hands.forward(60)
    delighted.edit(first, comment="x")
    assert (await api.get(f"{PATH}?updated_since=0")).ids == [first, second]
    delighted.change_switches({"updated_since_sorts_by_update": True})
    assert (await api.get(f"{PATH}?updated_since=0")).ids == [second, first]


async def test_f31_a_change_is_seen_only_after_its_lag(delighted: DelightedServer, api: Caller, hands: Hands) -> None:
    response_id = delighted.answer(None, 3)
    hands.forward(10)
    delighted.edit(response_id, comment="late", visible_after=5)
    assert (await api.get(PATH)).json[0]["comment"] is None
    hands.forward(5)
    [row] = (await api.get(PATH)).json
    assert (row["comment"], row["updated_at"]) == ("late", NEW_YEAR + 10)


async def test_f31_a_later_change_may_be_seen_before_an_earlier_one(
    delighted: DelightedServer, api: Caller, hands: Hands
) -> None:
    early = delighted.answer(None, 3, visible_after=5)
    hands.forward(1)
    late = delighted.answer(None, 4, visible_after=0)
    assert (await api.get(PATH)).ids == [late]
    hands.forward(4)
    assert (await api.get(PATH)).ids == [early, late]
    assert list(delighted.responses) == [late, early]


async def test_an_old_change_that_appears_late_never_hides_a_newer_one(
    delighted: DelightedServer, api: Caller, hands: Hands
) -> None:
    response_id = delighted.answer(None, 3)
    delighted.edit(response_id, comment="first", visible_after=9)
    delighted.edit(response_id, comment="second", visible_after=1)
    hands.forward(10)
    assert (await api.get(PATH)).json[0]["comment"] == "second"


async def test_the_lag_is_at_most_what_the_switch_says(hands: Hands) -> None:
    async with DelightedServer(now=hands, dice=random.Random(1)) as server:  # noqa: S311 - no secret
        server.change_switches({"visibility_lag": 30})
        ids = [server.answer(None, 5) for _ in range(50)]
        visible = server.account.responses.visible.rows
        at_once = len(visible)
        hands.forward(30)
        assert len(server.responses) == 50
        assert at_once < len(ids) == len(visible)


async def test_f30_an_edit_while_paging_shifts_later_pages(
    delighted: DelightedServer, api: Caller, hands: Hands
) -> None:
    ids = load(delighted, 40)
    query = f"{PATH}?order=asc:updated_at&updated_since={NEW_YEAR}&per_page=20"
    first = (await api.get(query)).ids
    hands.forward(100)
    delighted.edit(ids[0], comment="now at the end")
    second = (await api.get(f"{query}&page=2")).ids
    assert set(ids) - set(first) - set(second) == {ids[20]}
    assert second[-1] == ids[0]


async def test_f30_more_than_a_page_in_one_second_is_paged_by_number(delighted: DelightedServer, api: Caller) -> None:
    ids = [delighted.answer(None, 5) for _ in range(230)]
    delighted.change_switches({"tie_order": "shuffled"})
    query = f"{PATH}?order=asc:updated_at&updated_since={NEW_YEAR}&per_page=100"
    read = [row_id for page in (1, 2, 3) for row_id in (await api.get(f"{query}&page={page}")).ids]
    assert sorted(read) == sorted(ids)
    assert read != ids


async def test_metrics_count_a_range_inclusively(delighted: DelightedServer, api: Caller) -> None:
    for offset, score in enumerate([10, 9, 8, 7, 6, 0]):
        delighted.answer(None, score, created_at=NEW_YEAR + offset)
    delighted.answer(None, 1, created_at=NEW_YEAR, survey_type="csat")
    reply = await api.get(f"/metrics.json?since={NEW_YEAR + 1}&until={NEW_YEAR + 4}")
    assert reply.json == {
        "nps": 0,
        "promoter_count": 1,
        "promoter_percent": 25,
        "passive_count": 2,
        "passive_percent": 50,
        "detractor_count": 1,
        "detractor_percent": 25,
        "response_count": 4,
    }


async def test_metrics_without_dates_are_those_of_the_last_30_days_with_answers(
    delighted: DelightedServer, api: Caller, hands: Hands
) -> None:
    delighted.answer(None, 0, created_at=NEW_YEAR - 31 * 86400)
    delighted.answer(None, 10, created_at=NEW_YEAR)
    hands.forward(365 * 86400)
    assert (await api.get("/metrics.json")).json["nps"] == 100
