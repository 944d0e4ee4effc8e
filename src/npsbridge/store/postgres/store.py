"""The `Store` port on one PostgreSQL schema that any number of replicas share."""

import secrets
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg
import msgspec

from npsbridge.clock import Clock
from npsbridge.core.keys import normalised_email
from npsbridge.core.leases import current_lease
from npsbridge.core.model import Delivery, State
from npsbridge.core.people import ERASED, IdKind, KnownPeople, Person, PersonId
from npsbridge.core.records import (
    Arrival,
    AwaitedCall,
    Backlog,
    Forgotten,
    Health,
    Hinted,
    JournalEntry,
    Ledger,
    Recall,
    RememberedResponse,
    Retention,
    Routing,
    Sent,
    Settlement,
    Shelved,
    StoreSize,
    Trace,
)
from npsbridge.core.storage import UNROUTED_BYTES
from npsbridge.store import rows
from npsbridge.store.postgres import calls, erasure, steering, writes
from npsbridge.store.postgres import people as people_rows
from npsbridge.store.postgres import statements as sql
from npsbridge.store.postgres.connections import SOON_SECONDS, Act, Connections, Result, open_connections
from npsbridge.store.postgres.gathering import Gathering
from npsbridge.store.postgres.leases import PostgresLeases
from npsbridge.store.postgres.news import News
from npsbridge.store.postgres.order import insist_on_order
from npsbridge.store.postgres.place import place_of
from npsbridge.store.postgres.texts import column, stored, told
from npsbridge.store.postgres.views import PostgresViews


class PostgresStore:
    """Durable memory in one schema; `npsbridge.core.storage.Store` says what is promised. Made by `open_postgres`."""

    def __init__(self, connections: Connections, *, news: News, clock: Clock) -> None:
        self._connections = connections
        self._news = news
        self._clock = clock
        self._gathering = Gathering(self._append_together)
        self._views = PostgresViews(connections)
        self._leases = PostgresLeases(connections)

    async def _write(self, act: Act[Result]) -> Result:
        """Write in one transaction, and have the others hear of it."""
        result = await self._connections.together(act)
        await self._news.wrote()
        return result

    async def close(self) -> None:
        """Write what still waits."""
        await self._gathering.end()

    # --- journal --------------------------------------------------------------------------------------------------

    async def append(self, arrivals: Sequence[Arrival], *, checkpoint: tuple[str, bytes] | None = None) -> None:
        """Journal the arrivals and move a connection's checkpoint, together."""
        if checkpoint is None and current_lease() is None:
            if arrivals:
                await self._gathering.add(arrivals)
        else:
            await self._write(lambda connection: writes.append(connection, arrivals, checkpoint))

    async def _append_together(self, arrivals: Sequence[Arrival]) -> None:
        columns = writes.arrival_columns(arrivals)
        await self._connections.rows(sql.APPEND, *columns, writes.shard(), within=SOON_SECONDS)
        await self._news.wrote()

    async def checkpoint(self, connection: str) -> bytes | None:
        """The last checkpoint of a connection."""
        row = await self._connections.first(sql.CHECKPOINT, connection)
        return row[0] if row else None

    async def unrouted(self, limit: int, *, only: str | None = None) -> list[JournalEntry]:
        """The oldest journal entries that no routing has consumed, a few megabytes of them at most."""
        if only is None:
            found = await self._connections.rows(sql.UNROUTED, limit, UNROUTED_BYTES)
        else:
            found = await self._connections.rows(sql.UNROUTED_ONLY, limit, UNROUTED_BYTES, only)
        return [rows.journal_entry(row) for row in found]

    async def note_hints(self, connection: str, hints: Sequence[str], *, heard_at: int) -> None:
        """Remember what a webhook spoke of, until it is read back."""
        await self._execute(sql.NOTE_HINTS, connection, column(hints), heard_at)

    async def hints(self, connection: str, limit: int) -> list[Hinted]:
        """What is still to be read back."""
        found = await self._connections.rows(sql.HINTS, connection, limit)
        return [rows.hinted((told(hint), heard_at)) for hint, heard_at in found]

    async def forget_hints(self, connection: str, hints: Sequence[str]) -> None:
        """They were read back, or never will be."""
        await self._execute(sql.FORGET_HINTS, connection, column(hints))

    async def heard(self, connection: str) -> int:
        """The number of the last webhook of a connection."""
        ((last,),) = await self._connections.rows(sql.LAST_WEBHOOK, connection)
        return last or 0

    async def webhooks(self, connection: str, *, after: int, limit: int) -> list[JournalEntry]:
        """The webhooks of a connection behind a number, whichever replica journaled them."""
        found = await self._connections.rows(sql.WEBHOOKS, connection, after, limit)
        return [rows.journal_entry(row) for row in found]

    async def _execute(self, statement: str, *values: Any) -> None:
        """Write with one statement."""

        async def act(connection: asyncpg.Connection) -> None:
            await connection.execute(statement, *values)

        await self._write(act)

    # --- routing --------------------------------------------------------------------------------------------------

    async def recall(
        self,
        connection: str,
        *,
        responses: Collection[str],
        people: Collection[str],
        emails: Collection[str],
        user_ids: Collection[str] = (),
    ) -> Recall:
        """What is known of these responses, persons, emails and userIds."""
        erasures = await self.erasures()
        found = await self._connections.rows_of(sql.RECALL_RESPONSES, column(responses), connection)
        newest = await self._connections.rows_of(sql.RECALL_NEWEST, column(people))
        known = map(rows.remembered_response, found)
        return Recall(
            responses={remembered.response.id: remembered for remembered in known},
            newest={told(person): at for person, at in newest},
            identities=await people_rows.identities(self._connections, emails),
            erased=await self._erased(emails, user_ids),
            erasures=erasures,
        )

    async def settled_responses(self, *, now: int, limit: int) -> list[RememberedResponse]:
        """Held-back responses whose time has come."""
        found = await self._connections.rows(sql.SETTLED_RESPONSES, now, limit)
        return [rows.remembered_response(row) for row in found]

    async def next_settle(self) -> int | None:
        """When the next held-back response is due."""
        row = await self._connections.first(sql.NEXT_SETTLE)
        return row[0] if row else None

    async def commit_routing(self, routings: Sequence[Routing], *, erasures: int | None = None) -> None:
        """Make routings true, in order, in one transaction."""
        now = self._clock.now_ms()
        await self._write(lambda connection: writes.commit_routings(connection, routings, now, erasures))

    async def shelve(self, item: Shelved) -> None:
        """Put an unreadable page on the shelf of the dead."""
        now = self._clock.now_ms()
        await self._write(lambda connection: writes.shelve_page(connection, item, now))

    # --- calls ----------------------------------------------------------------------------------------------------

    async def seen(self, message_ids: Collection[str]) -> set[str]:
        """Those of some calls' messageIds that came before."""
        return await calls.seen(self._connections, message_ids)

    async def said(self, persons: Collection[str]) -> dict[tuple[str, str], bytes]:
        """What each vendor was last told of these persons, as fingerprints."""
        return await calls.said(self._connections, persons)

    async def awaited(self, persons: Collection[str]) -> list[AwaitedCall]:
        """What waits for these persons to be identified."""
        return await calls.awaited(self._connections, persons)

    async def expired_calls(self, *, now: int, limit: int) -> list[AwaitedCall]:
        """What has waited too long."""
        return await calls.expired(self._connections, now, limit)

    async def next_expiry(self) -> int | None:
        """When the next waiting call has waited too long."""
        return await calls.next_expiry(self._connections)

    # --- people ---------------------------------------------------------------------------------------------------

    async def recall_people(self, ids: Collection[PersonId]) -> KnownPeople:
        """Everyone whom these ids name, and which of their ids are suppressed."""
        return await people_rows.recall(self._connections, ids)

    async def people(self, keys: Collection[str]) -> dict[str, Person]:
        """Persons by key, also by one that leads to an older person."""
        return await people_rows.by_keys(self._connections, keys)

    async def _erased(self, emails: Collection[str], user_ids: Collection[str]) -> frozenset[str]:
        """Those of the emails and userIds whose persons were erased."""
        ids = [PersonId(IdKind.EMAIL, email) for email in emails] + [PersonId(IdKind.USER, one) for one in user_ids]
        found = await people_rows.suppressed(self._connections, ids)
        return frozenset(one.value for one, reason in found.items() if reason == ERASED)

    async def suppress(self, ids: Collection[PersonId], *, because: str) -> None:
        """From now on nobody may survey whom these ids name."""
        await self._write(lambda connection: people_rows.suppress(connection, ids, because))

    async def forget(self, person_id: PersonId) -> Forgotten:
        """Erase all that is held of whom an id names; the database's own files and log outlive it for a while."""
        found = await self._connections.together(lambda connection: erasure.look_for(connection, person_id))
        forgotten = await self._write(lambda connection: erasure.erase_all(connection, person_id, found))
        return msgspec.structs.replace(forgotten, remains=await erasure.vacuum(self._connections))

    async def erasures(self) -> int:
        """How often somebody was erased."""
        found = await self._connections.rows(sql.ERASURES)
        return int(told(found[0][0])) if found else 0

    async def redact(self, numbers: Sequence[int], ids: Collection[PersonId]) -> None:
        """Take out of routed journal entries what speaks of people who were erased before it came."""
        await self._write(lambda connection: erasure.redact(connection, numbers, ids))

    # --- outbox ---------------------------------------------------------------------------------------------------

    async def claim(self, connection: str, *, now: int, limit: int, after: int = 0) -> list[Delivery]:
        """Ready deliveries in order of acceptance, held up where an earlier one of the same person is not ready."""
        return await self._deliveries(sql.CLAIM, connection, now, limit, after)

    async def _deliveries(self, statement: str, *values: Any) -> list[Delivery]:
        return [writes.delivery(row) for row in await self._connections.rows(statement, *values)]

    async def next_due(self, connection: str) -> int | None:
        """The earliest `next_attempt_at` of the waiting deliveries of a connection."""
        row = await self._connections.first(sql.NEXT_DUE, connection)
        return row[0] if row else None

    async def inflight(self, connection: str) -> list[Delivery]:
        """What had set out and has no outcome."""
        return await self._deliveries(sql.INFLIGHT, connection)

    async def still_owed(self, numbers: Collection[int]) -> set[int]:
        """Those of some deliveries that are still owed."""
        return {number for (number,) in await self._connections.rows(sql.STILL_OWED, list(numbers))}

    async def beside(self, number: int, *, limit: int) -> list[Delivery]:
        """Further requests that may have been taken, the last to set out first."""
        return await self._deliveries(sql.BESIDE, number, limit)

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        """Record what became of attempts."""
        now = self._clock.now_ms()
        await self._write(lambda connection: writes.settle_all(connection, settlements, now))

    # --- what a person decides ------------------------------------------------------------------------------------

    async def chosen(
        self, states: Collection[State], *, connection: str | None, after: int, limit: int
    ) -> list[Delivery]:
        """Deliveries and shelved items in some states, oldest first."""
        return await self._deliveries(sql.CHOSEN, [state.value for state in states], connection, after, limit)

    async def requeue(self, numbers: Sequence[int]) -> int:
        """Have held and dead deliveries tried again, for as long as new ones."""
        now = self._clock.now_ms()
        return await self._write(lambda connection: steering.requeue(connection, numbers, now))

    async def confirm(self, numbers: Sequence[int], *, because: str) -> int:
        """Take held deliveries for delivered."""
        now = self._clock.now_ms()
        return await self._write(lambda connection: steering.confirm(connection, numbers, because, now))

    async def unshelve(self, items: Mapping[int, Arrival | None]) -> int:
        """Take items off the shelf of the dead, to be journaled again or forgotten."""
        return await self._write(lambda connection: steering.unshelve(connection, items))

    async def drop(self, numbers: Sequence[int], *, because: str) -> int:
        """Have deliveries never sent."""
        now = self._clock.now_ms()
        return await self._write(lambda connection: steering.drop(connection, numbers, because, now))

    async def sent(self, connection: str, *, before: int, after: tuple[int, int], limit: int) -> list[Sent]:
        """What a connection has taken, in the order in which it did."""
        return [rows.sent(row) for row in await self._connections.rows(sql.SENT, connection, before, *after, limit)]

    async def send_again(self, numbers: Sequence[int]) -> int:
        """Owe again what was delivered."""
        now = self._clock.now_ms()
        return await self._write(lambda connection: steering.send_again(connection, numbers, now))

    async def untold(self, connection: str, *, after: int, limit: int) -> list[tuple[int, RememberedResponse]]:
        """Responses of which the outbox holds nothing for a connection."""
        found = await self._connections.rows(sql.UNTOLD, connection, after, limit)
        return [(number, rows.remembered_response(tuple(rest))) for number, *rest in found]

    # --- what can be seen -----------------------------------------------------------------------------------------

    @property
    def leases(self) -> PostgresLeases:
        """Who does what, among the replicas."""
        return self._leases

    @property
    def views(self) -> PostgresViews:
        """What the dashboard asks."""
        return self._views

    async def waiting_calls(self, *, connection: str | None = None, limit: int = 100) -> list[AwaitedCall]:
        """What waits for its person to be identified, newest first."""
        return await calls.newest_awaited(self._connections, connection, limit)

    async def deliveries(
        self, *, state: State | None = None, connection: str | None = None, limit: int = 100
    ) -> list[Delivery]:
        """Deliveries and shelved items, newest first."""
        statement = sql.newest_deliveries(state, of_connection=connection is not None)
        return await self._deliveries(statement, limit, *(() if connection is None else (connection,)))

    async def delivery(self, number: int) -> Delivery | None:
        """One delivery by its id."""
        return next(iter(await self._deliveries(sql.DELIVERY, number)), None)

    async def trace(self, key: str) -> Trace:
        """Everything about a messageId, a response id, or an email; entries as long as the journal keeps them."""
        responses = await self._traced_responses(key)
        about = [stored(f"{known.response.connection}/{known.response.id}") for known in responses]
        found = await self._deliveries(sql.DELIVERIES_OF_MESSAGE, stored(key))
        found = found or await self._deliveries(sql.DELIVERIES_OF_CALL, stored(f"{key}:"), stored(f"{key};"))
        if not found:
            found = await self._deliveries(sql.DELIVERIES_ABOUT, about)
            found += await self._deliveries(sql.DELIVERIES_OF_PERSON, stored(normalised_email(key) or key))
        return Trace(
            entries=await self._traced_entries(responses, found),
            responses=responses,
            deliveries=found,
            awaited=await calls.traced(self._connections, key),
        )

    async def _traced_responses(self, key: str) -> list[RememberedResponse]:
        subjects = await self._connections.rows(sql.SUBJECTS_OF_MESSAGE, stored(key))
        found = await self._connections.rows(sql.TRACED_RESPONSES, stored(key), stored(normalised_email(key)))
        for (subject,) in subjects:
            connection, _, response_id = subject.partition("/")
            found += await self._connections.rows(sql.RESPONSES_BY_SUBJECT, connection, response_id)
        return [rows.remembered_response(row) for row in found]

    async def _traced_entries(
        self, responses: Sequence[RememberedResponse], deliveries: Sequence[Delivery]
    ) -> list[JournalEntry]:
        sources = await self._connections.rows_of(sql.SOURCES_OF_DELIVERIES, [delivery.id for delivery in deliveries])
        for known in responses:
            response = known.response
            wish = column([response.id])
            sources += await self._connections.rows_of(sql.SOURCES_OF_RESPONSES, wish, response.connection)
        numbers = sorted({number for (number,) in sources})
        return [rows.journal_entry(row) for row in await self._connections.rows_of(sql.ENTRIES, numbers)]

    async def ledger(self) -> Ledger:
        """The ledger as it stands in one consistent reading."""
        return rows.ledger(await self._connections.rows(sql.LEDGER))

    async def depths(self) -> dict[tuple[str, State], int]:
        """How many deliveries each connection has in every state but delivered."""
        found = await self._connections.rows(sql.DEPTHS)
        return {(connection, State(state)): count for connection, state, count in found}

    async def oldest_owed(self) -> dict[str, int]:
        """By connection: `created_at` of the oldest delivery still owed."""
        return dict(await self._connections.rows(sql.OLDEST_OWED))

    async def backlog(self) -> Backlog:
        """What waits before it is a delivery, and what waits longest."""
        ((unrouted, oldest, settling),) = await self._connections.rows(sql.BACKLOG)
        awaited: dict[str, int] = dict(await self._connections.rows(sql.AWAITED))
        held: dict[str, int] = dict(await self._connections.rows(sql.OLDEST_HELD))
        return Backlog(unrouted=unrouted, oldest_unrouted=oldest, settling=settling, awaited=awaited, oldest_held=held)

    async def size(self) -> StoreSize:
        """What our tables and their indexes take; the log is the whole database's, and so is its disk.

        0 where the engine cannot tell.
        """
        try:
            ((size,),) = await self._connections.rows(sql.SIZE)
        except asyncpg.UndefinedFunctionError:
            size = 0
        return StoreSize(database=size)

    # --- notes and upkeep -----------------------------------------------------------------------------------------

    async def note_health(self, health: Health) -> None:
        """Remember a change of state."""
        noted = (health.connection, health.direction, health.state, stored(health.reason), health.since)
        await self._execute(sql.NOTE_HEALTH, *noted)

    async def health(self) -> list[Health]:
        """The noted states."""
        return [rows.health(tuple(row)) for row in await self._connections.rows(sql.HEALTH)]

    async def facts(self) -> Mapping[str, str]:
        """Small durable facts by name."""
        return {told(name): told(value) for name, value in await self._connections.rows(sql.FACTS)}

    async def note_fact(self, name: str, value: str) -> None:
        """Set a small durable fact."""
        await self._execute(sql.NOTE_FACT, stored(name), stored(value))

    async def purge(self, *, now: int, retention: Retention) -> int:
        """Delete a bounded number of rows past their retention; returns how many."""
        return await self._connections.together(lambda connection: writes.purge_some(connection, retention, now))

    async def changed_elsewhere(self) -> bool:
        """Whether another process has written since the last call."""
        return await self._news.has_come()

    async def heartbeat(self) -> None:
        """There is no writer here that could hang; that the database is away is no reason to restart, see `probe`."""

    async def probe(self) -> None:
        """Prove that a commit would succeed now."""
        await self._connections.together(writes.fill_and_empty, within=SOON_SECONDS)


@asynccontextmanager
async def open_postgres(
    url: str, *, clock: Clock, is_daemon: bool, must_exist: bool = False
) -> AsyncIterator[PostgresStore]:
    """The store in a schema, which is created or upgraded first where needed.

    Args:
        url: `postgresql://user:password@host/database`; `?search_path=` names another schema than `npsbridge`.
        clock: for the times that are ours.
        is_daemon: one replica of several; otherwise a verb of the command line, which tells at once what it wrote.
        must_exist: do not make it.

    Raises:
        NoStoreYet: it must exist, and does not.
        StoreUnavailable: the database cannot be reached.
        StoreUnusable: it does not keep what it is told, numbers out of order, or is of a newer release.
        StorePermission: it refuses us.
    """
    async with AsyncExitStack() as stack:
        connections = await stack.enter_async_context(open_connections(place_of(url), must_exist=must_exist))
        if is_daemon:
            with connections.in_our_words():
                await insist_on_order(connections)
        news = News(connections, name=secrets.token_hex(8), tells_at_once=not is_daemon)
        stack.push_async_callback(news.close)
        await news.open()
        store = PostgresStore(connections, news=news, clock=clock)
        stack.push_async_callback(store.close)
        yield store
