"""A store that has grown: how a daemon starts on it, what it holds in memory, what it costs to go on, and idling."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmark.figures import Figures, Result, say
from benchmark.ingest import NOWHERE, posted, settings
from benchmark.processes import daemon, memory_mib, run_seconds, used, written_bytes

FULL_SIZE = 1_000_000


def start(runs: int, *, scale: float = 1.0) -> Result:
    """From the start of the process to the first yes of /readyz, on a store with a million journal rows."""
    result = Result(case="start on a full store", targets={"ready_s": "<= 2 s"})
    with _grown(journal=int(FULL_SIZE * scale), owed=int(200_000 * scale)) as folder:
        for number in range(runs):
            with daemon(folder, **settings(NOWHERE)) as (child, place):
                time.sleep(3)
                figures = {"ready_s": place.ready_seconds, "rss_mib": memory_mib(child, "VmRSS"), **used(child)}
            with TemporaryDirectory() as empty, daemon(Path(empty), **settings(NOWHERE)) as (child, place):
                result.floors.append({"ready_s": place.ready_seconds})
            result.runs.append(figures)
            say(f"start {number + 1}: {figures}")
    return result


def queued(runs: int, *, scale: float = 1.0) -> Result:
    """Memory with a million deliveries that the vendor does not take."""
    result = Result(case="a million queued", targets={"peak_rss_mib": "<= 150 MiB (daemon)"})
    with _grown(journal=1_000, owed=int(FULL_SIZE * scale)) as folder:
        for number in range(runs):
            with daemon(folder, **settings(NOWHERE)) as (child, place):
                time.sleep(10)
                figures = {"ready_s": place.ready_seconds, **used(child)}
            result.runs.append(figures)
            say(f"queued {number + 1}: {figures}")
    return result


def growth(runs: int, *, scale: float = 1.0) -> Result:
    """What a call that becomes a delivery costs on a store of a million rows; the floor is the same on ten thousand."""
    result = Result(case="growth, 1,000,000 rows by 10,000", targets={"cpu_us_per_event": "<= 1.2"})
    for number in range(runs):
        for rows, into in ((int(FULL_SIZE * scale), result.runs), (int(10_000 * scale), result.floors)):
            with _grown(journal=rows, owed=rows, persons=rows) as folder:
                into.append(_cost(folder))
        say(f"growth {number + 1}: {result.runs[-1]} small: {result.floors[-1]}")
    return result


def _cost(folder: Path) -> Figures:
    with daemon(folder, **settings(NOWHERE)) as (child, place):
        time.sleep(2)
        said = posted(child, place, "wanted", 20_000, size=100, first=2 * FULL_SIZE)
        return {name: said[name] for name in ("cpu_us_per_event", "events_per_s", "peak_rss_mib")}


def idle(runs: int, *, scale: float = 1.0) -> Result:
    """What a daemon with nothing to do takes of a core, and writes."""
    result = Result(
        case="idle", targets={"core_percent": "< 0.5 % (daemon)", "written_bytes": "0 in a minute (daemon)"}
    )
    seconds = max(10.0, 60.0 * scale)
    for number in range(runs):
        with TemporaryDirectory() as folder, daemon(Path(folder), **settings(NOWHERE)) as (child, _):
            time.sleep(5)
            before, written = run_seconds(child), written_bytes(child)
            time.sleep(seconds)
            figures = {
                "core_percent": 100 * (run_seconds(child) - before) / seconds,
                "written_bytes": float(written_bytes(child) - written),
                "rss_mib": memory_mib(child, "VmRSS"),
            }
        result.runs.append(figures)
        say(f"idle {number + 1}: {figures}")
    return result


@contextmanager
def _grown(*, journal: int, owed: int, persons: int = 0) -> Iterator[Path]:
    """A store as a daemon has made it, with so many rows put in beside."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        with daemon(folder, **settings(NOWHERE)) as (child, place):
            assert child.poll() is None
        with closing(sqlite3.connect(place.store, isolation_level=None)) as database:
            database.execute("PRAGMA synchronous = OFF")
            database.execute("CREATE TEMP TABLE numbers_to (value INTEGER PRIMARY KEY)")
            database.execute("BEGIN")
            most = max(journal, owed, persons)
            database.executemany("INSERT INTO numbers_to VALUES (?)", ((number,) for number in range(1, most + 1)))
            for statement, rows in ((_JOURNAL, journal), (_OWED, owed), (_BODIES, owed), (_PERSONS, persons)):
                database.execute(statement, {"rows": rows, "now": int(time.time() * 1000)})
            for kind in ("user_id", "email"):
                database.execute(_IDS, {"rows": persons, "kind": kind})
            for name_, last in (("journal", journal), ("outbox", owed), ("persons", persons)):
                database.execute("UPDATE numbers SET last = ? WHERE name = ?", (last, name_))
            database.execute("UPDATE ledger SET amount = amount + ? WHERE name = 'accepted'", (owed,))
            database.execute("COMMIT")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
        yield folder


_JOURNAL = """
    INSERT INTO journal (id, connection, origin, count, received_at, body)
    SELECT value, 'ingest', 'sdk', 1, :now, CAST(printf('{"batch":[{"messageId":"m-%d"}]}', value) AS BLOB)
    FROM numbers_to WHERE value <= :rows
"""
_OWED = """
    INSERT INTO outbox (id, connection, person, kind, message_id, state, attempts, created_at, journal_id)
    SELECT value, 'delighted', 'person:' || value, 'identify', lower(hex(randomblob(16))) || ':identify', 'queued', 0,
           :now, value
    FROM numbers_to WHERE value <= :rows
"""
_BODIES = """
    INSERT INTO bodies (delivery_id, body)
    SELECT value, CAST(printf('{"email":"person.%d@example.com","send":false}', value) AS BLOB)
    FROM numbers_to WHERE value <= :rows
"""
_PERSONS = """
    INSERT INTO persons (number, email, content)
    SELECT value, printf('old.%d@example.com', value), CAST(printf(
        '{"key":"person:%d","user_id":"old-%d","email":"old.%d@example.com"}', value, value, value) AS BLOB)
    FROM numbers_to WHERE value <= :rows
"""
_IDS = """
    INSERT INTO person_ids (kind, value, number)
    SELECT :kind, iif(:kind = 'email', printf('old.%d@example.com', value), printf('old-%d', value)), value
    FROM numbers_to WHERE value <= :rows
"""
