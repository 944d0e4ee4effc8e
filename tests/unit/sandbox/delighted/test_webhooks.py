"""Webhooks: signed, sent, retried, doubled, reordered, late."""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator

import orjson
import pytest
from aiohttp import web

from npsbridge.sandbox import DelightedServer
from npsbridge.sandbox.delighted import SIGNATURE_HEADER, signature
from npsbridge.sandbox.faults import status
from npsbridge.sandbox.server import LookAlike
from unit.sandbox.calling import NEW_YEAR, Caller, Hands

CREATED, UPDATED = "survey_response.created", "survey_response.updated"


class Receiver(LookAlike):
    """Takes webhooks with 204, or as its fault script says."""

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/hooks/delighted", self.take)]

    async def take(self, _: web.Request) -> web.Response:
        return web.Response(status=204)

    @property
    def kinds(self) -> list[str]:
        return [request.body["event_type"] for request in self.requests]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as server:
        yield server


@pytest.fixture
def sender(delighted: DelightedServer, receiver: Receiver) -> DelightedServer:
    delighted.webhook_url = f"{receiver.origin}/hooks/delighted"
    return delighted


async def arrived(receiver: Receiver, count: int) -> None:
    await receiver.until(lambda: len([request for request in receiver.requests if request.status]) >= count)


def test_the_signature_is_that_of_the_published_vector() -> None:
    body = b'{"event_type":"survey_response.updated","event_id":"e1","event_data":{"id":"9001"}}'
    assert signature(body, "test_api_key_123") == (
        "sha256=ec94613199afee13a34bf71be805ec548a5f049cc3e80dd4ee55f7c11bbea76e"
    )


async def test_an_answer_and_its_edit_are_announced_in_order(sender: DelightedServer, receiver: Receiver) -> None:
    response_id = sender.answer(sender.add_person("ana@example.org"), 0)
    sender.edit(response_id, comment="slow")
    await arrived(receiver, 2)
    bodies = [request.body for request in receiver.requests]
    assert [body["event_type"] for body in bodies] == [CREATED, UPDATED]
    assert [body["event_data"]["comment"] for body in bodies] == [None, "slow"]


async def test_a_webhook_is_signed_over_its_bytes(sender: DelightedServer, receiver: Receiver) -> None:
    sender.answer(None, 9, comment="très bien 🎉")
    await arrived(receiver, 1)
    request = receiver.requests[0]
    digest = hmac.new(sender.api_key.encode(), request.raw, hashlib.sha256).hexdigest()
    assert request.headers[SIGNATURE_HEADER] == f"sha256={digest}"


async def test_a_webhook_carries_the_whole_response_with_its_person(
    sender: DelightedServer, receiver: Receiver, api: Caller
) -> None:
    sender.answer(sender.add_person("ana@example.org"), 9)
    await arrived(receiver, 1)
    [listed] = (await api.get("/survey_responses.json?expand[]=person&expand[]=notes")).json
    assert receiver.requests[0].body["event_data"] == listed


async def test_an_event_has_an_id_of_64_hex_characters_of_its_own(sender: DelightedServer, receiver: Receiver) -> None:
    sender.answer(None, 1)
    sender.answer(None, 2)
    await arrived(receiver, 2)
    ids = {request.body["event_id"] for request in receiver.requests}
    assert len(ids) == 2
    assert all(len(bytes.fromhex(event_id)) == 32 for event_id in ids)


@pytest.mark.parametrize(
    ("shape", "event_data"),
    [
        ("flat", {"person_id": "70001", "email": "ana@example.org", "name": None, "unsubscribed_at": NEW_YEAR}),
        (
            "person",
            {"person": {"id": "70001", "email": "ana@example.org", "name": None}, "unsubscribed_at": NEW_YEAR},
        ),
    ],
)
async def test_an_unsubscription_is_announced_in_either_shape(
    sender: DelightedServer, receiver: Receiver, shape: str, event_data: object
) -> None:
    sender.change_switches({"unsubscribe_event": shape})
    sender.unsubscribe(sender.add_person("ana@example.org"))
    await arrived(receiver, 1)
    body = receiver.requests[0].body
    assert (body["event_type"], body["event_data"]) == ("unsubscribe.created", event_data)


async def test_an_edit_that_is_no_update_is_not_announced(sender: DelightedServer, receiver: Receiver) -> None:
    response_id = sender.answer(None, 3)
    sender.edit(response_id, tags=["x"])
    sender.edit(response_id, comment="y")
    await arrived(receiver, 2)
    assert receiver.kinds == [CREATED, UPDATED]


@pytest.mark.parametrize("fires", [True, False])
async def test_writes_through_the_api_are_announced_by_switch(
    sender: DelightedServer, receiver: Receiver, api: Caller, *, fires: bool
) -> None:
    sender.change_switches({"api_writes_fire_webhooks": fires})
    person = sender.add_person("ana@example.org")
    await api.post("/survey_responses.json", {"person": person.id, "score": 9})
    sender.unsubscribe(person)
    await arrived(receiver, 1 + fires)
    assert receiver.kinds == [CREATED] * fires + ["unsubscribe.created"]


@pytest.mark.looptime
async def test_a_webhook_that_is_refused_is_sent_again_with_the_same_bytes(
    sender: DelightedServer, receiver: Receiver
) -> None:
    receiver.faults.add(*[status(code) for code in (500, 401, 302)])
    sender.answer(None, 9)
    await arrived(receiver, 4)
    assert [request.status for request in receiver.requests] == [500, 401, 302, 204]
    assert len({request.raw for request in receiver.requests}) == 1


@pytest.mark.looptime
async def test_the_pauses_between_attempts_grow(sender: DelightedServer, receiver: Receiver) -> None:
    sender.change_switches({"webhooks": {"first_pause": 10, "attempts": 4}})
    receiver.faults.add(status(503), times=None)
    started = asyncio.get_running_loop().time()
    sender.answer(None, 9)
    await receiver.until(lambda: len(receiver.requests) == 4, seconds=1000)
    assert asyncio.get_running_loop().time() - started == pytest.approx(70, abs=5)


@pytest.mark.looptime
async def test_a_webhook_is_given_up_after_its_attempts(sender: DelightedServer, receiver: Receiver) -> None:
    sender.change_switches({"webhooks": {"attempts": 2}})
    receiver.faults.add(status(503), times=None)
    sender.answer(None, 9)
    await sender.webhooks.until_idle(600)
    assert [attempt.status for attempt in sender.webhooks.attempts] == [503, 503]


@pytest.mark.looptime
async def test_a_refused_webhook_does_not_hold_up_the_next_one(sender: DelightedServer, receiver: Receiver) -> None:
    receiver.faults.add(status(500))
    sender.edit(sender.answer(None, 9), comment="x")
    await arrived(receiver, 3)
    assert receiver.kinds == [CREATED, UPDATED, CREATED]


async def test_f32_a_webhook_may_come_twice(sender: DelightedServer, receiver: Receiver) -> None:
    sender.change_switches({"webhooks": {"copies": 2}})
    sender.answer(None, 9)
    await arrived(receiver, 2)
    assert receiver.requests[0].raw == receiver.requests[1].raw


async def test_webhooks_may_come_in_another_order(sender: DelightedServer, receiver: Receiver) -> None:
    sender.change_switches({"webhooks": {"reorder": 8}})
    ids = [sender.answer(None, 5) for _ in range(8)]
    await arrived(receiver, 8)
    order = [request.body["event_data"]["id"] for request in receiver.requests]
    assert sorted(order) == ids
    assert order != ids


@pytest.mark.looptime
async def test_too_few_webhooks_to_shuffle_are_sent_after_a_second(sender: DelightedServer, receiver: Receiver) -> None:
    sender.change_switches({"webhooks": {"reorder": 8}})
    sender.answer(None, 5)
    await arrived(receiver, 1)
    assert receiver.kinds == [CREATED]


@pytest.mark.looptime
async def test_a_webhook_may_be_late(sender: DelightedServer, receiver: Receiver) -> None:
    sender.change_switches({"webhooks": {"delay": 120}})
    started = asyncio.get_running_loop().time()
    sender.answer(None, 9)
    await receiver.until(lambda: len(receiver.requests) == 1, seconds=1000)
    assert asyncio.get_running_loop().time() - started >= 120


async def test_without_a_url_nothing_is_sent(delighted: DelightedServer) -> None:
    delighted.answer(None, 9)
    assert delighted.webhooks.waiting == 0


async def test_a_webhook_can_be_posted_by_hand(delighted: DelightedServer, hands: Hands) -> None:
    response_id = delighted.answer(None, 9)
    hands.forward(60)
    headers, body = delighted.signed_webhook(UPDATED, response_id)
    assert headers[SIGNATURE_HEADER] == signature(body, delighted.api_key)
    assert orjson.loads(body)["event_data"]["id"] == response_id
    with pytest.raises(KeyError):
        delighted.signed_webhook(UPDATED, "99")


async def test_a_webhook_can_be_sent_from_another_process(sender: DelightedServer, receiver: Receiver) -> None:
    sender.webhook_url = None
    response_id = sender.answer(None, 9)
    async with Caller(sender.origin) as caller:
        await caller.post("/__sim/webhook_url", {"url": f"{receiver.origin}/hooks/delighted"})
        assert (await caller.post("/__sim/webhooks", {"response_id": response_id})).status == 202
        await arrived(receiver, 1)
        [attempt] = (await caller.get("/__sim/webhooks")).json
    assert (receiver.kinds, attempt["status"], attempt["number"]) == ([UPDATED], 204, 1)
