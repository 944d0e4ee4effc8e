"""How fast the dashboard's pages are over a large store, beside a floor in the same run; and whether the writer waits.

    python tests/benchmark/dashboard.py [--journal 1000000] [--deliveries 200000] [--answers 1000000] [--rounds 15]

Needs about 1 GB of disk for a minute or two. The floor is /livez, which asks the writer and shows nothing. The CPU time
is that of asking, answering and reading together, and says more than the other where the machine has more to do.
"""

import argparse
import asyncio
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path

import aiohttp

from npsbridge.clock import Clock
from npsbridge.core.records import Arrival, Origin
from npsbridge.core.storage import Store
from npsbridge.engine.board import Board, Condition, Direction
from npsbridge.engine.seams import Seams
from npsbridge.metrics import Metrics
from npsbridge.settings import Address
from npsbridge.store import open_store
from npsbridge.store.sqlite.upgrades import upgrade
from npsbridge.web.admin import admin_app
from npsbridge.web.listener import bind, serving
from npsbridge.web.view import View

PATHS = (
    "/livez",
    "/",
    "/api/overview",
    "/nps",
    "/nps?range=30&sort=low",
    "/nps?range=all",
    "/deliveries",
    "/deliveries?state=held",
    "/deliveries?state=delivered&connection=heap",
)
_NAMES = ("delighted", "retently", "promoter", "satismeter")

_JOURNAL = """
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)
    INSERT INTO journal (id, connection, origin, count, received_at, body)
    SELECT i, 'delighted', 'poll', 1, :now - i, zeroblob(300) FROM n
"""
# Half is queued, a tenth waits, some are in doubt, and the rest is delivered, at three destinations.
_OUTBOX = """
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count), one (i, state) AS (
        SELECT i, CASE WHEN i % 2 THEN 'queued' WHEN i % 10 = 0 THEN 'waiting' WHEN i % 1000 = 2 THEN 'held'
            ELSE 'delivered' END FROM n
    )
    INSERT INTO outbox (id, connection, person, kind, message_id, subject, state, attempts, created_at,
                        next_attempt_at, settled_at)
    SELECT i, CASE i % 3 WHEN 0 THEN 'segment' WHEN 1 THEN 'heap' ELSE 'delighted' END, 'p' || i, 'submit', 'm' || i,
        'delighted/' || i, state, 1, :now - i, CASE state WHEN 'waiting' THEN :now + i END,
        CASE state WHEN 'delivered' THEN :now END
    FROM one
"""
_BODIES = "INSERT INTO bodies (delivery_id, body) SELECT id, zeroblob(500) FROM outbox"
# A thousand answers a day, from four connections, half of them of a campaign, a third with a comment.
_ANSWERS = """
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count), one (i, connection) AS (
        SELECT i, CASE i % 4 WHEN 0 THEN 'delighted' WHEN 1 THEN 'retently' WHEN 2 THEN 'promoter'
            ELSE 'satismeter' END FROM n
    )
    INSERT INTO responses (connection, response_id, revision, milestones, email, journal_id, content, answered_at,
                           survey_type, score, campaign, has_comment)
    SELECT connection, 'r' || i, 1, 'answered', 'p' || i || '@example.com', i,
        CAST(json_object('platform', connection, 'connection', connection, 'id', 'r' || i, 'survey_type', 'nps',
            'score', i % 11, 'created_at', '2026-01-01T00:00:00Z', 'comment', 'It does what it should.') AS BLOB),
        :now - i * 86400, 'nps', i % 11, CASE WHEN i % 2 THEN 'Spring' END, i % 3 = 0
    FROM one
"""


def fill(path: Path, asked: argparse.Namespace, now: int) -> None:
    """A store of the asked size, without what durability costs."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = OFF")
        upgrade(database)
        database.execute("BEGIN")
        for statement, count in ((_JOURNAL, asked.journal), (_OUTBOX, asked.deliveries), (_ANSWERS, asked.answers)):
            database.execute(statement, {"count": count, "now": now})
        database.execute(_BODIES)
        database.execute("UPDATE numbers SET last = :last", {"last": max(asked.journal, asked.deliveries)})
        database.execute("COMMIT")


async def measure(path: Path, rounds: int) -> None:
    """Print how long each page takes, and how long an arrival waits for the disk meanwhile."""
    clock = Clock()
    async with open_store(f"sqlite:///{path}", clock=clock) as store:
        board = Board(store, clock)
        for name in _NAMES:
            await board.note(name, Direction.PULL, Condition.CONNECTED)
        seams = Seams(store=store, board=board, clock=clock, metrics=Metrics(), jitter=lambda: 0.5)
        view = View(seams=seams, sinks=[], is_draining=lambda: False, platforms={name: name for name in _NAMES})
        with bind(Address("127.0.0.1", 0), "NPSBRIDGE_ADMIN_LISTEN") as opened:
            async with (
                serving(admin_app(view), opened, grace=1.0) as listener,
                aiohttp.ClientSession(f"http://{listener}") as session,
            ):
                await _pages(session, rounds)
                await _arrivals(session, store)


async def _pages(session: aiohttp.ClientSession, rounds: int) -> None:
    print(f"{'page':<44} {'median':>9} {'of CPU':>9} {'bytes':>8}  times the floor")
    floor = 0.0
    for path in PATHS:
        weight = await _get(session, path)  # templates and charts are loaded by the first
        times, used = [], time.process_time()
        for _ in range(rounds):
            began = time.perf_counter()
            await _get(session, path)
            times.append((time.perf_counter() - began) * 1000)
        used = (time.process_time() - used) * 1000 / rounds
        middle = statistics.median(times)
        floor = floor or middle
        print(f"{path:<44} {middle:>6.1f} ms {used:>6.1f} ms {weight:>8,}  {middle / floor:.0f}")


async def _get(session: aiohttp.ClientSession, path: str) -> int:
    async with session.get(path) as answer:
        return len(await answer.read())


async def _arrivals(session: aiohttp.ClientSession, store: Store) -> None:
    """Arrivals one after the other, alone and while the slowest page is asked for without end."""
    alone = await _waits(store)
    asking = asyncio.create_task(_ask_on(session))
    beside = await _waits(store)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    print(f"an arrival is on disk after {alone:.1f} ms (median) alone, {beside:.1f} ms while /nps?range=all is read")


async def _ask_on(session: aiohttp.ClientSession) -> None:
    while True:
        await _get(session, "/nps?range=all")


async def _waits(store: Store) -> float:
    times = []
    for _ in range(200):
        began = time.perf_counter()
        await store.append([Arrival(connection="delighted", origin=Origin.POLL, body=b"[{}]", count=1, received_at=1)])
        times.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(0.005)
    return statistics.median(times)


def main() -> None:
    """Fill a store in a folder that is gone afterwards, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--journal", type=int, default=1_000_000)
    parser.add_argument("--deliveries", type=int, default=200_000)
    parser.add_argument("--answers", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=15)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="npsbridge-benchmark-") as folder:
        path = Path(folder) / "npsbridge.db"
        fill(path, asked, int(time.time() * 1000))
        asyncio.run(measure(path, asked.rounds))


if __name__ == "__main__":
    main()
