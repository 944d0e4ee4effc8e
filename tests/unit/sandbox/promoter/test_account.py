"""Who is let in, contacts, surveys, webhooks, and the look into it all."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from aiohttp import web

from npsbridge.sandbox import faults
from npsbridge.sandbox.promoter import PromoterServer
from npsbridge.sandbox.rate import RateLimit
from unit.sandbox.calling import Caller, Hands

MARA = {"email": "Mara@acme.test", "first_name": "Mara", "attributes": {"plan": "growth"}}
DAY = 86_400

# --- who is let in ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["", "Token wrong", "Bearer sandbox-promoter-key", "token sandbox-promoter-key"])
async def test_only_the_key_after_the_word_token_is_let_in(promoter: PromoterServer, given: str) -> None:
    async with Caller(promoter.base_url, {"Authorization": given}) as caller:
        reply = await caller.get("/v2/feedback/")
    assert (reply.status, reply.json) == (401, {"detail": "Invalid token."})


@pytest.mark.parametrize(("standing", "status"), [("retired", 410), ("unauthorized", 401), ("forbidden", 403)])
async def test_an_account_can_lose_its_standing(
    promoter: PromoterServer, api: Caller, standing: str, status: int
) -> None:
    promoter.change_switches({"standing": standing})
    assert (await api.get("/feedback/")).status == status


async def test_a_missing_slash_is_redirected_and_takes_no_post(api: Caller) -> None:
    reply = await api.get("/feedback?page=1")
    assert (reply.status, reply.headers["Location"]) == (301, "/api/feedback/?page=1")
    assert (await api.post("/contacts", json=MARA)).status == 500


async def test_an_unknown_path_is_a_web_page_and_so_is_v2_where_there_is_none(
    promoter: PromoterServer, api: Caller
) -> None:
    promoter.change_switches({"has_v2": False})
    replies = [await api.get(path) for path in ("/nothing/", "/v2/feedback/")]
    assert [(reply.status, reply.raw[:9]) for reply in replies] == [(404, b"<!DOCTYPE")] * 2
    assert (await api.get("/feedback/")).status == 200


@pytest.mark.parametrize(("has_header", "header"), [(True, "60"), (False, None)])
async def test_a_429_says_how_long_in_its_body_and_perhaps_in_its_header(
    promoter: PromoterServer, api: Caller, hands: Hands, has_header: object, header: str | None
) -> None:
    promoter.change_switches({"rate_limit": RateLimit(requests=1), "retry_after_header": has_header})
    assert (await api.get("/feedback/")).status == 200
    reply = await api.get("/feedback/")
    assert (reply.status, reply.headers.get("Retry-After")) == (429, header)
    assert reply.json == {"detail": "Request was throttled. Expected available in 60.0 seconds."}
    hands.forward(60)
    assert (await api.get("/feedback/")).status == 200


async def test_faults_are_played(promoter: PromoterServer, api: Caller) -> None:
    promoter.faults.add(faults.html(), path="/feedback/")
    assert (await api.get("/feedback/")).raw.startswith(b"<!DOCTYPE")


@pytest.mark.parametrize("changes", [{"unknown": 1}, {"order": "best"}, {"zone_hours": 99}])
def test_a_switch_that_does_not_exist_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        PromoterServer().change_switches(changes)


# --- contacts and surveys ---------------------------------------------------------------------------------------


async def test_a_contact_is_created_and_then_updated_by_email(promoter: PromoterServer, api: Caller) -> None:
    made = await api.post("/contacts/", json=MARA)
    again = await api.post("/contacts/", json={"email": "mara@ACME.test", "attributes": {"seats": "5"}})
    assert made.json["id"] == again.json["id"]
    assert again.json["attributes"] == {"plan": "growth", "seats": "5"}
    assert len(promoter.contacts) == 1
    assert (await api.get("/contacts/?email=mara@acme.test")).json["count"] == 1


async def test_attributes_may_be_replaced_instead(promoter: PromoterServer, api: Caller) -> None:
    promoter.change_switches({"attributes_of_known": "replace"})
    await api.post("/contacts/", json=MARA)
    again = await api.post("/contacts/", json={"email": "mara@acme.test", "attributes": {"seats": "5"}})
    assert again.json["attributes"] == {"seats": "5"}


@pytest.mark.parametrize("email", [None, "", "  ", "nobody"])
async def test_a_contact_needs_an_email(api: Caller, email: str | None) -> None:
    reply = await api.post("/contacts/", json={"email": email})
    assert (reply.status, list(reply.json)) == (400, ["email"])


async def test_v1_takes_texts_for_attributes_and_v2_drops_containers(api: Caller) -> None:
    attributes = {"seats": 5, "list": [1], "object": {}, "plan": "growth"}
    assert (await api.post("/contacts/", json={"email": "a@acme.test", "attributes": attributes})).status == 400
    body = {"campaign_id": 78, "contact": {"email": "a@acme.test", "attributes": attributes}, "attributes": attributes}
    reply = await api.post("/v2/survey/", json=body)
    assert (reply.status, reply.json["attributes"]) == (200, {"seats": 5, "plan": "growth"})


async def test_a_survey_is_refused_for_24_hours_after_another(
    promoter: PromoterServer, api: Caller, hands: Hands
) -> None:
    body = {"campaign_id": 78, "contact": {"email": "mara@acme.test"}, "attributes": {"request_id": "r1"}}
    statuses = []
    for hours in (0, 23, 1):
        hands.forward(hours * 3600)
        statuses.append((await api.post("/v2/survey/", json=body)).status)
    assert statuses == [200, 400, 200]
    assert [request.is_sent for request in promoter.survey_requests] == [True, False, True]


async def test_the_account_may_throttle_for_longer_and_the_unsubscribed_get_none(
    promoter: PromoterServer, api: Caller, hands: Hands
) -> None:
    promoter.change_switches({"throttle_days": 30, "survey_status": 201})
    body = {"campaign": 78, **MARA}
    assert (await api.post("/contacts/survey/", json=body)).status == 201
    hands.forward(29 * DAY)
    refused = await api.post("/contacts/survey/", json=body)
    hands.forward(DAY)
    promoter.unsubscribe("mara@acme.test")
    assert (await api.post("/contacts/survey/", json=body)).status == 400
    assert refused.json == {"non_field_errors": ["Contact is not eligible for survey."]}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"campaign_id": 78, "contact": {"email": ""}}, "contact"),
        ({"campaign_id": 78}, "contact"),
        ({"campaign": 78, "contact": {"email": "a@acme.test"}}, "campaign"),
        ({"campaign_id": None, "contact": {"email": "a@acme.test"}}, "campaign"),
    ],
)
async def test_a_survey_of_v2_needs_a_campaign_id_and_a_contact(api: Caller, body: Any, field: str) -> None:
    reply = await api.post("/v2/survey/", json=body)
    assert (reply.status, list(reply.json)) == (400, [field])


async def test_a_contact_can_be_surveyed_as_it_is_created_and_be_removed(promoter: PromoterServer, api: Caller) -> None:
    made = await api.post("/contacts/", json={**MARA, "campaign": 78, "send": True})
    assert [request.email for request in promoter.survey_requests] == ["Mara@acme.test"]
    assert (await api.get(f"/contacts/{made.json['id']}/")).status == 200
    assert (await api.post("/contacts/remove/", json={"email": "mara@acme.test"})).json["count"] == 0
    assert (await api.get(f"/contacts/{made.json['id']}/")).status == 404


async def test_metrics_are_texts(promoter: PromoterServer, api: Caller) -> None:
    for score in (10, 9, 8, 1):
        promoter.answer(None, score)
    assert (await api.get("/metrics/")).json["results"][0] == {
        "campaign_name": "Post purchase",
        "nps": "25.0",
        "organization_nps": "25.0",
    }
    assert [one["id"] for one in (await api.get("/campaigns/")).json["results"]] == [78, 79]


# --- webhooks ---------------------------------------------------------------------------------------------------


class Mailbox:
    """Takes webhooks."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.bodies.append(orjson.loads(await request.read()))
        return web.Response()

    @property
    def events(self) -> list[str]:
        return [body["hook"]["event"] for body in self.bodies]


@pytest.fixture
async def mailbox(promoter: PromoterServer) -> AsyncIterator[Mailbox]:
    box = Mailbox()
    app = web.Application()
    app.router.add_post("/hooks/promoter/secret", box.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    promoter.webhook_url = f"http://127.0.0.1:{runner.addresses[0][1]}/hooks/promoter/secret"
    yield box
    await runner.cleanup()


async def test_everything_that_happens_to_an_answer_is_told(promoter: PromoterServer, mailbox: Mailbox) -> None:
    feedback_id = promoter.answer("mara@acme.test", 9)
    promoter.edit(feedback_id, comment="why", tags=["help"], status="CLOSED")
    promoter.remove(feedback_id)
    promoter.unsubscribe("mara@acme.test")
    await promoter.webhooks.until_idle()
    assert mailbox.events == [
        "feedback.added_or_changed",
        "feedback.added_or_changed",
        "feedback.tags_added_or_changed",
        "feedback.status_changed",
        "feedback.removed",
        "contact.unsubscribed",
    ]
    assert mailbox.bodies[0]["data"]["id"] == feedback_id


@pytest.mark.parametrize(
    ("shape", "keys"),
    [
        ("hook_and_data", {"hook", "data"}),
        ("event_and_data", {"id", "event", "data"}),
        ("flat", {"event", "id", "score"}),
        ("bare", {"id", "score"}),
    ],
)
async def test_the_shape_of_a_webhook_is_a_switch(
    promoter: PromoterServer, mailbox: Mailbox, shape: str, keys: set[str]
) -> None:
    promoter.change_switches({"hook_shape": shape})
    promoter.answer("mara@acme.test", 9)
    await promoter.webhooks.until_idle()
    assert keys <= set(mailbox.bodies[0])
    assert ("event" in mailbox.bodies[0]) == ("event" in keys)


async def test_ecommerce_accounts_have_other_events_and_fewer(promoter: PromoterServer, mailbox: Mailbox) -> None:
    promoter.change_switches({"edition": "ecommerce"})
    feedback_id = promoter.answer("mara@acme.test", 9)
    promoter.edit(feedback_id, tags=["help"])
    promoter.remove(feedback_id)
    await promoter.webhooks.until_idle()
    assert mailbox.events == ["survey.response_added_or_changed", "survey.response_removed"]


async def test_webhooks_can_be_lost_doubled_and_shuffled(promoter: PromoterServer, mailbox: Mailbox) -> None:
    promoter.change_switches({"hooks_dropped": 0.5, "webhooks": {"copies": 2, "reorder": 20}})
    answers = [promoter.answer("mara@acme.test", 9) for _ in range(40)]
    await promoter.webhooks.until_idle()
    told = [body["data"]["id"] for body in mailbox.bodies]
    assert 0 < len(set(told)) < len(answers)
    assert len(told) == 2 * len(set(told))
    assert told != sorted(told)


# --- looking into it --------------------------------------------------------------------------------------------


async def test_another_process_can_act_and_look(promoter: PromoterServer, api: Caller) -> None:
    sim = f"{promoter.origin}/__sim/"
    row = (await api.post(f"{sim}answers", json={"email": "mara@acme.test", "score": 9})).json
    assert (await api.post(f"{sim}edits", json={"feedback_id": row["id"], "comment": "why"})).json["comment"] == "why"
    assert [one["comment"] for one in (await api.get(f"{sim}feedback")).json] == ["why"]
    assert [one["email"] for one in (await api.get(f"{sim}contacts")).json] == ["mara@acme.test"]
    state = (await api.post(f"{sim}removals", json={"feedback_id": row["id"]})).json
    assert (state["kind"], state["responses"], state["people"]) == ("promoter", 0, 1)


async def test_what_it_cannot_do_is_said(promoter: PromoterServer, api: Caller) -> None:
    sim = f"{promoter.origin}/__sim/"
    for path, body in (("edits", {"feedback_id": 1}), ("removals", {"feedback_id": 1}), ("answers", {"score": 1})):
        reply = await api.post(sim + path, json=body)
        assert (reply.status, list(reply.json)) == (400, ["error"])
    assert (await api.post(f"{sim}switches", json={"order": "best"})).status == 400
    assert (await api.get(f"{sim}survey_requests")).json == (await api.get(f"{sim}webhooks")).json == []
    assert (await api.post(f"{sim}webhook_url", json={"url": None})).json["webhook_url"] is None
