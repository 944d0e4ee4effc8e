"""What callers of an account's API have asked for is recorded by each look-alike and shown in the same words."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from npsbridge.sandbox import DelightedServer, PromoterServer, RetentlyServer, SatisMeterServer, SurveyLookAlike
from unit.sandbox.calling import Caller, Hands, basic

Account = SurveyLookAlike[Any, Any, Any]
SERVERS: tuple[type[Account], ...] = (DelightedServer, RetentlyServer, SatisMeterServer, PromoterServer)
ANN = "ann@example.org"


@pytest.fixture(params=SERVERS, ids=lambda server: server.kind)
async def account(request: pytest.FixtureRequest, hands: Hands) -> AsyncIterator[Account]:
    async with request.param(now=hands) as server:
        yield server


def described(account: Account) -> tuple[str, dict[str, Any]]:
    """How a client makes Ann known."""
    match account:
        case DelightedServer():
            return "/people.json", {"email": ANN, "send": False}
        case RetentlyServer():
            return "/customers", {"subscribers": [{"email": ANN}]}
        case SatisMeterServer():
            return "/users", {"project": account.project_id, "userId": "u1", "traits": {"email": ANN}}
        case _:
            return "/contacts/", {"email": ANN}


def surveyed(account: Account) -> tuple[str, dict[str, Any]]:
    """How a client asks for a survey of her."""
    match account:
        case DelightedServer():
            return "/people.json", {"email": ANN}
        case RetentlyServer():
            return "/survey", {"campaign": account.account.default_campaign, "subscribers": [{"email": ANN}]}
        case SatisMeterServer():
            return "/users?type=track", {"project": account.project_id, "userId": "u1", "event": "Bought"}
        case _:
            return "/v2/survey/", {"campaign_id": 78, "contact": {"email": ANN}}


async def post(account: Account, *asked: tuple[str, dict[str, Any]]) -> None:
    headers = {
        "delighted": basic(account.api_key),
        "retently": {"X-Api-Key": account.api_key},
        "satismeter": {"Authorization": f"Bearer {account.api_key}"},
        "promoter": {"Authorization": f"Token {account.api_key}"},
    }
    async with Caller(account.base_url, headers[account.kind]) as caller:
        for path, body in asked:
            await caller.post(path, json=body)


async def shown(account: Account) -> Any:
    """As another process sees it."""
    async with Caller(f"{account.origin}/__sim") as sim:
        return (await sim.get("/state")).json["asked"]


async def test_of_an_account_with_a_history_nothing_was_asked(account: Account) -> None:
    account.answer(ANN, 9)
    assert await shown(account) == {"people": 0, "surveys": 0, "throttled": 0}


async def test_somebody_who_is_described_twice_counts_once(account: Account) -> None:
    await post(account, described(account), described(account))
    assert await shown(account) == {"people": 1, "surveys": 0, "throttled": 0}


async def test_a_survey_that_is_asked_for_counts(account: Account) -> None:
    await post(account, described(account), surveyed(account))
    assert await shown(account) == {"people": 1, "surveys": 1, "throttled": 0}


async def test_a_survey_that_comes_too_early_counts_as_throttled(account: Account) -> None:
    """SatisMeter decides in the page whom it surveys, and tells nobody."""
    if isinstance(account, RetentlyServer):
        campaign = account.account.add_campaign("quarterly", throttle_days=30)
        account.account.default_campaign = campaign.id
    await post(account, *[surveyed(account)] * 3)
    expected = 0 if isinstance(account, SatisMeterServer) else 2
    assert (await shown(account))["throttled"] == expected
    assert (await shown(account))["surveys"] == 3


async def test_a_request_that_the_vendor_does_not_understand_asks_for_nothing(account: Account) -> None:
    path, _ = described(account)
    await post(account, (path, {"email": "nobody", "project": "none"}))
    assert await shown(account) == {"people": 0, "surveys": 0, "throttled": 0}


async def test_who_has_unsubscribed_is_not_throttled(hands: Hands) -> None:
    async with PromoterServer(now=hands) as account:
        await post(account, described(account))
        account.unsubscribe(ANN)
        await post(account, surveyed(account))
        assert [one.is_sent for one in account.survey_requests] == [False]
        assert (await shown(account))["throttled"] == 0
