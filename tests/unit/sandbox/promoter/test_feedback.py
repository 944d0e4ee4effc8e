"""Feedback in both versions: its fields, its filters, its pages, and what is unknown of them."""

from typing import Any

import pytest

from npsbridge.sandbox.promoter import PastFeedback, PromoterServer
from unit.sandbox.calling import NEW_YEAR, Caller, Hands, Reply

V2 = "/v2/feedback/"
DAY = 86_400


def load(server: PromoterServer, days: list[float], **fields: Any) -> list[int]:
    """Answers so many days after New Year."""
    return server.load(
        PastFeedback(email=f"p{at}@acme.test", score=at % 11, posted_at=NEW_YEAR + int(day * DAY), **fields)
        for at, day in enumerate(days)
    )


def ids(reply: Reply) -> list[int]:
    return [row["id"] for row in reply.json["results"]]


async def row_of(api: Caller, path: str) -> Any:
    [row] = (await api.get(path)).json["results"]
    return row


async def test_v2_has_the_fields_that_clients_read(promoter: PromoterServer, api: Caller) -> None:
    promoter.answer("mara@acme.test", 9, comment="Quick help.", tags=("help",), attributes={"plan": "growth"})
    row = await row_of(api, V2)
    assert (row["score"], row["score_type"], row["status"], row["tags"]) == (9, "promoter", "OPEN", ["help"])
    assert row["campaign"] == {"id": 78, "name": "Post purchase"}
    assert row["contact"]["attributes"] == {"plan": "growth"}
    assert row["created"] == row["score_created"] == row["posted_date"] == "2026-01-01T00:00:00Z"
    assert set(row["survey"]) == {"sent_date", "attributes"}


async def test_v1_has_one_value_for_the_campaign_and_nothing_of_the_survey(
    promoter: PromoterServer, api: Caller
) -> None:
    promoter.answer("mara@acme.test", 9)
    row = await row_of(api, "/feedback/")
    assert (row["campaign"], "survey" in row, "status" in row, "tags" in row) == (78, False, False, False)
    promoter.change_switches({"v1_campaign": "name"})
    assert (await row_of(api, "/feedback/"))["campaign"] == "Post purchase"


async def test_an_answer_to_a_survey_brings_its_attributes_back(promoter: PromoterServer, api: Caller) -> None:
    body = {"campaign_id": 79, "contact": {"email": "mara@acme.test"}, "attributes": {"request_id": "r1"}}
    await api.post("/v2/survey/", json=body)
    promoter.answer("mara@acme.test", 9)
    row = await row_of(api, V2)
    assert (row["campaign"]["id"], row["survey"]["attributes"]) == (79, {"request_id": "r1"})


@pytest.mark.parametrize(
    ("switches", "field", "expected"),
    [
        ({"times": "unpadded"}, "posted_date", "2025-12-31T8:20:00Z"),
        ({"v2_has_posted_date": False}, "posted_date", None),
        ({"has_followup_href": False}, "followup_href", None),
        ({"tags_are": "objects"}, "tags", [{"name": "help"}]),
    ],
)
async def test_what_is_unknown_of_a_field_is_a_switch(
    promoter: PromoterServer, api: Caller, switches: dict[str, Any], field: str, expected: Any
) -> None:
    promoter.change_switches(switches)
    promoter.answer("mara@acme.test", 9, posted_at=NEW_YEAR - DAY + 30_000, tags=("help",))
    assert (await row_of(api, V2)).get(field) == expected


async def test_pages_of_100_lead_to_each_other_by_absolute_urls(promoter: PromoterServer, api: Caller) -> None:
    loaded = load(promoter, [-1] * 250)
    first = (await api.get(f"{V2}?score_type=&posted_date_0=2025-01-01")).json
    assert (first["count"], len(first["results"]), first["previous"]) == (250, 100, None)
    assert first["next"].startswith(f"{promoter.base_url}{V2}?")
    second = await api.get(first["next"])
    third = await api.get(second.json["next"])
    assert [*(row["id"] for row in first["results"]), *ids(second), *ids(third)] == loaded
    assert third.json["next"] is None


async def test_next_can_name_another_host(promoter: PromoterServer, api: Caller) -> None:
    promoter.change_switches({"next_origin": "https://app.promoter.io", "page_size": 1})
    load(promoter, [-1, -1])
    assert (await api.get(V2)).json["next"] == "https://app.promoter.io/api/v2/feedback/?page=2"


@pytest.mark.parametrize("page", ["2", "0", "-1", "x", "99"])
async def test_past_the_end_there_is_no_page(promoter: PromoterServer, api: Caller, page: str) -> None:
    load(promoter, [-1])
    reply = await api.get(f"{V2}?page={page}")
    assert (reply.status, reply.json) == (404, {"detail": "Invalid page."})


async def test_the_first_page_of_nothing_is_empty(api: Caller) -> None:
    assert (await api.get(V2)).json == {"count": 0, "next": None, "previous": None, "results": []}


DAYS = [-3.5, -2.5, -1.5, -0.5]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("posted_date_0=2025-12-29&posted_date_1=2025-12-29", [1]),
        ("posted_date_0=2025-12-29", [1, 2, 3]),
        ("posted_date_1=2025-12-28", [0]),
        ("posted_date_1=soon", [0, 1, 2, 3]),
        ("posted_date=2025-12-30", [0, 1, 2, 3]),
        ("survey_campaign=79", [0, 1, 2, 3]),
        ("survey__campaign=79", []),
        ("score=2", [2]),
        ("score_type=detractor", [0, 1, 2, 3]),
        ("survey__contact__email=p3%40acme.test", [3]),
    ],
)
async def test_filters_let_through_what_they_know_and_ignore_the_rest(
    promoter: PromoterServer, api: Caller, query: str, expected: list[int]
) -> None:
    loaded = load(promoter, DAYS)
    assert ids(await api.get(f"{V2}?{query}")) == [loaded[at] for at in expected]


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        ({"last_day": "inclusive"}, [1, 2]),
        ({"last_day": "exclusive"}, [1]),
        ({"zone_hours": 13}, [0, 1]),
        ({"zone_hours": -12}, [1, 2]),
        ({"filters_work": False}, [0, 1, 2, 3]),
    ],
)
async def test_days_are_those_of_a_zone_and_the_last_may_count(
    promoter: PromoterServer, api: Caller, switches: dict[str, Any], expected: list[int]
) -> None:
    promoter.change_switches(switches)
    loaded = load(promoter, DAYS)
    found = ids(await api.get(f"{V2}?posted_date_0=2025-12-29&posted_date_1=2025-12-30"))
    assert found == [loaded[at] for at in expected]


async def test_the_order_is_a_switch(promoter: PromoterServer, api: Caller) -> None:
    loaded = load(promoter, [-at for at in range(1, 21)])
    seen = {}
    for order in ("id", "newest", "shuffled", "random"):
        promoter.change_switches({"order": order})
        seen[order] = [ids(await api.get(V2)) for _ in range(2)]
    assert seen["id"] == [loaded, loaded]
    assert seen["newest"] == [loaded, loaded]
    assert seen["shuffled"][0] == seen["shuffled"][1] != loaded
    assert seen["random"][0] != seen["random"][1]


async def test_an_edit_leaves_the_posting_date_alone(promoter: PromoterServer, api: Caller, hands: Hands) -> None:
    feedback_id = promoter.answer("mara@acme.test", 9)
    hands.forward(60)
    promoter.edit(feedback_id, score=3, comment="no\0 more")
    row = await row_of(api, V2)
    assert (row["score"], row["comment"], row["posted_date"]) == (3, "no\0 more", "2026-01-01T00:00:00Z")
    assert row["score_modified"] == row["comment_updated_date"] == "2026-01-01T00:01:00Z"


async def test_tags_and_status_move_no_time(promoter: PromoterServer, api: Caller, hands: Hands) -> None:
    feedback_id = promoter.answer("mara@acme.test", 9)
    before = await row_of(api, V2)
    hands.forward(60)
    promoter.edit(feedback_id, tags=["help"])
    assert (await api.put(f"{V2}{feedback_id}/", {"status": "CLOSED"})).status == 200
    assert await row_of(api, V2) == before | {"tags": ["help"], "status": "CLOSED"}
    assert (await api.put(f"{V2}{feedback_id}/", {"status": "LOST"})).status == 400


@pytest.mark.parametrize(("by_id", "status"), [("found", 200), ("missing", 404), ("put_only", 405)])
async def test_one_feedback_can_be_read_by_v1_and_perhaps_by_v2(
    promoter: PromoterServer, api: Caller, by_id: str, status: int
) -> None:
    promoter.change_switches({"v2_by_id": by_id})
    feedback_id = promoter.answer("mara@acme.test", 9)
    assert (await api.get(f"{V2}{feedback_id}/")).status == status
    assert (await api.get(f"/feedback/{feedback_id}/")).json["id"] == feedback_id


async def test_what_is_removed_or_not_visible_yet_is_not_found(
    promoter: PromoterServer, api: Caller, hands: Hands
) -> None:
    gone = promoter.answer("mara@acme.test", 9)
    promoter.remove(gone)
    promoter.change_switches({"visibility_lag": 60.0})
    late = promoter.answer("ben@acme.test", 9)
    assert [(await api.get(f"/feedback/{one}/")).status for one in (gone, late)] == [404, 404]
    assert ids(await api.get(V2)) == []
    hands.forward(60)
    assert ids(await api.get(V2)) == [late]
