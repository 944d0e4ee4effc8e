"""Who is let in, and how errors are worded."""

import pytest

from npsbridge.sandbox import DelightedServer, DelightedSwitches, RateLimit
from unit.sandbox.calling import Caller, Hands, basic

KEY = "sandbox-delighted-key"
JSON = {"Accept": "application/json"}


@pytest.mark.parametrize("colon", [True, False])
async def test_the_key_is_good_with_and_without_a_colon(delighted: DelightedServer, *, colon: bool) -> None:
    async with Caller(delighted.base_url, basic(KEY, colon=colon)) as caller:
        assert (await caller.get("/metrics.json")).status == 200


@pytest.mark.parametrize(
    "headers", [{}, basic("other"), {"Authorization": "Basic ???"}, {"Authorization": f"Bearer {KEY}"}]
)
async def test_any_other_key_is_401(delighted: DelightedServer, headers: dict[str, str]) -> None:
    async with Caller(delighted.base_url, headers) as caller:
        reply = await caller.get("/metrics.json")
    assert (reply.status, reply.json) == (401, {"status": 401, "message": "Unauthorized"})


@pytest.mark.parametrize(
    ("path", "accept", "status"),
    [
        ("/people.json", "*/*", 200),
        ("/people", "application/json", 200),
        ("/people", "text/html, application/json;q=0.9", 200),
        ("/people", "*/*", 406),
        ("/people.xml", "application/json", 406),
        ("/survey_responses/1", "*/*", 406),
    ],
)
async def test_json_is_asked_for_by_suffix_or_accept(
    delighted: DelightedServer, path: str, accept: str, status: int
) -> None:
    async with Caller(delighted.base_url, {**basic(KEY), "Accept": accept}) as caller:
        assert (await caller.get(path)).status == status


@pytest.mark.parametrize(
    ("standing", "status"), [("open", 200), ("retired", 410), ("unauthorized", 401), ("forbidden", 403)]
)
async def test_the_standing_of_the_account_decides(
    delighted: DelightedServer, api: Caller, standing: str, status: int
) -> None:
    delighted.change_switches({"standing": standing})
    assert (await api.get("/metrics.json")).status == status


async def test_a_retired_service_does_not_even_look_at_the_key(delighted: DelightedServer) -> None:
    delighted.change_switches({"standing": "retired"})
    async with Caller(delighted.base_url) as caller:
        assert [(await caller.get(path)).status for path in ("/people", "/nothing", "/metrics.json")] == [410] * 3


async def test_a_get_may_carry_a_body(api: Caller) -> None:
    assert (await api.get("/people", json={})).status == 200


@pytest.mark.parametrize("path", ["/nothing.json", "/survey_responses/99.json"])
async def test_what_is_not_there_is_404(api: Caller, path: str) -> None:
    reply = await api.get(path)
    assert (reply.status, reply.json["message"]) == (404, "Not Found")


async def test_error_bodies_may_be_empty_except_of_a_422(delighted: DelightedServer, api: Caller) -> None:
    delighted.change_switches({"error_bodies": "empty"})
    assert (await api.get("/nothing.json")).raw == b""
    assert (await api.post("/people.json", {})).json["errors"] == {"email": ["can't be blank"]}


@pytest.mark.parametrize("tells", [True, False])
async def test_f22_the_rate_limit_says_how_long_to_wait_or_does_not(hands: Hands, *, tells: bool) -> None:
    switches = DelightedSwitches(rate_limit=RateLimit(requests=2, seconds=60), retry_after_header=tells)
    async with (
        DelightedServer(now=hands, switches=switches) as server,
        Caller(server.base_url, basic(KEY)) as caller,
    ):
        replies = [await caller.get("/metrics.json") for _ in range(3)]
    assert [reply.status for reply in replies] == [200, 200, 429]
    assert replies[2].headers.get("Retry-After") == ("30" if tells else None)
    assert replies[2].json == {"status": 429, "message": "Too Many Requests"}


async def test_waiting_as_told_ends_a_429(delighted: DelightedServer, api: Caller, hands: Hands) -> None:
    delighted.change_switches({"rate_limit": {"requests": 1, "seconds": 10}})
    await api.get("/metrics.json")
    refused = await api.get("/metrics.json")
    hands.forward(float(refused.headers["Retry-After"]))
    assert (await api.get("/metrics.json")).status == 200


async def test_a_body_that_is_no_json_object_is_400(api: Caller) -> None:
    for body in (b"{", b"[]", b"\xff"):
        reply = await api.call("POST", "/people.json", data=body, headers={"Content-Type": "application/json"})
        assert reply.status == 400
