"""Calls that Delighted is told of, rule by rule of Segment's page "Delighted Destination": call in, request out."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from end_to_end.outbound import HOUR, PURCHASE, Asked, Outbound, asked, bodies, outbound, surveys
from npsbridge.app import App
from npsbridge.core.model import State
from stores import store_url

pytestmark = pytest.mark.looptime(noop_cycles=8)


async def filtered(line: Outbound, app: App) -> list[str | None]:
    """Why Delighted was not told of something."""
    return [one.reason for one in await line.listed(app, State.FILTERED, "delighted")]


def told_of_ana(**properties: Any) -> dict[str, Any]:
    return {"email": "ana@example.org", "send": False, "properties": {**properties, "segment_user_id": "u1"}}


async def test_an_identify_adds_a_person_with_every_other_trait_as_a_property(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify("u1", email="ana@example.org", name="Ana Lee", plan="free", language="EN"))
        person = {**told_of_ana(plan="free", language="EN"), "name": "Ana Lee"}
        assert asked(line.delighted) == [Asked("/v1/people.json", person)]
        key = base64.b64encode(f"{line.delighted.api_key}:".encode()).decode()
        assert line.delighted.requests[0].headers["Authorization"] == f"Basic {key}"


async def test_an_identify_without_an_email_is_not_told_and_listed_with_the_reason(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify("u1", plan="free"))
        assert bodies(line.delighted) == []
        assert await filtered(line, app) == ["no email is known of this person"]


async def test_an_identify_without_an_email_uses_the_one_that_is_known(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify("u1", email="ana@example.org"))
        await line.tell(app, line.identify("u1", plan="free"))
        assert bodies(line.delighted) == [told_of_ana(), told_of_ana(plan="free")]


async def test_a_user_id_that_is_an_email_is_the_email_where_no_other_is_known(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify("ana@example.org", plan="free"))
        properties = {"plan": "free", "segment_user_id": "ana@example.org"}
        assert bodies(line.delighted) == [{"email": "ana@example.org", "send": False, "properties": properties}]


async def test_a_person_known_only_by_an_anonymous_id_is_reached_by_their_email(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify(None, anonymous_id="a1", email="ana@example.org"))
        await line.tell(app, line.track(None, PURCHASE, anonymous_id="a1", price=12))
        told, survey = bodies(line.delighted)
        assert told["properties"] == {"segment_anonymous_id": "a1"}
        assert survey["email"] == "ana@example.org"
        assert survey["properties"] == {"price": 12, "segment_anonymous_id": "a1"}


async def test_a_listed_event_asks_for_a_survey_with_stored_traits_and_the_events_properties(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify("u1", email="ana@example.org", plan="free", city="Bern"))
        await line.tell(app, line.track("u1", PURCHASE, price=12, city="Basel"))
        survey = {**told_of_ana(plan="free", city="Basel", price=12), "send": True, "channel": "email", "delay": 0}
        assert asked(line.delighted)[1:] == [Asked("/v1/people.json", survey)]
        assert [one.properties["price"] for one in line.delighted.survey_requests] == ["12"]


@pytest.mark.parametrize(
    "name", ["purchased product", "Purchased  Product", " Purchased Product", "Purchased Product "]
)
async def test_an_event_whose_name_differs_by_case_or_a_blank_asks_for_nothing(tmp_path: Path, name: str) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify("u1", email="ana@example.org"), line.track("u1", name))
        assert bodies(line.delighted) == [told_of_ana()]
        assert (await app.store.ledger()).filtered == 1


async def test_a_sample_rate_takes_its_share_and_lists_the_others(tmp_path: Path) -> None:
    rules = json.dumps({PURCHASE: {"sample_rate": 0.25}})
    async with outbound(tmp_path, DELIGHTED__SURVEYS=rules) as line, line.daemon() as app:
        people = [f"u{number}" for number in range(100)]
        await line.tell(app, *[line.identify(one, email=f"{one}@example.org") for one in people])
        await line.tell(app, *[line.track(one, PURCHASE) for one in people])
        taken = len(surveys(line.delighted))
        assert 10 <= taken <= 40
        assert (await filtered(line, app)).count("not in the sample of 0.25") == 100 - taken


async def test_the_sample_is_the_same_after_a_restart_with_another_store(tmp_path: Path) -> None:
    rules = json.dumps({PURCHASE: {"sample_rate": 0.5}})
    async with outbound(tmp_path, DELIGHTED__SURVEYS=rules) as line:
        calls = [line.identify(f"u{number}", email=f"u{number}@example.org") for number in range(20)]
        calls += [line.track(f"u{number}", PURCHASE) for number in range(20)]
        drawn = []
        for store in ("first", "second"):
            async with line.daemon(STORE_URL=store_url(tmp_path, store)) as app:
                await line.tell(app, *calls)
            drawn.append({body["email"] for body in surveys(line.delighted)})
            line.delighted.requests.clear()
    assert drawn[0] == drawn[1]
    assert 0 < len(drawn[0]) < 20


async def test_a_delay_is_told_to_the_vendor_who_sends_that_much_later(tmp_path: Path) -> None:
    rules = json.dumps({PURCHASE: {"delay": 3600}})
    async with outbound(tmp_path, DELIGHTED__SURVEYS=rules) as line, line.daemon() as app:
        await line.tell(app, line.identify("u1", email="ana@example.org"), line.track("u1", PURCHASE))
        (request,) = line.delighted.survey_requests
        assert surveys(line.delighted)[0]["delay"] == 3600
        assert request.scheduled_at - request.asked_at == 3600


async def test_a_delay_has_gone_by_while_the_vendor_was_down(tmp_path: Path) -> None:
    rules = json.dumps({PURCHASE: {"delay": 7200}})
    async with outbound(tmp_path, DELIGHTED__SURVEYS=rules) as line, line.daemon() as app:
        await line.delighted.stop()
        began = line.second()
        await line.send(app, line.identify("u1", email="ana@example.org"), line.track("u1", PURCHASE))
        await line.passes(HOUR)
        await line.delighted.start()
        await line.rests(app)
        (request,) = line.delighted.survey_requests
        assert abs(request.scheduled_at - (began + 7200)) <= 2


async def test_a_survey_by_sms_goes_to_the_phone_number_among_the_traits(tmp_path: Path) -> None:
    rules = json.dumps({PURCHASE: {"channel": "sms"}})
    async with outbound(tmp_path, DELIGHTED__SURVEYS=rules) as line, line.daemon() as app:
        await line.tell(app, line.identify("u1", email="ana@example.org", phone="+41 44 668 18 00"))
        await line.tell(app, line.track("u1", PURCHASE))
        (survey,) = surveys(line.delighted)
        assert (survey["channel"], survey["phone_number"]) == ("sms", "+41446681800")


async def test_every_value_of_a_trait_becomes_one_that_delighted_takes(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        traits: dict[str, Any] = {"vip": True, "age": 42, "tags": ["a", "b"], "address": {"city": "Bern"}, "left": None}
        await line.tell(app, line.identify("u1", email="ana@example.org", **traits))
        expected = {"vip": True, "age": 42, "tags": "a, b", "address": '{"city": "Bern"}'}
        assert bodies(line.delighted) == [told_of_ana(**expected)]


@pytest.mark.parametrize("kind", ["page", "screen"])
async def test_pages_and_screens_are_none_of_its_business(tmp_path: Path, kind: str) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.call(kind, userId="u1", name=PURCHASE, properties={"email": "ana@example.org"}))
        assert bodies(line.delighted) == []
        assert (await app.store.ledger()).filtered == 1


async def test_a_survey_that_the_vendor_throttles_is_recorded_and_no_error(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify("u1", email="ana@example.org"))
        await line.tell(app, line.track("u1", PURCHASE))
        await line.tell(app, line.track("u1", PURCHASE))
        (reason,) = await filtered(line, app)
        assert reason is not None
        assert "scheduled no survey" in reason
        assert await line.state(app, "delighted:forward") == "connected"
    assert [told.message for told in line.told if told.level in ("WARNING", "ERROR")] == []
