"""The demo's page on terminals of every kind."""

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from npsbridge.cli.demo.live import LiveScreen, shares
from npsbridge.cli.demo.log_tail import LogTail
from npsbridge.cli.demo.story import Story
from npsbridge.cli.demo.view import View
from unit.cli.demo.examples import standing, view

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Encoded(io.StringIO):
    """A terminal with an encoding of its own."""

    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override] # a StringIO has none
        return self._encoding

    def isatty(self) -> bool:
        return True


def drawn(
    story: Story,
    *,
    width: int = 100,
    height: int = 40,
    encoding: str = "utf-8",
    log: LogTail | None = None,
    shown: View | None = None,
) -> str:
    """What is on the terminal after one view, without control codes, before the screen is closed."""
    terminal = Encoded(encoding)
    console = Console(file=terminal, width=width, height=height, force_terminal=True, _environ={"TERM": "xterm"})
    screen = LiveScreen(console, story, log or LogTail())
    screen.open()
    screen.show(shown or view())
    text = terminal.getvalue()
    screen.close()
    return ESCAPES.sub("", text).replace("\r", "")


def told(count: int) -> Story:
    story = Story()
    for number in range(count):
        with story.beat(f"thing {number}") as beat:
            beat.outcome = "done"
    return story


def test_a_view_shows_calls_nps_and_health() -> None:
    page = drawn(Story())
    assert re.search(r"Submit Survey +3 ", page)
    assert "NPS so far +25.0" in page
    assert re.search(r"Delighted .* 3/4 connected", page)
    assert re.search(r"Segment +5 connected", page)


def test_surveys_are_counted_once_there_are_any() -> None:
    assert "surveys asked for" not in drawn(Story())
    assert "surveys asked for: 1,234" in drawn(Story(), shown=view(surveys=1234))


@pytest.mark.parametrize("width", [30, 50, 72, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(map(len, drawn(told(3), width=width).splitlines())) <= width


@pytest.mark.parametrize("height", [10, 16, 24])
def test_a_short_terminal_shows_the_latest_of_the_story(height: int) -> None:
    page = drawn(told(30), height=height)
    assert "thing 29: done" in page
    assert "thing 0: done" not in page


def test_figures_leave_room_for_the_story() -> None:
    assert "NPS so far" not in drawn(told(3), height=16)


def test_what_is_in_trouble_is_said_of_its_platform() -> None:
    page = drawn(Story(), shown=view(standings=[standing("promoter", words="away (HTTP 503)", is_away=True)]))
    assert re.search(r"Promoter\.io .* away \(HTTP 503\)", page)


def test_what_has_not_ended_has_no_outcome() -> None:
    story = Story()
    with story.beat("something long") as beat:
        page = drawn(story)
        beat.outcome = "over"
    assert page.rstrip().endswith("… something long")


def test_the_log_is_below_the_story() -> None:
    log = LogTail()
    log.write("WARNING away\n")
    page = drawn(told(1), log=log)
    assert page.index("thing 0: done") < page.index("WARNING away")


def test_a_terminal_without_unicode_gets_letters_it_has() -> None:
    page = drawn(told(1), encoding="ascii")
    page.encode("ascii")
    assert "#" in page


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=4), st.integers(1, 80))
def test_the_parts_of_a_bar_add_up_to_it(counts: list[int], width: int) -> None:
    parts = shares(counts, width)
    assert min(parts) >= 0
    assert sum(parts) == (width if sum(counts) else 0)
