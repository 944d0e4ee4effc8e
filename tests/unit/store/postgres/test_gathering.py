"""Arrivals that share commits."""

import asyncio
from collections.abc import Sequence

import pytest

from contract.store.examples import arrival
from npsbridge.core.records import Arrival
from npsbridge.errors import StoreError, StoreUnavailable
from npsbridge.store.postgres.gathering import AT_ONCE, Gathering


class Database:
    """Takes arrivals once it is let to; `trouble` is raised instead."""

    def __init__(self) -> None:
        self.writes: list[list[str]] = []
        self.is_open = asyncio.Event()
        self.trouble: Exception | None = None
        self.refuses = ""

    async def write(self, arrivals: Sequence[Arrival]) -> None:
        names = [one.connection for one in arrivals]
        self.writes.append(names)
        await self.is_open.wait()
        if self.trouble is not None:
            raise self.trouble
        if self.refuses in names:
            raise ValueError(self.refuses)


@pytest.fixture
def database() -> Database:
    return Database()


async def waiting(gathering: Gathering, names: str) -> list[asyncio.Task[None]]:
    """One write for each letter, begun in that order."""
    tasks = []
    for name in names:
        tasks.append(asyncio.create_task(gathering.add([arrival(name)])))
        await asyncio.sleep(0)
    return tasks


async def test_what_waits_while_others_are_committed_shares_the_next_commit(database: Database) -> None:
    gathering = Gathering(database.write)
    tasks = await waiting(gathering, "abcde")
    assert database.writes == [["a"], ["b"]]
    database.is_open.set()
    await asyncio.gather(*tasks)
    assert database.writes[AT_ONCE:] == [["c", "d", "e"]]


async def test_only_the_culprit_fails(database: Database) -> None:
    gathering = Gathering(database.write)
    tasks = await waiting(gathering, "abcde")
    database.refuses = "d"
    database.is_open.set()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in ended] == [type(None)] * 3 + [ValueError, type(None)]


async def test_f12_while_the_database_is_away_nobody_waits_for_others_to_find_out(database: Database) -> None:
    gathering = Gathering(database.write)
    tasks = await waiting(gathering, "abcde")
    database.trouble = StoreUnavailable("away")
    database.is_open.set()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in ended] == [StoreUnavailable] * 5
    assert database.writes == [["a"], ["b"]], "those behind were not tried"
    database.trouble = None
    await gathering.add([arrival("f")])


async def test_at_the_end_what_waits_is_written_and_nothing_more_is_taken(database: Database) -> None:
    gathering = Gathering(database.write)
    tasks = await waiting(gathering, "abc")
    database.is_open.set()
    await gathering.end()
    assert all(task.done() for task in tasks)
    with pytest.raises(StoreError, match="closed"):
        await gathering.add([arrival("d")])
