"""Heap's API as its pages describe it: events, properties, identities."""

from typing import Any

import pytest

from npsbridge.sandbox.heap import SANDBOX_APP_ID, HeapServer
from unit.sandbox.calling import NEW_YEAR, Caller, Hands, Reply


def event(identity: str = "u1", **fields: Any) -> dict[str, Any]:
    return {"identity": identity, "event": "E", **fields}


async def post(api: Caller, path: str, **body: Any) -> Reply:
    return await api.post(f"/api/{path}", {"app_id": SANDBOX_APP_ID, **body})


async def track(api: Caller, *events: dict[str, Any], **more: Any) -> Reply:
    return await post(api, "track", events=list(events), **more)


# --- events --------------------------------------------------------------------------------------------------------


async def test_a_single_event_and_a_bulk_request_share_a_path(heap: HeapServer, api: Caller) -> None:
    single = await post(api, "track", **event("u1", properties={"Score": 9}))
    bulk = await track(api, event("u2"), event("u3", timestamp="2025-12-31T23:59:00Z"))
    assert [(reply.status, reply.json) for reply in (single, bulk)] == [(200, {})] * 2
    assert [(one.identity, one.at) for one in heap.events] == [
        ("u1", NEW_YEAR),
        ("u2", NEW_YEAR),
        ("u3", NEW_YEAR - 60),
    ]
    assert heap.events[0].properties == {"Score": 9}


async def test_an_unknown_identity_creates_a_user(heap: HeapServer, api: Caller) -> None:
    await track(api, event("u1"), event("U1"))
    assert heap.users == {"u1": {}, "U1": {}}


@pytest.mark.parametrize(
    "bad",
    [
        event(""),
        {"event": "E"},
        event(user_id="5"),
        {"event": "E", "user_id": "x"},
        {"event": "E", "user_id": str(2**53)},
        event("u" * 256),
        {"identity": 7, "event": "E"},
        {"identity": "u1"},
        event(event="E" * 1025),
        event(timestamp="yesterday"),
        event(properties=[]),
        event(properties={"": 1}),
        event(properties={"x" * 1024: 1}),
        event(properties={"x": "x" * 1024}),
        event(properties={"x": None}),
        event(properties={"x": True}),
        event(properties={"x": {}}),
    ],
)
async def test_what_is_not_well_formed_is_400_and_an_empty_object(
    heap: HeapServer, api: Caller, bad: dict[str, Any]
) -> None:
    reply = await track(api, event("u2"), bad)
    assert (reply.status, reply.json) == (400, {})
    assert list(heap.events) == []
    assert heap.refused.total() == 1


@pytest.mark.parametrize(
    "good",
    [
        event("u" * 255),
        event(event="E" * 1024),
        {"event": "E", "user_id": str(2**53 - 1)},
        event(properties={"x" * 1023: "x" * 1023, "n": -1.5}),
        event(session_id="12"),
    ],
)
async def test_the_largest_that_is_documented_is_taken(heap: HeapServer, api: Caller, good: dict[str, Any]) -> None:
    assert (await track(api, good)).status == 200
    assert len(heap.events) == 1


async def test_a_list_becomes_one_text_that_is_cut(heap: HeapServer, api: Caller) -> None:
    await track(api, event(properties={"tags": ["a", "b", 3], "long": ["x" * 1000, "y" * 1000]}))
    properties = heap.events[0].properties
    assert (properties["tags"], len(str(properties["long"]))) == ("a||b||3", 1024)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b'{"app_id":"123456789","events":{}}'])
async def test_a_body_that_is_no_request_is_400(api: Caller, raw: bytes) -> None:
    assert (await api.call("POST", "/api/track", data=raw)).status == 400


@pytest.mark.parametrize("app_id", [None, "", "abc", 1.5])
async def test_a_request_without_an_app_id_is_400(api: Caller, app_id: object) -> None:
    assert (await api.post("/api/track", {**event(), "app_id": app_id})).status == 400


async def test_f45_a_wrong_app_id_is_200_and_silence(heap: HeapServer, api: Caller) -> None:
    reply = await api.post("/api/track", {**event(), "app_id": "42"})
    assert (reply.status, list(heap.events)) == (200, [])
    assert heap.refused == {"app_id: unknown": 1}


async def test_any_other_path_is_404(api: Caller) -> None:
    assert [(await api.get("/api/track")).status, (await api.post("/api/events", {})).status] == [405, 404]


async def test_no_more_than_a_thousand_entries_at_once(heap: HeapServer, api: Caller) -> None:
    heap.change_switches({"identity_limit": None})
    statuses = [(await track(api, *[event()] * count)).status for count in (1000, 1001)]
    assert (statuses, len(heap.events)) == ([200, 400], 1000)


async def test_i12_of_an_idempotency_key_the_first_version_stays(heap: HeapServer, api: Caller) -> None:
    await track(api, event(idempotency_key="k", properties={"Score": 1}))
    await track(api, event("u2", idempotency_key="k", properties={"Score": 2}), event("u2", idempotency_key="l"))
    assert [(one.identity, one.idempotency_key) for one in heap.events] == [("u1", "k"), ("u2", "l")]
    assert heap.events[0].properties == {"Score": 1}
    assert heap.stored.repeated == {"k": 1}


# --- properties ----------------------------------------------------------------------------------------------------


async def test_of_user_properties_the_last_write_wins(heap: HeapServer, api: Caller) -> None:
    await post(api, "add_user_properties", identity="u1", properties={"NPS_rating": 1, "plan": "team"})
    users = [{"identity": "u1", "properties": {"NPS_rating": rating}} for rating in (9, 2)]
    assert (await post(api, "add_user_properties", users=users)).json == {}
    assert heap.users == {"u1": {"NPS_rating": 2, "plan": "team"}}


async def test_email_has_to_be_written_in_lower_case(heap: HeapServer, api: Caller) -> None:
    await post(api, "add_user_properties", identity="u1", properties={"email": "a", "Email": "b"})
    assert heap.users["u1"] == {"email": "a", "Email": "b"}


@pytest.mark.parametrize("properties", [None, {"ID": 1}, {"x": None}])
async def test_user_properties_that_are_not_well_formed_are_400(api: Caller, properties: object) -> None:
    reply = await post(api, "add_user_properties", identity="u1", properties=properties)
    assert (reply.status, reply.json) == (400, {})


@pytest.mark.parametrize("app_id", [SANDBOX_APP_ID, int(SANDBOX_APP_ID)])
async def test_accounts_take_the_app_id_as_text_or_number(heap: HeapServer, api: Caller, app_id: object) -> None:
    body = {"app_id": app_id, "account_id": "acme", "properties": {"seats": 4}}
    reply = await api.post("/api/add_account_properties", body)
    assert (reply.status, reply.raw, heap.stored.accounts) == (200, b"OK", {"acme": {"seats": 4}})


async def test_accounts_say_in_a_line_of_text_what_is_wrong(api: Caller) -> None:
    reply = await post(api, "add_account_properties", accounts=[{"properties": {}}])
    assert (reply.status, reply.raw) == (400, b"account_id: missing")
    assert reply.headers["Content-Type"].startswith("text/plain")


# --- identities ----------------------------------------------------------------------------------------------------


async def identify(api: Caller, user_id: str, identity: str) -> Reply:
    return await post(api, "v1/identify", user_id=user_id, identity=identity)


async def test_identify_moves_what_somebody_did_before(heap: HeapServer, api: Caller) -> None:
    await track(api, {"event": "before", "user_id": "7"})
    await post(api, "add_user_properties", user_id="7", properties={"plan": "team"})
    assert (await identify(api, "7", "u1")).json == {}
    await track(api, {"event": "after", "user_id": "7"})
    await post(api, "add_user_properties", user_id="7", properties={"seats": 4})
    assert [one.person for one in heap.events] == ["u1", "u1"]
    assert heap.users == {"u1": {"plan": "team", "seats": 4}}


async def test_a_second_identity_is_ignored_in_silence(heap: HeapServer, api: Caller) -> None:
    replies = [await identify(api, "7", identity) for identity in ("u1", "u2")]
    assert [reply.status for reply in replies] == [200, 200]
    assert heap.stored.identities == {"7": "u1"}


async def test_the_eleventh_id_in_a_month_is_ignored_in_silence(heap: HeapServer, hands: Hands, api: Caller) -> None:
    for number in range(11):
        assert (await identify(api, str(number), "u1")).status == 200
    assert len(heap.stored.identities) == 10
    hands.forward(31 * 86_400)
    await identify(api, "10", "u1")
    assert len(heap.stored.identities) == 11


@pytest.mark.parametrize("body", [{"user_id": "7"}, {"identity": "u1"}, {"user_id": "x", "identity": "u1"}])
async def test_identify_needs_both(api: Caller, body: dict[str, str]) -> None:
    assert (await post(api, "v1/identify", **body)).status == 400
