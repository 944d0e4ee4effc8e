"""The door: what arrives is in the journal, on disk, before anybody is told that we have it."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence

from loguru import logger
from prometheus_client import Counter

from npsbridge.core.envelope import INGEST, CallSource
from npsbridge.core.keys import normalised_email
from npsbridge.core.leases import current_lease
from npsbridge.core.people import IdKind, PersonId
from npsbridge.core.ports import Page, Parser
from npsbridge.core.reading import digest, joined, split
from npsbridge.core.records import Arrival, JournalEntry, Origin
from npsbridge.engine.lead import Lead
from npsbridge.engine.seams import Seams
from npsbridge.errors import BadRecord, StoreFull

REMEMBERED = 20_000
"""Records recognised without asking the store; more than the overlap of a round ever shows."""
MOST_WEBHOOKS = 500
"""Of other replicas, between two pages, that are looked into; of more it is cheaper to know nothing."""


class Intake:
    """Journals pages, webhooks and calls, and rings for the router."""

    def __init__(self, seams: Seams, bell: Lead, parsers: Mapping[str, Parser] | None = None) -> None:
        """With `parsers`, by connection, an edit that is taken back is recognised as news; without, it is not."""
        self._seams = seams
        self._bell = bell
        self._parsers = parsers or {}
        self._journaled: OrderedDict[str, str] = OrderedDict()
        """By the fingerprint of a record: of which response it is."""
        self._latest: dict[str, str] = {}
        """By response: the fingerprint of what was journaled last. Where no time of change is told, an edit that is
        taken back looks just like what was there before it."""
        self._checkpoints: dict[str, bytes] = {}
        self._stored: dict[CallSource, Counter] = {}
        self._known: dict[str, tuple[int, int]] = {}
        """By connection: the last webhook of it, and the fence, that the memory goes with."""
        self._own: OrderedDict[str, None] = OrderedDict()
        """Fingerprints of webhooks that were journaled here, until they are met among those of all replicas."""
        self._is_shut = False
        """Whether there is no room, and the log has been told."""

    async def page(self, connection: str, page: Page) -> int:
        """Journal what is new on a page together with its checkpoint; returns how many records were new.

        A record that came byte for byte before is left out, and nothing is written when nothing is new: an idle
        connection costs no writes.

        Raises:
            StoreUnavailable: nothing was kept; the page will be read again.
        """
        await self._trust_memory(connection)
        keyed = {_key(connection, record): record for record in page.records}
        fresh = {key: record for key, record in keyed.items() if not self._is_latest(key)}
        if not fresh and self._checkpoints.get(connection) == page.checkpoint:
            return 0
        origin = Origin.BACKFILL if page.backfilling else Origin.POLL
        await self._append(connection, origin, list(fresh.values()), page.checkpoint)
        self._checkpoints[connection] = page.checkpoint
        self._remember(connection, fresh)
        await self._bell.shorten()
        return len(fresh)

    async def webhook(self, connection: str, records: Sequence[bytes]) -> None:
        """Journal what a webhook carried; it is on disk when this returns.

        Raises:
            StoreUnavailable: nothing was kept; the vendor must be told to try again.
        """
        await self._append(connection, Origin.WEBHOOK, records, None)
        if self._seams.store.leases.is_shared:
            self._own[_key(connection, joined(records))] = None
            while len(self._own) > MOST_WEBHOOKS:
                self._own.popitem(last=False)
        self._remember(connection, {_key(connection, record): record for record in records})

    async def unsubscribed(self, emails: Sequence[str]) -> None:
        """Remember who wants no more surveys, from any platform; it is on disk when this returns.

        Raises:
            StoreUnavailable: nothing was kept; the vendor must be told to try again.
        """
        found = {PersonId(IdKind.EMAIL, email) for one in emails if (email := normalised_email(one))}
        known = await self._seams.store.recall_people(found)
        users = {PersonId(IdKind.USER, user_id) for person in known.persons.values() for user_id in person.user_ids}
        await self._seams.store.suppress(found | users, because="unsubscribed")
        self._seams.metrics.ingest_events.labels("webhook", "unsubscribed").inc(len(found))

    async def calls(self, body: bytes, count: int, source: CallSource) -> None:
        """Journal one request with Segment calls; it is on disk when this returns.

        Raises:
            StoreUnavailable: nothing was kept; the caller must be told to try again.
        """
        now = self._seams.clock.now_ms()
        origin = Origin.SDK if source is CallSource.SDK else Origin.WEBHOOK
        arrival = Arrival(connection=INGEST, origin=origin, body=body, count=count, received_at=now)
        await self._store([arrival])
        self._count_calls(source, count)
        self._bell.ring()

    def _count_calls(self, source: CallSource, count: int) -> None:
        counter = self._stored.get(source)
        if counter is None:  # to look for the labels takes longer than to count
            counter = self._stored[source] = self._seams.metrics.ingest_events.labels(source.value, "stored")
        counter.inc(count)

    async def _append(
        self, connection: str, origin: Origin, records: Sequence[bytes], checkpoint: bytes | None
    ) -> None:
        arrival = Arrival(
            connection=connection,
            origin=origin,
            body=joined(records),
            count=len(records),
            received_at=self._seams.clock.now_ms(),
        )
        place = None if checkpoint is None else (connection, checkpoint)
        await self._store([arrival] if records else [], place)
        if records:
            self._seams.metrics.ingest_events.labels(origin.value, "stored").inc(len(records))
            self._bell.hand_over(len(records))

    async def _store(self, arrivals: Sequence[Arrival], checkpoint: tuple[str, bytes] | None = None) -> None:
        """Into the journal; of a full store the log has two lines, however many come meanwhile."""
        try:
            await self._seams.store.append(arrivals, checkpoint=checkpoint)
        except StoreFull as error:  # of a database that is away the fleet tells
            if not self._is_shut:
                logger.bind(reason=str(error)).error("What arrives cannot be stored; callers have to come again")
            self._is_shut = True
            raise
        if self._is_shut:
            logger.info("What arrives is stored again")
            self._is_shut = False

    async def _trust_memory(self, connection: str) -> None:
        """Learn what other replicas took by webhook; forget all once one may have polled: the fence is another."""
        lease = current_lease()
        last, fence = await self._seams.store.heard(connection), lease.fence if lease else 0
        heard, polled = self._known.get(connection, (last, fence))
        if fence != polled or (last != heard and not await self._learn(connection, heard)):
            self._journaled.clear()
            self._latest.clear()
            self._checkpoints.pop(connection, None)
        self._known[connection] = (last, fence)

    async def _learn(self, connection: str, after: int) -> bool:
        """Remember the webhooks behind a number that were journaled elsewhere; False when there are too many."""
        entries = await self._seams.store.webhooks(connection, after=after, limit=MOST_WEBHOOKS)
        for entry in entries:
            key = _key(connection, entry.body)
            if key in self._own:
                del self._own[key]  # it was remembered when it came, and what was read since is newer
            else:
                self._remember(connection, {_key(connection, record): record for record in _records(entry)})
        return len(entries) < MOST_WEBHOOKS

    def _is_latest(self, key: str) -> bool:
        """Whether a record was journaled, and no other version of its response since."""
        subject = self._journaled.get(key)
        return subject is not None and self._latest.get(subject) == key

    def _remember(self, connection: str, records: Mapping[str, bytes]) -> None:
        for key, record in records.items():
            subject = self._subject(connection, record, key)
            self._journaled[key] = subject
            self._journaled.move_to_end(key)
            self._latest[subject] = key
        while len(self._journaled) > REMEMBERED:
            key, subject = self._journaled.popitem(last=False)
            if self._latest.get(subject) == key:
                del self._latest[subject]

    def _subject(self, connection: str, record: bytes, key: str) -> str:
        """The response that a record is of; an unreadable one stands for itself."""
        parse = self._parsers.get(connection)
        try:
            return f"{connection}/{parse(connection, record).id}" if parse else key
        except BadRecord:
            return key


def _records(entry: JournalEntry) -> list[bytes]:
    """The records of a journal entry; none of one that cannot be read, which becomes of no response."""
    try:
        return split(entry.body)
    except BadRecord:
        return []


def _key(connection: str, record: bytes) -> str:
    return digest(connection.encode() + b"\0" + record)
