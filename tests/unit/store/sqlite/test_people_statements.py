"""Statements that run for every call, or when persons are united, cost the same whatever the size of the store."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from npsbridge.store.sqlite import erasure, people, recalling
from npsbridge.store.sqlite.upgrades import upgrade


@pytest.fixture(scope="module")
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        upgrade(opened)
        yield opened


HOT = [
    people.OWNERS,
    people.PERSONS,
    people.REDIRECTED,
    people.SUPPRESSED,
    recalling.RECALL,
    people.EXISTING,
    people.ERASED_OF,
    people.DELETE,
    people.NOTE_COUNTER,
    *people.REDIRECT,
    people.REKEY,
    erasure.NAMED,
    erasure.IDS,
    erasure.HAVE_EMAIL,
    erasure.OF_PERSON,
    erasure.OF_SUBJECT,
    erasure.RESPONSES_OF_EMAIL,
    erasure.INHERIT,
    erasure.FORGET_NEWEST,
]


@pytest.mark.parametrize("statement", HOT)
def test_nothing_is_looked_through_row_by_row(database: sqlite3.Connection, statement: str) -> None:
    statement = re.sub(r":(many|responses|people|emails)", "?, ?", statement)
    named = dict.fromkeys(("older", "newer", "kind", "value", "email"), "1")
    values = named if ":" in statement.replace("'person:*'", "") else ["1"] * statement.count("?")
    lines = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
    given = ("CONSTANT", "json_each VIRTUAL TABLE")
    assert [line for line in lines if line.startswith("SCAN") and not any(word in line for word in given)] == []
