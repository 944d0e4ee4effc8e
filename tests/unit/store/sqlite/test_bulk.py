"""Rows that are written by one statement: all of them, each once, whatever their number."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from npsbridge.store.sqlite.bulk import LARGEST, Insert, insert, listed

INTO = Insert("INSERT INTO one (number, word)", "(?, ?)", "ON CONFLICT DO NOTHING")


class Counting(sqlite3.Connection):
    """Counts the statements that it executes."""

    executed = 0

    def execute(self, statement: str, parameters: object = (), /) -> sqlite3.Cursor:
        self.executed += 1
        return super().execute(statement, parameters)  # type: ignore[arg-type]


@pytest.fixture
def database() -> Iterator[Counting]:
    with closing(sqlite3.connect(":memory:", isolation_level=None, factory=Counting)) as opened:
        opened.execute("CREATE TABLE one (number INTEGER PRIMARY KEY, word TEXT) STRICT")
        yield opened


@pytest.mark.parametrize("count", [0, 1, 2, 3, LARGEST - 1, LARGEST, LARGEST + 1, 3 * LARGEST + 77])
def test_every_row_is_written_once_and_in_order(database: Counting, count: int) -> None:
    rows = [(number, f"word {number}") for number in range(count)]
    assert insert(database, INTO, rows) == count
    assert database.execute("SELECT number, word FROM one ORDER BY rowid").fetchall() == rows


def test_a_row_that_is_there_already_is_not_counted(database: Counting) -> None:
    insert(database, INTO, [(2, "first")])
    assert insert(database, INTO, [(1, "new"), (2, "second"), (3, "new"), (3, "again")]) == 2
    assert database.execute("SELECT word FROM one WHERE number = 2").fetchone() == ("first",)


def test_a_thousand_rows_take_a_dozen_statements(database: Counting) -> None:
    before = database.executed
    insert(database, INTO, [(number, "") for number in range(1_000)])
    assert database.executed - before <= 12


def test_numbers_go_as_one_parameter(database: Counting) -> None:
    insert(database, INTO, [(number, "") for number in range(10)])
    found = database.execute(
        "SELECT number FROM one WHERE number IN (SELECT value FROM json_each(?))", (listed([3, 5, 77]),)
    )
    assert found.fetchall() == [(3,), (5,)]
