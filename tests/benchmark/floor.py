"""The least that the work of a backfill takes in Python, for `backfill.py`: no decisions, no retries, no restart.

Fetch pages, parse them, put each page and four calls per response into SQLite with synchronous=FULL, post the calls in
batches: what is slower than this is the price of what the daemon promises beyond it.
"""

import argparse
import asyncio
import base64
import sqlite3
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import orjson

PAGE_SIZE = 100
BATCH_EVENTS = 500
KINDS = ("identify", "Submit Survey", "Answered NPS Survey", "Completed NPS Survey")


def main() -> None:
    """Move everything once, then wait until standard input is closed."""
    asked = argparse.ArgumentParser(description=__doc__)
    for name in ("--delighted", "--delighted-key", "--segment", "--segment-key"):
        asked.add_argument(name, required=True)
    arguments = asked.parse_args()
    with TemporaryDirectory() as folder:
        asyncio.run(_move(arguments, Path(folder) / "floor.db"))
        # Whoever measures this process looks at it before it ends.
        sys.stdin.read()


async def _move(arguments: argparse.Namespace, path: Path) -> None:
    stored: asyncio.Queue[list[bytes] | None] = asyncio.Queue(maxsize=10)
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        group.create_task(_fetch(session, arguments, path, stored))
        group.create_task(_post(session, arguments, stored))


async def _fetch(
    session: aiohttp.ClientSession, arguments: argparse.Namespace, path: Path, stored: asyncio.Queue[list[bytes] | None]
) -> None:
    loop, number = asyncio.get_running_loop(), 1
    with ThreadPoolExecutor(max_workers=1) as writer:
        database = await loop.run_in_executor(writer, _open, path)
        while page := await _page(session, arguments, number):
            calls = [call for row in orjson.loads(page) for call in _calls(row)]
            if not calls:
                break
            await loop.run_in_executor(writer, _store, database, page, calls)
            await stored.put(calls)
            number += 1
        await loop.run_in_executor(writer, database.close)
    await stored.put(None)


async def _page(session: aiohttp.ClientSession, arguments: argparse.Namespace, number: int) -> bytes:
    url = f"{arguments.delighted}/survey_responses.json?per_page={PAGE_SIZE}&page={number}&order=asc&expand[]=person"
    headers = {"Authorization": _basic(arguments.delighted_key), "Accept": "application/json"}
    async with session.get(url, headers=headers) as answer:
        answer.raise_for_status()
        return await answer.read()


def _calls(row: dict[str, Any]) -> Iterator[bytes]:
    head = {"anonymousId": row["person"]["id"], "timestamp": row["created_at"]}
    facts = {name: row[name] for name in ("score", "comment", "permalink", "tags", "person_properties")}
    for kind in KINDS:
        head["messageId"] = f"floor-{row['id']}-{kind}"
        if kind == "identify":
            yield orjson.dumps({**head, "type": kind, "traits": {"email": row["person"]["email"], **facts}})
        else:
            yield orjson.dumps({**head, "type": "track", "event": kind, "properties": facts})


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    for statement in (
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "CREATE TABLE journal (id INTEGER PRIMARY KEY, body BLOB)",
        "CREATE TABLE outbox (id INTEGER PRIMARY KEY, body BLOB)",
    ):
        with closing(database.execute(statement)):
            pass
    return database


def _store(database: sqlite3.Connection, page: bytes, calls: list[bytes]) -> None:
    database.execute("BEGIN IMMEDIATE")
    database.execute("INSERT INTO journal (body) VALUES (?)", (page,))
    database.executemany("INSERT INTO outbox (body) VALUES (?)", [(call,) for call in calls])
    database.execute("COMMIT")


async def _post(
    session: aiohttp.ClientSession, arguments: argparse.Namespace, stored: asyncio.Queue[list[bytes] | None]
) -> None:
    waiting: list[bytes] = []
    while (calls := await stored.get()) is not None:
        waiting += calls
        while len(waiting) >= BATCH_EVENTS:
            await _send(session, arguments, waiting[:BATCH_EVENTS])
            del waiting[:BATCH_EVENTS]
    if waiting:
        await _send(session, arguments, waiting)


async def _send(session: aiohttp.ClientSession, arguments: argparse.Namespace, calls: list[bytes]) -> None:
    headers = {"Authorization": _basic(arguments.segment_key), "Content-Type": "application/json"}
    body = b'{"batch":[' + b",".join(calls) + b"]}"
    async with session.post(f"{arguments.segment}/v1/batch", data=body, headers=headers) as answer:
        answer.raise_for_status()
        await answer.read()


def _basic(key: str) -> str:
    return "Basic " + base64.b64encode(f"{key}:".encode()).decode()


if __name__ == "__main__":
    main()
