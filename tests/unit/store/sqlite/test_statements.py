"""Hot statements must cost the same whatever the size of the store, so their plans are looked at."""

import inspect
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from npsbridge.core.model import State
from npsbridge.store.sqlite import bulk
from npsbridge.store.sqlite import statements as sql
from npsbridge.store.sqlite.upgrades import upgrade


@pytest.fixture(scope="module")
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        upgrade(opened)
        yield opened


def plan(database: sqlite3.Connection, statement: str | bulk.Insert) -> list[str]:
    """What SQLite will do, one line for each table it looks at."""
    if isinstance(statement, bulk.Insert):
        statement = f"{statement.head} VALUES {statement.row}, {statement.row} {statement.tail}"
    statement = statement.replace(":many", "?")
    named = dict.fromkeys(
        ("connection", "now", "limit", "after", "before", "state", "states", "reached", "key", "bytes", "number"), 1
    )
    values = (
        named
        if re.search(r":[a-z]", statement)
        else [1] * len(set(re.findall(r"\?\d", statement)) or statement.count("?") * "?")
    )
    return [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {statement}", values)]


def test_a_claim_seeks_by_its_indexes(database: sqlite3.Connection) -> None:
    lines = plan(database, sql.CLAIM)
    assert any("outbox_queued (connection=? AND rowid>?)" in line for line in lines)
    assert any("outbox_due (connection=? AND next_attempt_at<?)" in line for line in lines)
    assert any("outbox_inflight (connection=? AND person=? AND rowid>? AND rowid<?)" in line for line in lines)
    assert any("outbox_waiting (connection=? AND person=? AND next_attempt_at>?)" in line for line in lines)


@pytest.mark.parametrize("statement", [sql.SUBJECTS_OF_MESSAGE, sql.DELIVERIES_OF_MESSAGE])
def test_a_message_of_a_response_is_looked_for_in_one_index_and_in_no_table(
    database: sqlite3.Connection, statement: str
) -> None:
    lines = plan(database, statement)
    assert any("USING COVERING INDEX outbox_subject (subject>?)" in line for line in lines)
    assert [line for line in lines if line.startswith("SCAN")] == []


HOT = [
    "AWAIT_ROUTING",
    "CHECKPOINT",
    "CLAIM",
    "CLAIM_NUMBERS",
    "DELIVERIES_ABOUT",
    "DELIVERY",
    "END_WAITING",
    "ENTRIES",
    "IS_SETTLING",
    "KEEP_BODY",
    "NEXT_DUE",
    "NEXT_SETTLE",
    "PURGE_OUTBOX",
    "SETTLE",
    "SETTLED_RESPONSES",
    "TRACED_RESPONSES",
    "TRY_SHELF_AGAIN",
]


@pytest.mark.parametrize("name", HOT)
def test_no_hot_statement_reads_a_whole_table(database: sqlite3.Connection, name: str) -> None:
    scans = [line for line in plan(database, getattr(sql, name)) if line.startswith("SCAN")]
    # What stands in brackets is a result of the statement itself, bounded by its limit; the rest is what it was given.
    given = ("(subquery", "CONSTANT", "VALUES", "json_each VIRTUAL TABLE")
    assert [line for line in scans if not any(word in line for word in given)] == []


def test_a_message_is_sought_by_its_index_or_in_the_index_of_subjects_alone(database: sqlite3.Connection) -> None:
    for statement in (sql.DELIVERIES_OF_MESSAGE, sql.SUBJECTS_OF_MESSAGE):
        lines = plan(database, statement)
        assert "SEARCH outbox USING COVERING INDEX outbox_subject (subject>?)" in lines
        assert not any("SCAN" in line for line in lines)
    (line, *_) = plan(database, sql.DELIVERIES_OF_CALL)
    assert "outbox_message (message_id>? AND message_id<?)" in line


def test_the_unrouted_are_read_in_their_order_without_sorting(database: sqlite3.Connection) -> None:
    lines = plan(database, sql.UNROUTED)
    assert "SCAN unrouted" in lines
    assert not any("TEMP B-TREE" in line for line in lines)


def test_counting_walks_the_indexes_of_the_states(database: sqlite3.Connection) -> None:
    for statement in (sql.LEDGER, sql.DEPTHS):
        counted = [line for line in plan(database, statement) if "outbox" in line]
        assert counted
        assert all(" INDEX outbox_" in line for line in counted)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("of_connection", [True, False])
def test_every_listing_is_valid(database: sqlite3.Connection, state: State, *, of_connection: bool) -> None:
    assert plan(database, sql.newest_deliveries(state, of_connection=of_connection))


def test_a_listing_of_the_shelf_seeks_by_the_index_of_the_shelf(database: sqlite3.Connection) -> None:
    (line, *_) = plan(database, sql.newest_deliveries(State.DEAD, of_connection=True))
    assert "outbox_shelf (connection=? AND state=?)" in line


def test_every_statement_has_a_name_and_fits_the_schema(database: sqlite3.Connection) -> None:
    statements = [
        text
        for name, text in inspect.getmembers(sql, lambda member: isinstance(member, str | bulk.Insert))
        if name.isupper() and not name.startswith("_")
    ]
    assert len(statements) > 30
    for statement in statements:
        plan(database, statement)


def test_requests_beside_one_are_found_by_its_recipient_and_its_person(database: sqlite3.Connection) -> None:
    lines = " ".join(plan(database, sql.BESIDE))
    assert "other USING COVERING INDEX outbox_recipient (recipient=? AND connection=?)" in lines
    assert "other USING INDEX outbox_person (person=?)" in lines
    assert "SCAN outbox" not in lines
