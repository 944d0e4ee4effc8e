"""Everything at once for half an hour: `PYTHONPATH=tests python -m soak --minutes 30`; not part of the run.

Callers hand in calls and repeat what they were not thanked for, people answer, every vendor fails now and then, and the
daemon is killed every 20 to 60 seconds. For the last third it lives on, so that memory and open files can be measured.
Then all is delivered, and what the store, the vendors and Segment say is held against what callers were told.
"""

import argparse
import asyncio
import json
import random
import socket
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from end_to_end.harness import until
from end_to_end.outbound import Outbound, outbound
from fault.survey_truth import is_drained, settings
from npsbridge.sandbox.request_log import RequestLog
from npsbridge.store import open_store
from soak.lives import Lives
from soak.load import Load
from soak.verdict import Finding, findings

DRAINED_WITHIN: Final = 900.0
EVERYTHING: Final = 2**40
WITHOUT_KILLS: Final = 1 / 3
"""Of the whole time."""


def main() -> int:
    """Run it and print what was found; 1 when a promise was not kept."""
    arguments = _arguments()
    with TemporaryDirectory(prefix="npsbridge-soak-") as folder:
        found = asyncio.run(_soak(Path(folder), arguments))
    for one in found:
        _say(f"{'ok   ' if one.is_kept else 'WRONG'}  {one.promise}: {one.figure}")
    if arguments.json:
        arguments.json.write_text(json.dumps([vars(one) for one in found], indent=2) + "\n", encoding="utf-8")
    return 0 if all(one.is_kept for one in found) else 1


def _arguments() -> argparse.Namespace:
    asked = argparse.ArgumentParser(prog="soak", description=__doc__)
    asked.add_argument("--minutes", type=float, default=30.0, help="of load; all is delivered afterwards")
    asked.add_argument("--rate", type=float, default=20.0, help="calls a second")
    asked.add_argument("--seed", type=int, help="the same choices again; when things happen is never the same")
    asked.add_argument("--json", type=Path, help="write what was found to this file as well")
    return asked.parse_args()


async def _soak(folder: Path, arguments: argparse.Namespace) -> list[Finding]:
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().getrandbits(32)
    _say(f"seed {seed}, {arguments.minutes:g} minutes, {arguments.rate:g} calls a second")
    chance, seconds = random.Random(seed), 60.0 * arguments.minutes  # noqa: S311 - to be the same again
    async with outbound(folder, **_changes()) as line:
        _keep_all(line)
        address = line.environment["LISTEN"]
        line.delighted.send_webhooks_to(f"http://{address}")
        load, lives = Load(line, address, chance, arguments.rate), Lives(line, line.environment, chance)
        drained = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            loading = group.create_task(load.run())
            await lives.killed_for(seconds * (1 - WITHOUT_KILLS))
            _say(f"{lives.seen.kills} kills; from now on it lives")
            group.create_task(lives.long_life(seconds * WITHOUT_KILLS, load.ending, drained))
            await loading
            _say(f"{load.told.outages} outages; all that is owed goes out now")
            await until(lambda: _is_at_rest(line, load), within=DRAINED_WITHIN, look_every=2.0)
            drained.set()
        async with open_store(line.environment["STORE_URL"], clock=line.clock, exclusive=False) as store:
            return await findings(line, store, load.told, lives.seen)


def _changes() -> dict[str, str]:
    """Both directions, read often; where to ask about a doubt takes minutes, it is held at once."""
    pulling = {
        f"{vendor}__{name}": value
        for vendor in ("DELIGHTED", "RETENTLY", "SATISMETER", "PROMOTER")
        for name, value in {"PULL": "true", "POLL_INTERVAL": "5"}.items()
    }
    holding = {f"{vendor}__ON_UNKNOWN": "hold" for vendor in ("RETENTLY", "PROMOTER")}
    events = {"SATISMETER__EVENTS": settings()["SATISMETER__EVENTS"]}
    return {**pulling, **holding, **events, "LISTEN": f"127.0.0.1:{_free_port()}"}


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as found:
        return int(found.getsockname()[1])


def _keep_all(line: Outbound) -> None:
    """Look-alikes remember every request; people may be surveyed again and again."""
    line.delighted.change_switches({"throttle_days": None})
    servers: list[Any] = [line.segment, *line.vendors.values()]
    for server in servers:
        server.requests = RequestLog(most_requests=EVERYTHING, most_bytes=EVERYTHING)


async def _is_at_rest(line: Outbound, load: Load) -> bool:
    """Whether nothing is owed, and Segment has heard of every answer."""
    answers = sum(map(len, load.told.answers.values()))
    return line.segment.counts["Submit Survey"] >= answers and await is_drained(line)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
