"""Reads the journal in order, asks the core what follows, and makes it true in one transaction per run."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

import anyio
import anyio.lowlevel
import msgspec
from loguru import logger

from npsbridge.core.envelope import INGEST
from npsbridge.core.model import Response
from npsbridge.core.ports import Destination, Parser
from npsbridge.core.records import JournalEntry, Recall, RememberedResponse, Routing, Shelved
from npsbridge.core.route import Rules, emails, people, read, release, route, user_ids
from npsbridge.core.storage import Store
from npsbridge.engine.forwarding import CALLS_SEEN, CallRouter
from npsbridge.engine.lead import Lead
from npsbridge.engine.seams import Seams
from npsbridge.errors import ErasedMeanwhile, StoreUnavailable
from npsbridge.telemetry import NAMED, hears, of_several

ENTRIES = 300
"""How many entries are read at once; a run of single calls is as long as one of batches."""
RECORDS = 300
"""How many records one run takes; beyond it the event loop would be busy for too long."""
BREATH = 0.02
"""Seconds between two reads that do not fill a run: what arrives one by one is decided together, at a fraction of the
price, and leaves the event loop to those who arrive."""
FULL_DISK_PAUSE = 5.0
LONGEST_SLEEP = 3600.0
SETTLING_SLACK_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What routing decides with: parsers by connection, the sinks, the operator's rules."""

    parsers: Mapping[str, Parser]
    sinks: Sequence[Destination]
    rules: Rules
    calls: CallRouter
    """Decides about Segment calls."""


class Router:
    """The one task that moves things from the journal to the outbox."""

    def __init__(self, desk: Desk, seams: Seams, *, bell: Lead, bells: Mapping[str, Lead]) -> None:
        """`bell` is rung when something was journaled; `bells` are those of the lanes, by connection."""
        self._desk = desk
        self._seams = seams
        self._store = seams.store
        self._bell = bell
        self._bells = bells
        self._plans = [sink.plan for sink in desk.sinks]
        self._was_short = False

    async def run(self) -> None:
        """Route for ever; cancelled from outside."""
        try:
            while True:
                await self._go_on()
        finally:
            self._bell.rest()

    async def _go_on(self) -> None:
        try:
            if not await self.step():
                self._bell.rest()
                await self._bell.wait(await self._until_next())
            elif self._was_short:
                await anyio.sleep(BREATH)
        except StoreUnavailable:
            self._bell.rest()
            await anyio.sleep(FULL_DISK_PAUSE)

    async def step(self) -> bool:
        """Route what waits in the journal, or release held-back responses; False when there was nothing to do."""
        # Without a sink, responses in the journal go on waiting for one.
        if entries := await self._store.unrouted(ENTRIES, only=None if self._desk.sinks else INGEST):
            self._was_short = not fills_run(entries)
            await self._route_all(entries)
            return True
        return await self._release_settled() or await self._expire_calls()

    async def _route_all(self, entries: Sequence[JournalEntry]) -> None:
        try:
            for connection, together in groupby(entries, key=attrgetter("connection")):
                await (self._route_calls if connection == INGEST else self._route_records)(list(together))
        except ErasedMeanwhile:
            logger.debug("Somebody was erased while it was decided what follows from an answer; it is decided anew")

    async def _release_settled(self) -> bool:
        now = self._seams.clock.now_ms()
        held = await self._store.settled_responses(now=now, limit=RECORDS) or await self._left_behind(now)
        if held:
            with suppress(ErasedMeanwhile):  # the next step finds what is left
                await self._release(held)
        return bool(held)

    async def _left_behind(self, now: int) -> list[RememberedResponse]:
        """What would be held back for longer than anything is: since it was, the system's clock has been set back."""
        due = await self._store.next_settle()
        is_behind = due is not None and due - now > self._desk.rules.settle_ms + SETTLING_SLACK_MS
        return await self._store.settled_responses(now=due, limit=RECORDS) if due and is_behind else []

    async def _expire_calls(self) -> bool:
        routing = await self._desk.calls.expired(RECORDS)
        if routing is not None:
            await self._commit(INGEST, [routing])
        return routing is not None

    async def _route_calls(self, entries: Sequence[JournalEntry]) -> None:
        while entries:
            decision = await self._desk.calls.route(entries)
            await self._commit(INGEST, decision.routings)
            self._desk.calls.committed(decision)
            done = {routing.journal_id for routing in decision.routings}
            entries = [entry for entry in entries if done and entry.id not in done]
            await anyio.lowlevel.checkpoint()

    async def _route_records(self, entries: Sequence[JournalEntry]) -> None:
        for run in runs(entries):
            await self._route(run)
            await anyio.lowlevel.checkpoint()

    async def _route(self, entries: Sequence[JournalEntry]) -> None:
        connection = entries[0].connection
        readings = [read(entry, self._desk.parsers.get(connection)) for entry in entries]
        responses = [response for reading in readings for response in reading.responses]
        recall = await recall_of(self._store, connection, responses, self._desk.rules)
        now = self._seams.clock.now_ms()
        routings = route(readings, recall, rules=self._desk.rules, plans=self._plans, now=now)
        await self._commit(connection, routings, erasures=recall.erasures)
        self._bell.done(sum(entry.count for entry in entries))
        for sink in self._desk.sinks:
            await self._bells[sink.connection].shorten()

    async def _release(self, held: Sequence[RememberedResponse]) -> None:
        connection = held[0].response.connection
        run = [one for one in held if one.response.connection == connection]
        recall = await recall_of(self._store, connection, [one.response for one in run], self._desk.rules)
        now = self._seams.clock.now_ms()
        routing = release(run, recall, rules=self._desk.rules, plans=self._plans, now=now)
        await self._commit(connection, [routing], erasures=recall.erasures)

    async def _commit(self, connection: str, routings: Sequence[Routing], *, erasures: int | None = None) -> None:
        await self._store.commit_routing(routings, erasures=erasures)
        await self._redact(routings)
        if connection != INGEST:
            emitted = sum(routing.fanned_out for routing in routings)
            self._seams.metrics.responses_emitted.labels(connection).inc(emitted)
        self._count_settled(routings)
        _tell_shelved(connection, routings)
        if hears("DEBUG"):
            _tell_planned(routings)
        owed = Counter(delivery.connection for routing in routings for delivery in routing.deliveries)
        for name, count in owed.items():
            if bell := self._bells.get(name):
                bell.hand_over(count)

    async def _redact(self, routings: Sequence[Routing]) -> None:
        """Leave nothing in the journal of those who were erased before it came."""
        numbers = [one.journal_id for one in routings if one.erased_ids and one.journal_id is not None]
        if numbers:
            await self._store.redact(numbers, frozenset().union(*(one.erased_ids for one in routings)))

    def _count_settled(self, routings: Sequence[Routing]) -> None:
        """Deliveries that no lane will attempt, because they ended when they were decided."""
        for delivery in (one for routing in routings for one in routing.deliveries):
            if delivery.filtered_because or delivery.expired_because:
                result = "filtered" if delivery.filtered_because else "expired"
                self._seams.metrics.deliveries.labels(delivery.connection, result).inc()

    async def _until_next(self) -> float:
        coming = (await self._store.next_settle(), await self._store.next_expiry())
        due = min((at for at in coming if at is not None), default=None)
        if due is None:
            return LONGEST_SLEEP
        return min(LONGEST_SLEEP, max(0.0, (due - self._seams.clock.now_ms()) / 1000))


async def recall_of(store: Store, connection: str, responses: Sequence[Response], rules: Rules) -> Recall:
    """What is known of these responses, and of their people under the identities that are known of them."""
    # Nearly always nobody's identity is known but by the answers themselves, and there is nothing more to ask.
    keys = people(responses, {}, rules)
    known = await store.recall(
        connection,
        responses={response.id for response in responses},
        people=keys,
        emails=emails(responses),
        user_ids=user_ids(responses),
    )
    others = people(responses, known.identities, rules) - keys if known.identities else None
    if not others:
        return known
    more = await store.recall(connection, responses=(), people=others, emails=())
    return msgspec.structs.replace(known, newest=known.newest | more.newest)


class _Named(msgspec.Struct, rename="camel"):
    message_id: str | None = None


def _tell_shelved(connection: str, routings: Sequence[Routing]) -> None:
    """One line for a run: all records of an archive may be of no use."""
    items = [item for routing in routings for item in routing.shelved]
    if not items:
        return
    message_ids = [found for item in items[:NAMED] if (found := _message_id_of(item))]
    keys, several = [item.key for item in items[:NAMED]], of_several([item.reason for item in items])
    bound = logger.bind(connection=connection, keys=keys, message_ids=message_ids, **several)
    bound.warning("Records cannot be used; they are on the shelf of the dead")


def _message_id_of(item: Shelved) -> str | None:
    """The messageId that a call which cannot be used has all the same."""
    try:
        return msgspec.json.decode(item.body, type=_Named).message_id if item.kind == "call" else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _tell_planned(routings: Sequence[Routing]) -> None:
    """For who searches by a messageId; normal work is silent above DEBUG."""
    for routing in routings:
        for one in routing.deliveries:
            reason = one.filtered_because or one.expired_because
            sentence = "A delivery is owed" if reason is None else "A delivery is not to be made"
            logger.debug(
                sentence,
                connection=one.connection,
                kind=one.kind,
                message_id=one.message_id,
                journal=routing.journal_id,
                reason=reason,
            )
        for item in routing.shelved:
            logger.debug(
                "A record cannot be used",
                connection=item.connection,
                message_id=_message_id_of(item),
                key=item.key,
                journal=routing.journal_id,
                reason=item.reason,
            )
        for waiting in routing.awaited:
            logger.debug(
                "A call waits for its person",
                connection=waiting.connection,
                message_id=waiting.call.message_id,
                reason=waiting.reason,
            )


def fills_run(entries: Sequence[JournalEntry]) -> bool:
    """Whether so much was read at once that a run of what comes next will be no longer."""
    of_calls = sum(entry.count for entry in entries if entry.connection == INGEST)
    of_records = sum(entry.count for entry in entries) - of_calls
    return len(entries) >= ENTRIES or of_calls >= CALLS_SEEN or of_records >= RECORDS


def runs(entries: Sequence[JournalEntry]) -> Iterator[list[JournalEntry]]:
    """The entries of a connection in order, as many together as one run takes: at least one."""
    run, records = list[JournalEntry](), 0
    for entry in entries:
        if run and records + entry.count > RECORDS:
            yield run
            run, records = [], 0
        run.append(entry)
        records += entry.count
    if run:
        yield run
