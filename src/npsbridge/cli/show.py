"""Printing: JSON for machines, plain tables for people; no colours when the output is no terminal."""

import sys
from collections.abc import Sequence
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table


def console() -> Console:
    """Where people read."""
    return Console(highlight=False)


def print_json(document: object) -> None:
    """One JSON document, indented, to standard output."""
    sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")


def table(title: str | None, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    """A table whose last column takes what room is left."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        made.add_column(column, overflow="fold", ratio=1 if number == len(columns) - 1 else None)
    for row in rows:
        made.add_row(*("" if cell is None else str(cell) for cell in row))
    return made
