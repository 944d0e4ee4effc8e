"""The checkers can fail: each of them notices, within a few worlds, a product that breaks its promise."""

from typing import Final

import pytest

from fault.simulation.sabotage import SABOTAGES, sabotaged
from fault.simulation.search import judge, quiet
from proof.stores import Used

NOTICED_IN: Final = {"I4": 2, "I7": 7, "I8": 46, "I10": 6, "I12": 4, "I13 believed": 8, "I14": 1, "I20": 7}
"""Where each was noticed first, of the worlds from 0 on; the search begins there, and goes on when worlds change."""
MOST_WORLDS: Final = 60
"""A sabotage that takes more of them to be noticed would mean that a thousand are too few."""


@pytest.mark.slow
@pytest.mark.parametrize("name", SABOTAGES)
def test_a_broken_promise_is_noticed(name: str, stores_used: Used) -> None:
    first = NOTICED_IN.get(name, 0)
    with quiet(), sabotaged(name):
        worlds = map(judge, range(first, first + MOST_WORLDS))
        found = next((verdict for verdict in worlds if verdict.broken), None)
    stores_used.unbalanced.clear()  # that it does not balance is what one of them is about
    assert found is not None, f"no world of {MOST_WORLDS} noticed {name}"
    assert "I15" not in name or "I15" in str(found.broken), f"{name} was noticed by another check: {found.broken}"
