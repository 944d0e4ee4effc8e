"""v3's pages and the old export, with every doubt about them as a switch."""

from itertools import chain
from typing import Any

import pytest

from npsbridge.sandbox.satismeter import PastAnswer, SatisMeterServer
from unit.sandbox.calling import NEW_YEAR, Caller, Hands, basic

DAY = 86_400
EVERYTHING = "startDate=2010-01-01T00:00:00Z&endDate=2030-01-01T00:00:00Z"


def path(server: SatisMeterServer, query: str = EVERYTHING) -> str:
    return f"/v3/projects/{server.project_id}/responses?{query}"


def load(server: SatisMeterServer, count: int, *, every: float = 1.0) -> list[str]:
    """Answers up to a moment ago, oldest first."""
    return server.load(
        PastAnswer(email=f"p{number}@example.org", score=number % 11, created_at=NEW_YEAR - (count - number) * every)
        for number in range(count)
    )


def ids(body: Any) -> list[str]:
    return [row["id"] for row in body["data"]]


async def read_all(project: Caller, server: SatisMeterServer, size: int = 100) -> list[list[str]]:
    pages, cursor = [], ""
    while True:
        body = (await project.get(path(server, f"{EVERYTHING}&pageSize={size}{cursor}"))).json
        pages.append(ids(body))
        if not body["page"]["hasNextPage"]:
            return pages
        cursor = f"&pageCursor={body['page']['nextPageCursor']}".replace("+", "%2B")


async def test_a_response_has_its_score_and_comment_among_the_answers(
    satismeter: SatisMeterServer, project: Caller
) -> None:
    satismeter.add_person("ada@example.org", user_id="u-1", name="Ada")
    number = satismeter.answer("u-1", 9, comment="Fast")
    [row] = (await project.get(path(satismeter))).json["data"]
    assert (row["id"], len(number), row["user"]["userId"]) == (number, 24, "u-1")
    assert not {"rating", "feedback", "completed", "permalink"} & set(row)
    assert [(answer["value"], answer["type"], answer["metric"]) for answer in row["answers"]] == [
        (9, "scale", "nps"),
        ("Fast", "long-text", None),
    ]


async def test_without_dates_only_the_last_30_days_are_listed(satismeter: SatisMeterServer, project: Caller) -> None:
    satismeter.answer("old@example.org", 1, created_at=NEW_YEAR - 31 * DAY)
    late = satismeter.answer("new@example.org", 9, created_at=NEW_YEAR - 29 * DAY)
    assert ids((await project.get(path(satismeter, "pageSize=100"))).json) == [late]


async def test_pages_come_newest_first_and_hold_every_row_once(satismeter: SatisMeterServer, project: Caller) -> None:
    numbers = load(satismeter, 250)
    pages = await read_all(project, satismeter)
    assert [len(page) for page in pages] == [100, 100, 50]
    assert list(chain(*pages)) == numbers[::-1]


@pytest.mark.parametrize(
    ("switches", "shape"),
    [
        ({}, {"hasNextPage": False, "nextPageCursor": None, "size": 100}),
        ({"last_cursor": "absent"}, {"hasNextPage": False, "size": 100}),
        ({"size_says": "listed"}, {"hasNextPage": False, "nextPageCursor": None, "size": 3}),
    ],
)
async def test_the_last_page_says_so_in_the_way_that_is_switched(
    satismeter: SatisMeterServer, project: Caller, switches: dict[str, Any], shape: dict[str, Any]
) -> None:
    satismeter.change_switches(switches)
    load(satismeter, 3)
    assert (await project.get(path(satismeter, f"{EVERYTHING}&pageSize=100"))).json["page"] == shape


@pytest.mark.parametrize(
    ("given", "mode", "size"),
    [("", "default", 20), ("100", "default", 100), ("101", "default", 20), ("101", "clamp", 100), ("0", "clamp", 1)],
)
async def test_a_page_size_out_of_range_is_the_default_or_clamped(
    satismeter: SatisMeterServer, project: Caller, given: str, mode: str, size: int
) -> None:
    satismeter.change_switches({"page_size_out_of_range": mode})
    load(satismeter, 120)
    query = f"{EVERYTHING}&pageSize={given}" if given else EVERYTHING
    assert len((await project.get(path(satismeter, query))).json["data"]) == size


@pytest.mark.parametrize(("cursor", "repeats"), [("keyset", 0), ("offset", 2)])
async def test_new_rows_shift_only_the_pages_of_an_offset(
    satismeter: SatisMeterServer, project: Caller, cursor: str, repeats: int
) -> None:
    satismeter.change_switches({"cursor": cursor})
    load(satismeter, 20)
    first = (await project.get(path(satismeter, f"{EVERYTHING}&pageSize=10"))).json
    satismeter.answer("a@example.org", 1)
    satismeter.answer("b@example.org", 1)
    place = first["page"]["nextPageCursor"].replace("+", "%2B")
    second = (await project.get(path(satismeter, f"{EVERYTHING}&pageSize=10&pageCursor={place}"))).json
    assert len(set(ids(first)) & set(ids(second))) == repeats


async def test_a_cursor_leads_on_though_its_row_is_gone(satismeter: SatisMeterServer, project: Caller) -> None:
    numbers = load(satismeter, 20)
    first = (await project.get(path(satismeter, f"{EVERYTHING}&pageSize=10"))).json
    satismeter.remove(numbers[10])
    place = first["page"]["nextPageCursor"].replace("+", "%2B")
    second = (await project.get(path(satismeter, f"{EVERYTHING}&pageSize=10&pageCursor={place}"))).json
    assert ids(second) == numbers[9::-1]


@pytest.mark.parametrize(("bounds", "count"), [("inclusive", 3), ("exclusive", 1)])
async def test_bounds_are_as_switched(satismeter: SatisMeterServer, project: Caller, bounds: str, count: int) -> None:
    satismeter.change_switches({"bounds": bounds})
    for second in (0, 1, 2):
        satismeter.answer(None, 9, created_at=NEW_YEAR - DAY + second)
    query = "startDate=2025-12-31T00:00:00Z&endDate=2025-12-31T00:00:02Z"
    assert len((await project.get(path(satismeter, query))).json["data"]) == count


async def test_ties_can_be_shuffled_and_stay_so(satismeter: SatisMeterServer, project: Caller) -> None:
    numbers = [satismeter.answer(None, 9) for _ in range(30)]
    satismeter.change_switches({"tie_order": "shuffled"})
    first, second = await read_all(project, satismeter, 7), await read_all(project, satismeter, 7)
    assert first == second
    assert list(chain(*first)) != numbers[::-1]
    assert sorted(chain(*first)) == sorted(numbers)


async def test_the_order_and_the_length_of_pages_can_be_switched(satismeter: SatisMeterServer, project: Caller) -> None:
    numbers = load(satismeter, 10)
    satismeter.change_switches({"order": "oldest", "longest_page": 4})
    pages = await read_all(project, satismeter)
    assert [len(page) for page in pages] == [4, 4, 2]
    assert list(chain(*pages)) == numbers


async def test_an_edit_moves_nothing_and_can_be_seen_late(
    satismeter: SatisMeterServer, project: Caller, hands: Hands
) -> None:
    number = satismeter.answer("ada@example.org", 9)
    hands.forward(20 * DAY)
    satismeter.change_switches({"visibility_lag": 60})
    satismeter.edit(number, comment="Slow")
    [before] = (await project.get(path(satismeter))).json["data"]
    hands.forward(60)
    [after] = (await project.get(path(satismeter))).json["data"]
    assert (len(before["answers"]), len(after["answers"])) == (1, 2)
    assert before["created"] == after["created"]


async def test_a_deleted_user_leaves_anonymous_answers(satismeter: SatisMeterServer, project: Caller) -> None:
    satismeter.answer("ada@example.org", 9, comment="Fast")
    satismeter.delete_person("ada@example.org")
    [row] = (await project.get(path(satismeter))).json["data"]
    assert (row["user"]["deleted"], row["user"]["userId"], row["user"]["traits"]) == (True, None, {})
    assert row["answers"][1]["value"] == "Fast"


async def test_somebody_anonymous_has_an_anonymous_id(satismeter: SatisMeterServer, project: Caller) -> None:
    satismeter.answer(None, 9)
    [row] = (await project.get(path(satismeter))).json["data"]
    assert row["user"]["userId"] is None
    assert row["user"]["anonymousId"].startswith("anonymous-")


async def test_surveys_of_other_metrics_are_listed_too_and_by_campaign(
    satismeter: SatisMeterServer, project: Caller
) -> None:
    satismeter.answer("ada@example.org", 9)
    csat = satismeter.answer("ada@example.org", 4, survey_type="csat")
    campaigns = (await project.get(f"/v3/projects/{satismeter.project_id}/campaigns")).json["data"]
    [campaign] = [one["id"] for one in campaigns if one["type"] == "csat"]
    found = (await project.get(f"/v3/projects/{satismeter.project_id}/campaigns/{campaign}/responses")).json
    assert ids(found) == [csat]


@pytest.mark.parametrize(("lists", "count"), [(True, 2), (False, 1)])
async def test_a_survey_closed_without_an_answer_is_listed_only_if_switched(
    satismeter: SatisMeterServer,
    project: Caller,
    *,
    lists: bool,
    count: int,
) -> None:
    satismeter.change_switches({"lists_dismissed": lists})
    satismeter.dismiss("ada@example.org")
    satismeter.dismiss("bob@example.org", 3)
    assert len((await project.get(path(satismeter))).json["data"]) == count


@pytest.mark.parametrize(("of", "plan"), [("today", "Gold"), ("answer", "Free")])
async def test_traits_are_those_of_today_or_of_the_answer(
    satismeter: SatisMeterServer, project: Caller, of: str, plan: str
) -> None:
    satismeter.change_switches({"traits_of": of})
    satismeter.add_person("ada@example.org", plan="Free")
    satismeter.answer("ada@example.org", 9)
    satismeter.project.set_traits("ada@example.org", plan="Gold")
    [row] = (await project.get(path(satismeter))).json["data"]
    assert row["user"]["traits"]["plan"] == plan


@pytest.mark.parametrize(("wraps", "key"), [(True, "data"), (False, "id")])
async def test_the_project_is_wrapped_or_bare(
    satismeter: SatisMeterServer,
    project: Caller,
    *,
    wraps: bool,
    key: str,
) -> None:
    satismeter.change_switches({"wraps_project": wraps})
    assert key in (await project.get(f"/v3/projects/{satismeter.project_id}")).json


@pytest.mark.parametrize("query", ["startDate=soon", "pageSize=many", "pageCursor=%21", "endDate="])
async def test_what_cannot_be_read_is_400_with_a_title(
    satismeter: SatisMeterServer, project: Caller, query: str
) -> None:
    reply = await project.get(path(satismeter, query))
    assert (reply.status, reply.json["errors"][0]["title"]) == (400, f"Invalid {query.partition('=')[0]}")


# --- the old export -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", ["/responses/", "/responses"])
async def test_the_old_export_gives_everything_at_once_to_basic(satismeter: SatisMeterServer, route: str) -> None:
    numbers = load(satismeter, 150)
    query = {"format": "json", "project": satismeter.project_id, "startDate": "2025-12-01", "endDate": "2026-02-01"}
    async with Caller(satismeter.base_url, basic(satismeter.api_key)) as caller:
        rows = (await caller.get(route, params=query)).json["responses"]
    assert [row["id"] for row in rows] == numbers
    assert (rows[9]["rating"], rows[9]["category"], rows[9]["pending"]) == (9, "promoter", False)


async def test_the_old_export_takes_epochs_and_the_old_header(satismeter: SatisMeterServer) -> None:
    load(satismeter, 5)
    query = {"project": satismeter.project_id, "startDate": str(NEW_YEAR - 60), "endDate": str(NEW_YEAR)}
    async with Caller(satismeter.base_url, {"AuthKey": satismeter.api_key}) as caller:
        assert len((await caller.get("/responses", params=query)).json["responses"]) == 5
