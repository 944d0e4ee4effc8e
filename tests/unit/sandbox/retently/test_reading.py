"""What the look-alike of Retently lists, and in which of its many shapes."""

from typing import Any

import pytest

from npsbridge.sandbox import RateLimit
from npsbridge.sandbox.retently import REFRESH_TOKEN, PastFeedback, RetentlyServer
from unit.sandbox.calling import NEW_YEAR, Caller, Hands

NOW_MS = NEW_YEAR * 1000
FIELDS = {
    "id", "customerId", "email", "firstName", "lastName", "companyName", "companyId", "jobTitle", "country", "state",
    "city", "tags", "customProps", "campaignId", "campaignName", "createdDate", "score", "comment", "checkbox",
    "additionalQuestions", "feedbackTopics", "feedbackTags", "feedbackTagsNew", "notes", "status", "assigned",
    "ratingCategory", "resolved", "channel", "metricsType", "isBogus",
}  # fmt: skip


def load(server: RetentlyServer, count: int, *, step_ms: int = 1000) -> list[str]:
    return server.load(
        PastFeedback(email=f"p{n}@example.org", score=n % 11, created_ms=NOW_MS + n * step_ms) for n in range(count)
    )


async def listed(api: Caller, query: str = "") -> list[str]:
    return [row["id"] for row in (await api.get(f"/feedback{query}")).json["data"]["responses"]]


async def test_an_answer_has_exactly_the_known_fields(retently: RetentlyServer, api: Caller) -> None:
    retently.account.upsert("ana@example.org", first_name="Ana", properties={"Plan": "team"})
    retently.answer("ana@example.org", 0, tags=("speed",))
    [row] = (await api.get("/feedback")).json["data"]["responses"]
    assert set(row) == FIELDS
    assert (row["createdDate"], row["score"], row["ratingCategory"]) == ("2026-01-01T00:00:00.000Z", 0, "detractor")
    assert row["customProps"] == [{"name": "plan", "type": "text", "value": "team"}]
    assert (row["feedbackTags"], row["feedbackTagsNew"], row["tags"]) == ([], ["speed"], [])


async def test_lists_are_newest_first_and_twenty_long_unless_asked(retently: RetentlyServer, api: Caller) -> None:
    ids = load(retently, 45)
    reply = (await api.get("/feedback")).json
    assert await listed(api) == ids[:24:-1]
    paging = {name: reply["data"][name] for name in ("page", "pages", "limit", "total", "sort")}
    assert paging == {"page": 1, "pages": 3, "limit": 20, "total": 45, "sort": "-createdDate"}


async def test_both_generations_of_paths_answer_the_same(retently: RetentlyServer, api: Caller) -> None:
    retently.answer("ana@example.org", 9)
    retently.send("ana@example.org")
    for new, old in (("feedback", "nps/customers/response"), ("outbox", "nps/outbox"), ("customers", "nps/customers")):
        assert (await api.get(f"/{new}")).json == (await api.get(f"/{old}")).json


async def test_pages_read_every_row_once(retently: RetentlyServer, api: Caller) -> None:
    ids = load(retently, 250)
    read = [await listed(api, f"?sort=createdDate&limit=100&page={page}") for page in (1, 2, 3, 4)]
    assert [len(page) for page in read] == [100, 100, 50, 0]
    assert [row_id for page in read for row_id in page] == ids


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("startDate=2026-01-01T00:00:02Z", [2, 3]),
        (f"startDate={NEW_YEAR + 2}", [2, 3]),
        ("endDate=2026-01-01T00:00:01Z", [0, 1]),
        ("startDate=2026-01-01T00:00:01Z&endDate=2026-01-01T00:00:02Z", [1, 2]),
        ("startDate=someday", [0, 1, 2, 3]),
        ("email=P1@example.org", [1]),
        ("email=nobody@example.org", []),
        ("limit=2&page=2", [2, 3]),
        ("limit=0", [0]),
        ("page=x", [0, 1, 2, 3]),
    ],
)
async def test_filters_and_pages(retently: RetentlyServer, api: Caller, query: str, expected: list[int]) -> None:
    ids = load(retently, 4)
    assert await listed(api, f"?sort=createdDate&{query}") == [ids[number] for number in expected]


@pytest.mark.parametrize(
    ("switches", "query", "expected"),
    [
        ({"start_date": "exclusive"}, "startDate=2026-01-01T00:00:01Z", [3]),
        ({"start_date": "exclusive"}, "endDate=2026-01-01T00:00:01Z", [0, 1]),
        ({"precision": "seconds"}, "endDate=2026-01-01T00:00:00Z", [0, 1]),
        ({"precision": "seconds", "start_date": "exclusive"}, "startDate=2026-01-01T00:00:00Z", [2, 3]),
        ({"sort": "ignored"}, "", [3, 2, 1, 0]),
        ({"short_by": 1}, "limit=3&page=2", [2, 3]),
    ],
    ids=str,
)
async def test_doubts_are_switches(
    retently: RetentlyServer, api: Caller, switches: dict[str, Any], query: str, expected: list[int]
) -> None:
    ids = load(retently, 4, step_ms=500)
    retently.change_switches(switches)
    assert await listed(api, f"?sort=createdDate&{query}") == [ids[number] for number in expected]


async def test_ties_are_in_the_order_of_their_ids_unless_shuffled(retently: RetentlyServer, api: Caller) -> None:
    ids = load(retently, 20, step_ms=0)
    assert await listed(api, "?sort=createdDate") == ids
    retently.change_switches({"tie_order": "shuffled"})
    first, second = [await listed(api, "?sort=createdDate") for _ in range(2)]
    assert first != second
    assert sorted(first) == sorted(second) == ids


@pytest.mark.parametrize(
    ("switches", "where"),
    [
        ({}, lambda body: (body["data"]["responses"], body["data"]["total"])),
        ({"paging_at": "top"}, lambda body: (body["data"]["responses"], body["total"])),
        ({"rows_at": "top"}, lambda body: (body["responses"], body["total"])),
        ({"rows_at": "bare"}, lambda body: (body["data"], body["total"])),
        ({"rows_at": "bare", "paging_at": "nowhere"}, lambda body: (body["data"], body.get("total", 1))),
    ],
    ids=str,
)
async def test_envelopes_are_switches(
    retently: RetentlyServer, api: Caller, switches: dict[str, Any], where: Any
) -> None:
    load(retently, 1)
    retently.change_switches(switches)
    rows, total = where((await api.get("/feedback")).json)
    assert (len(rows), total) == (1, 1)


@pytest.mark.parametrize(("past_the_end", "status"), [("empty", 200), ("not_found", 404)])
async def test_a_page_past_the_end(retently: RetentlyServer, api: Caller, past_the_end: str, status: int) -> None:
    retently.change_switches({"past_the_end": past_the_end})
    assert (await api.get("/feedback?page=2")).status == status
    assert (await api.get("/feedback")).status == 200


@pytest.mark.parametrize(("missing", "expected"), [("null", [None]), ("empty", [""]), ("absent", [])])
async def test_a_missing_comment_is_shown_in_three_ways(
    retently: RetentlyServer, api: Caller, missing: str, expected: list[str | None]
) -> None:
    retently.change_switches({"missing_comment": missing})
    load(retently, 1)
    [row] = (await api.get("/feedback")).json["data"]["responses"]
    assert [row[name] for name in ("comment",) if name in row] == expected


async def test_a_late_comment_moves_neither_id_nor_time(retently: RetentlyServer, api: Caller, hands: Hands) -> None:
    [answered] = load(retently, 1)
    [before] = (await api.get("/feedback")).json["data"]["responses"]
    hands.forward(20 * 86_400)
    retently.edit(answered, comment="slow")
    [after] = (await api.get("/feedback")).json["data"]["responses"]
    assert after == before | {"comment": "slow"}


async def test_a_new_answer_may_be_visible_late(retently: RetentlyServer, api: Caller, hands: Hands) -> None:
    late = retently.answer("ana@example.org", 9, visible_after=60)
    assert await listed(api) == []
    assert (await api.get(f"/feedback/{late}")).status == 404
    hands.forward(60)
    assert await listed(api) == [late]


async def test_every_answer_has_its_own_lag(retently: RetentlyServer, api: Caller, hands: Hands) -> None:
    retently.change_switches({"visibility_lag": 100})
    ids = {retently.answer("ana@example.org", 9) for _ in range(20)}
    hands.forward(50)
    some = await listed(api)
    hands.forward(50)
    assert 0 < len(some) < 20
    assert set(await listed(api)) == ids


async def test_a_deleted_answer_is_gone_without_a_trace(retently: RetentlyServer, api: Caller) -> None:
    first, second = load(retently, 2)
    retently.delete(first)
    assert await listed(api) == [second]
    hidden = retently.answer("ana@example.org", 9, visible_after=60)
    retently.delete(hidden)
    assert hidden not in retently.responses


@pytest.mark.parametrize("shape", ["list", "object"])
async def test_one_answer_by_its_id(retently: RetentlyServer, api: Caller, shape: str) -> None:
    retently.change_switches({"one_response": shape})
    ids = load(retently, 2)
    data = (await api.get(f"/feedback/{ids[0]}")).json["data"]
    assert (data["responses"][0] if shape == "list" else data)["id"] == ids[0]


async def test_the_same_path_takes_the_id_of_a_campaign(retently: RetentlyServer, api: Caller) -> None:
    ids = load(retently, 2)
    data = (await api.get(f"/feedback/{retently.account.default_campaign}")).json["data"]
    assert [row["id"] for row in data["responses"]] == ids


@pytest.mark.parametrize(("wanted", "status"), [("0" * 24, 404), ("malformed", 400)])
async def test_an_unknown_or_malformed_id_is_refused(api: Caller, wanted: str, status: int) -> None:
    reply = await api.get(f"/feedback/{wanted}")
    assert (reply.status, reply.json["code"], reply.json["data"]) == (status, status, None)


async def test_the_outbox_tells_who_opened_and_not_what_was_asked(retently: RetentlyServer, api: Caller) -> None:
    survey = retently.send("ana@example.org")
    retently.open(survey)
    [row] = (await api.get("/outbox")).json["data"]["surveys"]
    assert row["detailedStatus"]["openedDate"] == "2026-01-01T00:00:00.000Z"
    assert row["detailedStatus"]["isResponded"] is False
    assert {"id", "metricsType"}.isdisjoint(row)
    assert len(row["mandrillMessageId"]) == 48
    retently.change_switches({"message_ids": False})
    assert (await api.get("/outbox")).json["data"]["surveys"][0]["mandrillMessageId"] is None


async def test_a_plan_without_outbox(retently: RetentlyServer, api: Caller) -> None:
    retently.change_switches({"has_outbox": False})
    assert (await api.get("/outbox")).status == 403


async def test_lists_without_pages_have_envelopes_of_their_own(retently: RetentlyServer, api: Caller) -> None:
    retently.account.upsert("ana@example.org", company="Acme")
    retently.answer("ana@example.org", 9)
    assert [campaign["metric"] for campaign in (await api.get("/campaigns")).json["campaigns"]] == ["nps"]
    assert len((await api.get("/templates")).json["templates"]) == 1
    retently.change_switches({"templates_at": "data"})
    assert len((await api.get("/templates")).json["data"]) == 1
    assert [report["last"]["score"] for report in (await api.get("/reports")).json["data"]] == [100]
    assert [row["companyName"] for row in (await api.get("/companies")).json["data"]["companies"]] == ["Acme"]


async def test_a_score_counts_its_own_metric_only(retently: RetentlyServer, api: Caller) -> None:
    for score in (10, 9, 7, 0):
        retently.answer("ana@example.org", score)
    retently.answer("ana@example.org", 1, metric="csat")
    score = (await api.get("/nps/score")).json["data"]
    assert (score["score"], score["promoters"], score["promotersCount"], score["totalResponses"]) == (25, 50, 2, 4)
    assert (await api.get("/csat/score")).json["data"]["totalResponses"] == 1


async def test_a_customer_by_id_in_either_shape(retently: RetentlyServer, api: Caller) -> None:
    customer = retently.account.upsert("ana@example.org", properties={"Seats": 12})
    shown = (await api.get(f"/customers/{customer.id}")).json["data"]
    assert shown["properties"] == [{"label": "Seats", "name": "seats", "type": "integer", "value": "12"}]
    retently.change_switches({"one_customer": "list"})
    assert (await api.get(f"/customers/{customer.id}")).json["data"]["subscribers"] == [shown]
    assert (await api.get("/customers/nobody")).status == 404


# --- who may come in --------------------------------------------------------------------------------------------


async def test_the_key_is_taken_in_three_places(retently: RetentlyServer) -> None:
    key = retently.api_key
    async with Caller(retently.base_url) as caller:
        assert (await caller.get("/ping", headers={"Authorization": f"api_key={key}"})).status == 200
        assert (await caller.get("/ping", headers={"X-Api-Key": key})).status == 200
        assert (await caller.get(f"/ping?api_key={key}")).status == 200
        for headers in ({}, {"Authorization": f"Bearer {key}"}, {"X-Api-Key": "wrong"}, {"Authorization": "api_key="}):
            reply = await caller.get("/ping", headers=headers)
            assert (reply.status, reply.json["message"]) == (
                401,
                "Please check your API Key to make sure it's valid.",
            )


async def test_a_token_from_the_oauth_endpoint_is_taken_too(retently: RetentlyServer) -> None:
    async with Caller(retently.origin) as caller:
        form = {"grant_type": "refresh_token", "refresh_token": REFRESH_TOKEN, "client_id": "a", "client_secret": "b"}
        token = (await caller.call("POST", "/api/oauth/token", data=form)).json["access_token"]
        wrong = await caller.call("POST", "/api/oauth/token", data=form | {"refresh_token": "x"})
        reply = await caller.get("/api/v2/ping", headers={"Authorization": f"Bearer {token}"})
    assert (reply.status, wrong.status) == (200, 401)


@pytest.mark.parametrize(("standing", "status"), [("retired", 410), ("unauthorized", 401), ("forbidden", 403)])
async def test_an_account_that_is_not_open(retently: RetentlyServer, api: Caller, standing: str, status: int) -> None:
    retently.change_switches({"standing": standing})
    assert (await api.get("/feedback")).status == status


async def test_the_limit_is_150_requests_a_minute(api: Caller, hands: Hands) -> None:
    statuses = [(await api.get("/ping")).status for _ in range(151)]
    assert statuses == [200] * 150 + [429]
    hands.forward(1)
    assert [(await api.get("/ping")).status for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize(("body", "start"), [("envelope", b"{"), ("html", b"<!DOCTYPE"), ("empty", b"")])
async def test_a_refusal_has_a_body_and_a_header_by_switch(
    retently: RetentlyServer, api: Caller, body: str, start: bytes
) -> None:
    limit = RateLimit(requests=1, seconds=60)
    retently.change_switches({"rate_limit": limit, "refusal_body": body})
    await api.get("/ping")
    reply = await api.get("/ping")
    assert (reply.status, "Retry-After" in reply.headers) == (429, False)
    assert reply.raw.startswith(start)
    retently.change_switches({"retry_after_header": True})
    assert (await api.get("/ping")).headers["Retry-After"] == "60"


async def test_an_unknown_path_is_404_in_the_vendor_s_envelope(api: Caller) -> None:
    assert (await api.get("/nothing")).json == {"message": "Not Found", "code": 404, "data": None}


@pytest.mark.parametrize(
    "changes", [{"sort": "sometimes"}, {"no_such_switch": 1}, {"webhooks": {"copies": 0}}], ids=str
)
def test_a_switch_that_cannot_be_is_refused_by_name(changes: dict[str, Any]) -> None:
    name = "copies" if "webhooks" in changes else next(iter(changes))
    with pytest.raises(ValueError, match=name):
        RetentlyServer().change_switches(changes)
