"""A first backfill: from the start of the process to the last call at the sink, beside its floor and Airbyte's reader.

Delighted, Segment and the daemon are processes of their own; the daemon is the real command on a fresh store. The
rival is airbyte-cdk's runner with a manifest for the same API; it stores nothing and sends nothing.
"""

import copy
import importlib.util
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmark.figures import Figures, Result, say
from benchmark.processes import HERE, LONGEST_WAIT, Child, daemon, line, memory_mib, process, run_seconds, used, worker

CALLS_PER_RESPONSE = 4
RESPONSES = 20_000


def backfill(runs: int, *, scale: float = 1.0) -> Result:
    """20,000 responses, four calls each."""
    targets = {"cpu_s": "<= 4, aim 3", "rival_wall_s": "<= 0.6, aim 0.4", "peak_rss_mib": "<= 90 MiB (daemon)"}
    result = Result(case="backfill", targets=targets)
    responses = int(RESPONSES * scale)
    for number in range(runs):
        with worker("lookalike", "delighted", responses) as (_, delighted):
            result.runs.append(_daemon(delighted, responses))
            result.floors.append(_floor(delighted, responses))
            if importlib.util.find_spec("airbyte_cdk"):
                result.rivals.append(_rival(delighted))
        say(f"backfill {number + 1}: {result.runs[-1]} floor: {result.floors[-1]} rival: {result.rivals[-1:]}")
    return result


def long_history(runs: int, *, scale: float = 1.0) -> Result:
    """Ten times the history; what is called the floor is the daemon itself with a tenth of it."""
    result = Result(
        case="history of 200,000 by 20,000", targets={"peak_rss_mib": "<= 1.1", "cpu_us_per_call": "<= 1.2"}
    )
    for number in range(runs):
        for responses, into in ((int(10 * RESPONSES * scale), result.runs), (int(RESPONSES * scale), result.floors)):
            with worker("lookalike", "delighted", responses) as (_, delighted):
                figures = _daemon(delighted, responses)
            per_call = 1e6 * figures["cpu_s"] / (CALLS_PER_RESPONSE * responses)
            into.append({"peak_rss_mib": figures["peak_rss_mib"], "cpu_us_per_call": per_call})
        say(f"history {number + 1}: {result.runs[-1]} small: {result.floors[-1]}")
    return result


def _daemon(delighted: Mapping[str, Any], responses: int) -> dict[str, float]:
    calls = CALLS_PER_RESPONSE * responses
    with TemporaryDirectory() as folder, worker("lookalike", "segment", calls) as (sink, segment):
        with daemon(Path(folder), **_settings(delighted, segment)) as (child, place):
            done = _heard_all(sink, calls)
            figures = {"wall_s": done - place.started, "cpu_s": run_seconds(child), "ready_s": place.ready_seconds}
            figures |= {"peak_rss_mib": memory_mib(child), "calls_per_s": calls / (done - place.started)}
        stored = sum(file.stat().st_size for file in Path(folder).glob("npsbridge.db*"))
    return figures | {"store_mib": stored / 2**20}


def _settings(delighted: Mapping[str, Any], segment: Mapping[str, Any]) -> dict[str, str]:
    return {
        "DELIGHTED__API_KEY": delighted["key"],
        "DELIGHTED__BASE_URL": delighted["base_url"],
        "DELIGHTED__RATE_LIMIT": "0",
        "SEGMENT__WRITE_KEY": segment["key"],
        "SEGMENT__BASE_URL": segment["base_url"],
        "SEGMENT__RATE_LIMIT": "0",
    }


def _floor(delighted: Mapping[str, Any], responses: int) -> Figures:
    calls = CALLS_PER_RESPONSE * responses
    with worker("lookalike", "segment", calls) as (sink, segment):
        command = [sys.executable, str(HERE / "floor.py"), "--delighted", delighted["base_url"]]
        command += ["--delighted-key", delighted["key"], "--segment", segment["base_url"], "--segment-key"]
        started = time.monotonic()
        with process([*command, segment["key"]]) as child:
            done = _heard_all(sink, calls)
            return {"wall_s": done - started, "calls_per_s": calls / (done - started), **used(child)}


def _heard_all(sink: Child, calls: int) -> float:
    """When the last call was at the sink; ends the benchmark if anything is missing, too much or refused."""
    heard = line(sink)
    if (heard["calls"], heard["message_ids"], heard["dropped"]) != (calls, calls, 0):
        raise SystemExit(f"the sink has not heard what it should: {heard}")
    return float(heard["done_at"])


def _rival(delighted: Mapping[str, Any]) -> Figures:
    from clients.test_airbyte import MANIFEST, RUNNER, configured, written  # noqa: PLC0415 - its own package is heavy

    manifest: dict[str, Any] = copy.deepcopy(dict(MANIFEST))
    (responses,) = [stream for stream in manifest["streams"] if stream["name"] == "survey_responses"]
    responses["incremental_sync"]["start_datetime"]["datetime"] = "1600000000"
    config = {"base_url": delighted["base_url"], "api_key": delighted["key"]}
    inputs = {
        "config": config | {"__injected_declarative_manifest": manifest},
        "catalog": {"streams": [configured("survey_responses")]},
        "state": [],
    }
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-c", RUNNER, "read", *written(inputs, Path(folder))]
        with (Path(folder) / "records.jsonl").open("w+b") as records:
            started = time.monotonic()
            subprocess.run(command, stdout=records, stderr=subprocess.DEVNULL, check=True, timeout=LONGEST_WAIT)  # noqa: S603
            wall = time.monotonic() - started
            records.seek(0)
            read = sum(b'"RECORD"' in row for row in records)
    return {"wall_s": wall, "records": float(read)}
