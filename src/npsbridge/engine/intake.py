"""The door: what arrives is in the journal, on disk, before anybody is told that we have it."""

from collections import OrderedDict
from collections.abc import Sequence

from npsbridge.clock import Clock
from npsbridge.core.ports import Arrival, Origin, Page, Store
from npsbridge.core.reading import digest
from npsbridge.engine.bell import Bell
from npsbridge.metrics import Metrics

REMEMBERED = 20_000
"""Records recognised without asking the store; more than the overlap of a round ever shows."""


class Intake:
    """Journals pages and webhooks, and rings for the router."""

    def __init__(self, store: Store, clock: Clock, metrics: Metrics, bell: Bell) -> None:
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._bell = bell
        self._journaled: OrderedDict[str, None] = OrderedDict()
        self._checkpoints: dict[str, bytes] = {}

    async def page(self, connection: str, page: Page) -> int:
        """Journal what is new on a page together with its checkpoint; returns how many records were new.

        A record that came byte for byte before is left out, and nothing is written when nothing is new: an idle
        connection costs no writes.

        Raises:
            StoreFull: nothing was kept; the page will be read again.
        """
        fresh = {
            key: record for record in page.records if (key := self._key(connection, record)) not in self._journaled
        }
        if not fresh and self._checkpoints.get(connection) == page.checkpoint:
            return 0
        origin = Origin.BACKFILL if page.backfilling else Origin.POLL
        await self._append(connection, origin, list(fresh.values()), page.checkpoint)
        self._checkpoints[connection] = page.checkpoint
        self._remember(fresh)
        return len(fresh)

    async def webhook(self, connection: str, records: Sequence[bytes]) -> None:
        """Journal what a webhook carried; it is on disk when this returns.

        Raises:
            StoreFull: nothing was kept; the vendor must be told to try again.
        """
        await self._append(connection, Origin.WEBHOOK, records, None)

    async def _append(
        self, connection: str, origin: Origin, records: Sequence[bytes], checkpoint: bytes | None
    ) -> None:
        arrival = Arrival(
            connection=connection,
            origin=origin,
            body=b"[" + b",".join(records) + b"]",
            count=len(records),
            received_at=self._clock.now_ms(),
        )
        place = None if checkpoint is None else (connection, checkpoint)
        await self._store.append([arrival] if records else [], checkpoint=place)
        if records:
            self._metrics.ingest_events.labels(origin, "stored").inc(len(records))
            self._bell.ring()

    def _key(self, connection: str, record: bytes) -> str:
        return digest(connection.encode() + b"\0" + record)

    def _remember(self, keys: dict[str, bytes]) -> None:
        self._journaled.update(dict.fromkeys(keys))
        while len(self._journaled) > REMEMBERED:
            self._journaled.popitem(last=False)
