"""`/__sim/`: what another process can see and do."""

from typing import Any

import pytest

from npsbridge.sandbox import DelightedServer
from unit.sandbox.calling import Caller, Reply


async def sim(server: DelightedServer, method: str, name: str, json: Any = None) -> Reply:
    async with Caller(server.origin) as caller:
        return await caller.call(method, f"/__sim/{name}", json=json)


async def test_requests_are_shown_without_keys(delighted: DelightedServer, api: Caller) -> None:
    await api.post("/people.json", {"email": "ana@example.org"})
    [shown] = (await sim(delighted, "GET", "requests")).json
    assert shown["headers"]["Authorization"] == "Basic ***"
    assert (shown["target"], shown["body"], shown["status"]) == ("/v1/people.json", {"email": "ana@example.org"}, 201)


@pytest.mark.parametrize("header", ["Authorization", "X-Api-Key", "AuthKey", "X-Write-Key", "Cookie"])
async def test_no_header_that_holds_a_key_at_any_vendor_is_shown(delighted: DelightedServer, header: str) -> None:
    async with Caller(delighted.base_url, {header: "se-cret"}) as caller:
        await caller.get("/people.json")
    reply = await sim(delighted, "GET", "requests")
    assert reply.json[0]["headers"][header] == "***"
    assert b"se-cret" not in reply.raw


@pytest.mark.parametrize("query", ["?api_key=se-cret", "?page=2&writeKey=se-cret&x=1"])
async def test_no_key_in_a_query_is_shown(delighted: DelightedServer, api: Caller, query: str) -> None:
    await api.get(f"/people.json{query}")
    reply = await sim(delighted, "GET", "requests")
    assert reply.json[0]["target"] == "/v1/people.json" + query.replace("se-cret", "***")


async def test_looking_leaves_no_trace(delighted: DelightedServer) -> None:
    await sim(delighted, "GET", "state")
    assert len(delighted.requests) == 0


async def test_only_the_latest_are_shown_if_so_asked(delighted: DelightedServer, api: Caller) -> None:
    for number in range(3):
        await api.get(f"/people.json?page={number}")
    shown = (await sim(delighted, "GET", "requests?limit=2")).json
    assert [request["target"] for request in shown] == ["/v1/people.json?page=1", "/v1/people.json?page=2"]


async def test_a_fault_can_be_scripted_from_outside(delighted: DelightedServer, api: Caller) -> None:
    rule = {"fault": {"fault": "answer", "status": 503}, "times": 1, "path": "people"}
    assert (await sim(delighted, "POST", "script", [rule])).status == 201
    assert [(await api.get("/people.json")).status for _ in range(2)] == [503, 200]


async def test_faults_never_hit_the_inspection(delighted: DelightedServer) -> None:
    rule = {"fault": {"fault": "answer", "status": 503}, "times": None}
    await sim(delighted, "POST", "script", [rule])
    assert (await sim(delighted, "GET", "script")).json[0]["fault"]["status"] == 503


async def test_a_script_can_be_cleared(delighted: DelightedServer, api: Caller) -> None:
    await sim(delighted, "POST", "script", [{"fault": {"fault": "truncated"}, "times": None}])
    await sim(delighted, "DELETE", "script")
    assert (await api.get("/metrics.json")).json["response_count"] == 0


@pytest.mark.parametrize(
    ("name", "body", "named"),
    [
        ("script", [{"fault": {"fault": "earthquake"}}], "earthquake"),
        ("script", [{"fault": {"fault": "hang", "seconds": 100000}}], "seconds"),
        ("switches", {"standing": "gone"}, "standing"),
        ("switches", {"no_such_switch": 1}, "no_such_switch"),
        ("answers", {"person": "ana@example.org"}, "score"),
        ("edits", {"response_id": "1", "comment": "x"}, "response_id"),
        ("webhooks", {"response_id": "1"}, "webhook_url"),
    ],
)
async def test_a_wrong_request_is_told_what_is_wrong(
    delighted: DelightedServer, name: str, body: object, named: str
) -> None:
    reply = await sim(delighted, "POST", name, body)
    assert reply.status == 400
    assert named in reply.json["error"]


async def test_switches_change_while_it_runs(delighted: DelightedServer, api: Caller) -> None:
    state = await sim(delighted, "POST", "switches", {"standing": "retired"})
    assert state.json["switches"]["standing"] == "retired"
    assert (await api.get("/people.json")).status == 410


async def test_a_nested_switch_changes_alone(delighted: DelightedServer) -> None:
    await sim(delighted, "POST", "switches", {"webhooks": {"copies": 2}})
    await sim(delighted, "POST", "switches", {"webhooks": {"attempts": 3}})
    assert (delighted.switches.webhooks.copies, delighted.switches.webhooks.attempts) == (2, 3)


async def test_somebody_unknown_can_answer_and_edit_from_outside(delighted: DelightedServer) -> None:
    answered = (await sim(delighted, "POST", "answers", {"person": "ana@example.org", "score": 0})).json
    await sim(delighted, "POST", "edits", {"response_id": answered["id"], "comment": "slow"})
    [row] = delighted.responses.values()
    assert (row.score, row.comment) == (0, "slow")
    assert delighted.people[row.person_id or ""].email == "ana@example.org"


async def test_ground_truth_is_shown(delighted: DelightedServer) -> None:
    person = delighted.add_person("ana@example.org")
    delighted.answer(person, 9)
    assert (await sim(delighted, "GET", "people")).json[0]["email"] == "ana@example.org"
    assert (await sim(delighted, "GET", "responses")).json[0]["person"]["email"] == "ana@example.org"
    assert (await sim(delighted, "GET", "survey_requests")).json == []
