"""SIGKILL while an archive is imported: the same command again, and everything is journaled, each record once."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from npsbridge.clock import Clock
from npsbridge.core.records import JournalEntry
from npsbridge.store import open_store
from stores import store_url

LINES = 12_000
BAD = range(0, LINES, 1000)
"""Lines whose score is 11; each is to be told by whatever run comes to the end."""

KILLED = """
import asyncio, os, signal, sys
from npsbridge.cli import importing, main

keep, left = importing._Keeper.keep, int(sys.argv.pop(1))
moment = sys.argv.pop(1)

async def keep_or_die(self, records, *, through):
    global left
    left -= 1
    if left == 0 and moment == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    kept = asyncio.ensure_future(keep(self, records, through=through))
    if left == 0 and moment == "within":
        await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGKILL)
    await kept
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

importing._Keeper.keep = keep_or_die
main()
"""
"""The command, killed by its own hand around the n-th time that it journals: the only way to be sure of the moment."""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "rows.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for n in range(LINES):
            row = {"id": str(n), "score": 11 if n in BAD else n % 11, "created_at": 1_767_225_600 + n}
            file.write(json.dumps(row) + "\n")
    return path


def imported(folder: Path, archive: Path, *killed: str) -> subprocess.CompletedProcess[str]:
    """An import to its end, or killed around the n-th time it journals: `n` and `before`, `within` or `after` it."""
    start = ["-c", KILLED, *killed] if killed else ["-m", "npsbridge"]
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, *start, "import", str(archive), "--connection", "delighted"],
        cwd=folder,
        env={"PATH": os.environ.get("PATH", ""), "NPSBRIDGE_STORE_URL": store_url(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def journaled(folder: Path) -> list[str]:
    """The ids in the journal, in order."""

    async def read() -> list[JournalEntry]:
        async with open_store(store_url(folder), clock=Clock()) as store:
            return await store.unrouted(LINES)

    return [record["id"] for entry in asyncio.run(read()) for record in json.loads(entry.body)]


EXPECTED = [str(n) for n in range(LINES) if n not in BAD]


@pytest.mark.parametrize("number", ["1", "24", "40"])
@pytest.mark.parametrize("moment", ["before", "within", "after"])
def test_i1_i12_a_killed_import_that_is_run_again_journals_every_record_once(
    tmp_path: Path, archive: Path, number: str, moment: str
) -> None:
    assert imported(tmp_path, archive, number, moment).returncode == -signal.SIGKILL
    half = len(journaled(tmp_path))
    again = imported(tmp_path, archive)
    assert half < LINES
    assert journaled(tmp_path) == EXPECTED
    assert again.returncode == 65
    assert again.stdout.startswith(f"{len(EXPECTED)} responses" + f", {half} of them journaled before" * bool(half))
    assert again.stdout.count("/score: is not a whole number") == len(BAD)


def test_i1_i12_an_import_that_is_killed_again_and_again_journals_every_record_once(
    tmp_path: Path, archive: Path
) -> None:
    moments = ["before", "within", "after"] * 3
    for number, moment in enumerate(moments, start=1):
        assert imported(tmp_path, archive, str(number), moment).returncode == -signal.SIGKILL
    imported(tmp_path, archive)
    assert journaled(tmp_path) == EXPECTED
