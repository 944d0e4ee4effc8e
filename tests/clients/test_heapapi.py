"""A client of Heap that others wrote (PyPI `heapapi` 0.0.3) against the look-alike.

It has no setting for its endpoint: `base_url` is read once, when the class is made, so both addresses are set on the
instance. It blocks, so it runs in a thread. It sends no idempotency key unless the caller puts one into an event.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from clients.conftest import imported
from npsbridge.sandbox.heap import HeapServer

pytestmark = pytest.mark.clients


class Client:
    """A look-alike, and the client pointed at it."""

    def __init__(self, server: HeapServer, library: Any) -> None:
        self.server = server
        self.heap = library.HeapAPIClient(server.app_id)
        self.heap.track_api = f"{server.base_url}/api/track"
        self.heap.props_api = f"{server.base_url}/api/add_user_properties"

    async def call(self, function: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.to_thread(function, *args)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    library = imported("heapapi")
    async with HeapServer() as server:
        yield Client(server, library)


async def test_an_event_is_tracked(client: Client) -> None:
    answer = await client.call(client.heap.track, "u1", "Submit Survey", {"Score": 9})
    [event] = client.server.events
    assert (answer.status_code, answer.json()) == (200, {})
    assert (event.identity, event.event, event.properties) == ("u1", "Submit Survey", {"Score": 9})


async def test_user_properties_are_set(client: Client) -> None:
    await client.call(client.heap.add_user_properties, "u1", {"NPS_rating": 9})
    assert client.server.users == {"u1": {"NPS_rating": 9}}


async def test_many_events_go_in_requests_of_a_thousand(client: Client) -> None:
    events = [{"identity": f"u{number}", "event": "E"} for number in range(2500)]
    answers = await client.call(client.heap.bulk_track, events)
    assert [answer.status_code for answer in answers] == [200] * 3
    assert [len(request.body["events"]) for request in client.server.requests] == [1000, 1000, 500]
    assert len(client.server.events) == 2500


async def test_an_event_with_a_key_is_stored_once(client: Client) -> None:
    event = {"identity": "u1", "event": "E", "idempotency_key": "k"}
    for _ in range(2):
        await client.call(client.heap.bulk_track, [event])
    assert len(client.server.events) == 1


async def test_many_properties_are_set_at_once(client: Client) -> None:
    users = [{"identity": f"u{number}", "properties": {"NPS_rating": number % 11}} for number in range(1001)]
    answers = await client.call(client.heap.bulk_add_user_properties, users)
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(client.server.users) == 1001


async def test_a_refusal_is_raised(client: Client) -> None:
    with pytest.raises(OSError, match="400"):
        await client.call(client.heap.track, "u" * 256, "E")


async def test_too_many_single_events_are_refused(client: Client) -> None:
    for _ in range(30):
        await client.call(client.heap.track, "u1", "E")
    with pytest.raises(OSError, match="429"):
        await client.call(client.heap.track, "u1", "E")
