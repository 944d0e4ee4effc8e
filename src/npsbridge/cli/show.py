"""Printing: JSON for machines, plain tables for people; no colours when the output is no terminal.

Everything that comes from a vendor is printed as text: it can neither style a table nor steer a terminal.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

_UNBROKEN: Final = 10_000
"""Columns of a pipe or a file, where a line stays a line so that `grep` finds it."""

_MEASURE: Final = Console(width=_UNBROKEN)
"""Only asked how wide things are."""


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


def listing(
    columns: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    *,
    below: Sequence[str],
    width: int,
    title: str | None = None,
) -> RenderableType:
    """A table; where it is wider than the terminal, the long columns, named in `below`, go under their row."""
    made = table(title, columns, [[row.get(column) for column in columns] for row in rows])
    if Measurement.get(_MEASURE, _MEASURE.options, made).maximum <= width:
        return made
    short = [column for column in columns if column not in below]
    cells = [short, *([readable(row.get(column)).plain for column in short] for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    heading, *lines = (Text("  ".join(map(set_cell_size, line, widths)).rstrip()) for line in cells)
    heading.stylize("bold")
    parts: list[RenderableType] = [heading] if title is None else [Text(title, style="bold"), heading]
    for line, row in zip(lines, rows, strict=True):
        parts += [line, *(_under(column, row[column]) for column in below if row.get(column) is not None)]
    return Group(*parts)


def _under(column: str, value: object) -> RenderableType:
    return Padding(Text(f"{column} ", style="dim") + readable(value), (0, 0, 0, 2))


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
