"""Reading responses by polling: history by months, oldest first, then what is new or was edited.

SatisMeter has no time of change and no list of what was changed (app.satismeter.com/apidoc, as bruin-data/ingestr reads
it): edits and late rows are found by reading again. A round reads the last quarter of an hour again (OVERLAP), and no
more than two pages of it: on a busy account a day of answers each minute would eat up the rate limit, and most comments
follow their rating within minutes. The last day is read again every hour, the last RESCAN every day.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing

import msgspec

from npsbridge.clock import Clock
from npsbridge.core.ports import Page
from npsbridge.core.times import milliseconds
from npsbridge.errors import TryLater
from npsbridge.platforms.base import Wiring
from npsbridge.platforms.satismeter.lists import DAY, MONTH, SLACK, ResponseLists
from npsbridge.platforms.satismeter.place import BEGINNING, Descent, Floor, Leaf, Place, Row, Span
from npsbridge.platforms.satismeter.receiver import Hint
from npsbridge.platforms.satismeter.settings import SatisMeterSettings
from npsbridge.platforms.satismeter.surveys import SurveyNames

HOURLY, DAILY = 3600, 86_400
"""Seconds between two looks back over the last day, and over RESCAN."""
PAGES_A_ROUND = 2
"""Pages after which a round stops once it has seen all that is new."""
LONGEST_STEP = 32 * MONTH
"""Milliseconds of history that are tried at once where nothing is found."""
ROOM_TO_GROW = 40
"""Rows of a stretch of history; with so few, twice the time is likely to fit on one page as well."""
PATIENCE = 300_000
"""Milliseconds that a response a webhook told of may be missing in the list before the webhook's word counts."""
ASK_AGAIN = 20.0
"""Seconds between two looks for it."""
MINUTE, HOUR = 60_000, 3_600_000


class SatisMeterSource:
    """Reads the responses of one project; see `Source` and `Lookup`."""

    def __init__(self, wiring: Wiring[SatisMeterSettings]) -> None:
        self.connection = wiring.name
        self.poll_interval = wiring.settings.poll_interval
        self._settings = wiring.settings
        self._clock: Clock = wiring.clock
        self._lists = ResponseLists(wiring)
        self._names = SurveyNames(self._lists, wiring.clock, wiring.name)
        self._overlap = int(wiring.settings.overlap * 1000)

    async def read(self, checkpoint: bytes | None) -> AsyncIterator[Page]:
        """One round; see `Source.read`."""
        async for page in self._round(checkpoint):
            yield msgspec.structs.replace(page, records=await self._names.put_into(page.records))

    async def _round(self, checkpoint: bytes | None) -> AsyncIterator[Page]:
        place = Place.decode(checkpoint) if checkpoint else await self._start()
        if checkpoint is None:
            yield _page([], place)
        if place.gap is not None:
            async for page in self._descend(place.gap, before=place, after=place.replace(gap=None)):
                yield page
                place = Place.decode(page.checkpoint)
        if place.backfill is not None:
            async for page in self._read_history(place, place.backfill):
                yield page
                place = Place.decode(page.checkpoint)
        async for page in self._follow(place):
            yield page

    # --- the first start ------------------------------------------------------------------------------------------

    async def _start(self) -> Place:
        if not self._settings.backfill:
            floor = await self._present()
            return Place(floor=floor, newest=floor.created if floor.ids else 0)
        since = self._settings.backfill_since
        begin = max(BEGINNING, milliseconds(since)) if since else BEGINNING
        return Place(floor=Floor(created=begin), backfill=begin, until=self._now())

    async def _present(self) -> Floor:
        """What is there already, when no history is wanted."""
        span = Span(since=BEGINNING, until=self._now())
        descent, rows = Descent(), list[Row]()
        async with aclosing(self._lists.pages(span)) as pages:
            async for leaf in pages:
                descent.take(leaf.rows)
                rows += leaf.rows
                if descent.is_descending and descent.lowest != descent.newest:
                    break
        newest = max((row.at for row in rows if row.at is not None and row.at <= self._now()), default=BEGINNING)
        return Floor(created=newest, ids=sorted(row.id for row in rows if row.at == newest))

    # --- history --------------------------------------------------------------------------------------------------

    async def _read_history(self, place: Place, since: int) -> AsyncIterator[Page]:
        """Months, oldest first, so that a crash repeats little; empty years cost few requests.

        A stretch that fits on one page is read whole however long it is, and while pages stay nearly empty each
        stretch is twice as long as the one before. What is longer than a month and does not fit is tried at half.
        """
        step = MONTH
        while since < place.until:
            span = Span(since=since, until=min(since + step, place.until))
            leaf = await self._lists.page(span)
            if leaf.cursor is not None and span.length > MONTH:
                step = max(MONTH, span.length // 2)
                continue
            after = place.replace(backfill=span.until, oldest=place.oldest or _oldest(leaf))
            async for page in self._descend(span, before=place, after=after, first=leaf):
                yield page
                place = Place.decode(page.checkpoint)
            since = span.until
            step = min(step * 2, LONGEST_STEP) if len(leaf.rows) <= ROOM_TO_GROW else step
        # The look back of RESCAN is due at once: it finds what was edited or came late while history was read.
        yield _page([], place.replace(backfill=None, oldest=None, until=0))

    # --- every round ----------------------------------------------------------------------------------------------

    async def _follow(self, place: Place) -> AsyncIterator[Page]:
        """What is new, with the overlap; every hour and every day more of the past."""
        now, second = self._now(), self._clock.now_ms() // 1000
        is_daily = not 0 <= second - place.rescanned < DAILY
        is_hourly = is_daily or not 0 <= second - place.swept < HOURLY
        since = place.newest - self._overlap if place.newest else place.floor.created
        after = place
        if is_hourly:
            reach = max(DAY, int(self._settings.rescan * 1000)) if is_daily else DAY
            # From the newest answer, not from our time: a clock that is ahead must not make the look back miss it.
            since = min(since, min(now, place.newest or now) - reach)
            after = place.replace(swept=second, rescanned=second if is_daily else place.rescanned)
        span = Span(since=max(since, place.floor.created), until=max(now, place.newest))
        enough = None if is_hourly else place.newest
        async for page in self._descend(span, before=place, after=after, enough=enough):
            yield page

    async def _descend(
        self, span: Span, *, before: Place, after: Place, enough: int | None = None, first: Leaf | None = None
    ) -> AsyncIterator[Page]:
        """Read a stretch newest first.

        `after` becomes true with the last page. Until then it is true but for the gap below the page, as long as pages
        do come newest first; should they not, `before` stays true.

        Args:
            span: what to read.
            before: the checkpoint as it is.
            after: the checkpoint once all is read.
            enough: stop after two pages, once answers below this time were seen; None reads to the end.
            first: the first page, when it was asked for already.
        """
        descent = Descent()
        async with aclosing(self._lists.pages(span, first=first)) as pages:
            async for leaf in pages:
                descent.take(leaf.rows)
                after = after.replace(newest=max(after.newest, min(descent.newest or 0, span.until + SLACK)))
                place = _so_far(leaf, descent, span, before=before, after=after, enough=enough)
                yield _page(after.floor.keep(leaf.rows), place)
                if place is after:
                    return

    def _now(self) -> int:
        """Our time or the server's, whichever is later: a clock that is behind must not hide what is new."""
        return max(self._clock.now_ms(), self._lists.server_time)

    # --- what webhooks told ---------------------------------------------------------------------------------------

    async def look_up(self, hints: Sequence[str]) -> list[bytes]:
        """The responses that completed surveys, as the list has them, with the fact that they did; see `Lookup`.

        A response that is not listed yet is waited for, unless others would wait with it: then, and after some
        minutes, the webhook's own word counts, and polling corrects it.

        Raises:
            TryLater: what the hints speak of is not listed yet.
            VendorError: the list cannot be read.
        """
        news = {hint.id: hint for hint in map(Hint.decode, hints)}
        found: dict[str, bytes] = {}
        for span, wanted in _spans(news.values(), self._now()):
            found |= await self._find(span, wanted)
        missing = [hint for hint in news.values() if hint.id not in found]
        is_young = any(0 <= self._clock.now_ms() - hint.heard_at < PATIENCE for hint in missing)
        if is_young and not found:
            raise TryLater("a response that a webhook told of is not listed yet", after=ASK_AGAIN)
        listed = await self._names.put_into([_completed(raw) for raw in found.values()])
        return listed + [bytes(hint.body) for hint in missing]

    async def _find(self, span: Span, wanted: set[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        async with aclosing(self._lists.pages(span)) as pages:
            async for leaf in pages:
                found |= {row.id: row.raw for row in leaf.rows if row.id in wanted}
                if len(found) == len(wanted):
                    break
        return found


def _oldest(leaf: Leaf) -> int | None:
    return min((row.at for row in leaf.rows if row.at is not None), default=None)


def _so_far(leaf: Leaf, descent: Descent, span: Span, *, before: Place, after: Place, enough: int | None) -> Place:
    """The checkpoint that is true once this page is stored; `after` itself when nothing more is to be read."""
    if leaf.cursor is None:
        return after
    if descent.lowest is None or not descent.is_descending:
        return before
    if enough is not None and descent.lowest < enough and descent.pages >= PAGES_A_ROUND:
        return after
    if enough is not None and after.newest == before.newest:
        # Nothing is new so far: an idle round writes no checkpoint.
        return before
    return after.replace(gap=Span(since=span.since, until=min(span.until, descent.lowest)))


def _page(rows: Sequence[Row], place: Place) -> Page:
    return Page(
        records=[row.raw for row in rows],
        checkpoint=place.encode(),
        backfilling=place.backfill is not None,
        progress=place.progress(),
    )


def _spans(hints: Iterable[Hint], now: int) -> list[tuple[Span, set[str]]]:
    """Where to look for what: a minute around each answer; stretches that touch are read as one."""
    spans: list[tuple[Span, set[str]]] = []
    for span, number in sorted(((_around(hint, now), hint.id) for hint in hints), key=lambda item: item[0].since):
        if spans and span.since <= spans[-1][0].until:
            last, wanted = spans[-1]
            spans[-1] = (Span(since=last.since, until=max(last.until, span.until)), wanted | {number})
        else:
            spans.append((span, {number}))
    return spans


def _around(hint: Hint, now: int) -> Span:
    """Without a time of its own it is looked for in the hour before it was heard of."""
    if hint.answered_at is None:
        return Span(since=hint.heard_at - HOUR, until=hint.heard_at + MINUTE)
    at = min(max(hint.answered_at, BEGINNING), now)
    return Span(since=at - MINUTE, until=at + MINUTE)


def _completed(raw: bytes) -> bytes:
    """v3 has no flag that a survey was completed; the webhook said so."""
    return raw.rstrip()[:-1] + b',"completed":true}'
