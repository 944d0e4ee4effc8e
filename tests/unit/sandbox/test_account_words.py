"""The words that every survey platform's look-alike has, whatever the vendor calls things."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from npsbridge.sandbox import (
    DelightedServer,
    HistoricAnswer,
    HistoricPerson,
    PromoterServer,
    RateLimit,
    RetentlyServer,
    SatisMeterServer,
    SurveyLookAlike,
    load_answers,
)
from npsbridge.sandbox.server import LookAlike
from unit.sandbox.calling import NEW_YEAR, Caller, Hands, basic

Account = SurveyLookAlike[Any, Any, Any]
SERVERS: tuple[type[Account], ...] = (DelightedServer, RetentlyServer, SatisMeterServer, PromoterServer)
ANN = HistoricPerson(email="ann@example.org", name="Ann Lee", created_at=NEW_YEAR - 9000, properties={"plan": "team"})


@pytest.fixture(params=SERVERS, ids=lambda server: server.kind)
async def account(request: pytest.FixtureRequest, hands: Hands) -> AsyncIterator[Account]:
    async with request.param(now=hands) as server:
        yield server


@pytest.fixture
async def sim(account: Account) -> AsyncIterator[Caller]:
    async with Caller(f"{account.origin}/__sim") as caller:
        yield caller


class Hook(LookAlike):
    """Takes anything that is posted to it."""

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/{path:.*}", self.take)]

    async def take(self, _: web.Request) -> web.Response:
        return web.Response(status=200)


async def test_somebody_unknown_answers_and_is_known_then(account: Account) -> None:
    number = account.answer("ann@example.org", 0, comment="slow")
    row = account.responses[number]
    assert (row.id, row.score, row.comment) == (number, 0, "slow")
    assert account.emails == ["ann@example.org"]


async def test_somebody_anonymous_answers(account: Account) -> None:
    number = account.answer(None, 7)
    assert account.responses[number].comment is None
    assert list(account.emails) == []


async def test_a_second_answer_makes_no_second_person(account: Account) -> None:
    numbers = [account.answer("ann@example.org", score) for score in (3, 9)]
    assert len(set(numbers)) == 2
    assert len(account.people) == 1


async def test_an_edit_keeps_the_id(account: Account) -> None:
    number = account.answer("ann@example.org", 3)
    account.edit(number, score=8, comment="fixed")
    assert [(row.id, row.score, row.comment) for row in account.responses.values()] == [(number, 8, "fixed")]


async def test_an_edit_of_nothing_is_a_key_error(account: Account) -> None:
    with pytest.raises(KeyError):
        account.edit(type(account.answer(None, 5))(404), comment="x")


async def test_past_answers_are_loaded_in_order_and_silently(account: Account) -> None:
    account.webhook_url = "http://127.0.0.1:9/"
    past = [HistoricAnswer(person=ANN, score=score, answered_at=NEW_YEAR - 1000 * score) for score in (9, 0)]
    numbers = load_answers(account, past)
    assert [account.responses[number].score for number in numbers] == [9, 0]
    assert account.webhooks.waiting == 0
    assert list(account.emails) == ["ann@example.org"]


async def test_what_somebody_was_surveyed_with_is_known(account: Account) -> None:
    load_answers(account, [HistoricAnswer(person=ANN, score=9, answered_at=NEW_YEAR)])
    plan = "team" if account.kind in {"delighted", "promoter"} else None
    assert account.properties_of("ann@example.org").get("plan") == plan
    assert account.properties_of("nobody@example.org") == {}


async def test_an_answer_with_a_comment_is_told_to_the_hook(account: Account, hands: Hands) -> None:
    async with Hook(now=hands) as daemon:
        account.send_webhooks_to(daemon.origin)
        account.answer("ann@example.org", 9, comment="fine")
        await account.webhooks.until_idle()
        [request] = daemon.requests
    token = f"/{account.webhook_token}" if account.webhook_token else ""
    assert (request.method, request.target) == ("POST", f"/hooks/{account.kind}{token}")
    assert request.headers["Content-Type"] == "application/json"


async def test_a_connection_of_another_name_has_another_hook(account: Account) -> None:
    account.send_webhooks_to("http://127.0.0.1:8080", "eu")
    assert (account.webhook_url or "").startswith("http://127.0.0.1:8080/hooks/eu")


async def test_every_so_many_th_webhook_is_lost_by_switch(account: Account, hands: Hands) -> None:
    account.change_switches({"webhooks": {"drop_every": 2}})
    async with Hook(now=hands) as daemon:
        account.send_webhooks_to(daemon.origin)
        for score in range(4):
            account.answer("ann@example.org", score, comment="fine")
        await account.webhooks.until_idle()
        assert len(daemon.requests) == 2


async def test_the_settings_name_the_place_and_the_keys(account: Account) -> None:
    settings = account.environment(prefix="NPSBRIDGE_CONNECTIONS__EU__")
    assert settings["NPSBRIDGE_CONNECTIONS__EU__API_KEY"] == account.api_key
    assert settings["NPSBRIDGE_CONNECTIONS__EU__BASE_URL"] == account.base_url
    assert settings.get("NPSBRIDGE_CONNECTIONS__EU__WEBHOOK_TOKEN") == account.webhook_token
    assert set(account.environment()) == {name.replace("CONNECTIONS__EU", account.kind.upper()) for name in settings}


async def test_a_key_of_ones_own_is_kept() -> None:
    servers = [server(api_key="mine", webhook_token="t") for server in SERVERS]
    assert {(server.api_key, server.webhook_token) for server in servers} == {("mine", "t")}


@pytest.mark.parametrize(("standing", "status"), [("retired", 410), ("unauthorized", 401), ("forbidden", 403)])
async def test_the_standing_of_an_account_is_a_switch(account: Account, standing: str, status: int) -> None:
    account.change_switches({"standing": standing})
    async with Caller(account.base_url, key_of(account)) as caller:
        assert (await caller.get(SOME_LIST[account.kind])).status == status


async def test_who_comes_too_often_is_told_how_long_to_wait(account: Account) -> None:
    account.change_switches({"rate_limit": RateLimit(requests=1, seconds=60), "retry_after_header": True})
    async with Caller(account.base_url, key_of(account)) as caller:
        replies = [await caller.get(SOME_LIST[account.kind]) for _ in range(2)]
    assert [reply.status for reply in replies] == [200, 429]
    assert replies[1].headers["Retry-After"] == "60"


async def test_a_switch_that_does_not_exist_is_named(account: Account) -> None:
    with pytest.raises(ValueError, match="no_such_switch"):
        account.change_switches({"no_such_switch": 1})


async def test_another_process_sees_the_same_things_under_the_same_names(account: Account, sim: Caller) -> None:
    number = account.answer("ann@example.org", 9)
    assert [row["id"] for row in (await sim.get("/responses")).json] == [number]
    assert len((await sim.get("/people")).json) == 1
    assert (await sim.get("/webhooks")).json == []
    state = (await sim.get("/state")).json
    assert (state["kind"], state["responses"], state["people"]) == (account.kind, 1, 1)


SOME_LIST = {
    "delighted": "/survey_responses.json",
    "retently": "/feedback",
    "satismeter": "/v3/projects/5f00000000000000000000ab/responses",
    "promoter": "/feedback/",
}


def key_of(account: Account) -> dict[str, str]:
    """The headers that the vendor's clients send."""
    match account.kind:
        case "delighted":
            return basic(account.api_key)
        case "retently":
            return {"X-Api-Key": account.api_key}
        case "satismeter":
            return {"Authorization": f"Bearer {account.api_key}"}
        case _:
            return {"Authorization": f"Token {account.api_key}"}
