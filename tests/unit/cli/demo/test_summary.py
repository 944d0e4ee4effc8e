"""The tables at the end of the demo."""

import io
import re

import pytest
from rich.console import Console

from npsbridge.cli.demo.figure import Figure
from npsbridge.cli.demo.heard import Heard
from npsbridge.cli.demo.summary import platforms, summary, ways_out
from npsbridge.cli.demo.titles import TITLES
from npsbridge.cli.demo.truth import Truth
from npsbridge.cli.demo.verdict import places
from npsbridge.cli.demo.way_out import Way
from npsbridge.sandbox.account_state import Asked
from unit.cli.demo.examples import given, heap, submitted

TRUTH = Truth(answers=[given("a", 9), given("b", 3, platform="promoter")], edits=0, opened=0, closed=0)


def table(states: dict[str, str], width: int = 100) -> str:
    """The table of platforms, of two answers of which one was told."""
    console = Console(file=io.StringIO(), width=width)
    console.print(platforms(places(TRUTH, Heard([submitted("a", 9)]).catch_up(), heap(a=9, b=3), states)))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_every_platform_has_a_line_with_its_direction_and_state() -> None:
    shown = table(dict.fromkeys(TITLES, "connected"))
    for title in ("Delighted", "Retently", "SatisMeter", r"Promoter\.io"):
        assert re.search(rf"{title} +in +connected", shown)
    for title in ("Segment", "Heap"):
        assert re.search(rf"{title} +out +connected", shown)


def test_a_line_has_what_was_counted_at_both_ends() -> None:
    shown = table({"promoter": "waiting_for_data"})
    assert re.search(r"Delighted +in +missing +1 +1 +1", shown)
    assert re.search(r"Promoter\.io +in +waiting for data +1 +0 +1", shown)


@pytest.mark.parametrize("width", [40, 60])
def test_the_table_fits_a_narrow_terminal(width: int) -> None:
    assert max(map(len, table(dict.fromkeys(TITLES, "connected"), width).splitlines())) <= width


def way_out(width: int) -> str:
    asked = Asked(people=54, surveys=31, throttled=8)
    counts = {"requests": 1234, "twice": 2, "waiting": 3, "expired": 4, "held": 5, "dead": 0}
    line = Way(platform="promoter", state="connected", asked=asked, expected=asked, **counts)
    console = Console(file=io.StringIO(), width=width)
    console.print(ways_out([line]))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_way_out_has_what_a_vendor_was_asked_for_and_what_has_not_gone_out() -> None:
    assert re.search(r"Promoter\.io +1,234 +54 +31 +8 +2 +3/4/5 $", way_out(80), re.MULTILINE)


@pytest.mark.parametrize("width", [40, 60])
def test_the_way_out_fits_a_narrow_terminal(width: int) -> None:
    assert max(map(len, way_out(width).splitlines())) <= width


def test_a_figure_that_differs_says_so() -> None:
    console = Console(file=io.StringIO(), width=100)
    console.print(summary([Figure(name="answers", true="2", told="1"), Figure(name="edits", true="0", told="0")]))
    assert isinstance(console.file, io.StringIO)
    assert re.search(r"answers +2 +1 +DIFFERS", console.file.getvalue())
    assert re.search(r"edits +0 +0 +agrees", console.file.getvalue())
