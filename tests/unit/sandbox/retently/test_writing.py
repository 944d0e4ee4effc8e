"""What is asked of the account, and what becomes of it."""

from typing import Any

import pytest

from npsbridge.sandbox.retently import RetentlyServer
from unit.sandbox.calling import Caller, Hands

ANA = {"email": "ana@example.org", "first_name": "Ana", "tags": ["beta"]}
PROPERTIES = [{"label": "Segment user id", "type": "string", "value": "u_1"}]


async def save(api: Caller, *rows: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = (await api.post("/customers", {"subscribers": list(rows)})).json["data"]
    return answer


async def test_customers_are_created_and_updated_row_by_row(retently: RetentlyServer, api: Caller) -> None:
    first = await save(api, ANA | {"properties": PROPERTIES}, {"email": "nobody"})
    second = await save(api, {"email": "Ana@example.org", "last_name": "Novak", "tags": ["vip"]})
    assert first["ana@example.org"]["status"] == "created"
    assert first["nobody"] == {"status": "failed", "reason": "invalid email"}
    assert second["Ana@example.org"] == {"status": "updated", "id": first["ana@example.org"]["id"]}
    [customer] = retently.account.customers.values()
    assert (customer.first_name, customer.last_name, customer.tags) == ("Ana", "Novak", ("vip",))
    assert customer.properties == {"Segment user id": "u_1"}


async def test_what_happens_to_a_known_customer_is_a_switch(retently: RetentlyServer, api: Caller) -> None:
    await save(api, ANA)
    retently.change_switches({"known_customer": "exists"})
    assert await save(api, ANA) == {"ana@example.org": {"status": "failed", "reason": "exists"}}
    retently.change_switches({"known_customer": "updated", "tags_on_update": "merge"})
    await save(api, {"email": "ana@example.org", "tags": ["vip"]})
    assert [customer.tags for customer in retently.account.customers.values()] == [("beta", "vip")]


@pytest.mark.parametrize("body", [{}, {"subscribers": []}, {"subscribers": [1]}, {"subscribers": "x"}, [1]], ids=str)
async def test_a_body_without_customers_is_refused(api: Caller, body: object) -> None:
    assert (await api.post("/customers", body)).status == 400


async def test_a_body_that_is_no_json_is_refused(api: Caller) -> None:
    assert (await api.call("POST", "/customers", data=b"{")).status == 400


async def test_customers_are_deleted_by_a_body(retently: RetentlyServer, api: Caller) -> None:
    await save(api, ANA)
    reply = await api.delete("/customers", json={"subscribers": [{"email": "ana@example.org"}, {"email": "x@y.z"}]})
    assert [row["deleted"] for row in reply.json["data"]] == [True, False]
    assert not retently.account.customers


@pytest.mark.parametrize(("unknown", "status"), [("refused", 400), ("skipped", 200)])
async def test_an_unknown_email_may_spoil_a_batch_of_opt_outs(
    retently: RetentlyServer, api: Caller, unknown: str, status: int
) -> None:
    retently.change_switches({"unknown_unsubscribe": unknown})
    await save(api, ANA)
    rows = [{"email": "ana@example.org"}, {"email": "x@y.z"}]
    assert (await api.post("/customers/unsubscribe", {"subscribers": rows})).status == status
    assert [customer.is_unsubscribed for customer in retently.account.customers.values()] == [status == 200]


async def survey(api: Caller, campaign: str, email: str = "ana@example.org", **more: Any) -> int:
    reply = await api.post("/survey", {"campaign": campaign, "subscribers": [{"email": email}], **more})
    return reply.status


async def test_a_survey_creates_the_customer_and_is_in_the_outbox(
    retently: RetentlyServer, api: Caller, hands: Hands
) -> None:
    assert await survey(api, retently.account.default_campaign, delay=2) == 200
    [request], [sent] = retently.survey_requests, retently.account.outbox.values()
    assert (request.email, request.delay_days, request.refused_because) == ("ana@example.org", 2, None)
    assert sent.sent_ms == int((hands() + 2 * 86_400) * 1000)
    assert [customer.email for customer in retently.account.customers.values()] == ["ana@example.org"]


@pytest.mark.parametrize("where", ["top", "data"])
async def test_the_answer_to_a_survey_is_told_in_one_of_two_places(
    retently: RetentlyServer, api: Caller, where: str
) -> None:
    retently.change_switches({"survey_answer": where})
    body = {"campaign": retently.account.default_campaign, "subscribers": [{"email": "ana@example.org"}]}
    answer = (await api.post("/survey", body)).json
    assert (answer if where == "top" else answer["data"])["status"] == "queued"


async def test_a_missing_or_inactive_campaign_is_refused(retently: RetentlyServer, api: Caller) -> None:
    off = retently.account.add_campaign("Off", is_active=False).id
    assert [await survey(api, campaign) for campaign in (off, "unknown")] == [400, 400]
    assert (await api.post("/survey", {"subscribers": [ANA]})).status == 400
    retently.change_switches({"inactive_campaign": "accepted"})
    assert await survey(api, off) == 200
    assert [request.refused_because for request in retently.survey_requests] == ["the campaign is off"]


async def test_200_does_not_mean_that_a_mail_goes_out(retently: RetentlyServer, api: Caller) -> None:
    account = retently.account
    throttled, sampled = account.add_campaign("T", throttle_days=30).id, account.add_campaign("S", sample=0.0).id
    await save(api, {"email": "out@example.org"})
    account.opt_out("out@example.org")
    account.suppressed.add("sup@example.org")
    await survey(api, account.default_campaign, "out@example.org")
    await survey(api, account.default_campaign, "sup@example.org")
    await survey(api, sampled)
    await survey(api, throttled)
    await survey(api, throttled)
    reasons = [request.refused_because for request in retently.survey_requests]
    assert reasons == ["opted out", "suppressed", "not in the sample", None, "throttled"]
    assert len(account.outbox) == 1


async def test_answers_are_tagged_and_filed_under_topics(retently: RetentlyServer, api: Caller) -> None:
    answered = retently.answer("ana@example.org", 9, tags=("a",))
    await api.post("/response/tags", {"id": answered, "tags": ["b"], "op": "append"})
    await api.post("/response/topics", {"id": answered, "topics": [{"name": "Price", "sentiment": "negative"}]})
    row = retently.responses[answered]
    assert (row.tags, row.topics) == (("a", "b"), ({"name": "Price", "sentiment": "negative"},))
    await api.post("/response/tags", {"id": answered, "tags": ["c"]})
    assert retently.responses[answered].tags == ("c",)
    assert (await api.post("/response/tags", {"id": "x", "tags": []})).status == 404
