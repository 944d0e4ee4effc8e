"""What is written together: each function runs inside one transaction, which others begin and end.

A function may run again after a rollback, and changes nothing but the database. Several routings are applied as if one
after the other, but with one statement for each table.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg

from npsbridge.core.model import Delivery, State
from npsbridge.core.records import Arrival, RememberedResponse, Retention, Routing, Settlement, Shelved
from npsbridge.errors import ErasedMeanwhile
from npsbridge.store import ledger, rows
from npsbridge.store.postgres import calls, people
from npsbridge.store.postgres import statements as sql
from npsbridge.store.postgres.connections import Row
from npsbridge.store.postgres.texts import stored, told

PURGED_ENTRIES: Final = 50
PURGED_DELIVERIES: Final = 250
"""Rows deleted at once, so that a purge is a short transaction."""
PROBE_BYTES: Final = 64 << 10
SHARDS: Final = 16
"""Rows that each line of the ledger is spread over."""

Columns = list[list[Any]]


def columns(given: Iterable[Row], width: int) -> Columns:
    """Rows as PostgreSQL's `unnest` takes them; `width` because there may be none."""
    turned = [list(column) for column in zip(*given, strict=True)]
    return turned or [[] for _ in range(width)]


def shard() -> int:
    """Where this transaction counts; two that meet by chance wait for one commit."""
    return random.randrange(SHARDS)  # noqa: S311 - spreads, hides nothing


async def count(connection: asyncpg.Connection, entries: Iterable[ledger.Entries]) -> None:
    """Move the lines of the ledger, in the transaction of what is counted and best as the last thing in it."""
    total: ledger.Entries = Counter()
    for entry in entries:
        total.update(entry)
    moved = {name: amount for name, amount in total.items() if amount}
    if moved:
        await connection.execute(sql.COUNT, shard(), list(moved), list(moved.values()))


# --- journal ----------------------------------------------------------------------------------------------------


def arrival_columns(arrivals: Iterable[Arrival]) -> Columns:
    """The columns of arrivals without their numbers, which the database gives."""
    return columns((rows.arrival_row(0, arrival)[1:] for arrival in arrivals), 5)


async def append(
    connection: asyncpg.Connection, arrivals: Sequence[Arrival], checkpoint: tuple[str, bytes] | None = None
) -> None:
    """Journal arrivals in their order, and move a checkpoint."""
    if arrivals:
        await connection.execute(sql.APPEND, *arrival_columns(arrivals), shard())
    if checkpoint is not None:
        await connection.execute(sql.MOVE_CHECKPOINT, *checkpoint)


async def journal_again(connection: asyncpg.Connection, arrivals: Sequence[Arrival]) -> None:
    """Have arrivals wait to be routed, in their order; the ledger is the caller's business."""
    if arrivals:
        await connection.execute(sql.JOURNAL_AGAIN, *arrival_columns(arrivals))


# --- routing ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _News:
    """A routing that is to be made true, and what has changed since it was decided."""

    routing: Routing
    left: int
    """How many records it decides for."""
    erased_calls: list[str] = field(default_factory=list)
    """Whose waits it ends that were erased meanwhile."""
    gone: frozenset[str] = frozenset()
    """The persons of whom it keeps nothing, because they were erased meanwhile."""
    waiting: int = 0
    """How many of its calls wait anew."""

    @property
    def forgotten(self) -> int:
        """How many of its records were erased since it was decided."""
        return 0 if self.routing.records is None else max(self.routing.records - self.left, 0)


async def commit_routings(
    connection: asyncpg.Connection, routings: Sequence[Routing], now: int, erasures: int | None
) -> None:
    """Make routings true, in order, except those that are already.

    Raises:
        ErasedMeanwhile: somebody was erased since there were so many erasures.
    """
    digest_key = await connection.fetchval(people.TURN)
    erasures_now = int(await connection.fetchval(sql.ERASURES) or 0)
    if erasures is not None and erasures_now != erasures:
        raise ErasedMeanwhile("somebody was erased since this was decided")
    news = await _news(connection, routings)
    live = [one.routing for one in news]
    if not live:
        return
    waits = await calls.waits_of(connection, live)
    changes = await people.keep(connection, [one.people for one in live], digest_key=digest_key, erasures=erasures_now)
    for one in news:
        one.erased_calls = waits.end(one.routing)
        one.gone = changes.gone | frozenset(one.erased_calls)
        one.waiting = waits.add(one.routing, one.gone)
    await _remember(connection, live)
    new = await _owe(connection, news, now)
    await calls.make_true(connection, waits)
    await calls.keep_said(connection, live, changes.redirects.items(), changes.gone)
    await calls.note_seen(connection, live, now)
    await people.rekey(connection, changes)
    await count(connection, [_entries(one, new) for one in news])


async def _news(connection: asyncpg.Connection, routings: Sequence[Routing]) -> list[_News]:
    """Those whose journal entries still waited, which they no longer do, and whose responses are still held back."""
    sources = [one.journal_id for one in routings if one.journal_id is not None]
    left = dict(await connection.fetch(sql.END_WAITING, sources)) if sources else {}
    settling = await _settling(connection, [one for one in routings if one.journal_id is None])
    news = []
    for routing in routings:
        keys = {_key_of(known) for known in routing.responses}
        if routing.journal_id is None:
            is_news = len(keys & settling) >= -routing.settling
            records: int | None = 0 if is_news else None
        else:
            records = left.pop(routing.journal_id, None)
        if records is not None:
            news.append(_News(routing, records))
            settling -= keys
            settling |= {_key_of(known) for known in routing.responses if known.settle_at is not None}
    return news


def _key_of(known: RememberedResponse) -> tuple[str, str]:
    return known.response.connection, known.response.id


async def _settling(connection: asyncpg.Connection, releases: Sequence[Routing]) -> set[tuple[str, str]]:
    """Which of the responses that are to be released are held back."""
    wanted = {_key_of(known) for one in releases for known in one.responses}
    if not wanted:
        return set()
    found = await connection.fetch(sql.SETTLING, [stored(number) for _, number in wanted])
    return wanted & {(name, told(number)) for name, number in found}


async def _remember(connection: asyncpg.Connection, routings: Sequence[Routing]) -> None:
    """The last that is said of each response, under the last entry that brought it; the newest answers."""
    known: dict[tuple[str, str], tuple[RememberedResponse, int | None]] = {}
    newest: dict[str, int] = {}
    for routing in routings:
        for one in routing.responses:
            key = _key_of(one)
            _, before = known.get(key, (one, None))
            known[key] = one, before if routing.journal_id is None else routing.journal_id
        for person, at in routing.newest.items():
            newest[person] = max(at, newest.get(person, at))
    if known:
        given = [rows.response_row(*one) for one in known.values()]
        await connection.execute(sql.REMEMBER_RESPONSES, *columns(map(_response_row, given), 13))
    if newest:
        persons = [stored(person) for person in newest]
        await connection.execute(sql.NOTE_NEWEST, persons, list(newest.values()))


def _response_row(row: Row) -> Row:
    connection, response_id, revision, milestones, settle_at, email, journal_id, content, *found = row
    answered_at, survey_type, score, campaign, has_comment = found
    texts = (connection, stored(response_id), revision, milestones, settle_at, stored(email), journal_id, content)
    return (*texts, answered_at, stored(survey_type), score, stored(campaign), has_comment)


_Key = tuple[str, str]
"""Connection and messageId, or the key of a shelved item."""


async def _owe(connection: asyncpg.Connection, news: Sequence[_News], now: int) -> dict[_Key, int]:
    """Put what is owed and shelved into the outbox; returns by key of which routing (by its id) the new ones are."""
    first: dict[_Key, tuple[int, Row, bytes]] = {}
    again: Counter[_Key] = Counter()
    for one in news:
        source = one.routing.journal_id
        for planned in one.routing.deliveries:
            key = planned.connection, planned.message_id
            if planned.person not in one.gone and key not in first:
                first[key] = id(one), rows.owed_row(0, planned, source, now), planned.body
        for item in one.routing.shelved:
            key = item.connection, item.key
            again[key] += key in first
            first.setdefault(key, (id(one), rows.shelf_row(0, item, journal_id=source, now=now), item.body))
    fresh = await _added(connection, [(row, body) for _, row, body in first.values()])
    shelved = {(item.connection, item.key) for one in news for item in one.routing.shelved}
    again.update(key for key in shelved if key not in fresh)
    await _try_again(connection, {key: tries for key, tries in again.items() if tries})
    return {key: of for key, (of, _, _) in first.items() if key in fresh}


async def _added(connection: asyncpg.Connection, given: Sequence[tuple[Row, bytes]]) -> set[_Key]:
    """Rows of the outbox, in order, with their bodies; returns the keys of those that were not there before."""
    if not given:
        return set()
    texts = [_outbox_row(row, body) for row, body in given]
    at = {(row[0], row[3]): (row[0], told(row[3])) for row in texts}
    added = await connection.fetch(sql.OWE, *columns(texts, 13))
    return {at[name, message] for name, message in added}


def _outbox_row(row: Row, body: bytes) -> Row:
    _, connection, person, kind, message_id, subject, state, attempts, reason, *times, journal_id = row
    texts = (connection, stored(person), kind, stored(message_id), stored(subject), state, attempts, stored(reason))
    return (*texts, *times, journal_id, body)


async def _try_again(connection: asyncpg.Connection, tries: dict[_Key, int]) -> None:
    if tries:
        given = ((name, stored(key), many) for (name, key), many in tries.items())
        await connection.execute(sql.TRY_SHELF_AGAIN, *columns(given, 3))


def _entries(one: _News, new: dict[_Key, int]) -> ledger.Entries:
    """What a routing adds to the ledger."""
    routing, stored_as = one.routing, Counter[State]()
    counted: set[_Key] = set()
    for planned in routing.deliveries:
        key = planned.connection, planned.message_id
        if planned.person not in one.gone and new.get(key) == id(one) and key not in counted:
            counted.add(key)
            stored_as[rows.fate(planned)] += 1
    on_shelf = {(item.connection, item.key) for item in routing.shelved} - counted
    people_of_parts = [*(part.person for part in routing.deliveries), *(part.person for part in routing.awaited)]
    return ledger.routed(
        routing,
        stored=stored_as,
        waiting=one.waiting,
        shelved=sum(new.get(key) == id(one) for key in on_shelf),
        erased=sum(person in one.gone for person in people_of_parts),
        counted_before=len(one.erased_calls) + one.forgotten,
    )


async def shelve_page(connection: asyncpg.Connection, item: Shelved, now: int) -> None:
    """Shelve what never was a record of an arrival."""
    if await _added(connection, [(rows.shelf_row(0, item, journal_id=None, now=now), item.body)]):
        await count(connection, [ledger.page_shelved()])
    else:
        await _try_again(connection, {(item.connection, item.key): 1})


# --- outbox -----------------------------------------------------------------------------------------------------


async def settle_all(connection: asyncpg.Connection, settlements: Sequence[Settlement], now: int) -> None:
    """Record outcomes, in order."""
    changed: Counter[str] = Counter()
    for some in _apart(settlements):
        given = [_settlement_row(one, now) for one in some]
        if not_taken := [one.id for one in some if one.state in rows.NOT_TAKEN]:
            await connection.execute(sql.TAKE_BACK, not_taken)
        changed.update(state for (state,) in await connection.fetch(sql.SETTLE, *columns(given, 6)))
        if set_out := rows.intent_rows(some):
            recipients, *rest = columns(set_out, 3)
            await connection.execute(sql.SET_OUT, list(map(stored, recipients)), *rest)
    await calls.forget_said(connection, [one.id for one in settlements if one.is_untold])
    await count(connection, [ledger.settled(State(state), many) for state, many in changed.items()])


def _apart(settlements: Sequence[Settlement]) -> list[list[Settlement]]:
    """In as many steps as it takes for each to have a delivery once, for a statement changes a row once; by id."""
    steps: defaultdict[int, list[Settlement]] = defaultdict(list)
    seen: Counter[int] = Counter()
    for one in settlements:
        steps[seen[one.id]].append(one)
        seen[one.id] += 1
    return [sorted(some, key=lambda one: one.id) for some in steps.values()]


def _settlement_row(settlement: Settlement, now: int) -> Row:
    state, tries, reason, next_attempt_at, settled_at = rows.settlement_row(settlement, now=now)
    return state, tries, stored(reason), next_attempt_at, settled_at, settlement.id


def delivery(row: Row) -> Delivery:
    """From the columns of a delivery."""
    number, connection, person, kind, message_id, body, state, attempts, reason, created_at, due, subject, *times = row
    texts = connection, told(person), kind, told(message_id)
    return rows.delivery(
        (number, *texts, body, state, attempts, told(reason), created_at, due, told(subject), *times),
    )


# --- upkeep -----------------------------------------------------------------------------------------------------


async def purge_some(connection: asyncpg.Connection, retention: Retention, now: int) -> int:
    """Delete a bounded number of rows past their retention; the ledger does not move."""
    before = now - int(retention.journal * 1000)
    deleted = len(await connection.fetch(sql.PURGE_JOURNAL, PURGED_ENTRIES, before))
    for state in sorted(rows.FINISHED):
        kept = retention.dead if state in {State.DEAD, State.EXPIRED} else retention.delivered
        until = now - int(kept * 1000)
        deleted += len(await connection.fetch(sql.PURGE_OUTBOX, state.value, until, PURGED_DELIVERIES))
    return deleted + await calls.purge(connection, before=before, limit=PURGED_DELIVERIES)


async def fill_and_empty(connection: asyncpg.Connection) -> None:
    """Write and take back as much as a page needs; a full disk shows now instead of with the next page."""
    number = await connection.fetchval(sql.FILL, bytes(PROBE_BYTES))
    await connection.execute(sql.EMPTY, number)
