"""The SQL of the SQLite store, by name. Times are milliseconds since 1970, states are the words of `State`.

Hot statements name their index: SQLite then refuses to run them in any slower way. A state is spelled out wherever a
partial index depends on it.
"""

from functools import cache
from typing import Final

from npsbridge.core.model import State
from npsbridge.store.sqlite.bulk import Insert

TAKE_NUMBERS: Final = "UPDATE numbers SET last = last + ? WHERE name = ? RETURNING last"

# --- journal ----------------------------------------------------------------------------------------------------

ADD_ARRIVAL: Final = Insert(
    "INSERT INTO journal (id, connection, origin, count, received_at, body)", "(?, ?, ?, ?, ?, ?)"
)
AWAIT_ROUTING: Final = """
    INSERT INTO unrouted (journal_id, count) SELECT id, count FROM journal WHERE id >= ?
"""
END_WAITING: Final = """
    DELETE FROM unrouted WHERE journal_id IN (SELECT value FROM json_each(?)) RETURNING journal_id, count
"""
# Up to the first with which there are as many bytes: to know the length of a body takes no look at it. They come in
# their order, which is not asked for once more, because SQLite would put the bodies aside to sort them.
_UNROUTED: Final = """
    SELECT id, connection, origin, count, received_at, body
    FROM (
        SELECT id AS number, sum(length(body)) OVER (ORDER BY unrouted.journal_id) - length(body) AS before
        FROM unrouted CROSS JOIN journal ON journal.id = unrouted.journal_id
        {condition} ORDER BY unrouted.journal_id LIMIT :limit
    ) CROSS JOIN journal ON journal.id = number
    WHERE before < :bytes
"""
UNROUTED: Final = _UNROUTED.format(condition="")
UNROUTED_ONLY: Final = _UNROUTED.format(condition="WHERE connection = :connection")
ENTRIES: Final = """
    SELECT id, connection, origin, count, received_at, body FROM journal WHERE id IN (:many) ORDER BY id
"""

MOVE_CHECKPOINT: Final = """
    INSERT INTO checkpoints (connection, checkpoint) VALUES (?, ?)
    ON CONFLICT (connection) DO UPDATE SET checkpoint = excluded.checkpoint
"""
CHECKPOINT: Final = "SELECT checkpoint FROM checkpoints WHERE connection = ?"

NOTE_HINT: Final = """
    INSERT INTO hints (connection, hint, heard_at) VALUES (?, ?, ?) ON CONFLICT (hint, connection) DO NOTHING
"""
HINTS: Final = "SELECT hint, heard_at FROM hints WHERE connection = ? ORDER BY id LIMIT ?"
FORGET_HINT: Final = "DELETE FROM hints WHERE connection = ? AND hint = ?"

# --- responses and persons --------------------------------------------------------------------------------------

REMEMBER_RESPONSE: Final = Insert(
    """
    INSERT INTO responses (connection, response_id, revision, milestones, settle_at, email, journal_id, content,
                           answered_at, survey_type, score, campaign, has_comment)
    """,
    "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    """
    ON CONFLICT (response_id, connection) DO UPDATE SET
        revision = excluded.revision, milestones = excluded.milestones, settle_at = excluded.settle_at,
        email = excluded.email, journal_id = coalesce(excluded.journal_id, journal_id), content = excluded.content,
        answered_at = excluded.answered_at, survey_type = excluded.survey_type, score = excluded.score,
        campaign = excluded.campaign, has_comment = excluded.has_comment
    """,
)
IS_SETTLING: Final = """
    SELECT 1 FROM responses WHERE connection = ? AND response_id = ? AND settle_at IS NOT NULL
"""
SETTLED_RESPONSES: Final = """
    SELECT content, revision, milestones, settle_at FROM responses INDEXED BY responses_settling
    WHERE settle_at <= ? ORDER BY settle_at LIMIT ?
"""
NEXT_SETTLE: Final = "SELECT min(settle_at) FROM responses INDEXED BY responses_settling WHERE settle_at IS NOT NULL"

NOTE_NEWEST: Final = Insert(
    "INSERT INTO newest (person, answered_at)",
    "(?, ?)",
    "ON CONFLICT (person) DO UPDATE SET answered_at = max(answered_at, excluded.answered_at)",
)

# --- outbox -----------------------------------------------------------------------------------------------------

OWE: Final = Insert(
    """
    INSERT INTO outbox (id, connection, person, kind, message_id, subject, state, attempts, reason, created_at,
                        next_attempt_at, settled_at, journal_id)
    """,
    "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    # There are two unique indexes, one for what speaks of something and one for what does not.
    "ON CONFLICT DO NOTHING",
)
# The same for what may go at once, which is nearly everything: what such rows have in common need not be bound.
OWE_AT_ONCE: Final = Insert(
    """
    INSERT INTO outbox (id, connection, person, kind, message_id, subject, state, attempts, reason, created_at,
                        next_attempt_at, settled_at, journal_id)
    """,
    "(?, ?, ?, ?, ?, ?, 'queued', 0, NULL, ?, NULL, NULL, ?)",
    OWE.tail,
)
KEEP_BODY: Final = Insert("INSERT INTO bodies (delivery_id, body)", "(?, ?)")
# Of these numbers, those that OWE has used: the others' messages were known.
TAKEN: Final = "SELECT id FROM outbox WHERE id BETWEEN ? AND ?"
TRY_SHELF_AGAIN: Final = """
    UPDATE outbox INDEXED BY outbox_message SET attempts = attempts + 1
    WHERE message_id = ? AND connection = ? AND subject IS NULL
"""
SETTLE: Final = """
    UPDATE outbox SET state = ?, attempts = attempts + ?, reason = ?, next_attempt_at = ?, settled_at = ?
    WHERE id IN (SELECT value FROM json_each(?)) AND (state = 'queued' OR state = 'waiting' OR state = 'inflight')
"""
SET_OUT: Final = """
    UPDATE outbox SET recipient = ?, set_out_at = ? WHERE id = ? AND state = 'inflight'
"""
# Before the new state is written: what is owed no longer keeps its intent.
TAKE_BACK: Final = """
    UPDATE outbox SET recipient = NULL, set_out_at = NULL
    WHERE id IN (SELECT value FROM json_each(?)) AND recipient IS NOT NULL
      AND (state = 'queued' OR state = 'waiting' OR state = 'inflight')
"""
NEXT_DUE: Final = """
    SELECT min(next_attempt_at) FROM outbox INDEXED BY outbox_due WHERE connection = ? AND state = 'waiting'
"""

_DELIVERY: Final = """
    SELECT id, connection, person, kind, message_id, body, state, attempts, reason, created_at, next_attempt_at,
           subject, retried_at, set_out_at, settled_at
    FROM outbox CROSS JOIN bodies ON bodies.delivery_id = outbox.id
"""
INFLIGHT: Final = f"{_DELIVERY} WHERE connection = ? AND state = 'inflight' ORDER BY id"
STILL_OWED: Final = "SELECT id FROM outbox WHERE id IN (:many) AND state IN ('queued', 'waiting', 'inflight')"
BESIDE: Final = f"""
    {_DELIVERY} WHERE id IN (
        SELECT other.id FROM outbox AS one JOIN outbox AS other INDEXED BY outbox_recipient
            ON other.recipient = one.recipient AND other.connection = one.connection
        WHERE one.id = :number AND other.recipient IS NOT NULL
        UNION
        SELECT other.id FROM outbox AS one JOIN outbox AS other INDEXED BY outbox_person
            ON other.person = one.person AND other.connection = one.connection
        WHERE one.id = :number AND other.person GLOB 'person:*' AND other.recipient IS NOT NULL
    ) AND id <> :number
    ORDER BY set_out_at DESC, id DESC LIMIT :limit
"""  # noqa: S608 - put together from constants
# Whether an earlier delivery of the same person holds this one up: one that is on its way, or that waits for a time
# which has not come. An earlier one that is ready holds nobody up, because it is part of the same claim. Nearly always
# there is none of anybody, which is found out once; no row is then looked at but in the index.
_MAY_GO: Final = """
    (NOT (
        EXISTS (SELECT 1 FROM outbox INDEXED BY outbox_inflight WHERE connection = :connection AND state = 'inflight')
        OR EXISTS (
            SELECT 1 FROM outbox INDEXED BY outbox_due
            WHERE connection = :connection AND state = 'waiting' AND next_attempt_at > :now
        )
    ) OR NOT (
        EXISTS (
            SELECT 1 FROM outbox AS earlier INDEXED BY outbox_inflight
            WHERE earlier.connection = :connection AND earlier.person = ready.person AND earlier.state = 'inflight'
              AND earlier.id > :after AND earlier.id < ready.id
        ) OR EXISTS (
            SELECT 1 FROM outbox AS earlier INDEXED BY outbox_waiting
            WHERE earlier.connection = :connection AND earlier.person = ready.person AND earlier.state = 'waiting'
              AND earlier.next_attempt_at > :now AND earlier.id > :after AND earlier.id < ready.id
        )
    ))
"""
_READY: Final = f"""
    SELECT id FROM (
        SELECT id FROM outbox AS ready INDEXED BY outbox_queued
        WHERE connection = :connection AND state = 'queued' AND id > :after AND {_MAY_GO}
        ORDER BY id LIMIT :limit
    )
    UNION ALL
    SELECT id FROM (
        SELECT id FROM outbox AS ready INDEXED BY outbox_due
        WHERE connection = :connection AND state = 'waiting' AND next_attempt_at <= :now AND id > :after AND {_MAY_GO}
        ORDER BY id LIMIT :limit
    )
"""  # noqa: S608 - put together from constants
CLAIM: Final = f"{_DELIVERY} WHERE id IN ({_READY}) ORDER BY id LIMIT :limit"
CLAIM_NUMBERS: Final = f"{_READY} ORDER BY id LIMIT :limit"

_SHELF: Final = "state <> 'queued' AND state <> 'waiting' AND state <> 'inflight' AND state <> 'delivered'"


@cache
def newest_deliveries(state: State | None, *, of_connection: bool) -> str:
    """The statement that lists deliveries, newest first, with the conditions that are asked for."""
    conditions = ["connection = :connection"] if of_connection else []
    if state is not None:
        conditions.append(f"state = '{state}'")
    if state not in _NOT_ON_SHELF:
        conditions.append(_SHELF)
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"{_DELIVERY} {where} ORDER BY id DESC LIMIT :limit"


_NOT_ON_SHELF: Final = frozenset({None, State.QUEUED, State.WAITING, State.INFLIGHT, State.DELIVERED})
DEPTHS: Final = f"""
    SELECT connection, 'queued', count(*) FROM outbox INDEXED BY outbox_queued
    WHERE state = 'queued' GROUP BY connection
    UNION ALL
    SELECT connection, 'waiting', count(*) FROM outbox INDEXED BY outbox_due
    WHERE state = 'waiting' GROUP BY connection
    UNION ALL
    SELECT connection, 'inflight', count(*) FROM outbox INDEXED BY outbox_inflight
    WHERE state = 'inflight' GROUP BY connection
    UNION ALL
    SELECT connection, state, count(*) FROM outbox INDEXED BY outbox_shelf
    WHERE {_SHELF} GROUP BY connection, state
"""  # noqa: S608 - put together from constants
# The queued ones leap from connection to connection in the index instead of passing every row.
OLDEST_OWED: Final = """
    WITH RECURSIVE queued (connection) AS (
        SELECT min(connection) FROM outbox INDEXED BY outbox_queued WHERE state = 'queued'
        UNION ALL
        SELECT (SELECT min(connection) FROM outbox INDEXED BY outbox_queued
                WHERE state = 'queued' AND connection > queued.connection)
        FROM queued WHERE connection IS NOT NULL
    ), oldest (id) AS (
        SELECT (SELECT min(id) FROM outbox INDEXED BY outbox_queued
                WHERE state = 'queued' AND connection = queued.connection)
        FROM queued
        UNION ALL
        SELECT min(id) FROM outbox INDEXED BY outbox_due WHERE state = 'waiting' GROUP BY connection
        UNION ALL
        SELECT min(id) FROM outbox INDEXED BY outbox_inflight WHERE state = 'inflight' GROUP BY connection
    )
    SELECT connection, created_at FROM outbox WHERE id IN (SELECT id FROM oldest) ORDER BY id DESC
"""

# --- what a person decides ---------------------------------------------------------------------------------------

# In the order of their ids, whatever their state: the table is passed once, piece by piece.
CHOSEN: Final = """
    SELECT id, connection, person, kind, message_id, body, state, attempts, reason, created_at, next_attempt_at,
           subject, retried_at, set_out_at, settled_at
    FROM outbox NOT INDEXED CROSS JOIN bodies ON bodies.delivery_id = outbox.id
    WHERE id > :after AND state IN (SELECT value FROM json_each(:states))
      AND (:connection IS NULL OR connection = :connection)
    ORDER BY id LIMIT :limit
"""
# What was shelved is about nobody in particular, and is no request that could be sent.
SEND_AGAIN: Final = """
    UPDATE outbox SET state = 'queued', reason = NULL, next_attempt_at = NULL, settled_at = NULL, retried_at = ?
    WHERE id = ? AND state = ? AND person <> ''
"""
# What a person found to have happened after all.
CONFIRM: Final = """
    UPDATE outbox SET state = 'delivered', reason = ?, settled_at = ? WHERE id = ? AND state = 'held'
"""
UNSHELVE: Final = "DELETE FROM outbox WHERE id = ? AND state = 'dead' AND person = ''"
DROP: Final = """
    UPDATE outbox SET state = 'filtered', reason = ?, next_attempt_at = NULL, settled_at = ? WHERE id = ? AND state = ?
"""
# In the order in which they arrived there, which for each person is that of their ids.
SENT: Final = """
    SELECT id, kind, subject, settled_at, NOT EXISTS (
        SELECT 1 FROM outbox AS later INDEXED BY outbox_subject
        WHERE later.subject = sent.subject AND later.connection = sent.connection AND later.kind = sent.kind
          AND later.id > sent.id AND later.state IN ('delivered', 'queued', 'waiting', 'inflight')
    ) AND NOT EXISTS (
        SELECT 1 FROM outbox AS later INDEXED BY outbox_person
        WHERE later.person = sent.person AND later.person GLOB 'person:*' AND later.connection = sent.connection
          AND later.kind = sent.kind AND later.id > sent.id
          AND later.state IN ('delivered', 'queued', 'waiting', 'inflight')
    )
    FROM outbox AS sent INDEXED BY outbox_finished
    WHERE settled_at IS NOT NULL AND state = 'delivered' AND connection = :connection
      AND settled_at < :before AND (settled_at, id) > (:reached, :after)
    ORDER BY settled_at, id LIMIT :limit
"""
UNTOLD: Final = """
    SELECT rowid, content, revision, milestones, settle_at FROM responses
    WHERE rowid > :after AND settle_at IS NULL AND NOT EXISTS (
        SELECT 1 FROM outbox WHERE outbox.connection = :connection
          AND subject = responses.connection || '/' || responses.response_id
    )
    ORDER BY rowid LIMIT :limit
"""

# --- tracing ----------------------------------------------------------------------------------------------------

TRACED_RESPONSES: Final = """
    SELECT content, revision, milestones, settle_at FROM responses WHERE response_id = ? OR email = ?
"""
# An index is passed from its beginning to its end for a message that speaks of a response (0.1 s for a million rows): a
# person asks for one of them now and then, while an index by message would be in the way of every delivery.
SUBJECTS_OF_MESSAGE: Final = """
    SELECT DISTINCT subject FROM outbox INDEXED BY outbox_subject WHERE message_id = ? AND subject IS NOT NULL
"""
RESPONSES_BY_SUBJECT: Final = """
    SELECT content, revision, milestones, settle_at FROM responses WHERE connection = ? AND response_id = ?
"""
DELIVERY: Final = f"{_DELIVERY} WHERE id = ?"
DELIVERIES_OF_MESSAGE: Final = f"""
    {_DELIVERY} WHERE id IN (
        SELECT id FROM outbox INDEXED BY outbox_subject WHERE message_id = :key AND subject IS NOT NULL
        UNION ALL
        SELECT id FROM outbox INDEXED BY outbox_message WHERE message_id = :key AND subject IS NULL
    ) ORDER BY id
"""  # noqa: S608 - put together from constants
# What a Segment call led to has the call's messageId, a colon and the kind; `;` is the character behind the colon.
DELIVERIES_OF_CALL: Final = f"""
    {_DELIVERY.replace("FROM outbox", "FROM outbox INDEXED BY outbox_message")}
    WHERE message_id >= ? AND message_id < ? AND subject IS NULL ORDER BY id
"""
DELIVERIES_OF_PERSON: Final = f"""
    {_DELIVERY} WHERE person GLOB 'person:*' AND person IN (
        SELECT 'person:' || number FROM person_ids WHERE (kind = 'email' OR kind = 'user_id') AND value = ?
    ) ORDER BY id
"""  # noqa: S608 - put together from constants
DELIVERIES_ABOUT: Final = f"{_DELIVERY} WHERE subject IN (:many) ORDER BY id"
SOURCES_OF_DELIVERIES: Final = "SELECT journal_id FROM outbox WHERE id IN (:many) AND journal_id IS NOT NULL"
SOURCES_OF_RESPONSES: Final = """
    SELECT journal_id FROM responses WHERE connection = ? AND response_id IN (:many) AND journal_id IS NOT NULL
"""

# --- ledger, notes, upkeep --------------------------------------------------------------------------------------

COUNT: Final = "UPDATE ledger SET amount = amount + ? WHERE name = ?"
# One statement, hence one snapshot: what moves from one line to another is never seen twice or not at all.
LEDGER: Final = f"""
    SELECT name, amount FROM ledger
    UNION ALL SELECT 'unrouted', coalesce(sum(count), 0) FROM unrouted
    UNION ALL SELECT 'settling', count(*) FROM responses INDEXED BY responses_settling WHERE settle_at IS NOT NULL
    UNION ALL SELECT 'awaited', count(*) FROM awaited
    UNION ALL SELECT 'queued', count(*) FROM outbox INDEXED BY outbox_queued WHERE state = 'queued'
    UNION ALL SELECT 'waiting', count(*) FROM outbox INDEXED BY outbox_due WHERE state = 'waiting'
    UNION ALL SELECT 'inflight', count(*) FROM outbox INDEXED BY outbox_inflight WHERE state = 'inflight'
    UNION ALL SELECT 'held', count(*) FROM outbox INDEXED BY outbox_shelf WHERE state = 'held' AND {_SHELF}
"""  # noqa: S608 - put together from constants

BACKLOG: Final = """
    SELECT (SELECT coalesce(sum(count), 0) FROM unrouted),
           (SELECT received_at FROM journal WHERE id = (SELECT min(journal_id) FROM unrouted)),
           (SELECT count(*) FROM responses INDEXED BY responses_settling WHERE settle_at IS NOT NULL)
"""
AWAITED: Final = "SELECT connection, count(*) FROM awaited GROUP BY connection"
OLDEST_HELD: Final = f"""
    SELECT connection, min(created_at) FROM outbox INDEXED BY outbox_shelf
    WHERE state = 'held' AND {_SHELF} GROUP BY connection
"""  # noqa: S608 - put together from constants

NOTE_HEALTH: Final = """
    INSERT INTO health (connection, direction, state, reason, since) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (connection, direction) DO UPDATE SET
        state = excluded.state, reason = excluded.reason, since = excluded.since
"""
HEALTH: Final = "SELECT connection, direction, state, reason, since FROM health ORDER BY connection, direction"
NOTE_FACT: Final = """
    INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""
FACTS: Final = "SELECT name, value FROM facts ORDER BY name"
ERASURES: Final = "SELECT value FROM facts WHERE name = 'erasures'"
NOTE_ERASURE: Final = """
    INSERT INTO facts (name, value) VALUES ('erasures', '1') ON CONFLICT (name) DO UPDATE SET value = value + 1
"""

# Only the oldest entries are looked at: what is behind them is younger, and passing it all would stall the writer.
PURGE_JOURNAL: Final = """
    DELETE FROM journal WHERE id IN (
        SELECT id FROM (SELECT id, received_at FROM journal ORDER BY id LIMIT :limit) AS oldest
        WHERE received_at <= :before
          AND NOT EXISTS (SELECT 1 FROM unrouted WHERE unrouted.journal_id = oldest.id)
    )
"""
PURGE_OUTBOX: Final = """
    DELETE FROM outbox WHERE id IN (
        SELECT id FROM outbox INDEXED BY outbox_finished
        WHERE settled_at IS NOT NULL AND state = :state AND settled_at <= :before LIMIT :limit
    )
"""
FILL: Final = "INSERT INTO filler (content) VALUES (zeroblob(?))"
EMPTY: Final = "DELETE FROM filler"
DATA_VERSION: Final = "PRAGMA data_version"
