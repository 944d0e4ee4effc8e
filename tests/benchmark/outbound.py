"""Telling a vendor of people: what is owed already, and the whole way from a call to the vendor."""

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmark.figures import Figures, Result, say
from benchmark.ingest import NOWHERE, posted, settings
from benchmark.processes import HERE, cpu_seconds, daemon, line, process, used, worker


def outbound(runs: int, *, scale: float = 1.0) -> Result:
    """Identify calls that are owed when the daemon starts, one request each, to a vendor that answers at once."""
    result = Result(case="outbound", targets={"calls_per_s": ">= 0.6"})
    count = int(10_000 * scale)
    for number in range(runs):
        result.runs.append(_daemon(count))
        result.floors.append(_floor(count))
        say(f"outbound {number + 1}: {result.runs[-1]} floor: {result.floors[-1]}")
    return result


def _daemon(count: int) -> Figures:
    with TemporaryDirectory() as folder:
        with daemon(Path(folder), **settings(NOWHERE)) as (child, place):
            posted(child, place, "wanted", count, size=100)
        with (
            worker("vendor", count) as (vendor, said),
            daemon(Path(folder), **settings(said["base_url"])) as (
                child,
                place,
            ),
        ):
            done = line(vendor)["done_at"]
            return {
                "calls_per_s": count / (done - place.ready),
                "cpu_us_per_call": 1e6 * cpu_seconds(child) / count,
                "from_start_s": done - place.started,
                **used(child),
            }


def _floor(count: int) -> Figures:
    with worker("vendor", count) as (vendor, said):
        started = time.monotonic()
        with process([sys.executable, str(HERE / "outbound_floor.py"), said["base_url"], str(count)]) as child:
            done = line(vendor)["done_at"]
            return {
                "calls_per_s": count / (done - started),
                "cpu_us_per_call": 1e6 * cpu_seconds(child) / count,
                "from_start_s": done - started,
                **used(child),
            }


def way_out(runs: int, *, scale: float = 1.0) -> Result:
    """Identify calls from the tracking API to the vendor: taken in, routed and told, all at once."""
    result = Result(case="from call to vendor")
    count = int(10_000 * scale)
    for number in range(runs):
        result.runs.append(_way_out(count))
        say(f"way out {number + 1}: {result.runs[-1]}")
    return result


def _way_out(count: int) -> Figures:
    with (
        TemporaryDirectory() as folder,
        worker("vendor", count) as (vendor, said),
        daemon(Path(folder), **settings(said["base_url"])) as (child, place),
    ):
        before, started = cpu_seconds(child), time.monotonic()
        posted(child, place, "wanted", count, size=100)
        done = line(vendor)["done_at"]
        return {
            "calls_per_s": count / (done - started),
            "cpu_us_per_call": 1e6 * (cpu_seconds(child) - before) / count,
            **used(child),
        }
