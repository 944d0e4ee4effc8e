"""Reads the journal in order, asks the core what follows, and makes it true in one transaction per run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

import anyio
import anyio.lowlevel
from loguru import logger

from npsbridge.clock import Clock
from npsbridge.core.model import Identity
from npsbridge.core.ports import Destination, JournalEntry, Parser, Recall, RememberedResponse, Routing, Store
from npsbridge.core.route import Reading, Rules, emails, people, read, release, route
from npsbridge.engine.bell import Bell
from npsbridge.errors import StoreFull
from npsbridge.metrics import Metrics

ENTRIES = 50
RECORDS = 300
"""How much one run takes; beyond it the event loop would be busy for too long."""
FULL_DISK_PAUSE = 5.0
LONGEST_SLEEP = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What routing decides with: parsers by connection, the sinks, the operator's rules."""

    parsers: Mapping[str, Parser]
    sinks: Sequence[Destination]
    rules: Rules


class Router:
    """The one task that moves things from the journal to the outbox."""

    def __init__(
        self, store: Store, desk: Desk, *, clock: Clock, metrics: Metrics, bell: Bell, bells: Mapping[str, Bell]
    ) -> None:
        self._store = store
        self._desk = desk
        self._clock = clock
        self._metrics = metrics
        self._bell = bell
        self._bells = bells
        self._plans = [sink.plan for sink in desk.sinks]

    async def run(self) -> None:
        """Route for ever; cancelled from outside."""
        while True:
            try:
                has_worked = await self.step()
            except StoreFull:
                await anyio.sleep(FULL_DISK_PAUSE)
                continue
            if has_worked:
                await anyio.lowlevel.checkpoint()
            else:
                await self._bell.wait(await self._until_next())

    async def step(self) -> bool:
        """Route one run of entries, or release held-back responses; False when there was nothing to do."""
        entries = await self._store.unrouted(ENTRIES)
        if entries:
            await self._route(_run(entries))
            return True
        held = await self._store.settled_responses(now=self._clock.now_ms(), limit=RECORDS)
        if held:
            await self._release(held)
        return bool(held)

    async def _route(self, entries: Sequence[JournalEntry]) -> None:
        connection = entries[0].connection
        readings = [read(entry, self._desk.parsers.get(connection)) for entry in entries]
        recall = await self._recall(connection, readings)
        routings = route(readings, recall, rules=self._desk.rules, plans=self._plans, now=self._clock.now_ms())
        await self._commit(connection, routings)

    async def _recall(self, connection: str, readings: Sequence[Reading]) -> Recall:
        responses = [response for reading in readings for response in reading.responses]
        first = await self._store.recall(
            connection,
            responses={response.id for response in responses},
            people=(),
            emails=emails(responses),
        )
        keys = people(responses, first.identities, self._desk.rules)
        second = await self._store.recall(connection, responses=(), people=keys, emails=())
        return Recall(responses=first.responses, newest=second.newest, identities=first.identities)

    async def _release(self, held: Sequence[RememberedResponse]) -> None:
        connection = held[0].response.connection
        run = [one for one in held if one.response.connection == connection]
        responses = [one.response for one in run]
        known = await self._store.recall(connection, responses=(), people=(), emails=emails(responses))
        identities: dict[str, Identity] = known.identities
        keys = people(responses, identities, self._desk.rules)
        newest = await self._store.recall(connection, responses=(), people=keys, emails=())
        recall = Recall(newest=newest.newest, identities=identities)
        routing = release(run, recall, rules=self._desk.rules, plans=self._plans, now=self._clock.now_ms())
        await self._commit(connection, [routing])

    async def _commit(self, connection: str, routings: Sequence[Routing]) -> None:
        await self._store.commit_routing(routings)
        for routing in routings:
            for item in routing.shelved:
                bound = logger.bind(connection=connection, journal=routing.journal_id, key=item.key)
                bound.warning(
                    "a record of {} cannot be used and is on the shelf of the dead: {}", connection, item.reason
                )
        self._metrics.responses_emitted.labels(connection).inc(sum(routing.fanned_out for routing in routings))
        for name in {delivery.connection for routing in routings for delivery in routing.deliveries}:
            self._bells[name].ring()

    async def _until_next(self) -> float:
        due = await self._store.next_settle()
        return LONGEST_SLEEP if due is None else max(0.0, (due - self._clock.now_ms()) / 1000)


def _run(entries: Sequence[JournalEntry]) -> list[JournalEntry]:
    """The leading entries of one connection, as many as one run takes, at least one."""
    room = RECORDS
    run: list[JournalEntry] = []
    for entry in takewhile(lambda entry: entry.connection == entries[0].connection, entries):
        room -= entry.count
        if run and room < 0:
            break
        run.append(entry)
    return run
