"""What the loops are tested against: a store in lists, a source and a destination that do as they are told."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import Any, cast

import msgspec

from npsbridge.clock import Clock
from npsbridge.core.model import Delivery, Emission, PlannedDelivery, State
from npsbridge.core.outcome import Delivered, Outcome
from npsbridge.core.people import KnownPeople, PersonId
from npsbridge.core.ports import Page
from npsbridge.core.records import (
    Arrival,
    AwaitedCall,
    Health,
    Hinted,
    JournalEntry,
    Origin,
    Recall,
    RememberedResponse,
    Routing,
    Settlement,
    Shelved,
)
from npsbridge.core.storage import Store
from npsbridge.engine.board import Board
from npsbridge.engine.seams import Seams
from npsbridge.errors import ErasedMeanwhile, StoreFull
from npsbridge.metrics import Metrics
from npsbridge.store.alone import Alone

NOW = 1_775_001_600_000
"""2026-04-01T00:00:00Z, in milliseconds."""


class MemoryStore:
    """As much of a store as the loops ask for; what it was told stands in its lists."""

    def __init__(self) -> None:
        self.leases = Alone(Clock())
        self.hooked: list[JournalEntry] = []
        """Webhooks that replicas journaled, in order; none where nobody shares the store."""
        self.full: set[str] = set()
        """Names of methods that find no room."""
        self.facts_noted: dict[str, str] = {}
        self.health_noted: list[Health] = []
        self.checkpoints: dict[str, bytes] = {}
        self.arrivals: list[Arrival] = []
        self.entries: list[JournalEntry] = []
        self.held: list[RememberedResponse] = []
        self.routings: list[Routing] = []
        self.shelf: list[Shelved] = []
        self.noted: list[Hinted] = []
        self.redacted: list[int] = []
        self.erased = 0
        self.known_people = KnownPeople()
        self.suppressed: dict[PersonId, str] = {}
        self.owed: dict[int, Delivery] = {}
        self.neighbours: list[Delivery] = []
        """Requests for the same recipient as any other, with the times at which they set out."""
        self.settlements: list[Settlement] = []
        self.purged: list[int] = []
        self.changes: list[bool] = []

    def webhook_of(self, connection: str, body: bytes) -> None:
        """Some replica has taken a webhook."""
        entry = JournalEntry(
            id=len(self.hooked) + 1,
            connection=connection,
            origin=Origin.WEBHOOK,
            count=1,
            received_at=NOW,
            body=body,
        )
        self.hooked.append(entry)

    def _room(self, name: str) -> None:
        if name in self.full:
            raise StoreFull("no room")

    async def heard(self, connection: str) -> int:
        return max((one.id for one in self.hooked if one.connection == connection), default=0)

    async def webhooks(self, connection: str, *, after: int, limit: int) -> list[JournalEntry]:
        found = [one for one in self.hooked if one.connection == connection and one.id > after]
        return found[:limit]

    async def facts(self) -> Mapping[str, str]:
        return self.facts_noted

    async def note_fact(self, name: str, value: str) -> None:
        self._room("note_fact")
        self.facts_noted[name] = value

    async def note_health(self, health: Health) -> None:
        self._room("note_health")
        self.health_noted.append(health)

    async def checkpoint(self, connection: str) -> bytes | None:
        return self.checkpoints.get(connection)

    async def append(self, arrivals: Sequence[Arrival], *, checkpoint: tuple[str, bytes] | None = None) -> None:
        self._room("append")
        self.arrivals += arrivals
        if self.leases.is_shared:
            for one in arrivals:
                if one.origin is Origin.WEBHOOK:
                    self.webhook_of(one.connection, one.body)
        if checkpoint is not None:
            self.checkpoints[checkpoint[0]] = checkpoint[1]

    async def note_hints(self, connection: str, hints: Sequence[str], *, heard_at: int) -> None:
        self._room("note_hints")
        assert connection
        self.noted += [Hinted(hint=hint, heard_at=heard_at) for hint in hints]

    async def hints(self, connection: str, limit: int) -> list[Hinted]:
        assert connection
        return self.noted[:limit]

    async def forget_hints(self, connection: str, hints: Sequence[str]) -> None:
        assert connection
        self.noted = [one for one in self.noted if one.hint not in hints]

    async def erasures(self) -> int:
        return self.erased

    async def redact(self, numbers: Sequence[int], ids: Collection[PersonId]) -> None:
        assert ids
        self.redacted += numbers

    async def recall_people(self, ids: Collection[PersonId]) -> KnownPeople:
        found = {one: key for one, key in self.known_people.owners.items() if one in ids}
        return msgspec.structs.replace(self.known_people, owners=found)

    async def suppress(self, ids: Collection[PersonId], *, because: str) -> None:
        self._room("suppress")
        self.suppressed |= dict.fromkeys(ids, because)

    async def shelve(self, item: Shelved) -> None:
        self._room("shelve")
        self.shelf.append(item)

    async def unrouted(self, limit: int, *, only: str | None = None) -> list[JournalEntry]:
        return [entry for entry in self.entries if only in (None, entry.connection)][:limit]

    async def expired_calls(self, *, now: int, limit: int) -> list[AwaitedCall]:
        assert limit <= now
        return []

    async def next_expiry(self) -> int | None:
        return None

    async def recall(self, connection: str, **_: Any) -> Recall:
        assert connection
        return Recall()

    async def commit_routing(self, routings: Sequence[Routing], *, erasures: int | None = None) -> None:
        self._room("commit_routing")
        if erasures is not None and erasures != self.erased:
            raise ErasedMeanwhile("somebody was erased since this was decided")
        self.routings += routings
        routed = {routing.journal_id for routing in routings}
        self.entries = [entry for entry in self.entries if entry.id not in routed]
        if None in routed:
            self.held = []

    async def settled_responses(self, *, now: int, limit: int) -> list[RememberedResponse]:
        return [one for one in self.held if (one.settle_at or 0) <= now][:limit]

    async def next_settle(self) -> int | None:
        return min((one.settle_at or 0 for one in self.held), default=None)

    async def claim(self, connection: str, *, now: int, limit: int, after: int = 0) -> list[Delivery]:
        ready = [
            one
            for one in self.owed.values()
            if one.connection == connection and one.id > after and (one.next_attempt_at or 0) <= now
        ]
        return ready[:limit]

    async def next_due(self, connection: str) -> int | None:
        due = [one.next_attempt_at for one in self.owed.values() if one.connection == connection]
        return min((at for at in due if at is not None), default=None)

    async def inflight(self, connection: str) -> list[Delivery]:
        assert connection
        return [one for one in self.owed.values() if one.state is State.INFLIGHT]

    async def still_owed(self, numbers: Collection[int]) -> set[int]:
        return {number for number in numbers if number in self.owed}

    async def beside(self, number: int, *, limit: int) -> list[Delivery]:
        return [one for one in self.neighbours if one.id != number][:limit]

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        self._room("settle")
        self.settlements += settlements
        for one in settlements:
            if one.state in {State.WAITING, State.QUEUED, State.INFLIGHT}:
                changed: dict[str, Any] = {"state": one.state, "next_attempt_at": one.next_attempt_at}
                if one.intent is not None:
                    changed["set_out_at"] = one.intent.set_out_at
                self.owed[one.id] = msgspec.structs.replace(self.owed[one.id], **changed)
            else:
                del self.owed[one.id]

    async def purge(self, *, now: int, **_: Any) -> int:
        self._room("purge")
        assert now
        return self.purged.pop() if self.purged else 0

    async def changed_elsewhere(self) -> bool:
        return self.changes.pop() if self.changes else False


def seams_of(store: MemoryStore, wall: Callable[[], float] = lambda: NOW / 1000) -> Seams:
    """What the loops share, around a store; chance is always a half."""
    clock, kept = Clock(wall=wall), cast("Store", store)
    return Seams(store=kept, board=Board(kept, clock), clock=clock, metrics=Metrics(), jitter=lambda: 0.5)


class Hands(Clock):
    """Both clocks move only when told to; each process has a monotonic clock of its own."""

    def __init__(self, ms: int = NOW, seconds: float = 0.0) -> None:
        self.ms, self.seconds = ms, seconds
        super().__init__(wall=lambda: self.ms / 1000)

    def monotonic(self) -> float:
        return self.seconds


class ScriptedSource:
    """Each round gives what the script says: pages, or an error at the end of some."""

    connection = "shop"
    poll_interval = 60.0

    def __init__(self, *rounds: Sequence[Page | Exception]) -> None:
        self.rounds = list(rounds)
        self.checkpoints: list[bytes | None] = []

    async def read(self, checkpoint: bytes | None) -> AsyncIterator[Page]:
        self.checkpoints.append(checkpoint)
        for step in self.rounds.pop(0) if self.rounds else []:
            if isinstance(step, Exception):
                raise step
            yield step


class ScriptedLookup:
    """Finds each hint, in its own words as a record, unless the script has trouble for it."""

    def __init__(self, **trouble: Exception) -> None:
        self.trouble = trouble
        self.asked: list[list[str]] = []

    async def look_up(self, hints: Sequence[str]) -> list[bytes]:
        self.asked.append(list(hints))
        for hint in hints:
            if hint in self.trouble:
                raise self.trouble[hint]
        return [b'"%b"' % hint.encode() for hint in hints if not hint.startswith("removed")]


class ScriptedDestination:
    """Answers each batch with the next outcomes of the script, the last ones for ever."""

    connection = "sink"

    def __init__(self, *outcomes: Outcome, batch_limit: int = 10, rate_limit: float = 0.0) -> None:
        self.outcomes = list(outcomes) or [Delivered()]
        self.batch_limit = batch_limit
        self.rate_limit = rate_limit
        self.batches: list[list[int]] = []

    def plan(self, emission: Emission) -> list[PlannedDelivery]:
        return [
            PlannedDelivery(
                connection=self.connection, person="p", kind=kind, message_id=f"{emission.response.id}-{kind}", body=b""
            )
            for kind in emission.kinds
        ]

    async def deliver(self, batch: Sequence[Delivery]) -> list[Outcome]:
        self.batches.append([delivery.id for delivery in batch])
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        return [outcome] * len(batch)


def a_delivery(number: int, *, due: int | None = None, created_at: int = NOW) -> Delivery:
    """Something owed to the sink."""
    return Delivery(
        id=number,
        connection="sink",
        person=f"p{number}",
        kind="submit",
        message_id=f"m{number}",
        body=b"{}",
        state=State.QUEUED if due is None else State.WAITING,
        created_at=created_at,
        next_attempt_at=due,
    )
