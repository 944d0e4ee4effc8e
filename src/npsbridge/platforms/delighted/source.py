"""Reading survey responses by polling: history by answer time, then news by change time."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime

from npsbridge.clock import Clock
from npsbridge.core import reading
from npsbridge.core.ports import Page
from npsbridge.errors import BadRecord, UnreadablePage
from npsbridge.net.answers import expect_ok, said_at
from npsbridge.net.client import EXCERPT, HttpClient, Reply
from npsbridge.net.keyset import Keyset, Leaf, Row
from npsbridge.platforms.base import Wiring
from npsbridge.platforms.delighted.place import Field, Floor, Place, newest, row
from npsbridge.platforms.delighted.settings import DelightedSettings, authorized

PAGE_SIZE = 100
"""The most `per_page` allows (Delighted's page "Listing survey responses")."""
DEFAULT_PAGE_SIZE = 20
"""What `per_page` is without being asked for; no server that follows that page cuts pages shorter."""
HOUR, DAY = 3600, 86400
LOOK_BACK = 2 * DAY
"""How far back the hourly look goes for rows that `updated_since` may not show (no `updated_at`, backdated)."""
LOWER_BOUND = {"created": "since", "updated": "updated_since"}
ORDER = {"created": "asc", "updated": "asc:updated_at"}


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
        self._overlap = int(wiring.settings.overlap)
        self._http: HttpClient = wiring.http
        self._clock: Clock = wiring.clock
        self._url = f"{wiring.settings.base_url}/survey_responses.json"
        self._headers = authorized(wiring.settings)
        self._setting = wiring.setting("API_KEY")
        self._began: datetime | None = None
        """When the round under way began, by the server's clock."""

    async def read(self, checkpoint: bytes | None) -> AsyncIterator[Page]:
        """One round; see `Source.read`."""
        self._began = None
        place = Place.decode(checkpoint) if checkpoint else await self._start()
        if checkpoint is None:
            yield _page([], place, backfilling=place.backfill is not None)
        if place.backfill is not None:
            async for page in self._read_history(place, place.backfill):
                yield page
        async for page in self._read_updated(place):
            yield page
        async for page in self._read_created(place):
            yield page

    # --- the first round ------------------------------------------------------------------------------------------

    async def _start(self) -> Place:
        latest = self._until_now(newest(await self._list({"order": "desc:updated_at"}, "updated")))
        since, wants_history = self._settings.backfill_since, self._settings.backfill
        floor = await self._floor(latest) if since or not wants_history else None
        if floor and since and wants_history:
            floor.created = int(since.timestamp())
        begin = floor.created if floor and floor.created is not None else 0
        now = self._now()
        return Place(
            backfill=begin if wants_history else None,
            updated=latest,
            created=0 if wants_history else latest,
            floor=floor,
            swept=now,
            rescanned=now,
        )

    async def _floor(self, latest: int) -> Floor:
        """What is there already; rows without `updated_at` may be missing in the list that is sorted by it."""
        by_answer = self._until_now(newest(await self._list({"order": "desc"}, "created")))
        floor = Floor(changed=max(latest, by_answer))
        ids: set[str] = set()
        for field in ("created", "updated"):
            async for leaf in self._sweep(field, floor.changed, trusted=DEFAULT_PAGE_SIZE):
                ids.update(found.id for found in leaf.rows if found.at == floor.changed)
        floor.ids = sorted(ids)
        return floor

    async def _read_history(self, place: Place, since: int) -> AsyncIterator[Page]:
        async for leaf in self._sweep("created", since, trusted=0):
            place.backfill = leaf.bound
            place.created = self._moved(place.created, leaf.bound)
            place.oldest = leaf.rows[0].at if place.oldest is None else place.oldest
            yield _page(leaf.rows, place, backfilling=True, progress=place.progress())
        place.backfill = place.oldest = None
        yield _page([], place)

    # --- every round ----------------------------------------------------------------------------------------------

    async def _read_updated(self, place: Place) -> AsyncIterator[Page]:
        async for leaf in self._sweep("updated", place.updated - self._overlap, trusted=DEFAULT_PAGE_SIZE):
            place.updated = self._moved(place.updated, leaf.bound)
            place.shows_unchanged |= any(getattr(found, "updated", 0) is None for found in leaf.rows)
            yield _page(place.wanted(leaf.rows), place)

    async def _read_created(self, place: Place) -> AsyncIterator[Page]:
        """Look for rows that `updated_since` does not show: it may leave out those without `updated_at`.

        A look back counts as done when it has come to its end.
        """
        now = self._now()
        is_daily, is_hourly = not 0 <= now - place.rescanned < DAY, not 0 <= now - place.swept < HOUR
        if is_daily:
            reach = max(int(self._settings.rescan), LOOK_BACK)
        elif is_hourly:
            reach = LOOK_BACK
        elif place.shows_unchanged:
            return
        else:
            reach = self._overlap
        async for leaf in self._sweep("created", place.created - reach, trusted=DEFAULT_PAGE_SIZE):
            place.created = self._moved(place.created, leaf.bound)
            yield _page(place.wanted(leaf.rows), place)
        if is_daily or is_hourly:
            place.swept, place.rescanned = now, now if is_daily else place.rescanned
            yield _page([], place)

    def _moved(self, before: int, bound: int) -> int:
        """How far we have read now."""
        return max(before, self._until_now(bound))

    def _until_now(self, second: int) -> int:
        """At most the time this round began, by the server's clock.

        What changes while we read may become visible only after we have passed it, so the next round begins before
        that; and one row dated in the future must not hide all that come before it.
        """
        return min(second, int(self._began.timestamp())) if self._began else second

    def _now(self) -> int:
        return self._clock.now_ms() // 1000

    # --- requests -------------------------------------------------------------------------------------------------

    def _sweep(self, field: Field, since: int, *, trusted: int) -> AsyncIterator[Leaf]:
        async def fetch(bound: int, page: int) -> list[Row]:
            query = {LOWER_BOUND[field]: str(bound), "order": ORDER[field], "page": str(page)}
            return await self._list(query, field)

        return Keyset(fetch, short=trusted).read(max(0, since))

    async def _list(self, query: Mapping[str, str], field: Field) -> list[Row]:
        params = {**query, "per_page": str(PAGE_SIZE), "expand[]": "person"}
        reply = await self._http.request(
            "GET", self._url, operation="list_responses", params=params, headers=self._headers
        )
        location = f"/survey_responses.json?{'&'.join(f'{name}={value}' for name, value in query.items())}"
        expect_ok(reply, location=location, setting=self._setting, now=self._clock.now)
        self._began = self._began or said_at(reply)
        return [row(record, field) for record in _records(reply, location)]


def _records(reply: Reply, location: str) -> list[bytes]:
    try:
        return reading.split(reply.body)
    except BadRecord as error:
        reason = f"the answer is not a list of responses: {error}"
        raise UnreadablePage(reason, location=location, body=reply.body[:EXCERPT]) from error


def _page(rows: Sequence[Row], place: Place, *, backfilling: bool = False, progress: float | None = None) -> Page:
    return Page(
        records=[found.raw for found in rows],
        checkpoint=place.encode(),
        backfilling=backfilling,
        progress=progress,
    )
