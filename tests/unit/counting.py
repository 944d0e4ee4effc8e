"""How much is done for so many: counted in calls of functions, which no busy machine changes."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def calls_made(act: Callable[[], object]) -> int:
    """How many functions are entered, and generators gone on with, while something is done."""
    count = 0

    def note(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(before)
    return count


def growth(act: Callable[[int], Callable[[], object]], few: int = 30) -> float:
    """How much more is done for ten times as many, for each of them; 1 where as much is done for each.

    `act` prepares for so many and returns what is counted.
    """
    return calls_made(act(10 * few)) / calls_made(act(few)) / 10
