"""Reading feedback by polling: the history, then what is new, and now and then what may have been edited."""

import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from functools import partial

from npsbridge.clock import Clock
from npsbridge.core.ports import Page
from npsbridge.platforms.base import Wiring
from npsbridge.platforms.promoter.api import FeedbackApi
from npsbridge.platforms.promoter.place import FIRST_DAY, Floor, Place, day_of, row
from npsbridge.platforms.promoter.settings import PromoterSettings
from npsbridge.platforms.promoter.walk import Leaf, Walk, Window

HOUR, DAY = 3600, 86400
SPARE_DAYS = 2
"""More than the zone that the date filters mean, and whether the last day counts, can make a difference."""
LOOK_BACK_DAYS = 3
"""What the hourly look for edits reaches back."""
PAGES_OF_A_HINT = 5


class _Purpose(Enum):
    HISTORY = auto()
    LOOK_BACK = auto()
    """For edits: no time of the API's filters moves with them."""
    NEWS = auto()


@dataclass(slots=True)
class _Round:
    """One walk through the list, and why."""

    purpose: _Purpose
    walk: Walk
    is_daily: bool = False
    began: int = 0
    """By our clock, in seconds."""


class PromoterSource:
    """Reads feedback by days of posting, oldest first; the only filter the API has for time.

    History is a walk from the first day to tomorrow; a look back of RESCAN follows at once, because what is edited
    while history is read leaves no other trace. After that each round asks for the days since the latest answer. When
    the first page is what it was, and the vendor counts as many answers as before, nothing is new, and that is all.
    """

    def __init__(self, wiring: Wiring[PromoterSettings]) -> None:
        self.connection = wiring.name
        self.poll_interval = wiring.settings.poll_interval
        self._settings = wiring.settings
        self._clock: Clock = wiring.clock
        self._api = FeedbackApi(wiring)
        self._version: int | None = None
        self._quiet: str | None = None
        """The first page of the last round of its kind that came to its end."""
        self._halted: tuple[bytes, _Round] | None = None
        """The round in which a request failed, and the checkpoint it had reached: it goes on where it stopped."""

    async def read(self, checkpoint: bytes | None) -> AsyncIterator[Page]:
        """One round; see `Source.read`."""
        place = Place.decode(checkpoint) if checkpoint else await self._start()
        self._version = place.version
        if checkpoint is None:
            yield _page(place)
        if place.is_backfilling:
            async for page in self._go(place, _Purpose.HISTORY):
                yield page
            place.is_backfilling, place.total = False, 0
            yield _page(place)
        if self._is_due(place.rescanned, DAY) or self._is_due(place.swept, HOUR):
            async for page in self._go(place, _Purpose.LOOK_BACK):
                yield page
        async for page in self._go(place, _Purpose.NEWS):
            yield page

    async def look_up(self, hints: Sequence[str]) -> list[bytes]:
        """Read single feedback back by id; see `Lookup.look_up`. A removed one is left out."""
        if self._version is None:
            self._version, _ = await self._api.prove()
        found = [await self._find(self._version, feedback_id) for feedback_id in dict.fromkeys(hints)]
        return [record for record in found if record is not None]

    # --- the first round ------------------------------------------------------------------------------------------

    async def _start(self) -> Place:
        version, filters_work = await self._api.prove()
        settings, came = self._settings, math.floor(self._api.now().timestamp())
        place = Place(version=version, filters_work=filters_work, is_backfilling=settings.backfill)
        if not settings.backfill:
            place.posted, place.swept, place.rescanned = came, self._now(), self._now()
            place.floor = Floor(changed=came, known=await self._known_at(place, came))
        elif settings.backfill_since:
            place.posted = max(0, math.floor(settings.backfill_since.timestamp()))
            place.floor = Floor(answered=place.posted, changed=came)
        return place

    async def _known_at(self, place: Place, came: int) -> dict[str, int]:
        """The rows that changed in the very second in which we came, or while we looked."""
        walk = self._round(place, _Purpose.NEWS).walk
        known: dict[str, int] = {}
        while not walk.is_over:
            leaf = await walk.step()
            known.update((found.id, found.changed) for found in leaf.rows if found.changed and found.changed >= came)
        return known

    # --- every round ----------------------------------------------------------------------------------------------

    async def _go(self, place: Place, purpose: _Purpose) -> AsyncIterator[Page]:
        """Walk to the end. The checkpoint moves only with windows that were read whole."""
        going = self._resumed(place, purpose) or self._round(place, purpose)
        walk, stored = going.walk, place.encode()
        while not walk.is_over:
            self._halted = (stored, going)
            leaf = await walk.step()
            self._halted = None  # what follows is only true once the page is stored
            if purpose is _Purpose.NEWS and walk.opening == self._quiet:
                return
            self._note(place, walk, leaf)
            if leaf.rows or leaf.posted is not None:
                page = _page(place, leaf, progress=_progress(place, walk))
                yield page
                stored = page.checkpoint
        if purpose is _Purpose.NEWS or not place.filters_work:
            self._quiet = walk.opening
        if purpose is _Purpose.LOOK_BACK:
            place.swept, place.rescanned = going.began, going.began if going.is_daily else place.rescanned
            yield _page(place)

    def _resumed(self, place: Place, purpose: _Purpose) -> _Round | None:
        halted, self._halted = self._halted, None
        if halted is None or halted[0] != place.encode() or halted[1].purpose is not purpose:
            return None
        return halted[1]

    def _round(self, place: Place, purpose: _Purpose) -> _Round:
        today = self._api.now().date()
        posted = min(day_of(place.posted), today) if place.posted else FIRST_DAY
        spare = max(SPARE_DAYS, math.ceil(self._settings.overlap / DAY))
        first = posted - timedelta(days=spare)
        is_daily = purpose is _Purpose.LOOK_BACK and self._is_due(place.rescanned, DAY)
        if purpose is _Purpose.LOOK_BACK:
            # From the newest answer, not from today: a clock that is ahead must not make the look back miss it.
            first = min(first, posted - timedelta(days=self._reach() if is_daily else LOOK_BACK_DAYS))
        span = Window(first=max(first, FIRST_DAY), last=today + timedelta(days=SPARE_DAYS))
        walk = Walk(partial(self._api.list, place.version), span if place.filters_work else None)
        return _Round(purpose, walk, is_daily=is_daily, began=self._now())

    def _reach(self) -> int:
        """Days that the daily look back reaches; one more than asked for, because its zone is not known."""
        return max(LOOK_BACK_DAYS, math.ceil(self._settings.rescan / DAY) + 1)

    def _note(self, place: Place, walk: Walk, leaf: Leaf) -> None:
        """How far we have read now: at most to the vendor's present, so that one wrong date hides nothing."""
        if leaf.posted is not None:
            place.posted = max(place.posted, min(leaf.posted, math.floor(self._api.now().timestamp())))
        if place.is_backfilling:
            place.total = max(place.total, walk.count)

    def _is_due(self, last: int, every: int) -> bool:
        """Also when our clock was set back."""
        return not 0 <= self._now() - last < every

    def _now(self) -> int:
        return self._clock.now_ms() // 1000

    # --- single ones ----------------------------------------------------------------------------------------------

    async def _find(self, version: int, feedback_id: str) -> bytes | None:
        """By v2, else by v1: whether v2 has this route at all is not known."""
        record = await self._api.find(version, feedback_id)
        if record is not None or version == 1:
            return record
        record = await self._api.find(1, feedback_id)
        return None if record is None else await self._as_listed(record)

    async def _as_listed(self, record: bytes) -> bytes:
        """The same feedback as the list of v2 has it: what v1 leaves out would look like an edit, and be emitted."""
        found = row(record)
        day = day_of(found.posted)
        days = Window(first=day - timedelta(days=1), last=day + timedelta(days=SPARE_DAYS))
        filters = {**days.query, "score": str(found.score)}
        query = filters
        for _ in range(PAGES_OF_A_HINT):
            page = await self._api.list(2, query, may_be_missing=True)
            for listed in page.rows if page else []:
                if listed.id == found.id:
                    return listed.raw
            if page is None or page.next is None:
                break
            query = {**page.next, **filters}
        return record


def _progress(place: Place, walk: Walk) -> float | None:
    """By the answers that are still to come when a walk begins, of those there are."""
    if not place.total:
        return None
    return min(1.0, max(0.0, (place.total - walk.count + walk.read) / place.total))


def _page(place: Place, leaf: Leaf = Leaf(), *, progress: float | None = None) -> Page:  # noqa: B008 - frozen
    return Page(
        records=[found.raw for found in place.wanted(leaf.rows)],
        checkpoint=place.encode(),
        backfilling=place.is_backfilling,
        progress=progress,
    )
