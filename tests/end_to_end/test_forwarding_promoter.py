"""Calls that Promoter.io is told of, rule by rule of Segment's page "Promoter Destination": call in, request out."""

import json
from pathlib import Path
from typing import Any

import pytest

from end_to_end.outbound import CAMPAIGN, DAY, INVITATION, Asked, asked, bodies, outbound
from npsbridge.core.model import State

pytestmark = pytest.mark.looptime(noop_cycles=8)

TED = {"email": "ted@mosbiusdesigns.com", "firstName": "Ted", "lastName": "Mosby", "plan": "Premium"}


def contact(user_id: str = "12345", **attributes: Any) -> dict[str, Any]:
    names = {"email": "ted@mosbiusdesigns.com", "first_name": "Ted", "last_name": "Mosby"}
    return {**names, "attributes": {"plan": "Premium", **attributes, "segment_user_id": user_id}}


def created(**attributes: Any) -> Asked:
    return Asked("/api/contacts/", {**contact(**attributes), "campaign": CAMPAIGN, "send": False})


async def test_an_identify_creates_a_contact_with_all_other_traits_as_attributes(tmp_path: Path) -> None:
    """The example of Segment's page."""
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify("12345", **TED))
        assert asked(line.promoter) == [created()]
        assert line.promoter.requests[0].headers["Authorization"] == f"Token {line.promoter.api_key}"
        assert line.promoter.survey_requests == []


async def test_the_example_of_the_page_with_action_instead_of_type_is_understood(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, {"userId": "12345", "action": "identify", "traits": TED})
        assert asked(line.promoter) == [created()]


async def test_first_and_last_name_are_optional(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify("1", email="ted@mosbiusdesigns.com"))
        bare = {"email": "ted@mosbiusdesigns.com", "attributes": {"segment_user_id": "1"}}
        assert bodies(line.promoter) == [{**bare, "campaign": CAMPAIGN, "send": False}]


@pytest.mark.parametrize(
    ("user_id", "traits", "missing"), [(None, {"email": "ted@mosbiusdesigns.com"}, "userId"), ("1", {}, "email")]
)
async def test_without_user_id_or_email_there_is_no_contact_and_the_reason_is_listed(
    tmp_path: Path, user_id: str | None, traits: dict[str, str], missing: str
) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify(user_id, anonymous_id="a1", **traits))
        assert bodies(line.promoter) == []
        (one,) = await line.listed(app, State.FILTERED, "promoter")
        assert one.reason == f"no {missing} is known of this person, and Promoter.io's contacts need one"


async def test_a_contact_joins_the_list_that_is_configured(tmp_path: Path) -> None:
    async with outbound(tmp_path, PROMOTER__LIST_ID="599") as line, line.daemon() as app:
        await line.tell(app, line.identify("12345", **TED))
        assert bodies(line.promoter)[0]["contact_list"] == [599]


async def test_a_listed_event_surveys_the_contact_whose_identify_had_its_user_id(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify("12345", **TED), line.identify("2", email="robin@example.org"))
        track = line.track("12345", INVITATION, category="viral", totalInvites=50)
        await line.tell(app, track)
        event = {"event": INVITATION, "request_id": f"{track['messageId']}:survey"}
        attributes = {"category": "viral", "totalInvites": 50, **event}
        survey = {"campaign_id": CAMPAIGN, "contact": contact(), "attributes": attributes}
        assert asked(line.promoter)[2:] == [Asked("/api/v2/survey/", survey)]
        assert [one.email for one in line.promoter.survey_requests] == ["ted@mosbiusdesigns.com"]


async def test_an_event_with_another_user_id_surveys_nobody_until_it_was_identified(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify("12345", **TED))
        await line.send(app, line.track("54321", INVITATION, email="ted@mosbiusdesigns.com"))
        await line.passes(DAY + 60)
        assert line.promoter.survey_requests == []
        assert [one.connection for one in await line.listed(app, State.EXPIRED)] == ["promoter"]


async def test_a_user_whose_email_only_a_track_has_told_waits_for_their_identify(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        email = {"context": {"traits": {"email": "ted@mosbiusdesigns.com"}}}
        await line.send(app, line.track("12345", INVITATION) | email)
        await line.passes(60)
        assert bodies(line.promoter) == []
        await line.tell(app, line.identify("12345", **TED))
        assert [one.target for one in asked(line.promoter)] == ["/api/contacts/", "/api/v2/survey/"]


async def test_somebody_known_only_by_an_anonymous_id_is_not_surveyed(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.send(app, line.identify(None, anonymous_id="a1", **TED))
        await line.send(app, line.track(None, INVITATION, anonymous_id="a1"))
        await line.passes(DAY + 60)
        assert bodies(line.promoter) == []
        (expired,) = await line.listed(app, State.EXPIRED, "promoter")
        assert expired.reason == "no userId is known of this person, and Promoter.io's contacts need one"


async def test_an_event_may_name_a_campaign_of_its_own(tmp_path: Path) -> None:
    own = json.dumps([INVITATION, {"event": "Trial Ended", "campaign_id": 79}])
    async with outbound(tmp_path, PROMOTER__SURVEYS=own) as line, line.daemon() as app:
        await line.tell(app, line.identify("12345", **TED), line.track("12345", "Trial Ended"))
        assert [one.campaign for one in line.promoter.survey_requests] == [79]


async def test_an_order_completed_is_stored_with_its_contact_and_surveys_nobody(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify("12345", **TED))
        order: dict[str, Any] = {"order_id": "o-1", "total": 30.5, "products": [{"sku": "a"}]}
        happened = "2026-03-31T23:00:00.000Z"
        await line.tell(app, {**line.track("12345", "Order Completed", **order), "timestamp": happened})
        last = {"last_order_id": "o-1", "last_order_total": "30.5", "last_order_at": happened}
        assert asked(line.promoter) == [created(), created(**last)]
        assert line.promoter.survey_requests == []


async def test_an_order_completed_that_is_listed_as_well_is_stored_and_then_surveyed(tmp_path: Path) -> None:
    async with outbound(tmp_path, PROMOTER__SURVEYS='["Order Completed"]') as line, line.daemon() as app:
        await line.tell(app, line.identify("12345", **TED), line.track("12345", "Order Completed", order_id="o-1"))
        assert [one.target for one in asked(line.promoter)] == ["/api/contacts/", "/api/contacts/", "/api/v2/survey/"]


async def test_a_contact_that_is_not_eligible_is_recorded_and_no_error(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify("12345", **TED))
        line.promoter.unsubscribe("ted@mosbiusdesigns.com")
        await line.tell(app, line.track("12345", INVITATION))
        (declined,) = await line.listed(app, State.FILTERED, "promoter")
        assert declined.reason == "Promoter.io says that the contact is not eligible: throttled or unsubscribed"
        assert await line.state(app, "promoter:forward") == "connected"
    assert [told.message for told in line.told if told.level in ("WARNING", "ERROR")] == []
