"""Verbs that look into a store where there is none yet say so, and leave none behind, whatever its engine."""

from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

import databases
from unit.cli.commands import Ended

Command = Callable[..., Ended]
LOOKING = ["status", "outbox list", "outbox show 1", "trace ann@example.com", "db check", "forget ann@example.com"]


async def drop(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(f"DROP SCHEMA IF EXISTS {databases.schema_of(url)} CASCADE")
    await connection.close()


@pytest.fixture
async def nothing_yet(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where a store of the engine might be."""
    url = f"sqlite:///{tmp_path}/none.db"
    if request.param == "postgres":
        url = databases.the_server().url("nothing_yet")
        await drop(url)
    monkeypatch.setenv("NPSBRIDGE_STORE_URL", url)
    return url


@pytest.mark.parametrize("nothing_yet", ["sqlite", "postgres"], indirect=True)
@pytest.mark.parametrize("verb", LOOKING)
def test_it_says_that_nothing_is_there_and_makes_nothing(
    npsbridge: Command, nothing_yet: str, tmp_path: Path, verb: str
) -> None:
    ended = npsbridge(*verb.split())
    assert ended.code == 65
    assert "there is no store at" in ended.out + ended.err
    assert list(tmp_path.iterdir()) == []
    if nothing_yet.startswith("postgresql"):
        schemas = databases.inspector().rows("pg_catalog", "SELECT nspname FROM pg_namespace")
        assert ("nothing_yet",) not in schemas
