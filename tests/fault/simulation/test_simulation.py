"""A thousand worlds, each another mixture of everything that can happen, and all promises kept in each of them.

`SIMULATION_SEEDS=FIRST:END` chooses others; a failing seed is printed with the command that shows it again.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from fault.simulation.search import quiet
from fault.simulation.world import World, live, plan_of

SEARCH: Final = Path(__file__).with_name("search.py")
SEEDS: Final = os.environ.get("SIMULATION_SEEDS", "0:1000")


def search(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the search for failing worlds."""
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-W", "error", str(SEARCH), *arguments],
        capture_output=True,
        text=True,
        timeout=1700,
        check=False,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )


def told(seed: int) -> list[tuple[float, str, str, int | None]]:
    """All that everybody was asked in a world, and when."""
    seen: list[tuple[float, str, str, int | None]] = []

    async def note(world: World) -> None:
        for server in world.places.servers.values():
            seen.extend((one.at, one.method, one.target, one.status) for one in server.requests)

    with quiet():
        live(plan_of(seed), note)
    return seen


def test_a_seed_is_the_same_world_every_time() -> None:
    first = told(2)
    assert len(first) > 100
    assert told(2) == first


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_i1_i2_i4_i5_i7_i8_i9_i10_i12_i13_i14_i15_i20_a_thousand_worlds_keep_every_promise() -> None:
    done = search(SEEDS)
    assert done.returncode == 0, done.stdout + done.stderr
