"""The demo in a pipe."""

import io

import pytest

from npsbridge.cli.demo.log_tail import LogTail
from npsbridge.cli.demo.plain import PlainScreen
from npsbridge.cli.demo.story import Story
from unit.cli.demo.examples import standing, view


def test_the_history_is_told_by_quarters(capsys: pytest.CaptureFixture[str]) -> None:
    screen = PlainScreen(Story())
    for percent in range(0, 101, 5):
        screen.show(view(history=percent / 100))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0].strip() for line in lines] == [f"history {part}%" for part in (25, 50, 75)]


def test_a_quarter_says_how_many_answers_of_each_platform_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    PlainScreen(Story()).show(view(history=0.3, standings=[standing(told=1200), standing("retently", told=7)]))
    assert capsys.readouterr().out == "  history 30%: Delighted 1,200, Retently 7 answers at Segment\n"


def test_what_happens_is_told_when_it_begins_and_when_it_has_ended(capsys: pytest.CaptureFixture[str]) -> None:
    story = Story()
    PlainScreen(story).open()
    with story.beat("Segment is away") as beat:
        beat.outcome = "nothing lost"
    assert capsys.readouterr().out.splitlines()[1:] == ["Segment is away ...", "  nothing lost"]


def test_the_log_is_kept_to_its_last_lines() -> None:
    log = LogTail()
    for number in range(10):
        log.write(f"line {number}\n")
    assert list(log.lines) == ["line 7", "line 8", "line 9"]


def test_a_log_that_is_handed_on_is_not_kept() -> None:
    out = io.StringIO()
    log = LogTail(forward_to=out)
    log.write("line\n")
    log.flush()
    assert (out.getvalue(), list(log.lines)) == ("line\n", [])
