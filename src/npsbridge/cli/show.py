"""Printing: JSON for machines, plain tables for people; no colours when the output is no terminal.

Everything that comes from a vendor is printed as text: it can neither style a table nor steer a terminal.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

_UNBROKEN: Final = 10_000
"""Columns of a pipe or a file, where a line stays a line so that `grep` finds it."""


def console(*, stderr: bool = False) -> Console:
    """Where people read: standard output, or standard error for what is no result."""
    is_terminal = (sys.stderr if stderr else sys.stdout).isatty()
    width = None if is_terminal or "COLUMNS" in os.environ else _UNBROKEN
    return Console(highlight=False, markup=False, emoji=False, stderr=stderr, width=width)


def print_json(document: object, *, on_one_line: bool = False) -> None:
    """One JSON document to standard output, indented unless it has to stay on its line."""
    option = 0 if on_one_line else orjson.OPT_INDENT_2
    sys.stdout.write(orjson.dumps(document, option=option).decode() + "\n")


def table(title: str | None, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    """A table of texts, without lines."""
    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(readable(cell) for cell in row))
    return made


def details(facts: Mapping[str, Any]) -> Table:
    """Names and values of one thing, a line each."""
    made = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        made.add_row(Text(name, style="bold"), readable(value))
    return made


def readable(value: object) -> Text:
    """A value as text, control characters spelled out; what is not there stays empty."""
    shown = "" if value is None else str(value)
    return Text("".join(one if one.isprintable() or one == "\n" else ascii(one)[1:-1] for one in shown))
