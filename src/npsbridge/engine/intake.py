"""The door: what arrives is in the journal, on disk, before anybody is told that we have it."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from npsbridge.core.envelope import INGEST, CallSource
from npsbridge.core.ports import Arrival, Origin, Page
from npsbridge.core.reading import digest
from npsbridge.engine.bell import Bell
from npsbridge.engine.seams import Seams

REMEMBERED = 20_000
"""Records recognised without asking the store; more than the overlap of a round ever shows."""


class Intake:
    """Journals pages, webhooks and calls, and rings for the router."""

    def __init__(self, seams: Seams, bell: Bell) -> None:
        self._seams = seams
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
        keyed = {_key(connection, record): record for record in page.records}
        fresh = {key: record for key, record in keyed.items() if key not in self._journaled}
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

    async def calls(self, body: bytes, count: int, source: CallSource) -> None:
        """Journal one request with Segment calls; it is on disk when this returns.

        Raises:
            StoreFull: nothing was kept; the caller must be told to try again.
        """
        now = self._seams.clock.now_ms()
        origin = Origin.SDK if source is CallSource.SDK else Origin.WEBHOOK
        arrival = Arrival(connection=INGEST, origin=origin, body=body, count=count, received_at=now)
        await self._seams.store.append([arrival])
        self._seams.metrics.ingest_events.labels(source.value, "stored").inc(count)
        self._bell.ring()

    async def _append(
        self, connection: str, origin: Origin, records: Sequence[bytes], checkpoint: bytes | None
    ) -> None:
        arrival = Arrival(
            connection=connection,
            origin=origin,
            body=b"[" + b",".join(records) + b"]",
            count=len(records),
            received_at=self._seams.clock.now_ms(),
        )
        place = None if checkpoint is None else (connection, checkpoint)
        await self._seams.store.append([arrival] if records else [], checkpoint=place)
        if records:
            self._seams.metrics.ingest_events.labels(origin.value, "stored").inc(len(records))
            self._bell.ring()

    def _remember(self, keys: Iterable[str]) -> None:
        self._journaled.update(dict.fromkeys(keys))
        while len(self._journaled) > REMEMBERED:
            self._journaled.popitem(last=False)


def _key(connection: str, record: bytes) -> str:
    return digest(connection.encode() + b"\0" + record)
