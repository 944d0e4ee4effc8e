"""Webhooks: whatever their template says, unsigned, once, and sometimes not at all; and `/__sim/` beside them."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from npsbridge.sandbox.retently import EVERYTHING, RetentlyServer
from npsbridge.sandbox.server import LookAlike
from unit.sandbox.calling import Caller


class Receiver(LookAlike):
    """Takes webhooks."""

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/hooks/retently/t0ken", self.take)]

    async def take(self, _: web.Request) -> web.Response:
        return web.Response(status=200)

    async def arrived(self, count: int) -> None:
        await self.until(lambda: len([request for request in self.requests if request.status]) >= count)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as server:
        yield server


@pytest.fixture
def sender(retently: RetentlyServer, receiver: Receiver) -> RetentlyServer:
    retently.webhook_url = f"{receiver.origin}/hooks/retently/t0ken"
    return retently


async def test_the_template_says_what_a_webhook_carries(sender: RetentlyServer, receiver: Receiver) -> None:
    sender.webhook_headers["X-NPS-Secret"] = "s"
    answered = sender.answer("ana@example.org", 9, comment="fine")
    await receiver.arrived(1)
    request = receiver.requests[0]
    assert request.headers["X-NPS-Secret"] == "s"
    assert (request.body["event"], request.body["id"], request.body["comment"]) == ("feedback", answered, "fine")


async def test_the_whole_answer_can_be_sent(sender: RetentlyServer, receiver: Receiver) -> None:
    sender.webhook_template = {"data": [EVERYTHING, "{{unknown}}", "plain", 7]}
    answered = sender.answer("ana@example.org", 9)
    await receiver.arrived(1)
    whole, *rest = receiver.requests[0].body["data"]
    assert (whole["id"], whole["ratingCategory"]) == (answered, "promoter")
    assert rest == ["{{unknown}}", "plain", 7]


async def test_a_late_comment_an_opt_out_and_a_bounce_are_told(sender: RetentlyServer, receiver: Receiver) -> None:
    answered = sender.answer("ana@example.org", 9)
    sender.edit(answered, comment="late")
    sender.account.opt_out("ana@example.org")
    sender.account.mark(sender.send("ana@example.org"), is_bounced=True)
    await receiver.arrived(4)
    told = [(request.body["event"], request.body["email"]) for request in receiver.requests]
    assert [event for event, _ in told] == ["feedback", "feedback", "unsubscribed", "bounced"]
    assert {email for _, email in told} == {"ana@example.org"}


async def test_webhooks_are_lost_and_doubled_by_switch(sender: RetentlyServer, receiver: Receiver) -> None:
    sender.change_switches({"webhooks": {"drop_every": 2, "copies": 2}})
    ids = [sender.answer("ana@example.org", 9) for _ in range(4)]
    await receiver.arrived(4)
    assert [request.body["id"] for request in receiver.requests] == [ids[0], ids[0], ids[2], ids[2]]


async def test_webhooks_come_in_reverse_by_switch(sender: RetentlyServer, receiver: Receiver) -> None:
    sender.change_switches({"webhooks": {"reorder": 3}})
    ids = [sender.answer("ana@example.org", 9) for _ in range(3)]
    await receiver.arrived(3)
    assert [request.body["id"] for request in receiver.requests] == ids[::-1]


async def test_a_webhook_that_nobody_takes_is_not_sent_again(retently: RetentlyServer) -> None:
    async with Receiver() as gone:
        retently.webhook_url = f"{gone.origin}/hooks/retently/t0ken"
    retently.answer("ana@example.org", 9)
    async with Receiver() as other:
        retently.webhook_url = f"{other.origin}/hooks/retently/t0ken"
        retently.answer("ana@example.org", 8)
        await other.arrived(1)
        assert [request.body["score"] for request in other.requests] == [8]
    assert retently.webhooks.statuses[0] is None


async def test_another_process_can_act_and_look(retently: RetentlyServer) -> None:
    async with Caller(retently.origin) as sim:
        answered = (await sim.post("/__sim/answers", {"email": "ana@example.org", "score": 9})).json
        edited = (await sim.post("/__sim/edits", {"response_id": answered["id"], "comment": "late"})).json
        retently.send("ana@example.org")
        shown = {
            name: len((await sim.get(f"/__sim/{name}")).json)
            for name in ("responses", "customers", "outbox", "survey_requests")
        }
        state = (await sim.post("/__sim/webhook_url", {"url": "http://127.0.0.1:9/"})).json
        unknown = await sim.post("/__sim/edits", {"response_id": "x"})
    assert edited == answered | {"comment": "late"}
    assert shown == {"responses": 1, "customers": 1, "outbox": 1, "survey_requests": 0}
    assert (state["webhook_url"], state["responses"], state["kind"]) == ("http://127.0.0.1:9/", 1, "retently")
    assert (unknown.status, "response_id" in unknown.json["error"]) == (400, True)
