"""Users and events against the look-alike: what it is told, and what its answers mean."""

from typing import Any

import pytest
from pydantic import SecretStr

from npsbridge.core.model import Delivery, State
from npsbridge.core.outcome import Blame, Delivered, Outcome, Paused, Rejected, Retired, RetryLater, Unknown
from npsbridge.core.ports import Inquiry
from npsbridge.platforms.satismeter.destination import SatisMeterDestination
from npsbridge.sandbox import faults
from npsbridge.sandbox.faults import Answer, CutConnection, Fault, GzipBomb, ResetAfterReading, ResetBeforeReading
from npsbridge.sandbox.rate import RateLimit
from unit.platforms.satismeter.driving import Bench, bench, responses
from unit.platforms.satismeter.test_destination_plan import BOND, bond, paid

USER, EVENT = 0, 1


def destination(project: Bench, **settings: Any) -> SatisMeterDestination:
    return SatisMeterDestination(project.wiring(events=["Paid"], **settings))


def deliveries(project: Bench) -> list[Delivery]:
    """The user and the event of one call, as the store hands them to the lane."""
    plans = destination(project).plan_call(paid(), bond())
    assert isinstance(plans, list)
    return [
        Delivery(
            id=number,
            connection=plan.connection,
            person=plan.person,
            kind=plan.kind,
            message_id=plan.message_id,
            body=plan.body,
            state=State.QUEUED,
            created_at=0,
        )
        for number, plan in enumerate(plans)
    ]


async def outcome_of(project: Bench, which: int, **settings: Any) -> Outcome:
    [outcome] = await destination(project, **settings).deliver([deliveries(project)[which]])
    return outcome


# --- what arrives -----------------------------------------------------------------------------------------------


async def test_a_listed_event_arrives_behind_its_user(project: Bench) -> None:
    assert await destination(project).deliver(deliveries(project)) == [Delivered(), Delivered()]
    user, event = project.server.requests
    assert (user.method, user.target) == ("POST", "/api/users")
    assert user.body == {
        "project": project.server.project_id,
        "userId": "007",
        "traits": {**BOND, "segment_user_id": "007"},
    }
    assert (event.method, event.target) == ("POST", "/api/users?type=track")
    assert event.body == {"project": project.server.project_id, "type": "track", "userId": "007", "event": "Paid"}
    assert {one.headers["Authorization"] for one in (user, event)} == {f"Bearer {project.server.api_key}"}


@pytest.mark.parametrize("writes", ["merge", "replace"])
async def test_a_user_told_of_twice_is_one_with_all_traits(project: Bench, writes: str) -> None:
    project.server.change_switches({"trait_writes": writes})
    assert [await outcome_of(project, USER) for _ in range(2)] == [Delivered()] * 2
    [user] = project.server.people.values()
    assert (user.user_id, user.traits) == ("007", {**BOND, "segment_user_id": "007"})


@pytest.mark.parametrize("status", [200, 201, 204])
async def test_any_2xx_will_do_for_a_user(project: Bench, status: int) -> None:
    project.server.change_switches({"upsert_status": status})
    assert await outcome_of(project, USER) == Delivered()


@pytest.mark.parametrize("which", [USER, EVENT])
async def test_a_project_that_takes_only_the_write_key_takes_it_where_it_is_set(which: int) -> None:
    async with bench(users_take="write_key") as project:
        assert await outcome_of(project, which, write_key=SecretStr(project.server.write_key)) == Delivered()


@pytest.mark.parametrize("which", [USER, EVENT])
async def test_f23_where_the_write_key_is_missing_it_is_asked_for_by_name(which: int) -> None:
    async with bench(users_take="write_key") as project:
        outcome = await outcome_of(project, which)
    assert isinstance(outcome, Paused)
    assert "set NPSBRIDGE_SATISMETER__WRITE_KEY" in outcome.reason


async def test_no_key_is_kept_with_a_delivery(project: Bench) -> None:
    canary = SecretStr("canary")
    plans = destination(project, write_key=canary, api_key=canary).plan_call(paid(), bond())
    assert isinstance(plans, list)
    assert not any(b"canary" in one.body for one in plans)


async def test_the_answer_comes_home_under_the_userid_that_was_told_of(project: Bench) -> None:
    await destination(project).deliver(deliveries(project))
    project.server.answer("007", 9)
    found = {(answer.person.user_id, answer.person.email) for answer in responses(await project.read())}
    assert found == {("007", BOND["email"])}


async def test_a_kind_of_another_release_is_refused_and_not_sent(project: Bench) -> None:
    [delivery, _] = deliveries(project)
    stranger = Delivery(**{name: getattr(delivery, name) for name in delivery.__struct_fields__} | {"kind": "gossip"})
    assert [type(one) for one in await destination(project).deliver([stranger])] == [Rejected]
    assert project.asked == 0


# --- trouble ----------------------------------------------------------------------------------------------------

LOST: list[Fault] = [
    ResetBeforeReading(),
    ResetAfterReading(effect=False),
    ResetAfterReading(),
    faults.status(500),
    faults.status(503),
    faults.status(408),
    faults.html(),
    faults.null(),
    faults.error_object(),
    GzipBomb(),
]


@pytest.mark.parametrize("fault", LOST)
async def test_f30_an_event_without_an_answer_is_unknown_and_never_simply_repeated(
    project: Bench, fault: Fault
) -> None:
    project.server.faults.add(fault)
    outcome = await outcome_of(project, EVENT)
    assert isinstance(outcome, Unknown)
    assert outcome.reason
    assert project.asked == 1


@pytest.mark.parametrize("fault", [*LOST, CutConnection()])
async def test_a_user_without_an_answer_is_sent_again(project: Bench, fault: Fault) -> None:
    project.server.faults.add(fault)
    outcome = await outcome_of(project, USER)
    assert isinstance(outcome, RetryLater)
    assert outcome.blame is Blame.UNCLEAR


@pytest.mark.parametrize("effect", [True, False])
async def test_i16_nobody_can_be_asked_what_became_of_an_event(project: Bench, *, effect: bool) -> None:
    project.server.faults.add(ResetAfterReading(effect=effect))
    await outcome_of(project, EVENT)
    asked = project.asked
    outcome = await destination(project).verify(deliveries(project)[EVENT], Inquiry())
    assert isinstance(outcome, Unknown)
    assert (project.asked, len(project.server.project.tracks)) == (asked, int(effect))


@pytest.mark.parametrize("which", [USER, EVENT])
async def test_f20_what_was_never_sent_is_sent_later(project: Bench, which: int) -> None:
    await project.server.stop()
    outcome = await outcome_of(project, which)
    assert isinstance(outcome, RetryLater)
    assert outcome.blame is Blame.CONNECTION


@pytest.mark.parametrize("which", [USER, EVENT])
@pytest.mark.parametrize(("has_header", "after"), [(True, 57.0), (False, None)])
async def test_f22_who_comes_too_often_comes_later(
    project: Bench, which: int, *, has_header: bool, after: float | None
) -> None:
    limit = RateLimit(requests=1, seconds=60)
    project.server.change_switches({"rate_limit": limit, "retry_after_header": has_header})
    await outcome_of(project, USER)
    project.hands.forward(3)
    assert await outcome_of(project, which) == RetryLater(reason="HTTP 429", after=after)
    assert project.server.project.tracks == []


@pytest.mark.parametrize("which", [USER, EVENT])
@pytest.mark.parametrize("standing", ["unauthorized", "forbidden"])
async def test_f23_a_refused_key_pauses_and_names_its_settings(project: Bench, which: int, standing: str) -> None:
    project.server.change_switches({"standing": standing})
    outcome = await outcome_of(project, which, write_key=SecretStr("another-write-key"))
    assert isinstance(outcome, Paused)
    for name in ("API_KEY", "PROJECT_ID", "WRITE_KEY"):
        assert f"NPSBRIDGE_SATISMETER__{name}" in outcome.reason
    assert "another-write-key" not in outcome.reason


async def test_an_unknown_project_names_its_setting(project: Bench) -> None:
    plans = destination(project, project_id="5f00000000000000000000ff").plan_call(paid(), bond())
    assert isinstance(plans, list)
    [event] = [one for one in deliveries(project) if one.kind == "survey"]
    stranger = {name: getattr(event, name) for name in event.__struct_fields__} | {"body": plans[EVENT].body}
    [outcome] = await destination(project).deliver([Delivery(**stranger)])
    assert isinstance(outcome, Paused)
    assert "PROJECT_ID" in outcome.reason


@pytest.mark.parametrize("which", [USER, EVENT])
async def test_an_ended_service_is_retired(project: Bench, which: int) -> None:
    project.server.change_switches({"standing": "retired"})
    assert isinstance(await outcome_of(project, which), Retired)


@pytest.mark.parametrize("which", [USER, EVENT])
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("userId is required", "HTTP 400 userId is required"),
        ('{"errors":[{"title":"ann@acme.test is bad"}]}', "HTTP 400 *** is bad"),
        ('{"message":"bad"}', "HTTP 400 bad"),
        ("key SandboxApiKeySandboxApiKey000001", "HTTP 400 key ***"),
        ("<html>", "HTTP 400"),
        ('{"errors":[]}', "HTTP 400"),
        ('{"errors":["bad"]}', "HTTP 400"),
        ("", "HTTP 400"),
    ],
)
async def test_f24_what_is_refused_for_good_is_dead_with_the_vendors_words_and_without_secrets(
    project: Bench, which: int, body: str, words: str
) -> None:
    project.server.faults.add(Answer(status=400, body=body))
    assert await outcome_of(project, which) == Rejected(reason=words)


@pytest.mark.parametrize("fault", [faults.status(404), faults.redirect("https://www.example.test/")])
async def test_f27_what_is_no_such_api_pauses_and_names_the_address(project: Bench, fault: Fault) -> None:
    project.server.faults.add(fault)
    outcome = await outcome_of(project, EVENT)
    assert isinstance(outcome, Paused)
    assert "NPSBRIDGE_SATISMETER__BASE_URL" in outcome.reason
