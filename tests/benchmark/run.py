"""Everything that is measured, in one command: `python tests/benchmark/run.py [CASE ...] [--runs N] [--json FILE]`.

Load and sinks are processes of their own, and every case runs beside its floor, in turns: what may be compared between
machines and days is the ratio. Times of a busy machine say nothing; CPU times and their ratios still do.
"""

import argparse
import json
import os
import platform
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmark import backfill, ingest, outbound, round_trip, standing
from benchmark.figures import Result

Case = Callable[..., Result]

CASES: Final[dict[str, Case]] = {
    "backfill": backfill.backfill,
    "history": backfill.long_history,
    "single": ingest.single,
    "unwanted": ingest.unwanted,
    "wanted": ingest.wanted,
    "outbound": outbound.outbound,
    "way_out": outbound.way_out,
    "round_trip": round_trip.round_trip,
    "start": standing.start,
    "queued": standing.queued,
    "growth": standing.growth,
    "idle": standing.idle,
}


def main() -> None:
    """Run the cases that are asked for, show a table of each, and keep all figures if wished."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; all of them if left out")
    asked.add_argument("--runs", type=int, default=3)
    asked.add_argument("--scale", type=float, default=1.0, help="of the number of events; 0.1 for a first look")
    asked.add_argument("--json", type=Path, help="write all figures to this file")
    arguments = asked.parse_args()
    if unknown := set(arguments.cases) - set(CASES):
        asked.error(f"there is no case {', '.join(sorted(unknown))}")
    found = []
    for name in arguments.cases or CASES:
        found.append(CASES[name](arguments.runs, scale=arguments.scale))
        found[-1].show()
        if arguments.json:
            facts = {**_machine(), "scale": arguments.scale, "cases": [result.as_json() for result in found]}
            arguments.json.write_text(json.dumps(facts, indent=2) + "\n")


def _machine() -> dict[str, object]:
    return {
        "python": sys.version.split()[0],
        "sqlite": sqlite3.sqlite_version,
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
    }


if __name__ == "__main__":
    main()
