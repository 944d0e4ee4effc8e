"""Deleting people: a token that lives five minutes, the request, its state."""

from base64 import b64encode
from typing import Any

import pytest

from npsbridge.sandbox.heap import HeapServer
from unit.sandbox.calling import Caller, Hands, Reply
from unit.sandbox.heap.test_writing import event, track

V0 = "/api/public/v0"


async def token(heap: HeapServer, api: Caller, key: str | None = None) -> Reply:
    credentials = b64encode(f"{heap.app_id}:{key or heap.api_key}".encode()).decode()
    return await api.post(f"{V0}/auth_token", headers={"Authorization": f"Basic {credentials}"})


async def bearer(heap: HeapServer, api: Caller) -> dict[str, str]:
    return {"Authorization": f"Bearer {(await token(heap, api)).json['access_token']}"}


async def delete(api: Caller, headers: dict[str, str], users: Any) -> Reply:
    return await api.post(f"{V0}/user_deletion", {"users": users}, headers=headers)


async def test_a_person_and_all_events_are_deleted(heap: HeapServer, hands: Hands, api: Caller) -> None:
    await track(api, event("u1"), event("u2"))
    headers = await bearer(heap, api)
    asked = await delete(api, headers, [{"identity": "u1"}])
    assert (asked.status, asked.json["status"]) == (201, "pending")
    assert ([one.identity for one in heap.events], list(heap.users)) == (["u2"], ["u2"])
    states = []
    for pause in (0, 60):
        hands.forward(pause)
        states.append((await api.get(asked.json["deletion_request_location"], headers=headers)).json["status"])
    assert states == ["pending", "complete"]


@pytest.mark.parametrize(("age", "status"), [(299, 201), (300, 401)])
async def test_a_token_lives_five_minutes(heap: HeapServer, hands: Hands, api: Caller, age: int, status: int) -> None:
    headers = await bearer(heap, api)
    hands.forward(age)
    assert (await delete(api, headers, [{"identity": "u1"}])).status == status


async def test_a_wrong_key_gets_no_token(heap: HeapServer, api: Caller) -> None:
    reply = await token(heap, api, "another")
    assert (reply.status, reply.json) == (401, {"err": {"message": "Unauthorized"}})


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer made-up"}, {"Authorization": "Basic %%%"}])
async def test_without_a_token_nothing_is_deleted(api: Caller, headers: dict[str, str]) -> None:
    assert (await delete(api, headers, [{"identity": "u1"}])).status == 401


@pytest.mark.parametrize("users", [None, [], ["u1"], [{}], [{"identity": "u"}] * 10_001])
async def test_a_request_that_is_not_well_formed_is_400(heap: HeapServer, api: Caller, users: Any) -> None:
    assert (await delete(api, await bearer(heap, api), users)).status == 400


async def test_an_unknown_request_is_404(heap: HeapServer, api: Caller) -> None:
    assert (await api.get(f"{V0}/deletion_status/none", headers=await bearer(heap, api))).status == 404
