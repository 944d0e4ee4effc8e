"""Asks the core what follows from Segment calls; forgets people first whose deletion a call tells of."""

from collections.abc import Iterable, Sequence

from loguru import logger

from npsbridge.core.calls import Call
from npsbridge.core.envelope import INGEST
from npsbridge.core.people import PersonId
from npsbridge.core.ports import Forwarder
from npsbridge.core.records import JournalEntry, Routing
from npsbridge.core.route_calls import (
    CallRecall,
    calls_of,
    deletions,
    expire,
    people_of,
    read_entry,
    route_calls,
)
from npsbridge.engine.seams import Seams


class CallRouter:
    """Decides for runs of calls; what it decides is made true by the router."""

    def __init__(self, forwarders: Sequence[Forwarder], seams: Seams, *, max_age: float) -> None:
        """`max_age` is INGEST__MAX_TRIGGER_AGE, in seconds."""
        self._forwarders = forwarders
        self._store = seams.store
        self._clock = seams.clock
        self._max_age = max_age

    async def route(self, entries: Sequence[JournalEntry]) -> list[Routing]:
        """What these entries lead to, in order."""
        read = [read_entry(entry) for entry in entries]
        if wanted := deletions(calls_of(read)):
            await self._forget(wanted)
            read = [read_entry(entry) for entry in await self._as_left(entries)]
        calls = calls_of(read)
        recall = await self._recall(calls)
        now = self._clock.now_ms()
        return route_calls(read, recall, forwarders=self._forwarders, max_age=self._max_age, now=now)

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
