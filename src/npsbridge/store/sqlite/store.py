"""The `Store` port on one SQLite file: writes through the writer's thread, reads beside it."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import anyio.to_thread
import msgspec
from loguru import logger

from npsbridge.clock import Clock
from npsbridge.core.keys import normalised_email
from npsbridge.core.model import Delivery, State
from npsbridge.core.people import KnownPeople, Person, PersonId
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
    Remains,
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
from npsbridge.errors import NoStoreYet, StoreError
from npsbridge.store import rows
from npsbridge.store.alone import Alone
from npsbridge.store.sqlite import calls, erasure, recalling, steering, writes
from npsbridge.store.sqlite import people as people_rows
from npsbridge.store.sqlite import statements as sql
from npsbridge.store.sqlite.fresh import Fresh
from npsbridge.store.sqlite.lock import held_alone
from npsbridge.store.sqlite.opening import is_current, make_current
from npsbridge.store.sqlite.place import real_place, size_on_disk, warn_of_network
from npsbridge.store.sqlite.reader import Reader, open_reader
from npsbridge.store.sqlite.views import SqliteViews, open_views
from npsbridge.store.sqlite.witness import Witness, leave
from npsbridge.store.sqlite.writer import Writer, open_writer


class SqliteStore:
    """Durable memory in one file; `npsbridge.core.storage.Store` says what is promised. Made by `open_sqlite`."""

    def __init__(
        self,
        path: Path,
        *,
        writer: Writer,
        line: Reader,
        view: Reader,
        views: SqliteViews,
        clock: Clock,
        data_version: int,
    ) -> None:
        self._path = path
        self._writer = writer
        self._line = line
        """Reads of the line from journal to delivery, which must not wait behind a listing."""
        self._view = view
        """Reads of those who look: metrics, command line."""
        self._views = views
        self._leases = Alone(clock)
        self._clock = clock
        self._data_version = data_version
        self._fresh = Fresh()

    # --- journal --------------------------------------------------------------------------------------------------

    async def append(self, arrivals: Sequence[Arrival], *, checkpoint: tuple[str, bytes] | None = None) -> None:
        """Journal the arrivals and move a connection's checkpoint, together."""
        await self._writer.write(writes.append_all, (arrivals, checkpoint))

    async def checkpoint(self, connection: str) -> bytes | None:
        """The last checkpoint of a connection."""
        row = await self._line.first(sql.CHECKPOINT, (connection,))
        return row[0] if row else None

    async def unrouted(self, limit: int, *, only: str | None = None) -> list[JournalEntry]:
        """The oldest journal entries that no routing has consumed, a few megabytes of them at most."""
        statement = sql.UNROUTED if only is None else sql.UNROUTED_ONLY
        wish = {"limit": limit, "bytes": UNROUTED_BYTES, "connection": only}
        return [rows.journal_entry(row) for row in sorted(await self._line.rows(statement, wish))]

    async def note_hints(self, connection: str, hints: Sequence[str], *, heard_at: int) -> None:
        """Remember what a webhook spoke of, until it is read back."""
        await self._writer.run(lambda database: writes.note_hints(database, connection, hints, heard_at))

    async def hints(self, connection: str, limit: int) -> list[Hinted]:
        """What is still to be read back."""
        return [rows.hinted(row) for row in await self._line.rows(sql.HINTS, (connection, limit))]

    async def forget_hints(self, connection: str, hints: Sequence[str]) -> None:
        """They were read back, or never will be."""
        await self._writer.run(lambda database: writes.forget_hints(database, connection, hints))

    async def heard(self, connection: str) -> int:
        """Webhooks are journaled by the one daemon that holds the file."""
        del connection
        return 0

    async def webhooks(self, connection: str, *, after: int, limit: int) -> list[JournalEntry]:
        """None of another process's."""
        del connection, after, limit
        return []

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
        asked = {"responses": responses, "newest": people, "emails": emails, "user_ids": user_ids}
        return await recalling.recall(self._line, connection, **asked)

    async def settled_responses(self, *, now: int, limit: int) -> list[RememberedResponse]:
        """Held-back responses whose time has come."""
        return [rows.remembered_response(row) for row in await self._line.rows(sql.SETTLED_RESPONSES, (now, limit))]

    async def next_settle(self) -> int | None:
        """When the next held-back response is due."""
        row = await self._line.first(sql.NEXT_SETTLE)
        return row[0] if row else None

    async def commit_routing(self, routings: Sequence[Routing], *, erasures: int | None = None) -> None:
        """Make routings true, in order, in one transaction."""
        now = self._clock.now_ms()
        owed = await self._writer.run(lambda database: writes.commit_routings(database, routings, now, erasures))
        self._fresh.keep([one for one in owed if writes.goes_at_once(one, now)], now)

    async def shelve(self, item: Shelved) -> None:
        """Put an unreadable page on the shelf of the dead."""
        now = self._clock.now_ms()
        await self._writer.run(lambda database: writes.shelve_page(database, item, now))

    # --- calls ----------------------------------------------------------------------------------------------------

    async def seen(self, message_ids: Collection[str]) -> set[str]:
        """Those of some calls' messageIds that came before."""
        return await calls.seen(self._line, message_ids)

    async def said(self, persons: Collection[str]) -> dict[tuple[str, str], bytes]:
        """What each vendor was last told of these persons, as fingerprints."""
        return await calls.said(self._line, persons)

    async def awaited(self, persons: Collection[str]) -> list[AwaitedCall]:
        """What waits for these persons to be identified."""
        return await calls.awaited(self._line, persons)

    async def expired_calls(self, *, now: int, limit: int) -> list[AwaitedCall]:
        """What has waited too long."""
        return await calls.expired(self._line, now, limit)

    async def next_expiry(self) -> int | None:
        """When the next waiting call has waited too long."""
        return await calls.next_expiry(self._line)

    # --- people ---------------------------------------------------------------------------------------------------

    async def recall_people(self, ids: Collection[PersonId]) -> KnownPeople:
        """Everyone whom these ids name, and which of their ids are suppressed."""
        return await people_rows.recall(self._line, ids)

    async def people(self, keys: Collection[str]) -> dict[str, Person]:
        """Persons by key, also by one that leads to an older person."""
        return await people_rows.by_keys(self._line, keys)

    async def suppress(self, ids: Collection[PersonId], *, because: str) -> None:
        """From now on nobody may survey whom these ids name."""
        await self._writer.run(lambda database: people_rows.suppress(database, ids, because))

    async def forget(self, person_id: PersonId) -> Forgotten:
        """Erase all that is held of whom an id names."""
        found = await anyio.to_thread.run_sync(erasure.look_for, self._path, person_id)
        forgotten = await self._writer.run(lambda database: erasure.erase_all(database, person_id, found))
        self._fresh.forget()
        is_overwritten = await anyio.to_thread.run_sync(erasure.fold_in, self._path)
        return forgotten if is_overwritten else msgspec.structs.replace(forgotten, remains=Remains.UNTIL_WRITTEN)

    async def erasures(self) -> int:
        """How often somebody was erased."""
        row = await self._line.first(sql.ERASURES)
        return int(row[0]) if row else 0

    async def redact(self, numbers: Sequence[int], ids: Collection[PersonId]) -> None:
        """Take out of routed journal entries what speaks of people who were erased before it came."""
        await self._writer.run(lambda database: erasure.redact(database, numbers, ids))
        await anyio.to_thread.run_sync(erasure.fold_in, self._path)

    # --- outbox ---------------------------------------------------------------------------------------------------

    async def claim(self, connection: str, *, now: int, limit: int, after: int = 0) -> list[Delivery]:
        """Ready deliveries in order of acceptance, held up where an earlier one of the same person is not ready."""
        wish = {"connection": connection, "now": now, "limit": limit, "after": after}
        if self._fresh.has_any_for(connection):
            numbers = [number for (number,) in await self._line.rows(sql.CLAIM_NUMBERS, wish)]
            if (known := self._fresh.take(connection, numbers)) is not None:
                return known
        return [rows.delivery(row) for row in await self._line.rows(sql.CLAIM, wish)]

    async def next_due(self, connection: str) -> int | None:
        """The earliest `next_attempt_at` of the waiting deliveries of a connection."""
        row = await self._line.first(sql.NEXT_DUE, (connection,))
        return row[0] if row else None

    async def inflight(self, connection: str) -> list[Delivery]:
        """What had set out and has no outcome."""
        return [rows.delivery(row) for row in await self._line.rows(sql.INFLIGHT, (connection,))]

    async def still_owed(self, numbers: Collection[int]) -> set[int]:
        """Those of some deliveries that are still owed."""
        return {number for (number,) in await self._line.rows_of(sql.STILL_OWED, numbers)}

    async def beside(self, number: int, *, limit: int) -> list[Delivery]:
        """Further requests that may have been taken, the last to set out first."""
        return [rows.delivery(row) for row in await self._view.rows(sql.BESIDE, {"number": number, "limit": limit})]

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        """Record what became of attempts."""
        now = self._clock.now_ms()
        self._fresh.attempted({one.id for one in settlements})
        await self._writer.run(lambda database: writes.settle_all(database, settlements, now))

    # --- what a person decides --------------------------------------------------------------------------------------

    async def chosen(
        self, states: Collection[State], *, connection: str | None, after: int, limit: int
    ) -> list[Delivery]:
        """Deliveries and shelved items in some states, oldest first."""
        return await steering.chosen(self._view, states, connection, after, limit)

    async def requeue(self, numbers: Sequence[int]) -> int:
        """Have held and dead deliveries tried again, for as long as new ones."""
        now = self._clock.now_ms()
        return await self._writer.run(lambda database: steering.requeue(database, numbers, now))

    async def confirm(self, numbers: Sequence[int], *, because: str) -> int:
        """Take held deliveries for delivered."""
        now = self._clock.now_ms()
        return await self._writer.run(lambda database: steering.confirm(database, numbers, because, now))

    async def unshelve(self, items: Mapping[int, Arrival | None]) -> int:
        """Take items off the shelf of the dead, to be journaled again or forgotten."""
        return await self._writer.run(lambda database: steering.unshelve(database, items))

    async def drop(self, numbers: Sequence[int], *, because: str) -> int:
        """Have deliveries never sent."""
        now = self._clock.now_ms()
        return await self._writer.run(lambda database: steering.drop(database, numbers, because, now))

    async def sent(self, connection: str, *, before: int, after: tuple[int, int], limit: int) -> list[Sent]:
        """What a connection has taken, in the order in which it did."""
        return await steering.sent(self._view, connection, before, after, limit)

    async def send_again(self, numbers: Sequence[int]) -> int:
        """Owe again what was delivered."""
        now = self._clock.now_ms()
        return await self._writer.run(lambda database: steering.send_again(database, numbers, now))

    async def untold(self, connection: str, *, after: int, limit: int) -> list[tuple[int, RememberedResponse]]:
        """Responses of which the outbox holds nothing for a connection."""
        return await steering.untold(self._view, connection, after, limit)

    # --- what can be seen -----------------------------------------------------------------------------------------

    @property
    def leases(self) -> Alone:
        """One daemon does everything."""
        return self._leases

    @property
    def views(self) -> SqliteViews:
        """What the dashboard asks."""
        return self._views

    async def deliveries(
        self, *, state: State | None = None, connection: str | None = None, limit: int = 100
    ) -> list[Delivery]:
        """Deliveries and shelved items, newest first."""
        statement = sql.newest_deliveries(state, of_connection=connection is not None)
        wish = {"connection": connection, "limit": limit}
        return [rows.delivery(row) for row in await self._view.rows(statement, wish)]

    async def delivery(self, number: int) -> Delivery | None:
        """One delivery by its id."""
        row = await self._view.first(sql.DELIVERY, (number,))
        return rows.delivery(row) if row else None

    async def waiting_calls(self, *, connection: str | None = None, limit: int = 100) -> list[AwaitedCall]:
        """What waits for its person to be identified, newest first."""
        return await calls.newest_awaited(self._view, connection, limit)

    async def trace(self, key: str) -> Trace:
        """Everything about a messageId, a response id, or an email; entries as long as the journal keeps them."""
        responses = await self._traced_responses(key)
        subjects = [f"{response.connection}/{response.id}" for response in (known.response for known in responses)]
        found = await self._view.rows(sql.DELIVERIES_OF_MESSAGE, {"key": key})
        found = found or await self._view.rows(sql.DELIVERIES_OF_CALL, (f"{key}:", f"{key};"))
        if not found:
            found = await self._view.rows_of(sql.DELIVERIES_ABOUT, subjects)
            found += await self._view.rows(sql.DELIVERIES_OF_PERSON, (normalised_email(key) or key,))
        deliveries = [rows.delivery(row) for row in found]
        return Trace(
            entries=await self._traced_entries(responses, deliveries),
            responses=responses,
            deliveries=deliveries,
            awaited=await calls.traced(self._view, key),
        )

    async def _traced_responses(self, key: str) -> list[RememberedResponse]:
        subjects = await self._view.rows(sql.SUBJECTS_OF_MESSAGE, (key,))
        found = await self._view.rows(sql.TRACED_RESPONSES, (key, normalised_email(key)))
        for (subject,) in subjects:
            connection, _, response_id = subject.partition("/")
            found += await self._view.rows(sql.RESPONSES_BY_SUBJECT, (connection, response_id))
        return [rows.remembered_response(row) for row in found]

    async def _traced_entries(
        self, responses: Sequence[RememberedResponse], deliveries: Sequence[Delivery]
    ) -> list[JournalEntry]:
        sources = await self._view.rows_of(sql.SOURCES_OF_DELIVERIES, [delivery.id for delivery in deliveries])
        for known in responses:
            response = known.response
            sources += await self._view.rows_of(sql.SOURCES_OF_RESPONSES, [response.id], response.connection)
        numbers = sorted({number for (number,) in sources})
        return [rows.journal_entry(row) for row in await self._view.rows_of(sql.ENTRIES, numbers)]

    async def ledger(self) -> Ledger:
        """The ledger as it stands in one consistent reading."""
        return rows.ledger(await self._view.rows(sql.LEDGER))

    async def depths(self) -> dict[tuple[str, State], int]:
        """How many deliveries each connection has in every state but delivered."""
        return {(connection, State(state)): count for connection, state, count in await self._view.rows(sql.DEPTHS)}

    async def oldest_owed(self) -> dict[str, int]:
        """By connection: `created_at` of the oldest delivery still owed."""
        return dict(await self._view.rows(sql.OLDEST_OWED))

    async def backlog(self) -> Backlog:
        """What waits before it is a delivery, and what waits longest."""
        ((unrouted, oldest, settling),) = await self._view.rows(sql.BACKLOG)
        awaited: dict[str, int] = dict(await self._view.rows(sql.AWAITED))
        held: dict[str, int] = dict(await self._view.rows(sql.OLDEST_HELD))
        return Backlog(unrouted=unrouted, oldest_unrouted=oldest, settling=settling, awaited=awaited, oldest_held=held)

    async def size(self) -> StoreSize:
        """What the store takes on its disk."""
        return await anyio.to_thread.run_sync(size_on_disk, self._path)

    # --- notes and upkeep -----------------------------------------------------------------------------------------

    async def note_health(self, health: Health) -> None:
        """Remember a change of state."""
        await self._writer.run(lambda database: writes.note_health(database, health))

    async def health(self) -> list[Health]:
        """The noted states."""
        return [rows.health(row) for row in await self._view.rows(sql.HEALTH)]

    async def facts(self) -> Mapping[str, str]:
        """Small durable facts by name."""
        return dict(await self._view.rows(sql.FACTS))

    async def note_fact(self, name: str, value: str) -> None:
        """Set a small durable fact."""
        await self._writer.run(lambda database: writes.note_fact(database, name, value))

    async def purge(self, *, now: int, retention: Retention) -> int:
        """Delete a bounded number of rows past their retention; returns how many."""
        return await self._writer.run(lambda database: writes.purge_some(database, retention, now))

    async def changed_elsewhere(self) -> bool:
        """Whether another process has written since the last call."""
        before, self._data_version = self._data_version, await self._writer.run(writes.data_version)
        has_changed = self._data_version != before
        if has_changed:  # somebody may have been erased, of whom nothing is to stay in memory
            self._fresh.forget()
        return has_changed

    async def heartbeat(self) -> None:
        """Return once the writer has answered."""
        await self._writer.run(writes.data_version)

    async def probe(self) -> None:
        """Prove that a commit would succeed now."""
        await self._writer.run(writes.fill_and_empty)


@asynccontextmanager
async def open_sqlite(
    path: Path, *, clock: Clock, exclusive: bool, must_exist: bool = False
) -> AsyncIterator[SqliteStore]:
    """The store in a file, which is created or upgraded first where needed.

    Args:
        path: the file; symbolic links are followed.
        clock: for the times that are ours.
        exclusive: hold the store alone, as a daemon does; otherwise read and write beside one.
        must_exist: do not make it.

    Raises:
        NoStoreYet: it must exist, and does not.
        StoreLocked: another daemon holds it, or it has to be created or upgraded and one does.
        StoreUnusable: empty, foreign, damaged, or of a newer release.
        StorePermission: the file or its folder may not be read and written.
        StoreFull, StoreError: the disk is full or fails.
    """
    if must_exist and not await anyio.to_thread.run_sync(path.exists):
        raise NoStoreYet(path)
    real, witness = real_place(path), None
    async with AsyncExitStack() as stack:
        if exclusive:
            warn_of_network(real)
            witness = Witness(real, stack.enter_context(held_alone(real)))
            await anyio.to_thread.run_sync(make_current, real)
            if older := await anyio.to_thread.run_sync(witness.take_up):
                logger.warning("{}: {}", real, older.in_words())
        elif not is_current(real):
            with held_alone(real):
                await anyio.to_thread.run_sync(make_current, real)
        writer = await stack.enter_async_context(open_writer(real, witness))
        if witness is not None:
            await stack.enter_async_context(_witnessed(writer))
        line = await stack.enter_async_context(open_reader(real))
        view = await stack.enter_async_context(open_reader(real))
        views = await stack.enter_async_context(open_views(real))
        version = await writer.run(writes.data_version)
        yield SqliteStore(real, writer=writer, line=line, view=view, views=views, clock=clock, data_version=version)


@asynccontextmanager
async def _witnessed(writer: Writer) -> AsyncIterator[None]:
    """Have a store known as in use for the length of a block."""
    try:
        yield
    finally:
        with suppress(StoreError):  # the store has failed: it is for the next start to say so
            await writer.run(leave)
