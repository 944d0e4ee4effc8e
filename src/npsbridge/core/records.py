"""What the store is told and tells: arrivals, what follows from them, what became of it, what can be seen.

Plain values; `npsbridge.core.storage` says what a store does with them.
"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from npsbridge.core.calls import Call
from npsbridge.core.model import (
    Delivery,
    Identity,
    Kind,
    PlannedDelivery,
    Record,
    Response,
    State,
)
from npsbridge.core.people import PeopleChange, PersonId


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


class Hinted(Record, frozen=True, kw_only=True):
    """Something that an unsigned webhook spoke of, and that is to be read back."""

    hint: str
    """In the words of the connection's own source."""
    heard_at: int
    """Milliseconds since 1970."""


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
    erasures: int = 0
    """How often somebody had been erased when this was read, or before (`Store.erasures`)."""


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
    erased_ids: frozenset[PersonId] = frozenset()
    """Erased ids of which records of the entry may speak, that are to be taken out of it once it is routed."""
    seen: tuple[str, ...] = ()
    """The messageIds of its calls, by which they are known when they come again."""
    said: Mapping[tuple[str, str], bytes] = msgspec.field(default_factory=dict)
    """By connection and person: a fingerprint of what that vendor is told of that person now."""
    awaited: tuple[AwaitedCall, ...] = ()
    """Calls that wait for their person from now on; each is a part of what its record became."""
    no_longer_awaited: tuple[AwaitedCall, ...] = ()
    """Calls that waited, and whose wait has ended; each is a record of its own again."""

    @property
    def is_quiet(self) -> bool:
        """Whether it leaves nothing behind but counts and messageIds, as for most of what SDKs send."""
        change = self.people
        left = (self.responses, self.newest, self.deliveries, self.shelved, self.said, self.awaited)
        ended = (self.no_longer_awaited, self.settling, self.fanned_out, self.partly_shelved)
        return not (any(left) or any(ended) or change.persons or change.owners or change.redirects)


class Intent(Record, frozen=True, kw_only=True):
    """What is put on disk before a request leaves that must not be repeated."""

    recipient: str
    """Whom it is about, as the vendor tells people apart."""
    set_out_at: int
    """Milliseconds since 1970."""


class Settlement(Record, frozen=True, kw_only=True):
    """The new state of a delivery after an attempt."""

    id: int
    state: State
    reason: str | None = None
    next_attempt_at: int | None = None
    """Milliseconds since 1970."""
    is_untold: bool = False
    """It ended without the destination having said anything of it: the same may be worth telling again."""
    intent: Intent | None = None
    """Of what is inflight from now on."""


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


class Backlog(Record, frozen=True, kw_only=True):
    """What waits before it is a delivery, and what waits longest. Times are milliseconds since 1970."""

    unrouted: int = 0
    """Records in the journal of which nothing has been decided."""
    oldest_unrouted: int | None = None
    """When the first of them was received."""
    settling: int = 0
    """Responses that are held back for a comment to come."""
    awaited: Mapping[str, int] = msgspec.field(default_factory=dict)
    """By connection: calls that wait for their person to be identified."""
    oldest_held: Mapping[str, int] = msgspec.field(default_factory=dict)
    """By connection: when the oldest delivery was accepted that a person has to decide about."""


class StoreSize(Record, frozen=True, kw_only=True):
    """What the store takes, in bytes; None where that is nothing an engine can tell."""

    database: int
    log: int | None = None
    """What was written and is not yet part of the database (SQLite's write-ahead log)."""
    free: int | None = None
    """What is left to it on its disk."""


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
    awaited: list[AwaitedCall] = msgspec.field(default_factory=list)
    """Calls that wait for their person to be identified; each becomes deliveries, or expires."""


class Remains(StrEnum):
    """Where the bytes of somebody who was erased may still be, although nothing finds them any more."""

    NOTHING = "nothing"
    UNTIL_WRITTEN = "until_written"
    """In the store's file, until it is written to: somebody was reading it."""
    UNTIL_REUSED = "until_reused"
    """In the database's files until their room is used again; in its log, standbys and backups until those are gone."""
    UNTIL_VACUUMED = "until_vacuumed"
    """The same, and as dead rows until they are vacuumed, which was not possible now."""


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
    remains: Remains = Remains.NOTHING
