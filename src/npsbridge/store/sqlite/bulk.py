"""Many rows in one statement.

Python's driver gives the interpreter away and takes it back for every step of a statement, and `executemany` steps for
every row: while the event loop is busy, each time costs the writer its turn. One statement with many rows is one step.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any, Final, NamedTuple, TypeVar

import orjson

LARGEST: Final = 128
"""Rows of one statement; longer ones gain nothing more."""

Value = TypeVar("Value")


class Insert(NamedTuple):
    """An INSERT in its parts, so that its row can be repeated."""

    head: str
    """Up to and without VALUES."""
    row: str
    """One row with its question marks, in parentheses."""
    tail: str = ""
    """What comes behind the rows, such as ON CONFLICT."""


def insert(database: sqlite3.Connection, into: Insert, rows: Sequence[Sequence[Any]]) -> int:
    """Insert rows inside a transaction of the caller; returns how many rows were inserted or changed."""
    changed = 0
    for some in _pieces(rows):
        changed += database.execute(_statement(into, len(some)), list(chain.from_iterable(some))).rowcount
    return changed


@cache
def _statement(into: Insert, rows: int) -> str:
    return f"{into.head} VALUES {', '.join([into.row] * rows)} {into.tail}"


def _pieces(values: Sequence[Value]) -> Iterator[Sequence[Value]]:
    """Pieces whose lengths are powers of two, so that few prepared statements serve every number of rows."""
    start = 0
    while remaining := len(values) - start:
        length = LARGEST if remaining >= LARGEST else 1 << (remaining.bit_length() - 1)
        yield values[start : start + length]
        start += length


def listed(values: Sequence[int] | Sequence[str]) -> str:
    """Values as one parameter, for `IN (SELECT value FROM json_each(?))`: one statement for however many."""
    return orjson.dumps(values).decode()
