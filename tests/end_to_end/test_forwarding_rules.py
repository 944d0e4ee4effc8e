"""What holds for every vendor that is told of people: once, in time, in order, and not more often than needed."""

import json
from pathlib import Path
from typing import Any

import pytest

from end_to_end.harness import at_rest, until
from end_to_end.outbound import (
    ACTIVATION,
    DAY,
    HOUR,
    INVITATION,
    PURCHASE,
    REPORT,
    Answered,
    Outbound,
    asked,
    bodies,
    outbound,
    surveys,
)
from npsbridge.app import App
from npsbridge.core.model import State
from npsbridge.core.people import IdKind, PersonId
from npsbridge.sandbox import DelightedServer, Hang

pytestmark = pytest.mark.looptime(noop_cycles=8)

TAKEN = Answered(200, {"success": True})


def ago(line: Outbound, seconds: float) -> str:
    """A time before now, as SDKs write it."""
    return line.clock.at(int((line.time.now() - seconds) * 1000)).isoformat()


def all_events(line: Outbound, user_id: str) -> list[dict[str, Any]]:
    """One trigger for each vendor."""
    email = f"{user_id}@example.org"
    tracks = [line.track(user_id, event) for event in (PURCHASE, REPORT, INVITATION)]
    return [*tracks, line.track(user_id, ACTIVATION, email=email)]


def asked_for_surveys(line: Outbound) -> dict[str, int]:
    """How many surveys or events each vendor was asked for."""
    return {
        "delighted": len(line.delighted.survey_requests),
        "retently": len(line.retently.survey_requests),
        "satismeter": len(line.satismeter.project.tracks),
        "promoter": len(line.promoter.survey_requests),
    }


ONE_EACH = dict.fromkeys(("delighted", "retently", "satismeter", "promoter"), 1)
NOTHING = dict.fromkeys(ONE_EACH, 0)

# --- once -------------------------------------------------------------------------------------------------------


async def test_a_call_by_sdk_by_webhook_and_repeated_is_acted_on_once(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        calls = [line.identify("u1", email="u1@example.org"), *all_events(line, "u1")]
        await line.tell(app, *calls)
        assert await line.webhook(app, [call | {"receivedAt": ago(line, 0)} for call in calls]) == TAKEN
        assert await line.webhook(app, calls[1] | {"receivedAt": ago(line, 0)}) == TAKEN
        await line.tell(app, *calls)
        assert asked_for_surveys(line) == ONE_EACH
        assert (await app.store.ledger()).duplicate == 5 + 1 + 5


async def test_a_call_repeated_after_a_restart_is_acted_on_once(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line:
        calls = [line.identify("u1", email="u1@example.org"), *all_events(line, "u1")]
        for _ in range(2):
            async with line.daemon() as app:
                await line.tell(app, *calls)
    assert asked_for_surveys(line) == ONE_EACH


async def test_a_call_twice_in_one_batch_is_acted_on_once(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        track = line.track("u1", PURCHASE)
        await line.tell(app, line.identify("u1", email="u1@example.org"), track, track)
        assert len(line.delighted.survey_requests) == 1


async def test_a_call_without_a_message_id_repeated_by_its_sender_is_acted_on_once(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        bare = {"type": "track", "userId": "u1", "event": PURCHASE, "timestamp": ago(line, 0), "properties": {"a": 1}}
        await line.tell(app, line.identify("u1", email="u1@example.org"), bare)
        await line.tell(app, bare | {"sentAt": ago(line, -5)})
        assert len(line.delighted.survey_requests) == 1


async def test_two_accounts_of_one_vendor_are_both_asked_once(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, DelightedServer(now=line.time.now, api_key="key-of-the-other") as other:
        own = {**other.environment(""), "PLATFORM": "delighted", "PULL": "false", "SURVEYS": json.dumps([PURCHASE])}
        second = {f"CONNECTIONS__OTHER__{name}": value for name, value in own.items()}
        async with line.daemon(**second) as app:
            calls = [line.identify("u1", email="u1@example.org"), line.track("u1", PURCHASE)]
            await line.tell(app, *calls)
            await line.tell(app, *calls)
            assert [len(server.survey_requests) for server in (line.delighted, other)] == [1, 1]


async def test_a_vendor_that_is_switched_off_is_asked_for_nothing(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon(DELIGHTED__FORWARD="false") as app:
        await line.tell(app, line.identify("u1", email="u1@example.org"), *all_events(line, "u1"))
        assert asked_for_surveys(line) == ONE_EACH | {"delighted": 0}
        assert bodies(line.delighted) == []


# --- in time ----------------------------------------------------------------------------------------------------


async def test_a_trigger_before_its_identify_waits_and_goes_out_right_behind_it(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        assert await line.send(app, line.track("u1", PURCHASE)) == TAKEN
        await line.passes(HOUR)
        assert bodies(line.delighted) == []
        emails = [f"u{number}@example.org" for number in range(20)]
        await line.tell(app, *[line.identify(email[:-12], email=email) for email in emails])
        sent = [(body["email"], body["send"]) for body in bodies(line.delighted)]
    assert sent.index((emails[1], True)) > sent.index((emails[1], False))
    assert sent.index((emails[1], True)) < sent.index((emails[10], False))


async def test_a_trigger_waits_through_a_restart(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line:
        async with line.daemon() as app:
            await line.send(app, *all_events(line, "u1")[:3])
            await line.passes(60)
        async with line.daemon() as app:
            await line.tell(app, line.identify("u1", email="u1@example.org"))
    assert asked_for_surveys(line) == ONE_EACH | {"retently": 0}


async def test_i9_a_trigger_that_waited_too_long_is_listed_as_expired_and_nobody_is_surveyed(tmp_path: Path) -> None:
    async with outbound(tmp_path, INGEST__MAX_TRIGGER_AGE="1h") as line, line.daemon() as app:
        await line.send(app, line.track("u1", PURCHASE))
        await line.passes(HOUR + 60)
        (expired,) = await line.listed(app, State.EXPIRED)
        assert (expired.connection, expired.kind) == ("delighted", "survey")
        assert expired.reason == "no email is known of this person"
        await line.tell(app, line.identify("u1", email="u1@example.org"))
        assert line.delighted.survey_requests == []
        assert (await app.store.ledger()).expired == 1


async def test_i9_f41_a_trigger_that_happened_too_long_ago_surveys_nobody_and_is_listed(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify("u1", email="u1@example.org"))
        late = [call | {"timestamp": ago(line, 2 * DAY)} for call in all_events(line, "u1")]
        await line.tell(app, *late)
        assert asked_for_surveys(line) == NOTHING
        listed = await line.listed(app, State.EXPIRED)
        assert sorted(one.connection for one in listed) == sorted(ONE_EACH)
        assert all("INGEST__MAX_TRIGGER_AGE" in (one.reason or "") for one in listed)


async def test_a_sender_whose_clock_is_wrong_is_not_too_late(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify("u1", email="u1@example.org"))
        wrong = {"timestamp": ago(line, 6 * DAY + 5), "sentAt": ago(line, 6 * DAY)}
        await line.tell(app, line.track("u1", PURCHASE) | wrong)
        assert len(line.delighted.survey_requests) == 1


async def test_a_trigger_accepted_in_time_is_sent_although_the_vendor_was_down_for_longer(tmp_path: Path) -> None:
    async with outbound(tmp_path, INGEST__MAX_TRIGGER_AGE="1h") as line, line.daemon() as app:
        await line.delighted.stop()
        await line.send(app, line.identify("u1", email="u1@example.org"), line.track("u1", PURCHASE))
        await line.passes(2 * HOUR)
        await line.delighted.start()
        await line.rests(app)
        assert len(line.delighted.survey_requests) == 1


# --- not for us -------------------------------------------------------------------------------------------------


async def test_what_we_emitted_ourselves_is_ignored_when_it_comes_back(tmp_path: Path) -> None:
    triggers = json.dumps(["Submit Survey", "Answered NPS Survey", "Completed NPS Survey"])
    loop = {"DELIGHTED__PULL": "true", "DELIGHTED__SURVEYS": triggers, "PROMOTER__SURVEYS": triggers}
    async with outbound(tmp_path, **loop, SATISMETER__EVENTS=triggers) as line:
        line.delighted.answer("ana@example.org", 9, comment="Fine")
        async with line.daemon() as app:
            await until(lambda: len(line.said()) == 4, within=HOUR)
            ours = [call | {"receivedAt": ago(line, 0)} for call in line.said()]
            assert await line.webhook(app, ours) == TAKEN
            await line.tell(app, *ours)
            ledger = await app.store.ledger()
            assert [asked(server) for server in line.vendors.values()] == [[], [], [], []]
            assert (ledger.filtered, ledger.duplicate) == (4, 4)


@pytest.mark.parametrize(
    ("wishes", "taking_part"),
    [
        ({"Delighted": False}, {"retently", "satismeter", "promoter"}),
        ({"All": False}, set()),
        ({"All": False, "Promoter": True, "Retently": {"any": "option"}}, {"promoter", "retently"}),
        ({"all": False, "SatisMeter": True}, {"satismeter"}),
        ({"Promoter.io": False, "Heap": False}, {"delighted", "retently", "satismeter"}),
    ],
)
async def test_integrations_switch_single_vendors_off(
    tmp_path: Path, wishes: dict[str, Any], taking_part: set[str]
) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        calls = [line.identify("u1", email="u1@example.org"), *all_events(line, "u1")]
        await line.tell(app, *[call | {"integrations": wishes} for call in calls])
        assert {name for name, server in line.vendors.items() if asked(server)} == taking_part


async def test_who_has_unsubscribed_is_not_surveyed(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await app.store.suppress([PersonId(IdKind.EMAIL, "u1@example.org")], because="unsubscribed")
        await line.tell(app, line.identify("u1", email="u1@example.org"), *all_events(line, "u1"))
        assert asked_for_surveys(line) == NOTHING
        reasons = [one.reason or "" for one in await line.listed(app, State.FILTERED)]
        assert len(reasons) == 4
        assert all("unsubscribed" in reason for reason in reasons)


# --- who it is --------------------------------------------------------------------------------------------------


async def test_what_an_anonymous_visitor_did_before_signing_up_is_theirs(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.send(app, line.track(None, INVITATION, anonymous_id="a1"))
        await line.tell(app, line.identify("u1", anonymous_id="a1", email="u1@example.org"))
        assert [one.email for one in line.promoter.survey_requests] == ["u1@example.org"]


async def test_an_alias_makes_two_user_ids_one_person(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify("old", email="ana@example.org", plan="pro"))
        await line.tell(app, line.call("alias", previousId="old", userId="new"), line.track("new", PURCHASE))
        (survey,) = surveys(line.delighted)
        assert survey["properties"] == {"plan": "pro", "segment_user_id": "new"}


# --- in order ---------------------------------------------------------------------------------------------------


def life_of(line: Outbound, user_id: str) -> list[dict[str, Any]]:
    """Traits and surveys in turn; each step shows in what Delighted is asked."""
    calls = []
    for step in range(3):
        calls += [line.identify(user_id, email=f"{user_id}@example.org", step=step), line.track(user_id, PURCHASE)]
    return calls


async def test_what_concerns_one_person_goes_out_in_the_order_accepted(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        line.delighted.change_switches({"throttle_days": None})
        lives = [life_of(line, f"u{number}") for number in range(5)]
        for step in zip(*lives, strict=True):
            assert await line.send(app, *step) == TAKEN
        await line.rests(app)
        for number in range(5):
            own = [body for body in bodies(line.delighted) if body["email"] == f"u{number}@example.org"]
            steps = [(body["properties"]["step"], body["send"]) for body in own]
            assert steps == [(0, False), (0, True), (1, False), (1, True), (2, False), (2, True)]


async def test_the_next_of_a_person_is_sent_when_the_one_before_it_was_answered(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        line.delighted.faults.add(Hang(seconds=5), times=2)
        await line.send(app, line.identify("u0", email="u0@example.org"))
        await until(lambda: len(bodies(line.delighted)) == 1)
        await line.send(app, line.identify("u1", email="u1@example.org"), line.track("u1", PURCHASE))
        await until(lambda: len(bodies(line.delighted)) == 2)
        await line.passes(3)
        assert [body["send"] for body in bodies(line.delighted)] == [False, False]
        await line.rests(app)
        assert [body["send"] for body in bodies(line.delighted)] == [False, False, True]


async def test_the_order_holds_when_single_requests_fail(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        line.delighted.change_switches({"throttle_days": None})
        await line.delighted.stop()
        await line.send(app, *life_of(line, "u1"))
        await line.passes(90)
        await line.delighted.start()
        await line.rests(app)
        steps = [(body["properties"]["step"], body["send"]) for body in bodies(line.delighted)]
        assert steps == [(0, False), (0, True), (1, False), (1, True), (2, False), (2, True)]


# --- not more often than needed ---------------------------------------------------------------------------------


async def test_equal_traits_again_cause_no_request(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify("u1", email="u1@example.org", plan="pro", age=42))
        before = {name: bodies(server) for name, server in line.vendors.items()}
        await line.tell(app, line.identify("u1", age=42, plan="pro", email=" U1@Example.org "))
        await line.tell(app, line.identify("u1", plan="pro"))
        assert {name: bodies(server) for name, server in line.vendors.items()} == before
        assert {name: len(sent) for name, sent in before.items()} == ONE_EACH | {"retently": 0}


async def test_traits_that_change_back_are_told_again(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        for plan in ("free", "pro", "free"):
            await line.tell(app, line.identify("u1", email="u1@example.org", plan=plan))
        assert [body["properties"]["plan"] for body in bodies(line.delighted)] == ["free", "pro", "free"]


async def storm(line: Outbound, app: App, *, people: int, times: int) -> dict[str, int]:
    """How many requests each vendor got after everybody was identified so often with equal traits."""
    for _ in range(times):
        calls = [line.identify(f"u{one}", email=f"u{one}@example.org", plan="pro", age=one) for one in range(people)]
        assert await line.send(app, *calls) == TAKEN
    await line.rests(app)
    return {name: len(asked(server)) for name, server in line.vendors.items()}


async def test_a_storm_of_identifies_with_equal_traits_is_one_request_a_person(tmp_path: Path) -> None:
    """The contract's figure is 20,000 of 500 people; this is a tenth of it."""
    async with outbound(tmp_path) as line, line.daemon() as app:
        requests = await storm(line, app, people=50, times=40)
        assert requests == {"delighted": 50, "retently": 0, "satismeter": 50, "promoter": 50}


async def test_many_identifies_while_a_lane_is_slow_become_one_request_with_the_newest_state(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.delighted.stop()
        for visits in range(60):
            await line.send(app, line.identify("u1", email="u1@example.org", visits=visits))
        await line.passes(10)
        await line.delighted.start()
        await line.rests(app)
        assert [body["properties"]["visits"] for body in bodies(line.delighted)] == [59]
        reasons = [one.reason for one in await line.listed(app, State.FILTERED, "delighted")]
        assert reasons == ["a newer identify call says all of it"] * 59


async def test_a_newer_identify_does_not_overtake_a_survey(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.delighted.stop()
        for plan in ("free", "pro"):
            await line.send(app, line.identify("u1", email="u1@example.org", plan="none"))
            await line.send(app, line.identify("u1", email="u1@example.org", plan=plan), line.track("u1", PURCHASE))
        await line.passes(10)
        await line.delighted.start()
        await until(lambda: at_rest(app), within=HOUR)
        plans = [(body["properties"]["plan"], body["send"]) for body in bodies(line.delighted)]
        assert plans == [("free", False), ("free", True), ("pro", False), ("pro", True)]


async def test_an_identify_that_the_vendor_never_took_is_told_when_it_comes_again(tmp_path: Path) -> None:
    """The vendor was down for longer than RETENTION__RETRY; the shop says the same of its people every day."""
    async with outbound(tmp_path, RETENTION__RETRY="10m") as line, line.daemon() as app:
        await line.delighted.stop()
        await line.send(app, line.identify("u1", email="u1@example.org"))
        await line.passes(HOUR)
        assert [one.kind for one in await line.listed(app, State.DEAD)] == ["identify"]
        await line.delighted.start()
        await line.tell(app, line.identify("u1", email="u1@example.org"))
        assert [body["email"] for body in bodies(line.delighted)] == ["u1@example.org"]


# --- what can be found again ------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["u1@example.org", "m-2"], ids=["email", "messageId"])
async def test_a_call_is_traced_by_its_message_id_and_its_person_by_email(tmp_path: Path, key: str) -> None:
    """`npsbridge trace MESSAGE_ID|EMAIL` of calls, not only of answers."""
    async with outbound(tmp_path) as line, line.daemon() as app:
        await line.tell(app, line.identify("u1", email="u1@example.org"), line.track("u1", PURCHASE))
        found = await app.store.trace(key)
        assert "m-2:survey" in {one.message_id for one in found.deliveries}
        assert found.entries
