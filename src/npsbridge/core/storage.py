"""The seam to durable memory: what the engine asks of a store, and what every engine of one owes.

Nothing here does anything; the docstrings are the contract that the conformance suite checks.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, Protocol

from npsbridge.core.leases import Leases
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
    RememberedResponse,
    Retention,
    Routing,
    Sent,
    Settlement,
    Shelved,
    StoreSize,
    Trace,
)
from npsbridge.core.views import Views

MOVED: Final = "moved_to"
"""The fact that says where a store was moved, and that it must not be run any more."""
MOVING: Final = "moving_from"
"""The fact that says that a store is being moved into, and cannot be run yet."""

UNROUTED_BYTES: Final = 4 << 20
"""Of journal entries that are read at once; one larger than that comes alone."""


class Store(Protocol):
    """Durable memory. Every write method returns after its commit is on disk, or raises and has changed nothing.

    Raises:
        StoreFull: no room; nothing was kept, later calls may succeed.
        StoreUnavailable: it cannot be reached or written now, later calls may succeed; whether it was kept is unknown.
        LeaseLost: another replica does now what the running task was doing (`npsbridge.core.leases`).
        StoreError: the disk failed; the process should end.
    """

    async def append(self, arrivals: Sequence[Arrival], *, checkpoint: tuple[str, bytes] | None = None) -> None:
        """Journal the arrivals and move a connection's checkpoint, together."""

    async def checkpoint(self, connection: str) -> bytes | None:
        """The last checkpoint of a connection."""

    async def unrouted(self, limit: int, *, only: str | None = None) -> list[JournalEntry]:
        """The oldest journal entries that no routing has consumed; with `only`, those of one connection.

        At most `limit`, and fewer where they are large, so that they can be held in memory; at least one, if any is.
        """

    async def recall(
        self,
        connection: str,
        *,
        responses: Collection[str],
        people: Collection[str],
        emails: Collection[str],
        user_ids: Collection[str] = (),
    ) -> Recall:
        """What is known of these responses, persons (by key) and lower-cased emails; unknown ones are left out.

        Of the userIds it is only told which were erased.
        """

    async def settled_responses(self, *, now: int, limit: int) -> list[RememberedResponse]:
        """Held-back responses whose time has come."""

    async def next_settle(self) -> int | None:
        """When the next held-back response is due."""

    async def commit_routing(self, routings: Sequence[Routing], *, erasures: int | None = None) -> None:
        """Make routings true, in order, in one transaction.

        With `erasures`, which is as many as were known of when they were decided, nothing is made true when there are
        more by now.

        A delivery whose (connection, message_id) exists already is counted as duplicate and not stored again; one
        messageId never speaks of two subjects. One with `filtered_because` is kept and counted as filtered. A routing
        whose journal entry was consumed before is left out as a whole. Deliveries still owed under the key of a person
        who has turned out to be an older one are owed under the older key from then on. What a routing would keep of a
        person who was erased since it was decided is not kept, and their deliveries are counted as erased.

        Raises:
            ErasedMeanwhile: there are more erasures than when they were decided.
        """

    async def shelve(self, item: Shelved) -> None:
        """Put an unreadable page on the shelf of the dead; an item with a known key is only counted as another try."""

    async def note_hints(self, connection: str, hints: Sequence[str], *, heard_at: int) -> None:
        """Remember what a webhook spoke of, until it is read back; a known hint keeps its time.

        `heard_at` is in milliseconds since 1970.
        """

    async def hints(self, connection: str, limit: int) -> list[Hinted]:
        """What is still to be read back, in the order in which it was first heard of."""

    async def forget_hints(self, connection: str, hints: Sequence[str]) -> None:
        """They were read back, or never will be."""

    async def heard(self, connection: str) -> int:
        """The number of the last webhook of a connection that was journaled; 0 where only one process journals any."""

    async def webhooks(self, connection: str, *, after: int, limit: int) -> list[JournalEntry]:
        """The webhooks of a connection that were journaled behind a number, in order."""

    # --- calls ---

    async def seen(self, message_ids: Collection[str]) -> set[str]:
        """Those of some calls' messageIds that came before, as far as RETENTION__JOURNAL reaches back."""

    async def said(self, persons: Collection[str]) -> dict[tuple[str, str], bytes]:
        """By connection and person: a fingerprint of what each vendor was last told of these persons."""

    async def awaited(self, persons: Collection[str]) -> list[AwaitedCall]:
        """What waits for these persons to be identified, oldest first."""

    async def expired_calls(self, *, now: int, limit: int) -> list[AwaitedCall]:
        """What has waited too long."""

    async def next_expiry(self) -> int | None:
        """When the next waiting call has waited too long, milliseconds since 1970."""

    # --- people ---

    async def recall_people(self, ids: Collection[PersonId]) -> KnownPeople:
        """Everyone whom these ids name, and which of their ids are suppressed; unknown ids are left out."""

    async def people(self, keys: Collection[str]) -> dict[str, Person]:
        """Persons by key. A key that has become another's (`PeopleChange.redirects`) leads to that person."""

    async def suppress(self, ids: Collection[PersonId], *, because: str) -> None:
        """From now on nobody may survey whom these userIds and emails name, whether known yet or not.

        Why (`unsubscribed`, `bounced`) is told with the person; a later reason replaces an earlier one, but `erased`.
        """

    async def forget(self, person_id: PersonId) -> Forgotten:
        """Erase all that is held of whom an id names: persons, responses, deliveries, calls and records in the journal.

        An email names everyone who has it. Only keyed digests of their ids remain, by which later calls are known as
        erased. What had not been dealt with counts as erased in the ledger. May be called again.
        """

    async def erasures(self) -> int:
        """A number that grows each time that somebody is erased, also by another process."""

    async def redact(self, numbers: Sequence[int], ids: Collection[PersonId]) -> None:
        """Take out of routed journal entries what speaks of people who were erased before it came."""

    async def claim(self, connection: str, *, now: int, limit: int, after: int = 0) -> list[Delivery]:
        """Ready deliveries with id > `after`, in order of acceptance, at most `limit`.

        Ready is queued, or waiting with its time come. A delivery is left out while an earlier one of the same person
        to the same connection is still owed and not itself part of this claim (nor `<= after`, which the caller has
        in hand).
        """

    async def next_due(self, connection: str) -> int | None:
        """The earliest `next_attempt_at` of the waiting deliveries of a connection."""

    async def inflight(self, connection: str) -> list[Delivery]:
        """What had set out and has no outcome, oldest first."""

    async def still_owed(self, numbers: Collection[int]) -> set[int]:
        """Those of some deliveries that are queued, waiting or inflight; others were dropped, erased or settled."""

    async def beside(self, number: int, *, limit: int) -> list[Delivery]:
        """Further requests that may have been taken, for the recipient or the person of one, the last to set out first.

        What is queued, waiting or filtered after an attempt certainly was not, and has no intent any more. Persons may
        share a recipient.
        """

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        """Record what became of attempts; each counts one attempt. Deliveries no longer owed are left alone."""

    # --- what a person decides; all of it may happen beside a daemon ---

    async def chosen(
        self, states: Collection[State], *, connection: str | None, after: int, limit: int
    ) -> list[Delivery]:
        """Deliveries and shelved items in some states with id > `after`, oldest first, perhaps of one connection."""

    async def requeue(self, numbers: Sequence[int]) -> int:
        """Have held and dead deliveries tried again, for as long as new ones; returns how many there were.

        What has another state by now, and what is shelved, is left alone.
        """

    async def confirm(self, numbers: Sequence[int], *, because: str) -> int:
        """Take held deliveries for delivered, as somebody has found out; returns how many were held."""

    async def unshelve(self, items: Mapping[int, Arrival | None]) -> int:
        """Take shelved items off the shelf of the dead, by their ids; returns how many there were.

        An item with an arrival, of one record, waits in the journal again; one without is forgotten, and filtered.
        """

    async def drop(self, numbers: Sequence[int], *, because: str) -> int:
        """Have what is queued, waiting, held or dead never sent: it is filtered from now on; returns how many were.

        What a vendor would have been told of a person by it may be told again.
        """

    async def sent(self, connection: str, *, before: int, after: tuple[int, int], limit: int) -> list[Sent]:
        """What a connection has taken before a moment and after another, in the order in which it did.

        `after` is a moment and the id of a delivery made then; moments are in milliseconds since 1970.
        """

    async def send_again(self, numbers: Sequence[int]) -> int:
        """Owe again what was delivered, under the same messageId; returns how many there were."""

    async def untold(self, connection: str, *, after: int, limit: int) -> list[tuple[int, RememberedResponse]]:
        """Responses of which the outbox holds nothing for a connection, with their numbers > `after`, in that order.

        Those that are held back are left out.
        """

    # --- what can be seen ---

    @property
    def leases(self) -> Leases:
        """Who does what, where several daemons share the store."""

    @property
    def views(self) -> Views:
        """What the dashboard asks; open as long as the store is."""

    async def deliveries(
        self, *, state: State | None = None, connection: str | None = None, limit: int = 100
    ) -> list[Delivery]:
        """Deliveries (and shelved records and pages, which are dead), newest first."""

    async def delivery(self, number: int) -> Delivery | None:
        """One delivery by its id."""

    async def waiting_calls(self, *, connection: str | None = None, limit: int = 100) -> list[AwaitedCall]:
        """What waits for its person to be identified, newest first; the depths do not count it, the ledger does."""

    async def trace(self, key: str) -> Trace:
        """Everything about a messageId, a response id, or an email."""

    async def ledger(self) -> Ledger:
        """The ledger as it stands in one consistent reading."""

    async def depths(self) -> dict[tuple[str, State], int]:
        """How many deliveries each connection has in the states that are not finished well: all but delivered."""

    async def oldest_owed(self) -> dict[str, int]:
        """By connection: `created_at` of the oldest delivery still owed."""

    async def backlog(self) -> Backlog:
        """What waits before it is a delivery, and what waits longest."""

    async def size(self) -> StoreSize:
        """What the store takes."""

    async def note_health(self, health: Health) -> None:
        """Remember a change of state, for `status` and for the next start."""

    async def health(self) -> list[Health]:
        """The noted states."""

    async def facts(self) -> Mapping[str, str]:
        """Small durable facts by name."""

    async def note_fact(self, name: str, value: str) -> None:
        """Set a small durable fact."""

    async def purge(self, *, now: int, retention: Retention) -> int:
        """Delete a bounded number of rows past their retention; returns how many, 0 when nothing is left to delete."""

    async def changed_elsewhere(self) -> bool:
        """Whether another process has written since the last call."""

    async def heartbeat(self) -> None:
        """Return once what writes in this process has answered; used for liveness, writes nothing."""

    async def probe(self) -> None:
        """Prove that a commit would succeed now; raises StoreError or StoreUnavailable."""
