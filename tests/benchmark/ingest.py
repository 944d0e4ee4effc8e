"""Taking calls in: one at a time, and in batches of which nothing or everything is wanted."""

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmark.figures import Figures, Result, say
from benchmark.load import KEY, TRIGGER
from benchmark.processes import LONGEST_WAIT, Child, Daemon, cpu_seconds, daemon, line, used, worker

NOWHERE: Final = "http://127.0.0.1:9"
"""A port that nobody listens on: what is owed stays owed, and costs nothing but that."""
SIZE: Final = 100


def single(runs: int, *, scale: float = 1.0) -> Result:
    """Single track calls over 64 connections, each durable before its 200."""
    result = Result(case="single ingest", targets={"events_per_s": ">= 0.7", "p99_ms": "<= 60 ms (daemon)"})
    count = int(20_000 * scale)
    for number in range(runs):
        result.runs.append(_daemon("single", count, size=1))
        result.floors.append(_floor("single", count, size=1))
        say(f"single {number + 1}: {result.runs[-1]} floor: {result.floors[-1]}")
    return result


def unwanted(runs: int, *, scale: float = 1.0) -> Result:
    """Batches of 100 track calls that no platform wants."""
    result = Result(
        case="batches, nothing wanted", targets={"events_per_s": ">= 0.7", "lag_s": "< 2 s at the end (daemon)"}
    )
    count = int(100_000 * scale)
    for number in range(runs):
        result.runs.append(_daemon("unwanted", count, size=SIZE))
        result.floors.append(_floor("unwanted", count, size=SIZE))
        say(f"unwanted {number + 1}: {result.runs[-1]} floor: {result.floors[-1]}")
    return result


def wanted(runs: int, *, scale: float = 1.0) -> Result:
    """Batches of 100 identify calls, each of which becomes a delivery; the floor stores one row for each."""
    result = Result(case="batches, everything wanted", targets={"events_per_s": ">= 0.5"})
    count = int(50_000 * scale)
    for number in range(runs):
        result.runs.append(_daemon("wanted", count, size=SIZE))
        result.floors.append(_floor("wanted", count, size=SIZE, rows=True))
        say(f"wanted {number + 1}: {result.runs[-1]} floor: {result.floors[-1]}")
    return result


def _daemon(kind: str, count: int, *, size: int) -> Figures:
    with TemporaryDirectory() as folder, daemon(Path(folder), **settings()) as (child, place):
        return posted(child, place, kind, count, size=size)


def settings(base_url: str = NOWHERE) -> dict[str, str]:
    """A daemon that takes calls, and tells Delighted of people."""
    return {
        "INGEST__WRITE_KEYS": f'["{KEY}"]',
        "DELIGHTED__API_KEY": "k" * 20,
        "DELIGHTED__BASE_URL": base_url,
        "DELIGHTED__PULL": "false",
        "DELIGHTED__RATE_LIMIT": "0",
        "DELIGHTED__SURVEYS": json.dumps([TRIGGER]),
    }


def posted(child: Child, place: Daemon, kind: str, count: int, *, size: int, first: int = 0) -> dict[str, float]:
    """Post to a daemon, and wait until all of it is routed.

    What counts as the rate is of what was asked: of calls that become deliveries until the last one has, of all others
    until the last was answered.
    """
    before = cpu_seconds(child)
    said = _load(kind, place.port, count, size, first=first)
    answered = cpu_seconds(child) - before
    lag = until_routed(place) - said["ended"]
    seconds = said["seconds"] + (lag if kind == "wanted" else 0.0)
    return {
        "events_per_s": count / seconds,
        "answered_per_s": count / said["seconds"],
        "cpu_us_per_event": 1e6 * (cpu_seconds(child) - before) / count,
        "cpu_s_until_answered": answered,
        "p50_ms": said["p50_ms"],
        "p99_ms": said["p99_ms"],
        "lag_s": lag,
        **used(child),
    }


def _floor(kind: str, count: int, *, size: int, rows: bool = False) -> Figures:
    with worker("ingest_floor", *["--rows"] * rows) as (child, place):
        before = cpu_seconds(child)
        said = _load(kind, place["port"], count, size)
        return {
            "events_per_s": count / said["seconds"],
            "cpu_us_per_event": 1e6 * (cpu_seconds(child) - before) / count,
            "p50_ms": said["p50_ms"],
            "p99_ms": said["p99_ms"],
            **used(child),
        }


def _load(kind: str, port: int, count: int, size: int, *, first: int = 0) -> dict[str, Any]:
    connections = 64 if size == 1 else 8
    more = ("--size", size, "--connections", connections, "--first", first)
    with worker("load", kind, port, count, *more) as (child, _):
        assert child.stdin
        child.stdin.write("go\n")
        child.stdin.flush()
        said = line(child)
    if said["refused"] or said["answered"] * size != count:
        raise SystemExit(f"not every call was taken: {said}")
    return said


def until_routed(place: Daemon) -> float:
    """The monotonic time at which nothing waits in the journal any more."""
    deadline = time.monotonic() + LONGEST_WAIT
    with closing(sqlite3.connect(f"{place.store.as_uri()}?mode=ro", uri=True)) as database:
        while time.monotonic() < deadline:
            if database.execute("SELECT count(*) FROM unrouted").fetchone() == (0,):
                return time.monotonic()
            time.sleep(0.02)
    raise SystemExit("the journal was not routed in time")
