"""Reading survey responses by polling: history by answer time, then news by change time."""

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Literal

import msgspec

from npsbridge.clock import Clock
from npsbridge.core import reading
from npsbridge.core.ports import Page
from npsbridge.errors import BadRecord, UnreadablePage
from npsbridge.net.answers import expect_ok
from npsbridge.net.client import EXCERPT, HttpClient, Reply
from npsbridge.net.keyset import Keyset, Leaf, Row
from npsbridge.platforms.base import Wiring
from npsbridge.platforms.delighted.settings import DelightedSettings, authorized

PAGE_SIZE = 100
"""The most `per_page` allows (D-list)."""
DEFAULT_PAGE_SIZE = 20
"""What `per_page` is without being asked for; no server that follows the documentation cuts pages shorter."""
HOUR, DAY = 3600, 86400
CREATED_SWEEP = 2 * DAY
"""How far back the hourly look for rows goes that `updated_since` may not show (no `updated_at`, backdated)."""


class _Head(msgspec.Struct):
    """As much of a row as reading on needs."""

    id: str | int
    created_at: float | str
    updated_at: float | str | None = None


class _Floor(msgspec.Struct, omit_defaults=True):
    """What lies below was there before we came and is not wanted (BACKFILL, BACKFILL_SINCE)."""

    created: int | None = None
    """Answered before this second; None for any."""
    changed: int = 0
    """... and not changed after this second."""
    ids: list[str] = []
    """Rows changed in that very second that were there already."""


class _Place(msgspec.Struct, omit_defaults=True):
    """The checkpoint: only times that the server gave us."""

    backfill: int | None = None
    """Reading history goes on from answers of this second; None once history is read."""
    updated: int = 0
    """The latest change read."""
    created: int = 0
    """The latest answer read."""
    floor: _Floor | None = None
    shows_unchanged: bool = False
    """`updated_since` has been seen to show rows without `updated_at`."""
    swept: int = 0
    """When the last hourly look back was, by our clock, in seconds."""
    rescanned: int = 0
    """When the last daily one was."""


class _Dated(Row, frozen=True, kw_only=True):
    """A row with both of its times, in seconds."""

    created: int
    updated: int | None

    @property
    def changed(self) -> int:
        return self.created if self.updated is None else self.updated


class DelightedSource:
    """Reads survey responses: history by answer time, then news by change time.

    History is read in the order of `created_at`, which never changes, so that edits cannot move a row while we read,
    and rows whose `updated_at` is null are seen too. Before it starts, the newest `updated_at` is asked for; following
    begins there, so that whatever is edited while history is read is seen again.
    """

    def __init__(self, wiring: Wiring[DelightedSettings]) -> None:
        self.connection = wiring.name
        self.poll_interval = wiring.settings.poll_interval
        self._settings = wiring.settings
        self._http: HttpClient = wiring.http
        self._clock: Clock = wiring.clock
        self._url = f"{wiring.settings.base_url.rstrip('/')}/survey_responses.json"
        self._headers = authorized(wiring.settings)
        self._setting = wiring.setting("API_KEY")

    async def read(self, checkpoint: bytes | None) -> AsyncIterator[Page]:
        """One round; see `Source.read`."""
        place = msgspec.json.decode(checkpoint, type=_Place) if checkpoint else await self._start()
        if checkpoint is None:
            yield _page([], place, backfilling=place.backfill is not None)
        if place.backfill is not None:
            async for page in self._read_history(place, place.backfill):
                yield page
        async for page in self._read_updated(place):
            yield page
        async for page in self._read_created(place):
            yield page

    async def _start(self) -> _Place:
        newest = await self._list({"order": "desc:updated_at"}, "updated")
        changed = max((row.at for row in newest if row.at is not None), default=0)
        since = self._settings.backfill_since
        floor = _Floor(
            created=int(since.timestamp()) if since and self._settings.backfill else None,
            changed=changed,
            ids=[row.id for row in newest if row.at == changed],
        )
        now = int(self._clock.now().timestamp())
        return _Place(
            backfill=(floor.created or 0) if self._settings.backfill else None,
            updated=changed,
            created=0 if self._settings.backfill else changed,
            floor=floor if since or not self._settings.backfill else None,
            swept=now,
            rescanned=now,
        )

    async def _read_history(self, place: _Place, since: int) -> AsyncIterator[Page]:
        first: int | None = None
        async for leaf in self._sweep("created", since, trusted=0):
            place.backfill, place.created = leaf.bound, max(place.created, leaf.bound)
            first = leaf.rows[0].at if first is None else first
            share = _share(first, leaf.bound, place.updated)
            yield _page(leaf.rows, place, backfilling=True, progress=share)
        place.backfill = None
        yield _page([], place)

    async def _read_updated(self, place: _Place) -> AsyncIterator[Page]:
        since = max(0, place.updated - int(self._settings.overlap))
        async for leaf in self._sweep("updated", since, trusted=DEFAULT_PAGE_SIZE):
            place.updated = max(place.updated, leaf.bound)
            place.shows_unchanged |= any(isinstance(row, _Dated) and row.updated is None for row in leaf.rows)
            yield _page(_above(place.floor, leaf.rows), place)

    async def _read_created(self, place: _Place) -> AsyncIterator[Page]:
        """Look for rows that `updated_since` does not show: it may leave out those without `updated_at`."""
        reach = self._reach(place)
        if reach is None:
            return
        async for leaf in self._sweep("created", max(0, place.created - reach), trusted=DEFAULT_PAGE_SIZE):
            place.created = max(place.created, leaf.bound)
            yield _page(_above(place.floor, leaf.rows), place)

    def _reach(self, place: _Place) -> int | None:
        """How far back answers are looked through in this round, in seconds; None for not at all."""
        now = int(self._clock.now().timestamp())
        if now - place.rescanned >= DAY:
            place.swept = place.rescanned = now
            return int(self._settings.rescan)
        if now - place.swept >= HOUR:
            place.swept = now
            return CREATED_SWEEP
        return None if place.shows_unchanged else int(self._settings.overlap)

    def _sweep(self, field: Literal["created", "updated"], since: int, *, trusted: int) -> AsyncIterator[Leaf]:
        lower, order = {"created": ("since", "asc"), "updated": ("updated_since", "asc:updated_at")}[field]

        async def fetch(bound: int, page: int) -> list[Row]:
            return await self._list({lower: str(bound), "order": order, "page": str(page)}, field)

        return Keyset(fetch, size=PAGE_SIZE, short=trusted).read(since)

    async def _list(self, query: Mapping[str, str], field: Literal["created", "updated"]) -> list[Row]:
        params = {**query, "per_page": str(PAGE_SIZE), "expand[]": "person"}
        reply = await self._http.request(
            "GET", self._url, operation="list_responses", params=params, headers=self._headers
        )
        location = f"/survey_responses.json?{'&'.join(f'{name}={value}' for name, value in query.items())}"
        expect_ok(reply, location=location, setting=self._setting, now=self._clock.now)
        return _rows(reply, field, location)


def _rows(reply: Reply, field: Literal["created", "updated"], location: str) -> list[Row]:
    try:
        records = reading.split(reply.body)
    except BadRecord as error:
        reason = f"the answer is not a list of responses: {error}"
        raise UnreadablePage(reason, location=location, body=reply.body[:EXCERPT]) from error
    return [_row(record, field) for record in records]


def _row(record: bytes, field: Literal["created", "updated"]) -> Row:
    """Place a row in time; an unreadable one has no place, but is kept for the shelf."""
    try:
        head = reading.decode(record, _Head)
        created = int(reading.instant(head.created_at, "/created_at").timestamp())
        changed = reading.optional_instant(head.updated_at, "/updated_at")
    except BadRecord:
        return Row(id=hashlib.sha256(record).hexdigest(), at=None, raw=record)
    updated = int(changed.timestamp()) if changed else None
    at = updated if field == "updated" and updated is not None else created
    return _Dated(id=str(head.id), at=at, raw=record, created=created, updated=updated)


def _page(rows: Sequence[Row], place: _Place, *, backfilling: bool = False, progress: float | None = None) -> Page:
    return Page(
        records=[row.raw for row in rows],
        checkpoint=msgspec.json.encode(place),
        backfilling=backfilling,
        progress=progress,
    )


def _above(floor: _Floor | None, rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if floor is None or not isinstance(row, _Dated) or not _is_below(floor, row)]


def _is_below(floor: _Floor, row: _Dated) -> bool:
    is_old = floor.created is None or row.created < floor.created
    was_there = row.changed < floor.changed or (row.changed == floor.changed and row.id in floor.ids)
    return is_old and was_there


def _share(first: int | None, here: int, newest: int) -> float | None:
    if first is None or newest <= first:
        return None
    return min(1.0, max(0.0, (here - first) / (newest - first)))
