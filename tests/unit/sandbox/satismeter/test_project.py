"""Admission, people, what is asked of the outbound routes, webhooks, and the look from outside."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from npsbridge.sandbox.rate import RateLimit
from npsbridge.sandbox.satismeter import SatisMeterServer
from npsbridge.sandbox.server import LookAlike
from unit.sandbox.calling import Caller, Hands, basic

OTHER = "5f00000000000000000000ff"


# --- admission ----------------------------------------------------------------------------------------------------


async def test_an_unknown_project_is_404_on_v3_and_401_on_the_old_api(
    satismeter: SatisMeterServer, project: Caller
) -> None:
    assert (await project.get(f"/v3/projects/{OTHER}/responses")).status == 404
    assert (await project.get(f"/responses/?project={OTHER}")).status == 401
    assert (await project.get(f"/users?project={OTHER}")).status == 401
    assert (await project.get(f"/v3/projects/{satismeter.project_id}/responses")).status == 200


async def test_a_wrong_key_is_401_with_a_title_on_v3(satismeter: SatisMeterServer) -> None:
    async with Caller(satismeter.base_url, {"Authorization": "Bearer wrong"}) as caller:
        reply = await caller.get(f"/v3/projects/{satismeter.project_id}/responses")
    assert (reply.status, reply.json) == (401, {"errors": [{"title": "Unauthorized"}]})


async def test_an_old_key_is_good_for_the_old_api_only(satismeter: SatisMeterServer, project: Caller) -> None:
    satismeter.change_switches({"key_generation": "old"})
    assert (await project.get(f"/v3/projects/{satismeter.project_id}/responses")).status == 401
    async with Caller(satismeter.base_url, basic(satismeter.api_key)) as caller:
        assert (await caller.get(f"/responses/?project={satismeter.project_id}")).status == 200


@pytest.mark.parametrize(("standing", "status"), [("retired", 410), ("unauthorized", 401), ("forbidden", 403)])
async def test_a_standing_answers_everything(
    satismeter: SatisMeterServer, project: Caller, standing: str, status: int
) -> None:
    satismeter.change_switches({"standing": standing})
    assert (await project.get(f"/v3/projects/{satismeter.project_id}/responses")).status == status


@pytest.mark.parametrize(("says", "header"), [(True, "30"), (False, None)])
async def test_a_429_says_how_long_to_wait_if_switched(
    satismeter: SatisMeterServer,
    project: Caller,
    *,
    says: bool,
    header: str | None,
) -> None:
    satismeter.change_switches({"rate_limit": RateLimit(requests=2, seconds=60), "retry_after_header": says})
    replies = [await project.get(f"/v3/projects/{satismeter.project_id}") for _ in range(3)]
    assert [reply.status for reply in replies] == [200, 200, 429]
    assert replies[-1].headers.get("Retry-After") == header


@pytest.mark.parametrize("changes", [{"colour": "red"}, {"order": "upwards"}, {"webhooks": {"attempts": 0}}])
async def test_a_switch_that_does_not_exist_is_refused(satismeter: SatisMeterServer, changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        satismeter.change_switches(changes)


# --- what is asked of the outbound routes -------------------------------------------------------------------------


def user(server: SatisMeterServer, **other: Any) -> dict[str, Any]:
    return {"project": server.project_id, "userId": "u-1", "traits": {"email": "ada@example.org"}, **other}


async def test_an_upsert_makes_a_user_that_can_be_found(satismeter: SatisMeterServer, project: Caller) -> None:
    assert (await project.post("/users", user(satismeter))).status == 200
    [found] = (await project.get(f"/users?project={satismeter.project_id}&userId=u-1")).json["users"]
    assert (found["email"], found["userId"], len(found["id"])) == ("ada@example.org", "u-1", 24)
    assert satismeter.project.upserts == [user(satismeter)]


@pytest.mark.parametrize(
    ("writes", "traits"), [("merge", {"email": "ada@example.org", "plan": "Gold"}), ("replace", {"plan": "Gold"})]
)
async def test_traits_are_merged_or_replaced(
    satismeter: SatisMeterServer, project: Caller, writes: str, traits: dict[str, str]
) -> None:
    satismeter.change_switches({"trait_writes": writes})
    await project.post("/users", user(satismeter))
    await project.post("/users", user(satismeter, traits={"plan": "Gold"}))
    assert satismeter.project.find_user("u-1") in satismeter.people.values()
    assert [found.traits for found in satismeter.people.values()] == [traits]


async def test_an_upsert_may_move_the_survey_date_and_answer_nothing(
    satismeter: SatisMeterServer, project: Caller
) -> None:
    satismeter.change_switches({"upsert_status": 204})
    body = {"project": satismeter.project_id, "userId": "u-1", "surveyDate": "2026-02-01T00:00:00Z"}
    reply = await project.post("/users", body)
    assert (reply.status, reply.raw) == (204, b"")
    assert [found.survey_date for found in satismeter.people.values()] == ["2026-02-01T00:00:00Z"]


@pytest.mark.parametrize(("query", "body"), [("?type=track", {}), ("", {"type": "track"})])
async def test_a_track_is_204_and_kept(
    satismeter: SatisMeterServer, project: Caller, query: str, body: dict[str, str]
) -> None:
    told = {"project": satismeter.project_id, "userId": "u-1", "event": "Paid", **body}
    assert (await project.post(f"/users{query}", told)).status == 204
    assert satismeter.project.tracks == [told]


@pytest.mark.parametrize(("given", "status"), [({}, 401), ({"writeKey": "wrong"}, 401), (None, 204)])
@pytest.mark.parametrize("path", ["/users", "/users?type=track"])
async def test_users_and_events_may_be_let_in_by_the_write_key_alone(
    satismeter: SatisMeterServer, given: dict[str, str] | None, status: int, path: str
) -> None:
    satismeter.change_switches({"users_take": "write_key", "upsert_status": 204})
    key = {"writeKey": satismeter.write_key} if given is None else given
    async with Caller(satismeter.base_url) as caller:
        assert (await caller.post(path, {"userId": "u-1", "event": "Paid", **key})).status == status
        assert (await caller.get(f"/users?project={satismeter.project_id}")).status == 401


async def test_a_user_is_deleted_by_satismeters_own_id(satismeter: SatisMeterServer, project: Caller) -> None:
    own = satismeter.add_person("ada@example.org", user_id="u-1").id
    assert (await project.delete("/users/u-1")).status == 404
    assert (await project.delete(f"/users/{own}")).status == 204
    assert (await project.get(f"/users?project={satismeter.project_id}")).json == {"users": []}


async def test_a_response_is_inserted_with_the_write_key_in_the_body(
    satismeter: SatisMeterServer, project: Caller
) -> None:
    survey = satismeter.project.surveys["nps"].id
    answers = [{"id": "q-nps", "value": 9}, {"id": "q-why", "value": "Fast"}]
    body = {"writeKey": satismeter.write_key, "campaign": survey, "userId": "u-1", "answers": answers}
    assert (await project.post("/responses", {**body, "writeKey": "wrong"})).status == 401
    assert (await project.post("/responses", {**body, "campaign": OTHER})).status == 400
    number = (await project.post("/responses", body)).json["id"]
    row = satismeter.responses[number]
    assert (row.score, row.comment, row.method) == (9, "Fast", "In-App")


async def test_a_second_answer_too_soon_is_a_duplicate(
    satismeter: SatisMeterServer, project: Caller, hands: Hands
) -> None:
    satismeter.change_switches({"resurveyed_after": 60})
    survey = satismeter.project.surveys["nps"].id
    body = {"writeKey": satismeter.write_key, "campaign": survey, "anonymousId": "an-1", "rating": 9}
    first, second = [await project.post("/responses", body) for _ in range(2)]
    hands.forward(60)
    third = await project.post("/responses", body)
    assert [first.status, second.status, third.status] == [200, 400, 200]
    assert second.raw == b"Duplicate response"


async def test_the_list_of_unsubscribes_is_replaced_as_a_whole(satismeter: SatisMeterServer, project: Caller) -> None:
    path = f"/v2/project-unsubscribes/{satismeter.project_id}"
    for emails in (["a@example.org", "b@example.org"], ["c@example.org"]):
        body = {"data": {"attributes": {"emails": emails}}}
        assert (await project.call("PATCH", path, json=body)).status == 200
    assert (await project.get(path)).json["data"]["attributes"] == {"emails": ["c@example.org"]}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("POST", "/users", b"{"), ("POST", "/users", b"{}"), ("GET", "/nothing", b"")],
)
async def test_what_makes_no_sense_is_refused_in_the_old_words(
    satismeter: SatisMeterServer, project: Caller, method: str, path: str, body: bytes
) -> None:
    reply = await project.call(method, path, data=body)
    assert reply.status in (400, 401, 404)
    satismeter.change_switches({"legacy_errors": "json"})
    assert "errors" in (await project.call(method, path, data=body)).json


# --- webhooks -----------------------------------------------------------------------------------------------------


class Receiver(LookAlike):
    """Takes webhooks."""

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/hook", self.take)]

    async def take(self, _: web.Request) -> web.Response:
        return web.Response()

    def told(self) -> list[tuple[str, str]]:
        return [(request.body["event"], request.body["response"]["id"]) for request in self.requests]


@pytest.fixture
async def receiver(satismeter: SatisMeterServer) -> AsyncIterator[Receiver]:
    async with Receiver() as server:
        satismeter.webhook_url = f"{server.origin}/hook"
        yield server


async def test_a_comment_completes_a_survey_and_is_told_once(satismeter: SatisMeterServer, receiver: Receiver) -> None:
    number = satismeter.answer("ada@example.org", 9)
    satismeter.edit(number, comment="Fast")
    satismeter.edit(number, comment="Very fast")
    closed = satismeter.dismiss("bob@example.org")
    await receiver.until(lambda: len(receiver.requests) == 2)
    assert receiver.told() == [("completed", number), ("dismissed", closed)]


async def test_a_webhook_has_the_flat_shape_without_campaign_and_rating_question(
    satismeter: SatisMeterServer, receiver: Receiver
) -> None:
    satismeter.answer("ada@example.org", 9, comment="Fast")
    await receiver.until(lambda: len(receiver.requests) == 1)
    response = receiver.requests[0].body["response"]
    assert (response["rating"], response["feedback"], response["category"]) == (9, "Fast", "promoter")
    assert "campaign" not in response
    assert [answer["id"] for answer in response["answers"]] == ["q-why"]
    assert isinstance(response["location"]["country"], str)


@pytest.mark.parametrize(("shows", "rating"), [(True, 3), (False, None)])
async def test_a_dismissed_body_holds_the_rating_or_not(
    satismeter: SatisMeterServer,
    receiver: Receiver,
    *,
    shows: bool,
    rating: int | None,
) -> None:
    satismeter.change_switches({"dismissed_shows_rating": shows})
    satismeter.dismiss("ada@example.org", 3)
    await receiver.until(lambda: len(receiver.requests) == 1)
    assert receiver.requests[0].body["response"]["rating"] == rating


async def test_a_webhook_can_come_twice_and_before_the_response_is_listed(
    satismeter: SatisMeterServer, receiver: Receiver, project: Caller
) -> None:
    satismeter.change_switches({"webhooks": {"copies": 2}, "visibility_lag": 60})
    number = satismeter.answer("ada@example.org", 9, comment="Fast")
    await receiver.until(lambda: len(receiver.requests) == 2)
    assert receiver.told() == [("completed", number)] * 2
    assert (await project.get(f"/v3/projects/{satismeter.project_id}/responses")).json["data"] == []


async def test_without_a_url_nothing_is_sent(satismeter: SatisMeterServer) -> None:
    satismeter.answer("ada@example.org", 9, comment="Fast")
    assert satismeter.webhooks.waiting == 0


async def test_a_webhook_is_sent_by_hand(satismeter: SatisMeterServer, receiver: Receiver) -> None:
    number = satismeter.answer("ada@example.org", 9)
    satismeter.send_webhook("completed", number)
    await receiver.until(lambda: len(receiver.requests) == 1)
    assert receiver.requests[0].raw == satismeter.webhook("completed", number)


# --- the look from outside ----------------------------------------------------------------------------------------


async def test_another_process_can_act_and_look(satismeter: SatisMeterServer) -> None:
    async with Caller(f"{satismeter.origin}/__sim") as sim:
        number = (await sim.post("/answers", {"person": "ada@example.org", "score": 9})).json["id"]
        await sim.post("/edits", {"response_id": number, "comment": "Fast"})
        await sim.post("/answers", {"person": None, "dismissed": True})
        await sim.post("/webhook_url", {"url": None})
        state = (await sim.get("/state")).json
        assert (state["kind"], state["responses"], state["people"]) == ("satismeter", 2, 2)
        assert [len((await sim.get(path)).json) for path in ("/responses", "/people", "/asked")] == [2, 2, 2]
    assert satismeter.responses[number].comment == "Fast"


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        ("/answers", {"person": "nobody"}, "person"),
        ("/answers", {"person": None, "survey_type": "joy"}, "survey_type"),
        ("/edits", {"response_id": "1"}, "response_id"),
        ("/switches", {"colour": "red"}, "colour"),
    ],
)
async def test_what_cannot_be_done_is_400_and_names_the_field(
    satismeter: SatisMeterServer, path: str, body: dict[str, Any], name: str
) -> None:
    async with Caller(f"{satismeter.origin}/__sim") as sim:
        reply = await sim.post(path, body)
    assert reply.status == 400
    assert name in reply.json["error"]
