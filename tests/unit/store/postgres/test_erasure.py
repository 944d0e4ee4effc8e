"""What of an erased person a database keeps for a while, and what it is told to do about it."""

import re

import asyncpg
import pytest

import databases
from contract.store.people import ANN, email, identify, tell
from npsbridge.clock import Clock
from npsbridge.core.records import Remains
from npsbridge.store import open_store
from npsbridge.store.postgres import erasure

REMOVED = re.compile(r"tuples: (\d+) removed")
"""In what `VACUUM (VERBOSE)` says of each table."""


async def dead_rows(url: str) -> int:
    """How many a vacuum finds."""
    said: list[str] = []
    connection = await asyncpg.connect(url)
    connection.add_log_listener(lambda _, message: said.append(message.message))
    await connection.execute(erasure.VACUUM.replace("(", "(VERBOSE, ", 1))
    await connection.close()
    found = REMOVED.findall("\n".join(said))
    assert len(found) > erasure.VACUUM.count(",")
    return sum(map(int, found))


async def forget_ann(url: str) -> Remains:
    async with open_store(url, clock=Clock()) as store:
        await tell(store, identify("ann", email=ANN), message="m1")
        forgotten = await store.forget(email(ANN))
        assert forgotten.persons == 1
        return forgotten.remains


async def test_i20_no_dead_row_of_an_erased_person_waits_for_a_vacuum() -> None:
    url = databases.postgres_url()
    assert await forget_ann(url) is Remains.UNTIL_REUSED
    assert await dead_rows(url) == 0


async def test_an_engine_that_cannot_be_told_to_vacuum_has_erased_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    url = databases.postgres_url()
    with monkeypatch.context() as patch:
        patch.setattr(erasure, "VACUUM", "SWEEP journal")
        assert await forget_ann(url) is Remains.UNTIL_VACUUMED
    assert await dead_rows(url) > 0
    assert databases.inspector().rows(databases.schema_of(url), "SELECT 1 FROM persons") == []
