"""A thousand worlds, each another mixture of everything that can happen, and all promises kept in each of them.

`SIMULATION_SEEDS=FIRST:END` chooses others; a failing seed is printed with the command that shows it again.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

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


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_i1_to_i15_a_thousand_worlds_keep_every_promise() -> None:
    done = search(SEEDS)
    assert done.returncode == 0, done.stdout + done.stderr
