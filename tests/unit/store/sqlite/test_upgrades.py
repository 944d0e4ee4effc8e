import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest

from contract.store.examples import remembered
from contract.store.people import ANN
from npsbridge.core.model import Campaign
from npsbridge.store import rows
from npsbridge.store.sqlite.upgrades import APPLICATION_ID, ONCE, PERSONS_ALONE, UPGRADES, upgrade, version_of

FIRST = ("CREATE TABLE one (x TEXT) STRICT",)
SECOND = ("CREATE TABLE two (x TEXT) STRICT", "INSERT INTO one VALUES ('seen')")
FAILING = ("CREATE TABLE three (x TEXT) STRICT", "INSERT INTO nowhere VALUES (1)")


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        yield opened


def tables(database: sqlite3.Connection) -> set[str]:
    return {name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def test_a_new_file_takes_every_upgrade_and_says_whose_it_is(database: sqlite3.Connection) -> None:
    upgrade(database, (FIRST, SECOND))
    assert version_of(database) == 2
    assert tables(database) == {"one", "two"}
    assert database.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)


def test_an_older_file_takes_only_what_it_has_not_seen(database: sqlite3.Connection) -> None:
    upgrade(database, (FIRST,))
    upgrade(database, (FIRST, SECOND))
    upgrade(database, (FIRST, SECOND))
    assert database.execute("SELECT count(*) FROM one").fetchone() == (1,)


def test_i21_a_failing_upgrade_leaves_the_version_before_it_whole(database: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        upgrade(database, (FIRST, SECOND, FAILING))
    assert (version_of(database), tables(database)) == (2, {"one", "two"})
    upgrade(database, (FIRST, SECOND, FAILING[:1]))
    assert version_of(database) == 3


def test_every_table_of_ours_is_strict(database: sqlite3.Connection) -> None:
    upgrade(database)
    lax = database.execute(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND NOT strict AND name NOT LIKE 'sqlite_%'"
    )
    assert lax.fetchall() == []
    assert version_of(database) == len(UPGRADES)


def test_a_state_is_one_of_the_words(database: sqlite3.Connection) -> None:
    upgrade(database)
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        database.execute(
            "INSERT INTO outbox (connection, person, kind, message_id, state, created_at)"
            " VALUES ('c', 'p', 'k', 'm', 'ready', 1)"
        )


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"score": None, "comment": "", "survey_type": "csat"},
        {"score": 4.5, "comment": "why", "campaign": Campaign(id="c-1", name="Spring")},
        {"campaign": Campaign(id="c-1", name="")},
        {"campaign": Campaign()},
        {"viewed": True},
        {"dismissed": True},
        {"created_at": datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)},
        {"created_at": datetime(2026, 2, 28, 23, 59, 59, 1_999, tzinfo=UTC)},
    ],
)
def test_answers_of_an_older_file_get_the_facets_that_new_ones_get(
    database: sqlite3.Connection, fields: dict[str, Any]
) -> None:
    upgrade(database, UPGRADES[:5])
    row = rows.response_row(remembered(**fields), None)
    database.execute("INSERT INTO responses VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row[:8])
    upgrade(database)
    found = database.execute("SELECT answered_at, survey_type, score, campaign, has_comment FROM responses")
    assert found.fetchone() == row[8:]


def test_i21_deliveries_of_an_older_release_are_told_apart_as_before(database: sqlite3.Connection) -> None:
    upgrade(database, UPGRADES[: UPGRADES.index(ONCE)])
    owed = [("a", "delighted/1"), ("b", "delighted/1"), ("c", None), ("d", None)]
    for message_id, subject in owed:
        _owe(database, message_id, subject)
    upgrade(database)
    found = database.execute("SELECT message_id, subject FROM outbox ORDER BY id").fetchall()
    assert found == owed
    for message_id, subject in owed:
        with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
            _owe(database, message_id, subject)


def test_whom_the_ids_of_an_older_file_name_stays_when_the_table_that_held_nobody_goes(
    database: sqlite3.Connection,
) -> None:
    upgrade(database, UPGRADES[: UPGRADES.index(PERSONS_ALONE)])
    database.execute("INSERT INTO persons VALUES (1, ?, x'7B7D')", (ANN,))
    owners = [("email", ANN, 1), ("user_id", "u1", 1)]
    database.executemany("INSERT INTO person_ids VALUES (?, ?, ?)", owners)
    before = tables(database)
    upgrade(database)
    assert before - tables(database) == {"identities"}
    assert database.execute("SELECT * FROM person_ids ORDER BY kind").fetchall() == owners


def _owe(database: sqlite3.Connection, message_id: str, subject: str | None) -> None:
    database.execute(
        "INSERT INTO outbox (connection, person, kind, message_id, subject, state, created_at)"
        " VALUES ('segment', 'p', 'submit', ?, ?, 'queued', 1)",
        (message_id, subject),
    )
