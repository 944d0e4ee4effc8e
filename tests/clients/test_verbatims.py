"""Real answers, loaded through the API by the official client."""

import asyncio

import pytest

from clients.verbatims import load_verbatims, verbatims_path
from npsbridge.sandbox import DelightedServer

pytestmark = pytest.mark.clients


async def test_every_scored_answer_arrives_to_the_letter() -> None:
    path = verbatims_path()
    async with DelightedServer() as server:
        loaded = await asyncio.to_thread(load_verbatims, path, base_url=server.base_url, api_key=server.api_key)
        stored = {
            row.id: (row.score, row.comment, row.created_at, server.people[row.person_id or ""].email)
            for row in server.responses.values()
        }
    assert loaded
    assert stored == {
        response_id: (answer.score, answer.comment, int(answer.answered_at.timestamp()), answer.email)
        for response_id, answer in loaded.items()
    }
