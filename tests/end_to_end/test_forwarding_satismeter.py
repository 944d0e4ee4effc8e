"""Calls that SatisMeter is told of, rule by rule of Segment's page "SatisMeter Destination": call in, request out."""

from pathlib import Path
from typing import Any

import pytest

from end_to_end.outbound import DAY, REPORT, Asked, Outbound, asked, bodies, outbound
from npsbridge.core.model import State

pytestmark = pytest.mark.looptime(noop_cycles=8)

BOND = {"name": "James Bond", "email": "007@sis.gov.uk", "createdAt": "2015-06-16T09:19:47.155Z"}


def upsert(line: Outbound, user_id: str, **traits: Any) -> Asked:
    told = {"userId": user_id, "traits": {**traits, "segment_user_id": user_id}, "writeKey": line.satismeter.write_key}
    return Asked("/api/users", {"project": line.satismeter.project_id, **told})


def event(line: Outbound, user_id: str, name: str) -> Asked:
    told = {"type": "track", "userId": user_id, "event": name, "writeKey": line.satismeter.write_key}
    return Asked("/api/users?type=track", {"project": line.satismeter.project_id, **told})


async def test_an_identify_makes_a_user_with_name_email_and_created_at(tmp_path: Path) -> None:
    """The example of Segment's page."""
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify("007", **BOND))
        assert asked(line.satismeter) == [upsert(line, "007", **BOND)]
        assert line.satismeter.requests[0].headers["Authorization"] == f"Bearer {line.satismeter.api_key}"
        assert line.satismeter.properties_of("007@sis.gov.uk") == {**BOND, "segment_user_id": "007"}


async def test_any_other_trait_goes_along(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify("007", **BOND, plan="pro", logins=7, vip=True, company={"name": "MI6"}))
        traits = {**BOND, "plan": "pro", "logins": 7, "vip": True, "company_name": "MI6"}
        assert asked(line.satismeter) == [upsert(line, "007", **traits)]


async def test_a_created_at_in_seconds_becomes_the_time_that_satismeter_reads(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify("007", createdAt=1434446387))
        assert asked(line.satismeter) == [upsert(line, "007", createdAt="2015-06-16T09:19:47.000Z")]


async def test_a_further_identify_tells_all_that_is_known(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify("007", **BOND))
        await line.tell(app, line.identify("007", plan="pro"))
        assert asked(line.satismeter)[1:] == [upsert(line, "007", **BOND, plan="pro")]


async def test_a_listed_event_is_an_upsert_and_then_the_track(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line:
        async with line.daemon(SATISMETER__FORWARD="false") as app:
            await line.tell(app, line.identify("007", **BOND))
        async with line.daemon() as app:
            await line.tell(app, line.track("007", REPORT, pages=3))
    assert asked(line.satismeter) == [upsert(line, "007", **BOND), event(line, "007", REPORT)]


async def test_a_listed_event_of_a_user_told_of_just_so_is_only_the_track(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify("007", **BOND))
        await line.tell(app, line.track("007", REPORT))
        assert asked(line.satismeter) == [upsert(line, "007", **BOND), event(line, "007", REPORT)]


@pytest.mark.parametrize("name", ["report finished", "Report Finished ", "Something Else"])
async def test_an_event_that_is_not_listed_is_not_passed_on(tmp_path: Path, name: str) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify("007", **BOND), line.track("007", name))
        assert asked(line.satismeter) == [upsert(line, "007", **BOND)]


async def test_a_person_without_a_user_id_is_not_told_and_listed_with_the_reason(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify(None, anonymous_id="a1", **BOND))
        await line.tell(app, line.track(None, REPORT, anonymous_id="a1"))
        assert bodies(line.satismeter) == []
        reasons = [one.reason for one in await line.listed(app, State.FILTERED, "satismeter")]
        assert reasons == ["no userId is known of this person, and SatisMeter knows people by it"] * 2


async def test_an_event_of_a_visitor_waits_until_they_sign_in_and_goes_out_behind_the_user(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.send(app, line.track(None, REPORT, anonymous_id="a1"))
        await line.passes(DAY / 2)
        await line.tell(app, line.identify("007", anonymous_id="a1", **BOND))
        assert asked(line.satismeter) == [upsert(line, "007", **BOND), event(line, "007", REPORT)]


async def test_an_event_before_the_identify_waits_and_goes_out_behind_the_user(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.send(app, line.track("007", REPORT))
        await line.passes(DAY / 2)
        assert bodies(line.satismeter) == []
        await line.tell(app, line.identify("007", **BOND))
        assert asked(line.satismeter) == [upsert(line, "007", **BOND), event(line, "007", REPORT)]


async def test_an_older_project_that_knows_only_its_write_key_takes_both(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        line.satismeter.change_switches({"users_take": "write_key"})
        await line.tell(app, line.identify("007", **BOND), line.track("007", REPORT))
        assert len(line.satismeter.project.upserts) == len(line.satismeter.project.tracks) == 1
