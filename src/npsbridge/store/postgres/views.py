"""The `Views` port on PostgreSQL: what the dashboard asks. Readers are in nobody's way there."""

from functools import cache
from typing import Any, Final

from npsbridge.core.model import State
from npsbridge.core.records import RememberedResponse
from npsbridge.core.views import Answers, Listed, Scored
from npsbridge.store import rows
from npsbridge.store.postgres.connections import Connections, Row
from npsbridge.store.postgres.texts import stored, told

# Leaps from connection to connection in the index instead of passing every row.
_CONNECTIONS: Final = """
    WITH RECURSIVE known (name) AS (
        (SELECT min(connection) FROM responses WHERE answered_at IS NOT NULL)
        UNION ALL
        SELECT (SELECT min(connection) FROM responses WHERE answered_at IS NOT NULL AND connection > known.name)
        FROM known WHERE known.name IS NOT NULL
    )
"""
CONNECTIONS: Final = f"""
    {_CONNECTIONS}
    SELECT name, (SELECT id FROM responses WHERE answered_at IS NOT NULL AND connection = name LIMIT 1)
    FROM known WHERE name IS NOT NULL
"""  # noqa: S608 - put together from constants
_REMEMBERED: Final = "SELECT content, revision, milestones, settle_at FROM responses"
SOME: Final = f"{_REMEMBERED} WHERE id = ANY($1::bigint[])"
LAST_ANSWERS: Final = f"""
    {_CONNECTIONS}
    SELECT name, (SELECT max(answered_at) FROM responses WHERE answered_at IS NOT NULL AND connection = name)
    FROM known WHERE name IS NOT NULL
"""  # noqa: S608 - put together from constants
_MEANT: Final = """
    FROM responses
    WHERE connection = ANY($1::text[]) AND answered_at IS NOT NULL
      AND ($2::bigint IS NULL OR answered_at >= $2) AND ($3::bigint IS NULL OR answered_at < $3)
      AND ($4::text IS NULL OR survey_type = $4)
      AND ($5::text IS NULL OR campaign = $5)
      AND ($6::double precision IS NULL OR score >= $6) AND ($7::double precision IS NULL OR score <= $7)
      AND (NOT $8::boolean OR has_comment)
"""
# Texts in the order of their characters, as in every other store, whatever the database's own language is.
SURVEY_TYPES: Final = f"""
    SELECT word FROM (SELECT DISTINCT survey_type AS word {_MEANT}) AS words ORDER BY word COLLATE "C"
"""  # noqa: S608 - put together from constants
SCORES_BY_DAY: Final = f"""
    SELECT floor(answered_at / 86400000.0)::bigint AS day, score, count(*) {_MEANT} AND score IS NOT NULL
    GROUP BY day, score ORDER BY day, score
"""
SCORES_BY_GROUP: Final = f"""
    SELECT connection, campaign, score, count(*) {_MEANT} AND score IS NOT NULL
    GROUP BY connection, campaign, score
    ORDER BY connection COLLATE "C", campaign COLLATE "C" NULLS FIRST, score
"""
ANSWER: Final = f"{_REMEMBERED} WHERE response_id = $1 AND connection = $2"
_NEWEST_FIRST: Final = "answered_at DESC, id DESC"


@cache
def answers_statement(*, lowest_first: bool) -> str:
    """The statement that lists answers; rows are fetched only for those that are shown."""
    order = f"score, {_NEWEST_FIRST}" if lowest_first else _NEWEST_FIRST
    scored = "AND score IS NOT NULL" if lowest_first else ""
    return f"""
        {_REMEMBERED} WHERE id = ANY(ARRAY(SELECT id {_MEANT} {scored} ORDER BY {order} LIMIT $9 OFFSET $10))
        ORDER BY {order}
    """


_LISTED: Final = """
    SELECT id, connection, kind, state, message_id, subject, attempts, reason, created_at, next_attempt_at, settled_at
    FROM outbox
"""
_SHELF: Final = "state <> 'queued' AND state <> 'waiting' AND state <> 'inflight' AND state <> 'delivered'"
_NOT_ON_SHELF: Final = frozenset({None, State.QUEUED, State.WAITING, State.INFLIGHT, State.DELIVERED})


@cache
def deliveries_statement(state: State | None) -> str:
    """The statement that lists deliveries in one state, or in any."""
    wanted = "" if state is None else f"AND state = '{state}'"
    shelf = "" if state in _NOT_ON_SHELF else f"AND {_SHELF}"
    return f"""
        {_LISTED} WHERE ($1::text IS NULL OR connection = $1) AND ($2::bigint IS NULL OR id < $2) {wanted} {shelf}
        ORDER BY id DESC LIMIT $3
    """


DELIVERIES_OF: Final = f"""
    {_LISTED} WHERE person LIKE 'person:%' AND person = ANY($1::text[]) ORDER BY id DESC LIMIT $2
"""


class PostgresViews:
    """See `npsbridge.core.views.Views`."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def connections(self) -> dict[str, str]:
        """The connections that have an answer, with their platforms."""
        newest = [number for _, number in await self._connections.rows(CONNECTIONS)]
        shown = [rows.remembered_response(row) for row in await self._connections.rows_of(SOME, newest)]
        return {known.response.connection: known.response.platform for known in shown}

    async def last_answers(self) -> dict[str, int]:
        """When the newest answer of each connection was given."""
        return dict(await self._connections.rows(LAST_ANSWERS))

    async def survey_types(self, which: Answers) -> list[str]:
        """The survey types of answers."""
        return [told(word) for (word,) in await self._connections.rows(SURVEY_TYPES, *_meant(which))]

    async def scores_by_day(self, which: Answers) -> list[Scored]:
        """How often each score was given on each day."""
        return [rows.scored(row) for row in await self._connections.rows(SCORES_BY_DAY, *_meant(which))]

    async def scores_by_group(self, which: Answers) -> list[Scored]:
        """How often each score was given in each campaign of each connection."""
        found = await self._connections.rows(SCORES_BY_GROUP, *_meant(which))
        return [rows.scored((name, told(campaign), score, many)) for name, campaign, score, many in found]

    async def answers(
        self, which: Answers, *, lowest_first: bool = False, skip: int = 0, limit: int = 25
    ) -> list[RememberedResponse]:
        """Answers, the newest or the lowest first."""
        statement = answers_statement(lowest_first=lowest_first)
        found = await self._connections.rows(statement, *_meant(which), limit, skip)
        return [rows.remembered_response(row) for row in found]

    async def answer(self, connection: str, response_id: str) -> RememberedResponse | None:
        """One response by its id."""
        row = await self._connections.first(ANSWER, stored(response_id), connection)
        return rows.remembered_response(row) if row else None

    async def deliveries(
        self, *, state: State | None = None, connection: str | None = None, before: int | None = None, limit: int = 50
    ) -> list[Listed]:
        """Deliveries and shelved items, newest first."""
        found = await self._connections.rows(deliveries_statement(state), connection, before, limit)
        return [_listed(row) for row in found]

    async def deliveries_of(self, persons: tuple[str, ...], *, limit: int = 50) -> list[Listed]:
        """What survey platforms were or are to be told of some persons."""
        return [_listed(row) for row in await self._connections.rows(DELIVERIES_OF, list(persons), limit)]


def _listed(row: Row) -> Listed:
    number, connection, kind, state, message_id, subject, attempts, reason, *times = row
    return rows.listed(
        (number, connection, kind, state, told(message_id), told(subject), attempts, told(reason), *times)
    )


def _meant(which: Answers) -> tuple[Any, ...]:
    return (
        list(which.connections),
        which.since,
        which.until,
        stored(which.survey_type),
        stored(which.campaign),
        which.lowest,
        which.highest,
        which.with_comment,
    )
