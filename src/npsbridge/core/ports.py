"""The seams: what the engine asks of a store and of a platform, and what each of them owes.

Nothing here does anything; the docstrings are the contract that the conformance suites check.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from enum import StrEnum
from typing import Protocol, runtime_checkable

import msgspec

from npsbridge.core.calls import Call
from npsbridge.core.model import (
    Delivery,
    Emission,
    Identity,
    Kind,
    PlannedDelivery,
    Record,
    Response,
    State,
)
from npsbridge.core.outcome import Outcome
from npsbridge.core.people import KnownPeople, PeopleChange, Person, PersonId

# --- what arrives -----------------------------------------------------------------------------------------------


class Origin(StrEnum):
    """How something reached the journal."""

    BACKFILL = "backfill"
    POLL = "poll"
    WEBHOOK = "webhook"
    SDK = "sdk"
    IMPORT = "import"


class Arrival(Record, frozen=True, kw_only=True):
    """Records of one connection as they were received: a page, a webhook, a chunk of an archive."""

    connection: str
    origin: Origin
    body: bytes
    """A JSON array of the vendor's own objects."""
    count: int
    """How many objects the array holds; each counts once in the ledger."""
    received_at: int
    """Milliseconds since 1970."""


class JournalEntry(Arrival, frozen=True, kw_only=True):
    """An arrival that is on disk, with its place in the order of arrival."""

    id: int


class Page(Record, frozen=True, kw_only=True):
    """What a source read at one step, and the checkpoint that is true once it is stored."""

    records: list[bytes]
    checkpoint: bytes
    backfilling: bool = False
    progress: float | None = None
    """0..1 of the history read so far, when the vendor lets us know."""


class Hinted(Record, frozen=True, kw_only=True):
    """Something that an unsigned webhook spoke of, and that is to be read back."""

    hint: str
    """In the words of the connection's own source."""
    heard_at: int
    """Milliseconds since 1970."""


# --- what routing makes true ------------------------------------------------------------------------------------


class RememberedResponse(Record, frozen=True, kw_only=True):
    """What we hold of a response: its last known content and what has been said of it."""

    response: Response
    revision: int
    """1, 2, ...; 0 while it is held back by EVENTS__SETTLE."""
    milestones: tuple[Kind, ...] = ()
    """Kinds that are said once in the life of a response and have been."""
    settle_at: int | None = None
    """Milliseconds since 1970 when a held-back response is to be emitted as it is."""


class Recall(Record, frozen=True, kw_only=True):
    """What the store knows that a routing decision needs."""

    responses: dict[str, RememberedResponse] = msgspec.field(default_factory=dict)
    """By response id."""
    newest: dict[str, int] = msgspec.field(default_factory=dict)
    """By person key: when that person's newest known answer was given, milliseconds since 1970."""
    identities: dict[str, Identity] = msgspec.field(default_factory=dict)
    """By lower-cased email."""
    erased: frozenset[str] = frozenset()
    """The emails and userIds of those who were erased; what comes of them is not kept."""


class Shelved(Record, frozen=True, kw_only=True):
    """Something that arrived and will never work as it is; shown beside the dead deliveries."""

    connection: str
    kind: str
    """`record` or `page`."""
    key: str
    """The same trouble has the same key, and is shelved once."""
    reason: str
    body: bytes


class AwaitedCall(Record, frozen=True, kw_only=True):
    """A call that waits for an identify call of its person, for one platform."""

    connection: str
    person: str
    """The person's key."""
    call: Call
    reason: str
    """What is missing."""
    expires_at: int
    """Milliseconds since 1970, after which it is too late."""

    @property
    def key(self) -> tuple[str, str]:
        """Names it: connection and messageId."""
        return self.connection, self.call.message_id


class Routing(Record, frozen=True, kw_only=True):
    """Everything one routing step makes true together, in one transaction."""

    journal_id: int | None
    """The entry that is now routed; None when held-back responses are released."""
    records: int | None = None
    """How many records the entry had when it was read; fewer are left when people were forgotten since."""
    responses: tuple[RememberedResponse, ...] = ()
    newest: dict[str, int] = msgspec.field(default_factory=dict)
    deliveries: tuple[PlannedDelivery, ...] = ()
    shelved: tuple[Shelved, ...] = ()
    filtered: int = 0
    """Records that nobody wants."""
    duplicates: int = 0
    """Records whose content was known already."""
    settling: int = 0
    """Records that are held back now; negative when held-back ones leave."""
    fanned_out: int = 0
    """Records that became one delivery or more."""
    partly_shelved: int = 0
    """Shelved items that stand beside something else that their record became: what only one sink could not say."""
    people: PeopleChange = PeopleChange()
    """What its calls have taught of people."""
    erased: int = 0
    """Records of people who were erased; nothing of them is kept."""
    seen: tuple[str, ...] = ()
    """The messageIds of its calls, by which they are known when they come again."""
    said: Mapping[tuple[str, str], bytes] = msgspec.field(default_factory=dict)
    """By connection and person: a fingerprint of what that vendor is told of that person now."""
    awaited: tuple[AwaitedCall, ...] = ()
    """Calls that wait for their person from now on; each is a part of what its record became."""
    no_longer_awaited: tuple[AwaitedCall, ...] = ()
    """Calls that waited, and whose wait has ended; each is a record of its own again."""


class Settlement(Record, frozen=True, kw_only=True):
    """The new state of a delivery after an attempt."""

    id: int
    state: State
    reason: str | None = None
    next_attempt_at: int | None = None
    """Milliseconds since 1970."""
    is_untold: bool = False
    """It ended without the destination having said anything of it: the same may be worth telling again."""


class Sent(Record, frozen=True, kw_only=True):
    """A delivery that was made, without its body."""

    id: int
    kind: str
    subject: str | None
    """What it speaks of: `<connection>/<response id>`."""
    settled_at: int
    """When it was made, milliseconds since 1970."""
    is_latest: bool
    """No later one of its kind, about the same response or to a survey platform about the same person, is there."""


# --- what can be seen -------------------------------------------------------------------------------------------


class Ledger(Record, frozen=True, kw_only=True):
    """Contract §8.6: accepted = delivered + waiting + dead + held + filtered + duplicate + expired + erased.

    A record counts once while it waits to be routed. Once routed it counts once for each delivery it owes, or once
    as filtered, duplicate, dead, expired or erased.
    """

    accepted: int = 0
    delivered: int = 0
    waiting: int = 0
    dead: int = 0
    held: int = 0
    filtered: int = 0
    duplicate: int = 0
    expired: int = 0
    erased: int = 0

    @property
    def imbalance(self) -> int:
        """Zero, or something was lost (positive) or counted twice (negative)."""
        settled = self.delivered + self.dead + self.held + self.filtered + self.duplicate + self.expired + self.erased
        return self.accepted - settled - self.waiting


class Health(Record, frozen=True, kw_only=True):
    """The state of one direction of one connection, as last noted."""

    connection: str
    direction: str
    """`pull` or `forward`."""
    state: str
    """A word of contract §4."""
    reason: str | None = None
    since: int
    """Milliseconds since 1970."""


class Retention(Record, frozen=True, kw_only=True):
    """How long things are kept, in seconds."""

    journal: float
    delivered: float
    dead: float


class Trace(Record, frozen=True, kw_only=True):
    """All that is known of one message or one person."""

    entries: list[JournalEntry]
    responses: list[RememberedResponse]
    deliveries: list[Delivery]


class Forgotten(Record, frozen=True, kw_only=True):
    """What was erased of somebody, in numbers."""

    persons: int = 0
    responses: int = 0
    deliveries: int = 0
    """Shelved items among them."""
    records: int = 0
    """Records and calls taken out of the journal, and calls that waited."""
    connections: tuple[str, ...] = ()
    """Where data of them came from or was to go, and may still be held; as far as the outbox reaches back."""
    is_overwritten: bool = True
    """Nothing of it is left in the files. False: somebody was reading; it goes with the next writes."""


class Finding(Record, frozen=True, kw_only=True):
    """One thing `npsbridge check` found out."""

    subject: str
    """What was looked at: a setting or a connection."""
    is_good: bool | None
    """None when it cannot be known from here."""
    text: str


class Store(Protocol):
    """Durable memory. Every write method returns after its commit is on disk, or raises and has changed nothing.

    Raises:
        StoreFull: no room; nothing was kept, later calls may succeed.
        StoreError: the disk failed; the process should end.
    """

    async def append(self, arrivals: Sequence[Arrival], *, checkpoint: tuple[str, bytes] | None = None) -> None:
        """Journal the arrivals and move a connection's checkpoint, together."""

    async def checkpoint(self, connection: str) -> bytes | None:
        """The last checkpoint of a connection."""

    async def unrouted(self, limit: int, *, only: str | None = None) -> list[JournalEntry]:
        """The oldest journal entries that no routing has consumed; with `only`, those of one connection."""

    async def recall(
        self, connection: str, *, responses: Collection[str], people: Collection[str], emails: Collection[str]
    ) -> Recall:
        """What is known of these responses, persons (by key) and lower-cased emails; unknown ones are left out."""

    async def settled_responses(self, *, now: int, limit: int) -> list[RememberedResponse]:
        """Held-back responses whose time has come."""

    async def next_settle(self) -> int | None:
        """When the next held-back response is due."""

    async def commit_routing(self, routings: Sequence[Routing]) -> None:
        """Make routings true, in order, in one transaction.

        A delivery whose (connection, message_id) exists already is counted as duplicate and not stored again; one with
        `filtered_because` is kept and counted as filtered. A routing whose journal entry was consumed before is left
        out as a whole. Deliveries still owed under the key of a person who has turned out to be an older one are owed
        under the older key from then on. What a routing would keep of a person who was erased since it was decided is
        not kept, and their deliveries are counted as erased.
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

    async def learn(self, identities: Sequence[Identity]) -> None:
        """Remember which ids belong to an email; a later id replaces an earlier one, a missing one does not."""

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

    async def deliveries(
        self, *, state: State | None = None, connection: str | None = None, limit: int = 100
    ) -> list[Delivery]:
        """Deliveries (and shelved records and pages, which are dead), newest first."""

    async def delivery(self, number: int) -> Delivery | None:
        """One delivery by its id."""

    async def trace(self, key: str) -> Trace:
        """Everything about a messageId, a response id, or an email."""

    async def ledger(self) -> Ledger:
        """The ledger as it stands in one consistent reading."""

    async def depths(self) -> dict[tuple[str, State], int]:
        """How many deliveries each connection has in the states that are not finished well: all but delivered."""

    async def oldest_owed(self) -> dict[str, int]:
        """By connection: `created_at` of the oldest delivery still owed."""

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
        """Return once the writer has answered; used for liveness, writes nothing."""

    async def probe(self) -> None:
        """Prove that a commit would succeed now; raises StoreError or StoreFull."""


# --- what a platform gives --------------------------------------------------------------------------------------


class Source(Protocol):
    """Reads a platform's responses."""

    connection: str
    poll_interval: float
    """Seconds between rounds."""

    def read(self, checkpoint: bytes | None) -> AsyncIterator[Page]:
        """One round: everything from the checkpoint on, in pages.

        With no checkpoint the round is the backfill. Raises VendorError; what was yielded before stays true.
        """


class Parser(Protocol):
    """Turns one of the platform's own objects into a response (pure)."""

    def __call__(self, connection: str, record: bytes) -> Response:
        """Raises BadRecord."""


class Receiver(Protocol):
    """Understands a platform's webhooks."""

    def authentic(self, headers: Mapping[str, str], raw: bytes) -> bool:
        """Whether the request proves that it comes from the vendor."""

    def records(self, raw: bytes) -> list[bytes]:
        """The records a request carries; empty for a kind of news that is not ours. Raises BadRecord."""


class Heard(Record, frozen=True, kw_only=True):
    """What an unsigned webhook tells."""

    records: list[bytes] = msgspec.field(default_factory=list)
    """The platform's own objects that count as they stand, because the API cannot tell."""
    hints: list[str] = msgspec.field(default_factory=list)
    """What to read back from the API, in words that only the platform's own source understands (an id, an email)."""
    unsubscribed: list[str] = msgspec.field(default_factory=list)
    """The emails of those who want no more surveys."""


class TokenReceiver(Protocol):
    """Understands the webhooks of a vendor that signs nothing: the last part of the URL is the secret."""

    token: str
    """What the URL must end with."""

    def hear(self, raw: bytes) -> Heard:
        """What a request tells; nothing for a kind of news that is not ours. Raises BadRecord."""


@runtime_checkable
class Lookup(Protocol):
    """A source that can read single responses back."""

    async def look_up(self, hints: Sequence[str]) -> list[bytes]:
        """The platform's own objects that the hints speak of; what is not there any more is left out.

        Raises VendorError; the hints are then asked for again.
        """


class Sender(Protocol):
    """Takes deliveries to a platform."""

    connection: str
    batch_limit: int
    """The most deliveries one `deliver` takes."""
    rate_limit: float
    """Deliveries a second; 0 for no limit."""

    async def deliver(self, batch: Sequence[Delivery]) -> list[Outcome]:
        """Attempt a batch; one outcome per delivery, in the same order. Raises nothing but cancellation."""


class Destination(Sender, Protocol):
    """Is told of survey responses."""

    def plan(self, emission: Emission) -> list[PlannedDelivery]:
        """What this destination is owed for an emission, in order (pure)."""


class Awaited(Record, frozen=True, kw_only=True):
    """A call that can only be acted on once an identify call has told more of its person."""

    reason: str
    """What is missing, for the operator."""


class Forwarder(Sender, Protocol):
    """Is told of people, and asked to survey them."""

    label: str
    """What Segment calls the destination, in the `integrations` of a call."""
    once: frozenset[str]
    """Kinds of deliveries that must not be repeated when their fate is unknown: requests for a survey."""

    def plan_call(self, call: Call, person: Person) -> list[PlannedDelivery] | Awaited:
        """What this platform is owed for a call, in order (pure); nothing for a call that is none of its business.

        The person is as they are after the call. A delivery that is decided against (not sampled, suppressed, too old,
        without what the vendor requires) has `filtered_because`.
        """

    async def verify(self, delivery: Delivery) -> Outcome:
        """What became of a delivery of a kind in `once`, asked of the vendor; never repeats it.

        Delivered: it happened. Undone: it certainly did not, and may be sent. RetryLater: the vendor cannot be asked
        now. Unknown: the vendor cannot tell.
        """
