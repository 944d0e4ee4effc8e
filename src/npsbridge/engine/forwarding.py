"""Asks the core what follows from Segment calls; forgets people first whose deletion a call tells of."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from loguru import logger

from npsbridge.core.calls import Call
from npsbridge.core.envelope import INGEST
from npsbridge.core.familiar import Familiar
from npsbridge.core.leases import current_lease
from npsbridge.core.people import PersonId
from npsbridge.core.ports import Forwarder
from npsbridge.core.records import JournalEntry, Routing
from npsbridge.core.route_calls import (
    CallRecall,
    Decision,
    ReadEntry,
    calls_of,
    deletions,
    expire,
    people_of,
    read_entry,
    route_calls,
)
from npsbridge.engine.seams import Seams

CALLS_READ: Final = 300
"""How many calls of a run are read in full; beyond it the event loop would be busy for too long."""
CALLS_SEEN: Final = 3_000
"""How many calls one run takes, most of which a glance is enough for."""


class CallRouter:
    """Decides for runs of calls; what it decides is made true by the router."""

    def __init__(self, forwarders: Sequence[Forwarder], seams: Seams, *, max_age: float) -> None:
        """`max_age` is INGEST__MAX_TRIGGER_AGE, in seconds."""
        self._forwarders = forwarders
        self._store = seams.store
        self._clock = seams.clock
        self._max_age = max_age
        self._familiar = Familiar(event for forwarder in forwarders for event in forwarder.events)
        self._known_under = (-1, -1)
        """What the familiar ones are known under: how many people were erased, and the fence of the router's lease."""

    async def route(self, entries: Sequence[JournalEntry]) -> Decision:
        """What the first of these entries lead to, in order: as many of them as one run takes."""
        await self._trust_memory()
        read = list(self._run(entries))
        if wanted := deletions(calls_of(read)):
            await self._forget(wanted)
            await self._trust_memory()
            read = list(self._run(await self._as_left(entries[: len(read)])))
        recall = await self._recall(calls_of(read))
        now = self._clock.now_ms()
        return route_calls(read, recall, forwarders=self._forwarders, max_age=self._max_age, now=now)

    def committed(self, decision: Decision) -> None:
        """What was decided last is on disk."""
        redirects = [newer for routing in decision.routings for newer in routing.people.redirects]
        self._familiar.commit(decision.met, redirects)

    def forget_people(self) -> None:
        """Keep no id in memory: somebody was erased. Whoever calls again is read in full, and familiar from then on."""
        self._familiar.forget()

    async def _trust_memory(self) -> None:
        """Know nobody any more once somebody was erased, or when another replica routed meanwhile."""
        lease = current_lease()
        known_under = (await self._store.erasures(), lease.fence if lease else 0)
        if known_under != self._known_under:
            self.forget_people()
            self._known_under = known_under

    def _run(self, entries: Iterable[JournalEntry]) -> Iterator[ReadEntry]:
        """The entries of one run, read: at least one, if there is any."""
        self._familiar.begin()
        in_full = seen = 0
        for entry in entries:
            if seen and seen + entry.count > CALLS_SEEN:
                return
            read = read_entry(entry, self._familiar)
            yield read
            seen, in_full = seen + read.records, in_full + len(read.calls)
            if in_full >= CALLS_READ:
                return

    async def expired(self, limit: int) -> Routing | None:
        """What becomes of calls that waited too long for their person; None when there are none."""
        late = await self._store.expired_calls(now=self._clock.now_ms(), limit=limit)
        return expire(late) if late else None

    async def _as_left(self, entries: Sequence[JournalEntry]) -> list[JournalEntry]:
        """The same entries without what forgetting took out of them; that has been counted already."""
        ids = {entry.id for entry in entries}
        return [one for one in await self._store.unrouted(len(entries), only=INGEST) if one.id in ids]

    async def _recall(self, calls: Sequence[Call]) -> CallRecall:
        people = await self._store.recall_people(people_of(calls))
        return CallRecall(
            seen=frozenset(await self._store.seen({call.message_id for call in calls})),
            people=people,
            awaited=tuple(await self._store.awaited(people.persons)),
            said=await self._store.said(people.persons),
        )

    async def _forget(self, wanted: Iterable[PersonId]) -> None:
        """Erase who asked for it. May happen again after a crash, and then finds nothing more to erase."""
        for person_id in dict.fromkeys(wanted):
            forgotten = await self._store.forget(person_id)
            logger.bind(persons=forgotten.persons, may_still_hold_data=list(forgotten.connections)).info(
                "A person was erased here because Segment said so; the vendors named have to be told separately"
            )
