"""Calls that Retently is told of, rule by rule of Segment's page "Retently Destination": call in, request out."""

import json
from pathlib import Path
from typing import Any

import pytest

from end_to_end.outbound import ACTIVATION, DAY, Asked, Outbound, asked, bodies, outbound
from npsbridge.app import App
from npsbridge.core.model import State

pytestmark = pytest.mark.looptime(noop_cycles=8)

HOME = {"label": "segment_user_id", "type": "string", "value": "u1"}


async def rows(line: Outbound, app: App, *calls: dict[str, Any]) -> list[dict[str, Any]]:
    """The people of whom Retently was asked a survey, after these calls."""
    await line.tell(app, *calls)
    return [row for body in bodies(line.retently) for row in body["subscribers"]]


async def test_the_properties_object_becomes_the_customer_of_the_mapped_campaign(tmp_path: Path) -> None:
    """The example of Segment's page."""
    properties = {
        "email": "john.doe@example.com",
        "firstName": "John",
        "lastName": "Doe",
        "companyName": "ACME",
        "tags": "foo, bar, baz",
        "subscription_name": "Professional",
        "signup_date": "01/30/2020",
    }
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.track("u1", ACTIVATION, **properties))
        customer = {
            "email": "john.doe@example.com",
            "first_name": "John",
            "last_name": "Doe",
            "company": "ACME",
            "tags": ["foo", "bar", "baz"],
            "properties": [
                {"label": "subscription_name", "type": "string", "value": "Professional"},
                {"label": "signup_date", "type": "date", "value": "2020-01-30T00:00:00.000Z"},
                HOME,
            ],
        }
        request = {"campaign": line.retently.account.default_campaign, "subscribers": [customer]}
        assert asked(line.retently) == [Asked("/api/v2/survey", request)]
        assert line.retently.requests[0].headers["Authorization"] == f"api_key={line.retently.api_key}"
        assert [one.refused_because for one in line.retently.survey_requests] == [None]


@pytest.mark.parametrize("event", ["Subscription Activate Button Clicked", "Dashboard Visited"])
async def test_each_of_several_names_with_commas_triggers_the_campaign(tmp_path: Path, event: str) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        assert [row["email"] for row in await rows(line, app, line.track("u1", event, email="a@example.org"))] == [
            "a@example.org"
        ]


@pytest.mark.parametrize("event", ["Dashboard visited", "Dashboard Visited ", "Order Placed", "Dashboard"])
async def test_an_event_that_no_campaign_lists_is_dismissed(tmp_path: Path, event: str) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        assert await rows(line, app, line.track("u1", event, email="a@example.org")) == []
        assert (await app.store.ledger()).filtered == 1


async def test_without_an_email_of_its_own_the_event_takes_the_one_that_identify_remembered(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        identify = line.identify("u1", email="ana@example.org", plan="free")
        assert await rows(line, app, identify, line.track("u1", ACTIVATION, step=3)) == [
            {"email": "ana@example.org", "properties": [{"label": "step", "type": "integer", "value": 3}, HOME]}
        ]


async def test_the_email_among_the_properties_goes_before_the_one_of_identify(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        identify = line.identify("u1", email="ana@example.org")
        (row,) = await rows(line, app, identify, line.track("u1", ACTIVATION, email="work@example.org"))
        assert row["email"] == "work@example.org"


async def test_an_identify_alone_asks_retently_for_nothing(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        assert await rows(line, app, line.identify("u1", email="ana@example.org", name="Ana")) == []


async def test_without_any_email_it_waits_for_an_identify_and_is_at_last_listed_as_expired(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.send(app, line.track("u1", ACTIVATION))
        await line.passes(DAY + 60)
        (expired,) = await line.listed(app, State.EXPIRED)
        assert bodies(line.retently) == []
        assert expired.connection == "retently"
        assert expired.reason == "the event has no properties.email, and no identify call has told one"


async def test_somebody_known_only_by_an_anonymous_id_is_surveyed_by_their_email(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        (row,) = await rows(line, app, line.track(None, ACTIVATION, anonymous_id="a1", email="ana@example.org"))
        assert row["properties"] == [{"label": "segment_anonymous_id", "type": "string", "value": "a1"}]


async def test_an_event_under_two_campaigns_asks_both(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line:
        first, second = line.retently.account.default_campaign, line.retently.account.add_campaign("Another").id
        campaigns = json.dumps({first: [ACTIVATION], second: f"{ACTIVATION},Order Placed"})
        async with line.daemon(RETENTLY__CAMPAIGNS=campaigns) as app:
            await rows(line, app, line.track("u1", ACTIVATION, email="ana@example.org"))
    assert sorted(body["campaign"] for body in bodies(line.retently)) == sorted([first, second])


async def test_many_people_go_into_one_request_and_a_refused_row_spoils_no_other(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        line.retently.change_switches({"survey_rows": "map"})
        line.retently.account.suppressed.add("p3@example.org")
        people = [line.track(f"u{number}", ACTIVATION, email=f"p{number}@example.org") for number in range(10)]
        assert len(await rows(line, app, *people)) == 10
        assert len(bodies(line.retently)) == 1
        (declined,) = await line.listed(app, State.FILTERED)
        assert b"p3@example.org" in declined.body
        assert declined.reason == "Retently decided against it: failed suppressed"
