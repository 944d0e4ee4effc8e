"""What is printed for people."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.cli import show
from npsbridge.cli.show import console, readable, table


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
