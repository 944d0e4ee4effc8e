"""Survey requests: scheduled, sent, throttled, cancelled; and Autopilot."""

import pytest

from npsbridge.sandbox import DelightedServer
from npsbridge.sandbox.delighted.surveys import weekday_morning
from unit.sandbox.calling import NEW_YEAR, Caller, Hands

DAY = 86400
ANA = {"email": "ana@example.org"}


def states(server: DelightedServer) -> list[str]:
    return [request.state.value for request in server.survey_requests]


async def test_a_survey_goes_out_when_its_delay_is_over(api: Caller, hands: Hands) -> None:
    await api.post("/people.json", {**ANA, "delay": 3600})
    hands.forward(3599)
    [waiting] = (await api.get("/people.json")).json
    hands.forward(1)
    [sent] = (await api.get("/people.json")).json
    assert (waiting["next_survey_scheduled_at"], waiting["last_sent_at"]) == (NEW_YEAR + 3600, None)
    assert (sent["next_survey_scheduled_at"], sent["last_sent_at"]) == (None, NEW_YEAR + 3600)


async def test_without_send_nothing_is_asked(delighted: DelightedServer, api: Caller) -> None:
    answer = await api.post("/people.json", {**ANA, "send": False})
    assert answer.json["survey_scheduled_at"] is None
    assert delighted.survey_requests == []


async def test_an_unscheduled_time_may_be_absent(delighted: DelightedServer, api: Caller) -> None:
    delighted.change_switches({"unscheduled_is": "absent"})
    assert "survey_scheduled_at" not in (await api.post("/people.json", {**ANA, "send": False})).json


async def test_sending_may_take_a_while(delighted: DelightedServer, api: Caller, hands: Hands) -> None:
    delighted.change_switches({"sending_takes": 90})
    await api.post("/people.json", ANA)
    assert (await api.get("/people.json")).json[0]["last_sent_at"] is None
    hands.forward(90)
    assert (await api.get("/people.json")).json[0]["last_sent_at"] == NEW_YEAR + 90


@pytest.mark.parametrize(("is_shown", "shown"), [(True, NEW_YEAR), (False, None)])
async def test_a_survey_that_is_being_sent_may_be_shown_no_more(
    delighted: DelightedServer, api: Caller, shown: int | None, *, is_shown: bool
) -> None:
    delighted.change_switches({"sending_takes": 90, "due_is_shown": is_shown})
    await api.post("/people.json", ANA)
    [ana] = (await api.get("/people.json")).json
    assert (ana["next_survey_scheduled_at"], ana["last_sent_at"]) == (shown, None)


async def test_the_figures_tell_what_became_of_the_surveys(delighted: DelightedServer, api: Caller) -> None:
    for _ in range(3):
        await api.post("/people.json", ANA)
    state = (await api.get(f"{delighted.origin}/__sim/state")).json
    assert [state[f"surveys_{word}"] for word in ("sent", "throttled", "pending")] == [1, 2, 0]


@pytest.mark.parametrize(("days", "state"), [(29, "throttled"), (30, "sent")])
async def test_a_second_survey_within_30_days_is_dropped(
    delighted: DelightedServer, api: Caller, hands: Hands, days: int, state: str
) -> None:
    await api.post("/people.json", ANA)
    hands.forward(days * DAY)
    await api.post("/people.json", ANA)
    assert states(delighted) == ["sent", state]


async def test_a_throttled_request_has_no_time(api: Caller) -> None:
    await api.post("/people.json", ANA)
    assert (await api.post("/people.json", ANA)).json["survey_scheduled_at"] is None


async def test_a_request_throttled_later_has_a_time_and_is_never_sent(
    delighted: DelightedServer, api: Caller, hands: Hands
) -> None:
    delighted.change_switches({"throttle_decided_later": True})
    await api.post("/people.json", ANA)
    hands.forward(60)
    answer = await api.post("/people.json", ANA)
    assert answer.json["survey_scheduled_at"] == NEW_YEAR + 60
    assert states(delighted) == ["sent", "throttled"]
    assert (await api.get("/people.json")).json[0]["last_sent_at"] == NEW_YEAR


async def test_throttling_can_be_off(delighted: DelightedServer, api: Caller) -> None:
    delighted.change_switches({"throttle_days": None})
    await api.post("/people.json", ANA)
    await api.post("/people.json", ANA)
    assert states(delighted) == ["sent", "sent"]


async def test_sends_made_elsewhere_count(delighted: DelightedServer, api: Caller) -> None:
    await api.post("/people.json", {**ANA, "last_sent_at": NEW_YEAR - DAY})
    assert states(delighted) == ["throttled"]


async def test_two_pending_requests_coexist_and_the_second_is_dropped_when_it_is_due(
    delighted: DelightedServer, api: Caller, hands: Hands
) -> None:
    await api.post("/people.json", {**ANA, "delay": 10})
    await api.post("/people.json", {**ANA, "delay": 20})
    hands.forward(30)
    assert states(delighted) == ["sent", "throttled"]


async def test_a_newer_pending_request_may_replace_the_older(delighted: DelightedServer, api: Caller) -> None:
    delighted.change_switches({"pending_requests_coexist": False})
    await api.post("/people.json", {**ANA, "delay": 10})
    await api.post("/people.json", {**ANA, "delay": 20})
    assert states(delighted) == ["cancelled", "pending"]


async def test_the_unsubscribed_get_no_email(delighted: DelightedServer, api: Caller, hands: Hands) -> None:
    await api.post("/people.json", {**ANA, "delay": 10})
    delighted.unsubscribe("ana@example.org")
    hands.forward(10)
    await api.post("/people.json", ANA)
    assert states(delighted) == ["unreachable", "unreachable"]


async def test_pending_requests_can_be_cancelled(delighted: DelightedServer, api: Caller) -> None:
    await api.post("/people.json", {"email": "a+b@example.org", "delay": 10})
    reply = await api.delete("/people/a%2Bb%40example.org/survey_requests/pending.json")
    assert (reply.status, reply.json) == (200, {"ok": True})
    assert states(delighted) == ["cancelled"]


async def test_a_response_has_the_properties_of_the_survey_that_asked(delighted: DelightedServer, api: Caller) -> None:
    await api.post("/people.json", {**ANA, "properties": {"plan": "team"}})
    delighted.answer("ana@example.org", 9)
    [row] = (await api.get("/survey_responses.json")).json
    assert row["person_properties"] == {"plan": "team", "Delighted Source": "Email"}


async def test_autopilot_has_a_configuration(api: Caller) -> None:
    assert (await api.get("/autopilot/sms.json")).json == {
        "platform_id": "sms",
        "active": True,
        "frequency": 90 * DAY,
        "created_at": NEW_YEAR,
        "updated_at": NEW_YEAR,
    }


async def test_a_member_is_surveyed_on_a_weekday_morning_and_again_after_the_frequency(
    delighted: DelightedServer, api: Caller, hands: Hands
) -> None:
    joined = await api.post("/autopilot/email/memberships.json", {"person_email": "ana@example.org"})
    assert joined.json["person"]["email"] == "ana@example.org"
    hands.forward(100 * DAY)
    sent = [request.sent_at for request in delighted.survey_requests if request.sent_at]
    assert sent == [NEW_YEAR + 9 * 3600, weekday_morning(NEW_YEAR + 9 * 3600 + 90 * DAY)]


async def test_new_properties_of_a_member_replace_the_old_ones(api: Caller) -> None:
    path = "/autopilot/email/memberships.json"
    await api.post(path, {"person_email": "ana@example.org", "properties": {"a": "1"}})
    again = await api.post(path, {"person_email": "ana@example.org", "properties": {"b": "2"}})
    [member] = (await api.get(path)).json
    assert again.json["properties"] == {"b": "2"}
    assert member["next_survey_request"]["properties"] == {"b": "2"}


async def test_members_are_read_by_link(api: Caller) -> None:
    path = "/autopilot/email/memberships.json"
    for number in range(5):
        await api.post(path, {"person_email": f"p{number}@example.org", "person_name": f"P {number}"})
    first = await api.get(f"{path}?per_page=3")
    rest = await api.get(first.headers["Link"].split(">")[0][1:])
    emails = [item["person"]["email"] for item in first.json + rest.json]
    assert emails == [f"p{number}@example.org" for number in range(5)]
    assert "Link" not in rest.headers


@pytest.mark.parametrize("in_query", [True, False])
async def test_a_member_leaves_by_body_or_query(delighted: DelightedServer, api: Caller, *, in_query: bool) -> None:
    path = "/autopilot/email/memberships.json"
    await api.post(path, {"person_email": "ana@example.org"})
    query, body = ("?person_email=ana@example.org", {}) if in_query else ("", {"person_email": "ana@example.org"})
    assert (await api.delete(path + query, json=body)).json["person"]["email"] == "ana@example.org"
    assert (await api.get(path)).json == []
    assert states(delighted) == ["cancelled"]


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 422), ({"person_id": "1", "person_email": "a@b.org"}, 422), ({"person_id": "1"}, 404)],
)
async def test_a_membership_needs_exactly_one_known_identifier(api: Caller, body: object, status: int) -> None:
    assert (await api.post("/autopilot/email/memberships.json", body)).status == status


@pytest.mark.parametrize(
    ("moment", "morning"),
    [
        (NEW_YEAR, NEW_YEAR + 9 * 3600),
        (NEW_YEAR + 9 * 3600, NEW_YEAR + 9 * 3600),
        (NEW_YEAR + 9 * 3600 + 1, NEW_YEAR + DAY + 9 * 3600),
        (NEW_YEAR + 2 * DAY, NEW_YEAR + 4 * DAY + 9 * 3600),
    ],
)
def test_the_next_weekday_morning(moment: int, morning: int) -> None:
    assert weekday_morning(moment) == morning
