"""Transactions that are cut short."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import anyio
import asyncpg
import pytest

import databases
from npsbridge.store.postgres.connections import Connections, open_connections
from npsbridge.store.postgres.place import place_of

NOTE = "INSERT INTO facts (name, value) VALUES ('cut short', 'no')"
NOTED = "SELECT count(*) FROM facts WHERE name = 'cut short'"


@pytest.fixture
async def connections() -> AsyncIterator[Connections]:
    async with open_connections(place_of(databases.postgres_url())) as opened:
        yield opened


@pytest.fixture
async def complaints() -> AsyncIterator[list[dict[str, Any]]]:
    """What the event loop was told of as an error."""
    told, loop = list[dict[str, Any]](), asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context))
    yield told
    loop.set_exception_handler(None)


@pytest.mark.parametrize("statement", ["SELECT pg_sleep(60)", "SELECT 1"])
async def test_a_transaction_that_is_cut_short_leaves_nothing_and_says_nothing(
    connections: Connections, complaints: list[dict[str, Any]], statement: str
) -> None:
    for _ in range(3):
        with anyio.CancelScope() as scope:

            async def cut_short(connection: asyncpg.Connection, scope: anyio.CancelScope = scope) -> None:
                await connection.execute(NOTE)
                asyncio.get_running_loop().call_soon(scope.cancel)
                while True:
                    await connection.execute(statement)

            await connections.together(cut_short)
        assert scope.cancelled_caught
        assert await connections.rows(NOTED) == [(0,)]
    assert complaints == []
