"""The official Python client of Delighted (PyPI `delighted` 4.2.0) against the look-alike.

The client blocks, so it runs in a thread while the look-alike serves in the event loop.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from clients.conftest import imported
from npsbridge.sandbox import DelightedServer
from npsbridge.sandbox.delighted import Note
from npsbridge.sandbox.faults import status

pytestmark = pytest.mark.clients

LONG_AGO = 1_500_000_000


class Account:
    """A look-alike and a client of it; `client=` is handed to every call, as two keys would need it."""

    def __init__(self, server: DelightedServer, library: Any) -> None:
        self.server = server
        self.library = library
        self.client = library.Client(api_key=server.api_key, api_base_url=f"{server.base_url}/")

    async def call(self, function: Callable[..., Any], *args: Any, **params: Any) -> Any:
        return await asyncio.to_thread(function, *args, client=self.client, **params)

    async def listed(self, kind: Any, *, handle_limits: bool = False, **params: Any) -> list[Any]:
        """Everything that automatic paging yields."""

        def iterate() -> list[Any]:
            pages = kind.list(client=self.client, **params)
            return list(pages.auto_paging_iter(auto_handle_rate_limits=handle_limits))

        return await asyncio.to_thread(iterate)


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    library = imported("delighted")
    async with DelightedServer() as server:
        yield Account(server, library)


def add_people(server: DelightedServer, count: int) -> list[str]:
    return [server.add_person(f"p{number}@example.org", created_at=LONG_AGO + number).id for number in range(count)]


async def test_a_person_is_created_and_a_survey_scheduled(account: Account) -> None:
    person = await account.call(
        account.library.Person.create, email="ana+b@example.org", delay=60, properties={"plan": "team", "seats": 4}
    )
    [request] = account.server.survey_requests
    assert account.server.people[person.id].email == "ana+b@example.org"
    assert person.survey_scheduled_at == request.scheduled_at
    assert person.properties == request.properties == {"plan": "team", "seats": "4"}


async def test_a_refused_person_raises_with_the_errors(account: Account) -> None:
    with pytest.raises(account.library.errors.ResourceValidationError, match="is invalid"):
        await account.call(account.library.Person.create, email="nobody")


async def test_a_wrong_key_raises(account: Account) -> None:
    account.client.api_key = "wrong"
    with pytest.raises(account.library.errors.AuthenticationError):
        await account.call(account.library.Metrics.retrieve)


async def test_automatic_paging_reads_everybody(account: Account) -> None:
    ids = add_people(account.server, 250)
    people = await account.listed(account.library.Person, per_page=100)
    assert [person.id for person in people] == ids
    assert len(account.server.requests) == 3


async def test_people_are_found_by_email(account: Account) -> None:
    ids = add_people(account.server, 3)
    assert [p.id for p in await account.call(account.library.Person.all, email="p1@example.org")] == [ids[1]]


async def test_a_person_is_deleted_by_email(account: Account) -> None:
    account.server.add_person("a+b@example.org")
    answer = await account.call(account.library.Person.delete, email="a+b@example.org")
    assert answer == {"ok": True}
    assert not account.server.people


async def test_pending_surveys_are_cancelled(account: Account) -> None:
    await account.call(account.library.Person.create, email="ana@example.org", delay=600)
    await account.call(account.library.SurveyRequest.delete_pending, person_email="ana@example.org")
    assert [request.state for request in account.server.survey_requests] == ["cancelled"]


async def test_an_answer_is_imported_with_its_date(account: Account) -> None:
    person = account.server.add_person("ana@example.org")
    response = await account.call(
        account.library.SurveyResponse.create,
        person=person.id,
        score=0,
        comment="très lent",
        created_at=LONG_AGO,
        person_properties={"plan": "team"},
    )
    row = account.server.responses[response.id]
    assert (row.score, row.comment, row.created_at) == (0, "très lent", LONG_AGO)


async def test_responses_are_read_page_by_page(account: Account) -> None:
    ids = [account.server.answer(None, 9, created_at=LONG_AGO + number) for number in range(45)]
    read: list[str] = []
    for page in (1, 2, 3, 4):
        rows = await account.call(account.library.SurveyResponse.all, page=page, order="desc:updated_at")
        read += [row.id for row in rows]
    assert read == ids[::-1]


async def test_a_person_is_expanded(account: Account) -> None:
    response_id = account.server.answer(account.server.add_person("ana@example.org"), 9)
    row = await account.call(account.library.SurveyResponse.retrieve, response_id, expand=["person"])
    assert isinstance(row.person, account.library.Person)
    assert row.person.email == "ana@example.org"


async def test_of_two_expansions_the_client_sends_the_last_one_only(account: Account) -> None:
    person = account.server.add_person("ana@example.org")
    response_id = account.server.answer(person, 9)
    account.server.edit(response_id, notes=[Note(id="1", text="t", user_email="u@example.org", created_at=LONG_AGO)])
    account.server.change_switches({"notes_without_expand": "ids"})
    row = await account.call(account.library.SurveyResponse.retrieve, response_id, expand=["person", "notes"])
    assert row.person == person.id
    assert row.notes[0]["text"] == "t"


async def test_an_expanded_response_is_saved_whole(account: Account) -> None:
    response_id = account.server.answer(account.server.add_person("ana@example.org"), 3)
    row = await account.call(account.library.SurveyResponse.retrieve, response_id, expand=["person"])
    row.score = 10
    await account.call(row.save)
    assert account.server.requests[-1].body["person"]["email"] == "ana@example.org"
    assert account.server.responses[response_id].score == 10


async def test_metrics_are_retrieved(account: Account) -> None:
    for score in (10, 9, 7, 0):
        account.server.answer(None, score)
    metrics = await account.call(account.library.Metrics.retrieve, since=LONG_AGO)
    assert (metrics.nps, metrics.response_count, metrics.promoter_percent) == (25, 4, 50)


async def test_people_unsubscribe_and_bounce(account: Account) -> None:
    account.server.add_person("ana@example.org")
    await account.call(account.library.Unsubscribe.create, person_email="ana@example.org")
    account.server.bounce("ana@example.org")
    [unsubscribed] = await account.call(account.library.Unsubscribe.all, since=LONG_AGO)
    [bounced] = await account.call(account.library.Bounce.all)
    assert unsubscribed["email"] == bounced["email"] == "ana@example.org"


async def test_autopilot_is_configured_joined_listed_and_left(account: Account) -> None:
    library = account.library
    memberships = library.AutopilotMembership.forEmail()
    plan = await account.call(library.AutopilotConfiguration.retrieve, "email")
    joined = await account.call(memberships.create, person_email="ana@example.org", properties={"plan": "team"})
    [listed] = await account.listed(memberships)
    left = await account.call(memberships.delete, person_email="ana@example.org")
    assert (plan.platform_id, plan.active) == ("email", True)
    assert joined.person["id"] == listed.person["id"] == left["person"]["id"]
    assert listed.next_survey_request["properties"] == {"plan": "team"}
    assert await account.listed(memberships) == []


async def test_a_429_says_how_long_to_wait(account: Account) -> None:
    account.server.faults.add(status(429, retry_after=7))
    with pytest.raises(account.library.errors.TooManyRequestsError) as caught:
        await account.call(account.library.Metrics.retrieve)
    assert caught.value.retry_after == 7


async def test_a_429_in_mid_paging_is_waited_for_if_so_asked(account: Account) -> None:
    ids = add_people(account.server, 45)
    account.server.faults.add(status(429, retry_after=0), path="page_info")
    people = await account.listed(account.library.Person, handle_limits=True)
    assert [person.id for person in people] == ids
    assert [request.status for request in account.server.requests] == [200, 429, 200, 200]


async def test_the_client_breaks_on_a_429_without_retry_after(account: Account) -> None:
    account.server.faults.add(status(429))
    with pytest.raises(KeyError, match="retry-after"):
        await account.call(account.library.Metrics.retrieve)


@pytest.mark.parametrize(
    ("code", "error"), [(503, "ServiceUnavailableError"), (500, "GeneralAPIError"), (410, "GeneralAPIError")]
)
async def test_other_errors_raise(account: Account, code: int, error: str) -> None:
    account.server.faults.add(status(code))
    with pytest.raises(getattr(account.library.errors, error)):
        await account.call(account.library.Metrics.retrieve)
