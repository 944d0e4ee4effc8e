"""What a request for surveys tells of each person, and when the outbox shows what became of it."""

from typing import Any

import pytest

from npsbridge.sandbox.retently import RetentlyServer
from unit.sandbox.calling import Caller, Hands, Reply


async def survey(retently: RetentlyServer, api: Caller, *emails: str) -> Reply:
    rows = [{"email": email} for email in emails]
    return await api.post("/survey", {"campaign": retently.account.default_campaign, "subscribers": rows})


async def outbox(api: Caller) -> list[str]:
    return [row["email"] for row in (await api.get("/outbox")).json["data"]["surveys"]]


def results(answer: Any, form: str) -> dict[str, Any]:
    """By email, without the id."""
    rows = answer["data"].items() if form == "map" else [(row["email"], row) for row in answer["data"]]
    return {email: {name: row[name] for name in ("status", "reason") if name in row} for email, row in rows}


@pytest.mark.parametrize("form", ["map", "list"])
async def test_results_by_row_are_a_switch(retently: RetentlyServer, api: Caller, form: str) -> None:
    retently.change_switches({"survey_rows": form})
    retently.account.suppressed.add("sup@example.org")
    answer = (await survey(retently, api, "ana@example.org", "sup@example.org", "nobody")).json
    assert (answer["success"], answer["status"]) == (True, "queued")
    assert results(answer, form) == {
        "ana@example.org": {"status": "created"},
        "sup@example.org": {"status": "failed", "reason": "suppressed"},
        "nobody": {"status": "failed", "reason": "invalid email"},
    }


async def test_nobody_is_asked_at_an_email_that_is_none(retently: RetentlyServer, api: Caller) -> None:
    assert (await survey(retently, api, "nobody", "ana@example.org")).status == 200
    assert [request.email for request in retently.survey_requests] == ["ana@example.org"]


async def test_an_email_that_is_none_may_spoil_the_whole_request(retently: RetentlyServer, api: Caller) -> None:
    retently.change_switches({"bad_row": "refused"})
    assert (await survey(retently, api, "ana@example.org", "nobody")).status == 400
    assert not retently.survey_requests
    assert not retently.people
    assert (await survey(retently, api, "ana@example.org")).status == 200


async def test_who_is_told_to_exist_already_is_asked_all_the_same(retently: RetentlyServer, api: Caller) -> None:
    retently.change_switches({"survey_rows": "map", "known_customer": "exists"})
    retently.account.upsert("ana@example.org")
    answer = (await survey(retently, api, "ana@example.org")).json
    assert results(answer, "map") == {"ana@example.org": {"status": "failed", "reason": "exists"}}
    assert await outbox(api) == ["ana@example.org"]


async def test_who_bounced_gets_no_further_mail(retently: RetentlyServer, api: Caller) -> None:
    retently.account.mark(retently.send("ana@example.org"), is_bounced=True)
    await survey(retently, api, "Ana@example.org")
    assert [request.refused_because for request in retently.survey_requests] == ["bounced"]


async def test_the_outbox_may_show_a_survey_late(retently: RetentlyServer, api: Caller, hands: Hands) -> None:
    retently.change_switches({"outbox_lag": 60})
    await survey(retently, api, "ana@example.org")
    hands.forward(59)
    assert await outbox(api) == []
    hands.forward(1)
    assert await outbox(api) == ["ana@example.org"]
