"""What is printed for people."""

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from npsbridge.cli import show
from npsbridge.cli.show import console, listing, readable, table


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@given(st.text())
def test_no_value_can_steer_a_terminal(text: str) -> None:
    shown = readable(text).plain.replace("\n", "")
    assert shown == "" or shown.isprintable()


def test_square_brackets_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    console().print(table(None, ["comment"], [["[red]not red[/red] :smile:"]]))
    assert capsys.readouterr().out.split("\n")[1] == "[red]not red[/red] :smile:"


def test_a_pipe_gets_whole_lines(capsys: pytest.CaptureFixture[str]) -> None:
    console().print(table(None, ["id", "reason"], [["1", "word " * 60]]))
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_terminal_gets_lines_that_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("COLUMNS", "40")
    console().print(table(None, ["id", "reason"], [["1", "word " * 20]]))
    rows = terminal.getvalue().splitlines()[1:]
    assert len(rows) > 1
    assert max(map(len, rows)) <= 40


def test_json_can_be_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    show.print_json({"a": [1, 2]}, on_one_line=True)
    assert capsys.readouterr().out == '{"a":[1,2]}\n'


ROW: dict[str, Any] = {"id": 7, "state": "dead", "message_id": "nps-" + "a" * 40, "reason": "HTTP 400: " + "word " * 12}


def printed(row: dict[str, Any], width: int) -> list[str]:
    """A listing of one row on a terminal of some columns."""
    shown = io.StringIO()
    out = Console(width=width, file=shown)
    out.print(listing(list(row), [row], below=("message_id", "reason"), width=width))
    return shown.getvalue().splitlines()


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
def test_a_listing_fits_and_long_words_stay_whole_where_they_can(width: int) -> None:
    lines = printed(ROW, width)
    assert max(map(len, lines)) <= width
    assert (len(lines) == 2) is (width == 200)
    assert width < 60 or any(ROW["message_id"] in line for line in lines)


def test_what_is_not_there_takes_no_line() -> None:
    assert [line for line in printed(ROW | {"reason": None}, 40) if "reason" in line] == []
