"""The SQL of the PostgreSQL store, by name. Times are milliseconds since 1970, states are the words of `State`.

Many rows travel as one array for each column. A state is spelled out wherever a partial index depends on it.
"""

from functools import cache
from typing import Final

from npsbridge.core.model import State

# --- journal ----------------------------------------------------------------------------------------------------

# One statement, hence one transaction and one round trip: the entries, that they wait, and what the ledger counts.
APPEND: Final = """
    WITH added AS (
        INSERT INTO journal (connection, origin, count, received_at, body)
        SELECT connection, origin, count, received_at, body
        FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bytea[]) WITH ORDINALITY
            AS given (connection, origin, count, received_at, body, place)
        ORDER BY place
        RETURNING id, count
    ), waiting AS (
        INSERT INTO unrouted (journal_id, count) SELECT id, count FROM added
    )
    INSERT INTO ledger (name, shard, amount) SELECT 'accepted', $6, coalesce(sum(count), 0) FROM added
    ON CONFLICT (name, shard) DO UPDATE SET amount = ledger.amount + excluded.amount
"""
JOURNAL_AGAIN: Final = """
    WITH added AS (
        INSERT INTO journal (connection, origin, count, received_at, body)
        SELECT connection, origin, count, received_at, body
        FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bytea[]) WITH ORDINALITY
            AS given (connection, origin, count, received_at, body, place)
        ORDER BY place
        RETURNING id, count
    )
    INSERT INTO unrouted (journal_id, count) SELECT id, count FROM added
"""
END_WAITING: Final = "DELETE FROM unrouted WHERE journal_id = ANY($1::bigint[]) RETURNING journal_id, count"
_UNROUTED: Final = """
    SELECT id, connection, origin, count, received_at, body
    FROM (
        SELECT id AS number, sum(bytes) OVER (ORDER BY id) - bytes AS before
        FROM (
            SELECT id, octet_length(body) AS bytes
            FROM unrouted JOIN journal ON journal.id = unrouted.journal_id
            {condition} ORDER BY unrouted.journal_id LIMIT $1
        ) AS oldest
    ) AS numbered JOIN journal ON journal.id = number
    WHERE before < $2 ORDER BY id
"""
UNROUTED: Final = _UNROUTED.format(condition="")
UNROUTED_ONLY: Final = _UNROUTED.format(condition="WHERE connection = $3")
ENTRIES: Final = """
    SELECT id, connection, origin, count, received_at, body FROM journal WHERE id = ANY($1::bigint[]) ORDER BY id
"""
LAST_WEBHOOK: Final = "SELECT max(id) FROM journal WHERE connection = $1 AND origin = 'webhook'"
WEBHOOKS: Final = """
    SELECT id, connection, origin, count, received_at, body FROM journal
    WHERE connection = $1 AND origin = 'webhook' AND id > $2 ORDER BY id LIMIT $3
"""

MOVE_CHECKPOINT: Final = """
    INSERT INTO checkpoints (connection, checkpoint) VALUES ($1, $2)
    ON CONFLICT (connection) DO UPDATE SET checkpoint = excluded.checkpoint
"""
CHECKPOINT: Final = "SELECT checkpoint FROM checkpoints WHERE connection = $1"

NOTE_HINTS: Final = """
    INSERT INTO hints (connection, hint, heard_at)
    SELECT $1, hint, $3 FROM unnest($2::text[]) WITH ORDINALITY AS given (hint, place) ORDER BY place
    ON CONFLICT (hint, connection) DO NOTHING
"""
HINTS: Final = "SELECT hint, heard_at FROM hints WHERE connection = $1 ORDER BY id LIMIT $2"
FORGET_HINTS: Final = "DELETE FROM hints WHERE connection = $1 AND hint = ANY($2::text[])"

# --- responses --------------------------------------------------------------------------------------------------

REMEMBER_RESPONSES: Final = """
    INSERT INTO responses (connection, response_id, revision, milestones, settle_at, email, journal_id, content,
                           answered_at, survey_type, score, campaign, has_comment)
    SELECT connection, response_id, revision, milestones, settle_at, email, journal_id, content,
           answered_at, survey_type, score, campaign, has_comment
    FROM unnest(
        $1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::text[], $7::bigint[], $8::bytea[],
        $9::bigint[], $10::text[], $11::double precision[], $12::text[], $13::boolean[]
    ) WITH ORDINALITY AS given (
        connection, response_id, revision, milestones, settle_at, email, journal_id, content,
        answered_at, survey_type, score, campaign, has_comment, place
    )
    ORDER BY place
    ON CONFLICT (response_id, connection) DO UPDATE SET
        revision = excluded.revision, milestones = excluded.milestones, settle_at = excluded.settle_at,
        email = excluded.email, journal_id = coalesce(excluded.journal_id, responses.journal_id),
        content = excluded.content, answered_at = excluded.answered_at, survey_type = excluded.survey_type,
        score = excluded.score, campaign = excluded.campaign, has_comment = excluded.has_comment
"""
RECALL_RESPONSES: Final = """
    SELECT content, revision, milestones, settle_at FROM responses
    WHERE response_id = ANY($1::text[]) AND connection = $2
"""
SETTLING: Final = """
    SELECT connection, response_id FROM responses
    WHERE response_id = ANY($1::text[]) AND settle_at IS NOT NULL FOR UPDATE
"""
SETTLED_RESPONSES: Final = """
    SELECT content, revision, milestones, settle_at FROM responses
    WHERE settle_at IS NOT NULL AND settle_at <= $1 ORDER BY settle_at LIMIT $2
"""
NEXT_SETTLE: Final = "SELECT min(settle_at) FROM responses WHERE settle_at IS NOT NULL"

NOTE_NEWEST: Final = """
    INSERT INTO newest (person, answered_at) SELECT * FROM unnest($1::text[], $2::bigint[])
    ON CONFLICT (person) DO UPDATE SET answered_at = greatest(newest.answered_at, excluded.answered_at)
"""
RECALL_NEWEST: Final = "SELECT person, answered_at FROM newest WHERE person = ANY($1::text[])"

# --- outbox -----------------------------------------------------------------------------------------------------

# In the order in which they are given; what is known already is left out. The bodies follow by message.
OWE: Final = """
    WITH given AS (
        SELECT * FROM unnest(
            $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[],
            $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bytea[]
        ) WITH ORDINALITY AS given (
            connection, person, kind, message_id, subject, state, attempts, reason,
            created_at, next_attempt_at, settled_at, journal_id, body, place
        )
    ), owed AS (
        INSERT INTO outbox (connection, person, kind, message_id, subject, state, attempts, reason, created_at,
                            next_attempt_at, settled_at, journal_id)
        SELECT connection, person, kind, message_id, subject, state, attempts, reason, created_at,
               next_attempt_at, settled_at, journal_id
        FROM given ORDER BY place
        ON CONFLICT (message_id, connection) DO NOTHING
        RETURNING id, connection, message_id
    ), kept AS (
        INSERT INTO bodies (delivery_id, body)
        SELECT owed.id, given.body FROM owed JOIN given USING (connection, message_id)
    )
    SELECT connection, message_id FROM owed
"""
TRY_SHELF_AGAIN: Final = """
    UPDATE outbox SET attempts = outbox.attempts + given.tries
    FROM unnest($1::text[], $2::text[], $3::bigint[]) AS given (connection, message_id, tries)
    WHERE outbox.message_id = given.message_id AND outbox.connection = given.connection
"""
SETTLE: Final = """
    UPDATE outbox SET
        state = given.state, attempts = outbox.attempts + given.tries, reason = given.reason,
        next_attempt_at = given.next_attempt_at, settled_at = given.settled_at
    FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[])
        AS given (state, tries, reason, next_attempt_at, settled_at, id)
    WHERE outbox.id = given.id AND outbox.state IN ('queued', 'waiting', 'inflight')
    RETURNING outbox.state
"""
SET_OUT: Final = """
    UPDATE outbox SET recipient = given.recipient, set_out_at = given.set_out_at
    FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS given (recipient, set_out_at, id)
    WHERE outbox.id = given.id AND outbox.state = 'inflight'
"""
# Before the new state is written: what is owed no longer keeps its intent.
TAKE_BACK: Final = """
    UPDATE outbox SET recipient = NULL, set_out_at = NULL
    WHERE id = ANY($1::bigint[]) AND recipient IS NOT NULL AND state IN ('queued', 'waiting', 'inflight')
"""
NEXT_DUE: Final = "SELECT min(next_attempt_at) FROM outbox WHERE connection = $1 AND state = 'waiting'"

_COLUMNS: Final = """
    SELECT outbox.id, connection, person, kind, message_id, body, state, attempts, reason, created_at,
           next_attempt_at, subject, retried_at, set_out_at, settled_at
"""
_DELIVERY: Final = f"{_COLUMNS} FROM outbox JOIN bodies ON bodies.delivery_id = outbox.id"
INFLIGHT: Final = f"{_DELIVERY} WHERE connection = $1 AND state = 'inflight' ORDER BY outbox.id"
STILL_OWED: Final = """
    SELECT id FROM outbox WHERE id = ANY($1::bigint[]) AND state IN ('queued', 'waiting', 'inflight')
"""
BESIDE: Final = f"""
    {_DELIVERY} WHERE outbox.id IN (
        SELECT other.id FROM outbox AS one JOIN outbox AS other
            ON other.recipient = one.recipient AND other.connection = one.connection
        WHERE one.id = $1 AND other.recipient IS NOT NULL
        UNION
        SELECT other.id FROM outbox AS one JOIN outbox AS other
            ON other.person = one.person AND other.connection = one.connection
        WHERE one.id = $1 AND other.person LIKE 'person:%' AND other.recipient IS NOT NULL
    ) AND outbox.id <> $1
    ORDER BY set_out_at DESC, outbox.id DESC LIMIT $2
"""  # noqa: S608 - put together from constants
# Whether an earlier delivery of the same person holds this one up: one that is on its way, or that waits for a time
# which has not come. An earlier one that is ready holds nobody up, because it is part of the same claim.
_HELD_UP: Final = """
    EXISTS (
        SELECT 1 FROM outbox AS earlier
        WHERE earlier.connection = $1 AND earlier.person = ready.person AND earlier.state = 'inflight'
          AND earlier.id > $4 AND earlier.id < ready.id
    ) OR EXISTS (
        SELECT 1 FROM outbox AS earlier
        WHERE earlier.connection = $1 AND earlier.person = ready.person AND earlier.state = 'waiting'
          AND earlier.next_attempt_at > $2 AND earlier.id > $4 AND earlier.id < ready.id
    )
"""
CLAIM: Final = f"""
    WITH ready AS (
        (
            SELECT id FROM outbox AS ready
            WHERE connection = $1 AND state = 'queued' AND id > $4 AND NOT ({_HELD_UP})
            ORDER BY id LIMIT $3
        ) UNION ALL (
            SELECT id FROM outbox AS ready
            WHERE connection = $1 AND state = 'waiting' AND next_attempt_at <= $2 AND id > $4 AND NOT ({_HELD_UP})
            ORDER BY id LIMIT $3
        )
    )
    {_DELIVERY} WHERE outbox.id = ANY(ARRAY(SELECT id FROM ready ORDER BY id LIMIT $3)) ORDER BY outbox.id
"""  # noqa: S608 - put together from constants

_SHELF: Final = "state <> 'queued' AND state <> 'waiting' AND state <> 'inflight' AND state <> 'delivered'"


@cache
def newest_deliveries(state: State | None, *, of_connection: bool) -> str:
    """The statement that lists deliveries, newest first, with the conditions that are asked for; `$1` is the limit."""
    conditions = ["connection = $2"] if of_connection else []
    if state is not None:
        conditions.append(f"state = '{state}'")
    if state not in _NOT_ON_SHELF:
        conditions.append(_SHELF)
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"{_DELIVERY} {where} ORDER BY outbox.id DESC LIMIT $1"


_NOT_ON_SHELF: Final = frozenset({None, State.QUEUED, State.WAITING, State.INFLIGHT, State.DELIVERED})
DEPTHS: Final = f"""
    SELECT connection, 'queued', count(*) FROM outbox WHERE state = 'queued' GROUP BY connection
    UNION ALL
    SELECT connection, 'waiting', count(*) FROM outbox WHERE state = 'waiting' GROUP BY connection
    UNION ALL
    SELECT connection, 'inflight', count(*) FROM outbox WHERE state = 'inflight' GROUP BY connection
    UNION ALL
    SELECT connection, state, count(*) FROM outbox WHERE {_SHELF} GROUP BY connection, state
"""  # noqa: S608 - put together from constants
# The queued ones leap from connection to connection in the index instead of passing every row.
OLDEST_OWED: Final = """
    WITH RECURSIVE queued (connection) AS (
        (SELECT min(connection) FROM outbox WHERE state = 'queued')
        UNION ALL
        SELECT (SELECT min(connection) FROM outbox WHERE state = 'queued' AND connection > queued.connection)
        FROM queued WHERE queued.connection IS NOT NULL
    ), oldest (id) AS (
        SELECT (SELECT min(id) FROM outbox WHERE state = 'queued' AND connection = queued.connection) FROM queued
        UNION ALL
        SELECT min(id) FROM outbox WHERE state = 'waiting' GROUP BY connection
        UNION ALL
        SELECT min(id) FROM outbox WHERE state = 'inflight' GROUP BY connection
    )
    SELECT connection, min(created_at) FROM outbox WHERE id IN (SELECT id FROM oldest) GROUP BY connection
"""

BACKLOG: Final = """
    SELECT
        (SELECT coalesce(sum(count), 0)::bigint FROM unrouted),
        (SELECT received_at FROM journal WHERE id = (SELECT min(journal_id) FROM unrouted)),
        (SELECT count(*) FROM responses WHERE settle_at IS NOT NULL)
"""
AWAITED: Final = "SELECT connection, count(*) FROM awaited GROUP BY connection"
OLDEST_HELD: Final = f"""
    SELECT connection, min(created_at) FROM outbox WHERE state = 'held' AND {_SHELF} GROUP BY connection
"""  # noqa: S608 - put together from constants
SIZE: Final = """
    SELECT coalesce(sum(pg_total_relation_size(pg_class.oid)), 0)::bigint
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = current_schema() AND relkind = 'r'
"""

# --- what a person decides ---------------------------------------------------------------------------------------

CHOSEN: Final = f"""
    {_DELIVERY}
    WHERE outbox.id > $3 AND state = ANY($1::text[]) AND ($2::text IS NULL OR connection = $2)
    ORDER BY outbox.id LIMIT $4
"""
# What was shelved is about nobody in particular, and is no request that could be sent.
SEND_AGAIN: Final = """
    UPDATE outbox SET state = 'queued', reason = NULL, next_attempt_at = NULL, settled_at = NULL, retried_at = $1
    WHERE id = ANY($2::bigint[]) AND state = $3 AND person <> '' RETURNING id
"""
CONFIRM: Final = """
    UPDATE outbox SET state = 'delivered', reason = $1, settled_at = $2
    WHERE id = ANY($3::bigint[]) AND state = 'held' RETURNING id
"""
UNSHELVE: Final = """
    WITH taken AS (
        DELETE FROM outbox WHERE id = ANY($1::bigint[]) AND state = 'dead' AND person = '' RETURNING id
    ), emptied AS (
        DELETE FROM bodies WHERE delivery_id IN (SELECT id FROM taken)
    )
    SELECT id FROM taken
"""
DROP: Final = """
    UPDATE outbox SET state = 'filtered', reason = $1, next_attempt_at = NULL, settled_at = $2
    WHERE id = ANY($3::bigint[]) AND state = $4 RETURNING id
"""
# In the order in which they arrived there, which for each person is that of their ids.
SENT: Final = """
    SELECT id, kind, subject, settled_at, NOT EXISTS (
        SELECT 1 FROM outbox AS later
        WHERE later.subject = sent.subject AND later.connection = sent.connection AND later.kind = sent.kind
          AND later.id > sent.id AND later.state IN ('delivered', 'queued', 'waiting', 'inflight')
    ) AND NOT EXISTS (
        SELECT 1 FROM outbox AS later
        WHERE later.person = sent.person AND later.person LIKE 'person:%' AND later.connection = sent.connection
          AND later.kind = sent.kind AND later.id > sent.id
          AND later.state IN ('delivered', 'queued', 'waiting', 'inflight')
    )
    FROM outbox AS sent
    WHERE settled_at IS NOT NULL AND state = 'delivered' AND connection = $1
      AND settled_at < $2 AND (settled_at, id) > ($3, $4)
    ORDER BY settled_at, id LIMIT $5
"""
UNTOLD: Final = """
    SELECT id, content, revision, milestones, settle_at FROM responses
    WHERE id > $2 AND settle_at IS NULL AND NOT EXISTS (
        SELECT 1 FROM outbox WHERE outbox.connection = $1
          AND subject = responses.connection || '/' || responses.response_id
    )
    ORDER BY id LIMIT $3
"""

# --- tracing ----------------------------------------------------------------------------------------------------

TRACED_RESPONSES: Final = """
    SELECT content, revision, milestones, settle_at FROM responses WHERE response_id = $1 OR email = $2
"""
SUBJECTS_OF_MESSAGE: Final = "SELECT DISTINCT subject FROM outbox WHERE message_id = $1 AND subject IS NOT NULL"
RESPONSES_BY_SUBJECT: Final = """
    SELECT content, revision, milestones, settle_at FROM responses WHERE connection = $1 AND response_id = $2
"""
DELIVERY: Final = f"{_DELIVERY} WHERE outbox.id = $1"
DELIVERIES_OF_MESSAGE: Final = f"{_DELIVERY} WHERE message_id = $1 ORDER BY outbox.id"
# What a Segment call led to has the call's messageId, a colon and the kind; `;` is the character behind the colon.
DELIVERIES_OF_CALL: Final = f"{_DELIVERY} WHERE message_id >= $1 AND message_id < $2 ORDER BY outbox.id"
DELIVERIES_OF_PERSON: Final = f"""
    {_DELIVERY} WHERE person LIKE 'person:%' AND person IN (
        SELECT 'person:' || number::text FROM person_ids WHERE (kind = 'email' OR kind = 'user_id') AND value = $1
    ) ORDER BY outbox.id
"""  # noqa: S608 - put together from constants
DELIVERIES_ABOUT: Final = f"{_DELIVERY} WHERE subject = ANY($1::text[]) ORDER BY outbox.id"
SOURCES_OF_DELIVERIES: Final = """
    SELECT journal_id FROM outbox WHERE id = ANY($1::bigint[]) AND journal_id IS NOT NULL
"""
SOURCES_OF_RESPONSES: Final = """
    SELECT journal_id FROM responses
    WHERE response_id = ANY($1::text[]) AND connection = $2 AND journal_id IS NOT NULL
"""

# --- ledger, notes, upkeep --------------------------------------------------------------------------------------

COUNT: Final = """
    INSERT INTO ledger (name, shard, amount)
    SELECT name, $1, amount FROM unnest($2::text[], $3::bigint[]) AS given (name, amount) ORDER BY name
    ON CONFLICT (name, shard) DO UPDATE SET amount = ledger.amount + excluded.amount
"""
# One statement, hence one snapshot: what moves from one line to another is never seen twice or not at all.
LEDGER: Final = f"""
    SELECT name, sum(amount)::bigint FROM ledger GROUP BY name
    UNION ALL SELECT 'unrouted', coalesce(sum(count), 0)::bigint FROM unrouted
    UNION ALL SELECT 'settling', count(*) FROM responses WHERE settle_at IS NOT NULL
    UNION ALL SELECT 'awaited', count(*) FROM awaited
    UNION ALL SELECT 'queued', count(*) FROM outbox WHERE state = 'queued'
    UNION ALL SELECT 'waiting', count(*) FROM outbox WHERE state = 'waiting'
    UNION ALL SELECT 'inflight', count(*) FROM outbox WHERE state = 'inflight'
    UNION ALL SELECT 'held', count(*) FROM outbox WHERE state = 'held' AND {_SHELF}
"""  # noqa: S608 - put together from constants

NOTE_HEALTH: Final = """
    INSERT INTO health (connection, direction, state, reason, since) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (connection, direction) DO UPDATE SET
        state = excluded.state, reason = excluded.reason, since = excluded.since
"""
HEALTH: Final = "SELECT connection, direction, state, reason, since FROM health ORDER BY connection, direction"
NOTE_FACT: Final = """
    INSERT INTO facts (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""
FACTS: Final = "SELECT name, value FROM facts ORDER BY name"
ERASURES: Final = "SELECT value FROM facts WHERE name = 'erasures'"
NOTE_ERASURE: Final = """
    INSERT INTO facts (name, value) VALUES ('erasures', '1')
    ON CONFLICT (name) DO UPDATE SET value = (facts.value::bigint + 1)::text
"""

# Several replicas may purge at once; what one of them has in hand the others pass by.
# Only the oldest entries are looked at: what is behind them is younger. As an array, what is chosen is chosen once: a
# join may look for it again and again, and each time find the next ones.
PURGE_JOURNAL: Final = """
    DELETE FROM journal WHERE id = ANY(ARRAY(
        SELECT id FROM (SELECT id, received_at FROM journal ORDER BY id LIMIT $1) AS oldest
        WHERE received_at <= $2 AND NOT EXISTS (SELECT 1 FROM unrouted WHERE unrouted.journal_id = oldest.id)
    )) RETURNING id
"""
PURGE_OUTBOX: Final = """
    WITH gone AS (
        DELETE FROM outbox WHERE id = ANY(ARRAY(
            SELECT id FROM outbox WHERE settled_at IS NOT NULL AND state = $1 AND settled_at <= $2
            LIMIT $3 FOR UPDATE SKIP LOCKED
        )) RETURNING id
    ), emptied AS (
        DELETE FROM bodies WHERE delivery_id IN (SELECT id FROM gone)
    )
    SELECT id FROM gone
"""
FILL: Final = "INSERT INTO filler (content) VALUES ($1) RETURNING id"
EMPTY: Final = "DELETE FROM filler WHERE id = $1"
