"""The whole way round: a call asks for a survey, the vendor asks, somebody answers, the answer is told to Segment."""

import json
import time
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmark.backfill import CALLS_PER_RESPONSE
from benchmark.figures import Figures, Result, say
from benchmark.ingest import posted, settings
from benchmark.processes import cpu_seconds, daemon, line, used, worker

INSPECTION = "/__sim/webhook_url"


def round_trip(runs: int, *, scale: float = 1.0) -> Result:
    """So many people are described and surveyed; each answers as soon as the vendor has asked."""
    result = Result(case="round trip")
    trips = int(2_000 * scale)
    for number in range(runs):
        result.runs.append(_trips(trips))
        say(f"round trip {number + 1}: {result.runs[-1]}")
    return result


def _trips(trips: int) -> Figures:
    with (
        TemporaryDirectory() as folder,
        worker("lookalike", "answering", trips) as (_, vendor),
        worker("lookalike", "segment", CALLS_PER_RESPONSE * trips) as (sink, segment),
        daemon(Path(folder), **_settings(vendor, segment)) as (child, place),
    ):
        _announce(vendor["base_url"], f"http://127.0.0.1:{place.port}/hooks/delighted")
        before, started = cpu_seconds(child), time.monotonic()
        posted(child, place, "surveyed", 2 * trips, size=100)
        heard = line(sink)
        if heard["message_ids"] != CALLS_PER_RESPONSE * trips:
            raise SystemExit(f"not every answer was told, or one more than once: {heard}")
        return {
            "trips_per_s": trips / (heard["done_at"] - started),
            "cpu_us_per_trip": 1e6 * (cpu_seconds(child) - before) / trips,
            **used(child),
        }


def _settings(vendor: dict[str, str], segment: dict[str, str]) -> dict[str, str]:
    sink = {
        "SEGMENT__WRITE_KEY": segment["key"],
        "SEGMENT__BASE_URL": segment["base_url"],
        "SEGMENT__RATE_LIMIT": "0",
    }
    asking = {"DELIGHTED__API_KEY": vendor["key"], "DELIGHTED__PULL": "true", "DELIGHTED__POLL_INTERVAL": "1"}
    return settings(vendor["base_url"]) | asking | sink


def _announce(vendor: str, hook: str) -> None:
    """Have the vendor tell of answers by webhook; what is lost on the way is polled."""
    request = urllib.request.Request(  # noqa: S310 - our own look-alike
        vendor.split("/v1", maxsplit=1)[0] + INSPECTION,
        json.dumps({"url": hook}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10):  # noqa: S310 - as above
        pass
