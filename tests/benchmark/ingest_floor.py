"""The least that taking calls in durably takes in Python: aiohttp, one writer thread, one commit for all that wait.

No keys, no limits, no decisions; `--rows` stores every call of a batch in a row of its own instead of the whole body.
"""

import argparse
import asyncio
import json
import queue
import sqlite3
import sys
import threading
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from aiohttp import web

Write = tuple[list[tuple[bytes]], asyncio.Future[None]]


class _Batch(msgspec.Struct):
    batch: list[msgspec.Raw]


def main() -> None:
    """Serve until standard input is closed."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rows", action="store_true")
    arguments = asked.parse_args()
    with TemporaryDirectory() as folder:
        asyncio.run(_serve(Path(folder) / "floor.db", rows=arguments.rows))


async def _serve(path: Path, *, rows: bool) -> None:
    writes: queue.SimpleQueue[Write | None] = queue.SimpleQueue()
    loop = asyncio.get_running_loop()
    thread = threading.Thread(target=_write, args=(path, writes, loop))
    thread.start()

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        kept = [(bytes(call),) for call in msgspec.json.decode(body, type=_Batch).batch] if rows else [(body,)]
        done = loop.create_future()
        writes.put((kept, done))
        await done
        return web.json_response({"success": True})

    app = web.Application(client_max_size=8 << 20)
    app.router.add_post("/v1/{name}", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    print(json.dumps({"port": runner.addresses[0][1]}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    await runner.cleanup()
    writes.put(None)
    thread.join()


def _write(path: Path, writes: "queue.SimpleQueue[Write | None]", loop: asyncio.AbstractEventLoop) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for statement in (
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "CREATE TABLE journal (id INTEGER PRIMARY KEY, body BLOB)",
        ):
            database.execute(statement).close()
        while (first := writes.get()) is not None:
            group = [first]
            while not writes.empty() and (following := writes.get()) is not None:
                group.append(following)
            database.execute("BEGIN IMMEDIATE")
            database.executemany("INSERT INTO journal (body) VALUES (?)", [row for rows, _ in group for row in rows])
            database.execute("COMMIT")
            loop.call_soon_threadsafe(_tell, [done for _, done in group])


def _tell(waiting: list[asyncio.Future[None]]) -> None:
    for done in waiting:
        if not done.done():
            done.set_result(None)


if __name__ == "__main__":
    main()
