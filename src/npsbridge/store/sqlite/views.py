"""The `Views` port on SQLite: what the dashboard asks, over a reading connection of its own.

It is opened when somebody looks for the first time; a daemon that nobody looks at does not pay for it. Each statement
names its index, or the table where rows are passed in the order of their ids.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import anyio
import orjson

from npsbridge.core.model import State
from npsbridge.core.records import RememberedResponse
from npsbridge.core.views import Answers, Listed, Scored
from npsbridge.store import rows
from npsbridge.store.sqlite.reader import Reader, Row, open_reader

# Leaps from connection to connection in the index instead of passing every row.
_CONNECTIONS: Final = """
    WITH RECURSIVE known (name) AS (
        SELECT min(connection) FROM responses INDEXED BY responses_answered WHERE answered_at IS NOT NULL
        UNION ALL
        SELECT (SELECT min(connection) FROM responses INDEXED BY responses_answered
                WHERE answered_at IS NOT NULL AND connection > known.name)
        FROM known WHERE name IS NOT NULL
    )
"""
CONNECTIONS: Final = f"""
    {_CONNECTIONS}
    SELECT name, (SELECT json_extract(CAST(content AS TEXT), '$.platform') FROM responses INDEXED BY responses_answered
                  WHERE answered_at IS NOT NULL AND connection = name LIMIT 1)
    FROM known WHERE name IS NOT NULL
"""  # noqa: S608 - put together from constants
LAST_ANSWERS: Final = f"""
    {_CONNECTIONS}
    SELECT name, (SELECT max(answered_at) FROM responses INDEXED BY responses_answered
                  WHERE answered_at IS NOT NULL AND connection = name)
    FROM known WHERE name IS NOT NULL
"""  # noqa: S608 - put together from constants
_MEANT: Final = """
    FROM responses INDEXED BY responses_answered
    WHERE connection IN (SELECT value FROM json_each(:connections)) AND answered_at IS NOT NULL
      AND answered_at >= coalesce(:since, -9223372036854775808) AND answered_at < coalesce(:until, 9223372036854775807)
      AND (:survey_type IS NULL OR survey_type = :survey_type)
      AND (:campaign IS NULL OR campaign = :campaign)
      AND (:lowest IS NULL OR score >= :lowest) AND (:highest IS NULL OR score <= :highest)
      AND (NOT :with_comment OR has_comment)
"""
SURVEY_TYPES: Final = f"SELECT DISTINCT survey_type {_MEANT} ORDER BY survey_type"
# Rounded down: a division of whole numbers goes towards zero, and some history is older than 1970.
_DAY: Final = "(answered_at - ((answered_at % 86400000) + 86400000) % 86400000) / 86400000"
SCORES_BY_DAY: Final = f"""
    SELECT {_DAY} AS day, score, count(*) {_MEANT} AND score IS NOT NULL
    GROUP BY day, score ORDER BY day, score
"""
SCORES_BY_GROUP: Final = f"""
    SELECT connection, campaign, score, count(*) {_MEANT} AND score IS NOT NULL
    GROUP BY connection, campaign, score ORDER BY connection, campaign, score
"""
_REMEMBERED: Final = "SELECT content, revision, milestones, settle_at FROM responses"
ANSWER: Final = f"{_REMEMBERED} WHERE response_id = ? AND connection = ?"
_NEWEST_FIRST: Final = "answered_at DESC, number DESC"


@cache
def answers_statement(*, lowest_first: bool) -> str:
    """The statement that lists answers; rows are fetched only for those that are shown."""
    order = f"score, {_NEWEST_FIRST}" if lowest_first else _NEWEST_FIRST
    scored = "AND score IS NOT NULL" if lowest_first else ""
    return f"""
        SELECT content, revision, milestones, settle_at
        FROM (SELECT rowid AS number, answered_at, score {_MEANT} {scored} ORDER BY {order} LIMIT :limit OFFSET :skip)
        AS shown CROSS JOIN responses ON responses.rowid = number
        ORDER BY {order.replace("score", "shown.score").replace("answered_at", "shown.answered_at")}
    """  # noqa: S608 - put together from constants


_LISTED: Final = """
    SELECT id, connection, kind, state, message_id, subject, attempts, reason, created_at, next_attempt_at, settled_at
    FROM outbox
"""
_INDEXES: Final = {
    State.QUEUED: "outbox_queued",
    State.WAITING: "outbox_due",
    State.INFLIGHT: "outbox_inflight",
}
_SHELF: Final = "state <> 'queued' AND state <> 'waiting' AND state <> 'inflight' AND state <> 'delivered'"


@cache
def deliveries_statement(state: State | None) -> str:
    """The statement that lists deliveries in one state, or in any."""
    narrowed = "(:connection IS NULL OR connection = :connection) AND (:before IS NULL OR id < :before)"
    if state is None or state is State.DELIVERED:
        # The newest are nearly all of these: they are met at once in the order of the ids.
        wanted = "" if state is None else "AND state = 'delivered'"
        return f"{_LISTED} NOT INDEXED WHERE {narrowed} {wanted} ORDER BY id DESC LIMIT :limit"
    index = _INDEXES.get(state, "outbox_shelf")
    partial = f"state = '{state}'" if state in _INDEXES else f"state = '{state}' AND {_SHELF}"
    return f"""
        {_LISTED} WHERE id IN (
            SELECT id FROM outbox INDEXED BY {index} WHERE {partial} AND {narrowed} ORDER BY id DESC LIMIT :limit
        ) ORDER BY id DESC
    """  # noqa: S608 - put together from constants


DELIVERIES_OF: Final = f"""
    {_LISTED} INDEXED BY outbox_person
    WHERE person GLOB 'person:*' AND person IN (SELECT value FROM json_each(:persons)) ORDER BY id DESC LIMIT :limit
"""  # noqa: S608 - put together from constants


class SqliteViews:
    """See `npsbridge.core.views.Views`. Made by `open_views`."""

    def __init__(self, path: Path, stack: AsyncExitStack) -> None:
        self._path = path
        self._stack = stack
        self._reader: Reader | None = None
        self._opening = anyio.Lock()

    async def connections(self) -> dict[str, str]:
        """The connections that have an answer, with their platforms."""
        return dict(await self._rows(CONNECTIONS))

    async def last_answers(self) -> dict[str, int]:
        """When the newest answer of each connection was given."""
        return dict(await self._rows(LAST_ANSWERS))

    async def survey_types(self, which: Answers) -> list[str]:
        """The survey types of answers."""
        return [word for (word,) in await self._rows(SURVEY_TYPES, _meant(which))]

    async def scores_by_day(self, which: Answers) -> list[Scored]:
        """How often each score was given on each day."""
        return [rows.scored(row) for row in await self._rows(SCORES_BY_DAY, _meant(which))]

    async def scores_by_group(self, which: Answers) -> list[Scored]:
        """How often each score was given in each campaign of each connection."""
        return [rows.scored(row) for row in await self._rows(SCORES_BY_GROUP, _meant(which))]

    async def answers(
        self, which: Answers, *, lowest_first: bool = False, skip: int = 0, limit: int = 25
    ) -> list[RememberedResponse]:
        """Answers, the newest or the lowest first."""
        statement = answers_statement(lowest_first=lowest_first)
        found = await self._rows(statement, _meant(which) | {"skip": skip, "limit": limit})
        return [rows.remembered_response(row) for row in found]

    async def answer(self, connection: str, response_id: str) -> RememberedResponse | None:
        """One response by its id."""
        found = await self._rows(ANSWER, (response_id, connection))
        return rows.remembered_response(found[0]) if found else None

    async def deliveries(
        self, *, state: State | None = None, connection: str | None = None, before: int | None = None, limit: int = 50
    ) -> list[Listed]:
        """Deliveries and shelved items, newest first."""
        wish = {"connection": connection, "before": before, "limit": limit}
        return [rows.listed(row) for row in await self._rows(deliveries_statement(state), wish)]

    async def deliveries_of(self, persons: tuple[str, ...], *, limit: int = 50) -> list[Listed]:
        """What survey platforms were or are to be told of some persons."""
        wish = {"persons": orjson.dumps(persons).decode(), "limit": limit}
        return [rows.listed(row) for row in await self._rows(DELIVERIES_OF, wish)]

    async def _rows(self, statement: str, parameters: Any = ()) -> list[Row]:
        async with self._opening:
            if self._reader is None:
                self._reader = await self._stack.enter_async_context(open_reader(self._path))
        return await self._reader.rows(statement, parameters)


def _meant(which: Answers) -> dict[str, Any]:
    return {
        "connections": orjson.dumps(which.connections).decode(),
        "survey_type": which.survey_type,
        "campaign": which.campaign,
        "lowest": which.lowest,
        "highest": which.highest,
        "since": which.since,
        "until": which.until,
        "with_comment": which.with_comment,
    }


@asynccontextmanager
async def open_views(path: Path) -> AsyncIterator[SqliteViews]:
    """Views of the store in a file, for the length of a block."""
    async with AsyncExitStack() as stack:
        yield SqliteViews(path, stack)
