"""How SQLite finds what a person wants sent again: by the indexes, and never by sorting a whole table."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from npsbridge.store.sqlite import statements as sql
from npsbridge.store.sqlite.upgrades import UPGRADES, upgrade

WISH = dict.fromkeys(("connection", "before", "reached", "after", "limit", "states"), 1)


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        upgrade(opened)
        yield opened


def plan(database: sqlite3.Connection, statement: str) -> list[str]:
    return [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {statement}", WISH)]


def test_what_was_sent_is_read_along_its_index(database: sqlite3.Connection) -> None:
    lines = plan(database, sql.SENT)
    assert lines[0].startswith("SEARCH sent USING INDEX outbox_finished (state=? AND settled_at>")
    assert not any("SCAN" in line or "TEMP B-TREE" in line for line in lines)


def test_what_is_chosen_goes_on_at_the_id_behind_the_last(database: sqlite3.Connection) -> None:
    lines = plan(database, sql.CHOSEN)
    assert lines[0] == "SEARCH outbox USING INTEGER PRIMARY KEY (rowid>?)"
    assert not any("TEMP B-TREE" in line for line in lines)


def test_the_untold_are_found_by_the_subjects_of_the_outbox(database: sqlite3.Connection) -> None:
    lines = plan(database, sql.UNTOLD)
    assert lines[0] == "SEARCH responses USING INTEGER PRIMARY KEY (rowid>?)"
    assert any("outbox USING COVERING INDEX outbox_subject (subject=?)" in line for line in lines)
    assert not any("TEMP B-TREE" in line for line in lines)


def test_i21_deliveries_of_an_older_release_were_never_sent_again() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as older:
        upgrade(older, UPGRADES[:4])
        older.execute(
            "INSERT INTO outbox (connection, person, kind, message_id, state, created_at)"
            " VALUES ('c', 'p', 'k', 'm', 'queued', 1)"
        )
        older.execute("INSERT INTO bodies (delivery_id, body) VALUES (1, x'00')")
        upgrade(older)
        ((*_, created_at, _, _, retried_at, set_out_at, _),) = older.execute(sql.DELIVERY, (1,)).fetchall()
    assert (created_at, retried_at, set_out_at) == (1, None, None)
