"""The shape of our SQLite files, as numbered upgrades from nothing to today.

An upgrade and its number become true in one transaction, so a crash leaves the old shape or the new one. An upgrade
that has been released is never edited; the next one is added behind it.
"""

import sqlite3
from collections.abc import Sequence

APPLICATION_ID = 0x4E505342
"""`NPSB`: the file header's word for whose file it is (SQLite's documentation, "Database File Format", 1.3.17)."""

Upgrade = tuple[str, ...]

JOURNAL: Upgrade = (
    # The last numbers given. Order is told by them, so that of a deleted row must not come back; AUTOINCREMENT sees to
    # that row by row, at a third of the price of an insert, this for a whole transaction at once.
    "CREATE TABLE numbers (name TEXT PRIMARY KEY, last INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    "INSERT INTO numbers (name, last) VALUES ('journal', 0), ('outbox', 0)",
    # Words are checked with OR, because SQLite builds a list after IN anew for every row, at the price of the insert.
    """
    CREATE TABLE journal (
        id INTEGER PRIMARY KEY,
        connection TEXT NOT NULL,
        origin TEXT NOT NULL
            CHECK (origin = 'backfill' OR origin = 'poll' OR origin = 'webhook' OR origin = 'import'),
        count INTEGER NOT NULL CHECK (count >= 0),
        received_at INTEGER NOT NULL,
        body BLOB NOT NULL
    ) STRICT
    """,
    # Apart from the journal, so that routing deletes ten bytes here instead of rewriting a body of 500 KB there.
    """
    CREATE TABLE unrouted (
        journal_id INTEGER PRIMARY KEY REFERENCES journal (id),
        count INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE TABLE checkpoints (connection TEXT PRIMARY KEY, checkpoint BLOB NOT NULL) STRICT, WITHOUT ROWID",
)

ANSWERS: Upgrade = (
    """
    CREATE TABLE responses (
        connection TEXT NOT NULL,
        response_id TEXT NOT NULL,
        revision INTEGER NOT NULL CHECK (revision >= 0),
        milestones TEXT NOT NULL,
        settle_at INTEGER,
        email TEXT,
        journal_id INTEGER,
        content BLOB NOT NULL
    ) STRICT
    """,
    "CREATE UNIQUE INDEX responses_id ON responses (response_id, connection)",
    "CREATE INDEX responses_email ON responses (email) WHERE email IS NOT NULL",
    "CREATE INDEX responses_settling ON responses (settle_at) WHERE settle_at IS NOT NULL",
    "CREATE TABLE newest (person TEXT PRIMARY KEY, answered_at INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    """
    CREATE TABLE identities (
        email TEXT PRIMARY KEY CHECK (email = lower(email)),
        user_id TEXT,
        anonymous_id TEXT
    ) STRICT, WITHOUT ROWID
    """,
)

OUTBOX: Upgrade = (
    """
    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY,
        connection TEXT NOT NULL,
        person TEXT NOT NULL,
        kind TEXT NOT NULL,
        message_id TEXT NOT NULL,
        subject TEXT,
        state TEXT NOT NULL CHECK (
            state = 'queued' OR state = 'waiting' OR state = 'inflight' OR state = 'held' OR state = 'delivered'
            OR state = 'dead' OR state = 'filtered' OR state = 'duplicate' OR state = 'expired' OR state = 'erased'
        ),
        attempts INTEGER NOT NULL DEFAULT 0,
        reason TEXT,
        created_at INTEGER NOT NULL,
        next_attempt_at INTEGER,
        settled_at INTEGER,
        journal_id INTEGER,
        CHECK ((state = 'waiting') = (next_attempt_at IS NOT NULL))
    ) STRICT
    """,
    # Apart from the outbox, because states change and bodies never do: to settle writes little, also on a full disk.
    """
    CREATE TABLE bodies (
        delivery_id INTEGER PRIMARY KEY REFERENCES outbox (id) ON DELETE CASCADE,
        body BLOB NOT NULL
    ) STRICT
    """,
    "CREATE UNIQUE INDEX outbox_message ON outbox (message_id, connection)",
    "CREATE INDEX outbox_subject ON outbox (subject) WHERE subject IS NOT NULL",
    # Every index below is partial: a row is in the few that its state needs, and a claim finds the next ready row of
    # a connection in the same number of steps whether a thousand or a million wait behind it.
    "CREATE INDEX outbox_queued ON outbox (connection) WHERE state = 'queued'",
    "CREATE INDEX outbox_due ON outbox (connection, next_attempt_at) WHERE state = 'waiting'",
    "CREATE INDEX outbox_waiting ON outbox (connection, person, next_attempt_at) WHERE state = 'waiting'",
    "CREATE INDEX outbox_inflight ON outbox (connection, person) WHERE state = 'inflight'",
    """
    CREATE INDEX outbox_shelf ON outbox (connection, state)
    WHERE state <> 'queued' AND state <> 'waiting' AND state <> 'inflight' AND state <> 'delivered'
    """,
    "CREATE INDEX outbox_finished ON outbox (state, settled_at) WHERE settled_at IS NOT NULL",
)

NOTES: Upgrade = (
    "CREATE TABLE ledger (name TEXT PRIMARY KEY, amount INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    """
    INSERT INTO ledger (name, amount)
    VALUES ('accepted', 0), ('delivered', 0), ('dead', 0), ('filtered', 0), ('duplicate', 0), ('expired', 0),
           ('erased', 0)
    """,
    """
    CREATE TABLE health (
        connection TEXT NOT NULL,
        direction TEXT NOT NULL CHECK (direction IN ('pull', 'forward')),
        state TEXT NOT NULL,
        reason TEXT,
        since INTEGER NOT NULL,
        PRIMARY KEY (connection, direction)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE filler (content BLOB NOT NULL) STRICT",
)

HINTS: Upgrade = (
    # What unsigned webhooks spoke of, until it is read back. A few rows, gone within seconds.
    """
    CREATE TABLE hints (
        id INTEGER PRIMARY KEY,
        connection TEXT NOT NULL,
        hint TEXT NOT NULL,
        heard_at INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE UNIQUE INDEX hints_once ON hints (hint, connection)",
)

PEOPLE: Upgrade = (
    # The number tells who is older; the key of a person is made of it.
    """
    CREATE TABLE persons (
        number INTEGER PRIMARY KEY,
        email TEXT,
        content BLOB NOT NULL
    ) STRICT
    """,
    "CREATE INDEX persons_email ON persons (email) WHERE email IS NOT NULL",
    """
    CREATE TABLE person_ids (
        kind TEXT NOT NULL CHECK (kind = 'user_id' OR kind = 'anonymous_id' OR kind = 'email'),
        value TEXT NOT NULL,
        number INTEGER NOT NULL REFERENCES persons (number) ON DELETE CASCADE,
        PRIMARY KEY (kind, value)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX person_ids_number ON person_ids (number)",
    """
    CREATE TABLE redirects (
        newer INTEGER PRIMARY KEY,
        number INTEGER NOT NULL REFERENCES persons (number) ON DELETE CASCADE
    ) STRICT
    """,
    "CREATE INDEX redirects_number ON redirects (number)",
    "INSERT INTO numbers (name, last) VALUES ('persons', 0)",
    # What stays of an erased person must recognise them and tell nobody else who they were: a digest under a key that
    # is drawn here, once for each store, by SQLite's own generator.
    "CREATE TABLE suppressions (digest TEXT PRIMARY KEY, reason TEXT NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE digest_key (key BLOB NOT NULL) STRICT",
    "INSERT INTO digest_key (key) VALUES (randomblob(32))",
    # Only deliveries to survey platforms are in it: by the key of a person they are found again when that key changes.
    "CREATE INDEX outbox_person ON outbox (person) WHERE person GLOB 'person:*'",
)

CALLS: Upgrade = (
    # Calls of SDKs are an origin of their own; SQLite changes a check only by making the table anew.
    """
    CREATE TABLE journal_with_calls (
        id INTEGER PRIMARY KEY,
        connection TEXT NOT NULL,
        origin TEXT NOT NULL
            CHECK (origin = 'backfill' OR origin = 'poll' OR origin = 'webhook' OR origin = 'import' OR origin = 'sdk'),
        count INTEGER NOT NULL CHECK (count >= 0),
        received_at INTEGER NOT NULL,
        body BLOB NOT NULL
    ) STRICT
    """,
    "INSERT INTO journal_with_calls SELECT id, connection, origin, count, received_at, body FROM journal",
    "CREATE TABLE unrouted_before (journal_id INTEGER, count INTEGER)",
    "INSERT INTO unrouted_before SELECT journal_id, count FROM unrouted",
    "DROP TABLE unrouted",
    "DROP TABLE journal",
    "ALTER TABLE journal_with_calls RENAME TO journal",
    """
    CREATE TABLE unrouted (
        journal_id INTEGER PRIMARY KEY REFERENCES journal (id),
        count INTEGER NOT NULL
    ) STRICT
    """,
    "INSERT INTO unrouted (journal_id, count) SELECT journal_id, count FROM unrouted_before",
    "DROP TABLE unrouted_before",
    # messageIds of calls by digest, as far back as the journal goes; numbered, so that the oldest are found at once.
    """
    CREATE TABLE seen (
        id INTEGER PRIMARY KEY,
        digest BLOB NOT NULL UNIQUE,
        seen_at INTEGER NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE said (
        person TEXT NOT NULL,
        connection TEXT NOT NULL,
        fingerprint BLOB NOT NULL,
        PRIMARY KEY (person, connection)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE awaited (
        id INTEGER PRIMARY KEY,
        connection TEXT NOT NULL,
        person TEXT NOT NULL,
        message_id TEXT NOT NULL,
        reason TEXT NOT NULL,
        expires_at INTEGER NOT NULL,
        call BLOB NOT NULL,
        UNIQUE (message_id, connection)
    ) STRICT
    """,
    "CREATE INDEX awaited_person ON awaited (person)",
    "CREATE INDEX awaited_expiry ON awaited (expires_at)",
)

STEERING: Upgrade = (
    # How long a delivery is tried counts from here once a person had it sent again; when it was accepted stays true.
    "ALTER TABLE outbox ADD COLUMN retried_at INTEGER",
)

FACETS: Upgrade = (
    # By what answers are found and counted (npsbridge.core.views.facets), beside the content that says it as well.
    "ALTER TABLE responses ADD COLUMN answered_at INTEGER",
    "ALTER TABLE responses ADD COLUMN survey_type TEXT",
    "ALTER TABLE responses ADD COLUMN score REAL",
    "ALTER TABLE responses ADD COLUMN campaign TEXT",
    "ALTER TABLE responses ADD COLUMN has_comment INTEGER",
    # `2026-03-01T12:00:00.123456Z`, the fraction only where there is one; SQLite itself would round it up.
    """
    UPDATE responses SET
        survey_type = kept.survey_type, score = kept.score, campaign = kept.campaign, has_comment = kept.has_comment,
        answered_at = CASE WHEN kept.is_answer THEN
            CAST(strftime('%s', substr(kept.created_at, 1, 19)) AS INTEGER) * 1000
            + CASE WHEN substr(kept.created_at, 20, 1) = '.' THEN substr(kept.created_at, 21, 3) ELSE 0 END
        END
    FROM (
        SELECT number, json_extract(content, '$.survey_type') AS survey_type,
            json_extract(content, '$.score') AS score,
            coalesce(nullif(json_extract(content, '$.campaign.name'), ''), json_extract(content, '$.campaign.id'))
                AS campaign,
            coalesce(json_extract(content, '$.comment'), '') <> '' AS has_comment,
            json_extract(content, '$.created_at') AS created_at,
            NOT coalesce(json_extract(content, '$.viewed'), 0)
                AND NOT coalesce(json_extract(content, '$.dismissed'), 0) AS is_answer
        FROM (SELECT rowid AS number, CAST(content AS TEXT) AS content FROM responses)
    ) AS kept
    WHERE responses.rowid = kept.number
    """,
    # Whoever looks asks connection by connection for a stretch of time, and is answered from here without the rows.
    """
    CREATE INDEX responses_answered ON responses (connection, answered_at, survey_type, score, campaign, has_comment)
    WHERE answered_at IS NOT NULL
    """,
)

ONCE: Upgrade = (
    # A message is told from others by what it speaks of first: responses come in some order, and with them their
    # places in the index, where the messageIds, which are digests, would each change a page of their own.
    "DROP INDEX outbox_subject",
    "DROP INDEX outbox_message",
    "CREATE UNIQUE INDEX outbox_subject ON outbox (subject, message_id, connection) WHERE subject IS NOT NULL",
    "CREATE UNIQUE INDEX outbox_message ON outbox (message_id, connection) WHERE subject IS NULL",
)

WITNESS: Upgrade = (
    # How many commits daemons have made, and whether one has the store open; see npsbridge.store.sqlite.witness.
    "CREATE TABLE witness (commits INTEGER NOT NULL, in_use INTEGER NOT NULL) STRICT",
    "INSERT INTO witness (commits, in_use) VALUES (0, 0)",
)

INTENTS: Upgrade = (
    # When a request for a survey left last, and whom it was about as its vendor tells people apart: what the vendor
    # shows of one of them may be another's. None where it certainly came to nothing.
    "ALTER TABLE outbox ADD COLUMN recipient TEXT",
    "ALTER TABLE outbox ADD COLUMN set_out_at INTEGER",
    "CREATE INDEX outbox_recipient ON outbox (recipient, connection) WHERE recipient IS NOT NULL",
)

PERSONS_ALONE: Upgrade = (
    # Who is who is in `persons`. Nothing that npsbridge ever did wrote a row here, so nothing is carried over.
    "DROP TABLE identities",
)

UPGRADES: tuple[Upgrade, ...] = (
    JOURNAL + ANSWERS + OUTBOX + NOTES,
    HINTS,
    PEOPLE,
    CALLS,
    STEERING,
    FACETS,
    ONCE,
    WITNESS,
    INTENTS,
    PERSONS_ALONE,
)
"""The n-th one leads from version n-1 to version n."""


def upgrade(database: sqlite3.Connection, upgrades: Sequence[Upgrade] = UPGRADES) -> None:
    """Bring an open file to the newest version, one transaction for each step."""
    while (version := version_of(database)) < len(upgrades):
        _take_step(database, version + 1, upgrades[version])


def version_of(database: sqlite3.Connection) -> int:
    """The number of the last upgrade that the file has seen; 0 for a new file."""
    (version,) = database.execute("PRAGMA user_version").fetchone()
    return int(version)


def _take_step(database: sqlite3.Connection, number: int, statements: Upgrade) -> None:
    database.execute("BEGIN IMMEDIATE")
    try:
        for statement in statements:
            database.execute(statement)
        # Pragmas take no parameters; both values are numbers of our own.
        database.execute(f"PRAGMA application_id = {APPLICATION_ID:d}")
        database.execute(f"PRAGMA user_version = {number:d}")
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise
