"""Reading feedback and the outbox by polling, and single answers when a webhook hints at them.

Retently lists answers by the time they were given and has no cursor for changes. So history is read in windows of a
month, news by passes that overlap, and late comments by looking back every hour and every day.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from itertools import chain
from urllib.parse import quote, urlencode

import msgspec
from loguru import logger

from npsbridge.core.pace import RateWindow
from npsbridge.core.ports import Page
from npsbridge.core.times import milliseconds
from npsbridge.errors import BadRecord, PersonMustAct, TryLater, UnreadablePage
from npsbridge.net.answers import expect_ok, retry_after, said_at
from npsbridge.net.client import EXCERPT, Reply
from npsbridge.platforms.base import Wiring
from npsbridge.platforms.retently.lists import CAMPAIGNS, FEEDBACK, OUTBOX, Listing, Row, Sheet, read_sheet
from npsbridge.platforms.retently.place import HOUR, Floor, LookBack, Pass, Place, Reader, Task, Track
from npsbridge.platforms.retently.settings import RetentlySettings, authorized

PAGE_SIZE = 100
SLICE = 50
"""How many pages of a rescan, or of the outbox, are read in one round."""
SHORTEST_OVERLAP = 600
"""Seconds; whether `startDate` is inclusive and how exact it is, is not documented, and clocks differ."""
FIRST_WAIT, LONGEST_WAIT = 60.0, 300.0
"""Seconds to wait after a 429 that does not say how long; the limit is one of requests a minute (retently.com/api)."""
ASK_AGAIN = 2.0
"""Seconds after which a hint is looked at again when it came before we know which answers are wanted."""
NOT_FOUND = (400, 404)
"""What the vendor says of an id that is malformed or unknown (retently.com/api)."""


class RetentlySource:
    """Reads survey responses, and which surveys were opened.

    The outbox, which only tells who opened a survey, is left alone when nobody wants to know.
    """

    def __init__(self, wiring: Wiring[RetentlySettings]) -> None:
        self.connection = wiring.name
        self.poll_interval = wiring.settings.poll_interval
        self._settings = wiring.settings
        self._overlap = max(SHORTEST_OVERLAP, int(wiring.settings.overlap))
        self._http = wiring.http
        self._clock = wiring.clock
        self._headers = authorized(wiring.settings)
        self._setting = wiring.setting("API_KEY")
        self._reads_outbox = wiring.emits("Viewed NPS Survey")
        self._outbox_refused_at: int | None = None
        # History takes half of what the account allows, so that hints and others find the way free.
        self._history_pace = RateWindow(wiring.settings.rate_limit / 2, 60.0)
        self._refusals = 0
        self._server_ms: int | None = None
        self._floor = Floor() if _wants_all(wiring.settings) else None
        """What was there before we came and is not wanted; None until reading has begun and it is known."""
        self._metric_of: dict[str, str] = {}
        self._opening: dict[str, Sheet] = {}
        self._has_told_of_order = False

    async def read(self, checkpoint: bytes | None) -> AsyncIterator[Page]:
        """One round; see `Source.read`.

        The history of the answers comes first and whole; rescans, and all of the outbox, go on a little in each round,
        so that they never keep new answers waiting for long.
        """
        place = Place.decode(checkpoint) if checkpoint else await self._start_place()
        self._floor = place.feedback.floor
        if checkpoint is None:
            yield _page([], place, backfilling=place.feedback.window is not None)
        async for page in self._read_feedback(place):
            yield page
        async for page in _some(self._rescan(FEEDBACK, place.feedback_again, place.feedback, place)):
            yield page
        if self._may_read_outbox():
            async for page in self._read_outbox(place):
                yield page

    async def look_up(self, hints: Sequence[str]) -> list[bytes]:
        """The feedback that hints speak of; a hint is an id, an email, or both with a blank between them.

        An id goes before an email. Of an email's answers those are left out that were there before we came and are not
        wanted. Raises VendorError.
        """
        found = [row.raw for hint in dict.fromkeys(hints) for row in await self._read_back(hint.split())]
        return list(dict.fromkeys(found))

    # --- a round --------------------------------------------------------------------------------------------------

    async def _read_feedback(self, place: Place) -> AsyncIterator[Page]:
        track = place.feedback
        # A look for news that was broken off and is now read to its end needs none behind it, or a server that fails
        # now and then would never let us come further.
        is_resumed = track.current is not None and track.current.task is Task.FOLLOW
        news = iter(()) if is_resumed else track.news(self._overlap)
        for passes in (track.unfinished(), track.history(), news):
            async for page in self._read_passes(FEEDBACK, passes, track, track, place):
                yield page

    def _rescan(self, listing: Listing, again: LookBack, track: Track, place: Place) -> AsyncGenerator[Page, None]:
        passes = chain(again.unfinished(), again.due(track, self._now(), int(self._settings.rescan)))
        return self._read_passes(listing, passes, again, track, place)

    def _may_read_outbox(self) -> bool:
        refused_at = self._outbox_refused_at
        return self._reads_outbox and (refused_at is None or not 0 <= self._now() - refused_at < HOUR)

    async def _read_outbox(self, place: Place) -> AsyncIterator[Page]:
        """Without it nothing but `Viewed NPS Survey` is missing, so a refusal stops nothing else.

        The key has just been good enough for the feedback: what is refused is the outbox alone.
        """
        try:
            async for page in self._read_sent_surveys(place):
                yield page
        except PersonMustAct as refusal:
            self._outbox_refused_at = self._now()
            logger.bind(connection=self.connection, reason=str(refusal)).warning(
                "The outbox cannot be read, so nothing is said of surveys that were only opened"
            )

    async def _read_sent_surveys(self, place: Place) -> AsyncIterator[Page]:
        """History, and then in each round the newest page and what is due of the rest."""
        place.outbox = track = place.outbox or await self._start(OUTBOX)
        passes = chain(track.unfinished(), track.history())
        async for page in _some(self._read_passes(OUTBOX, passes, track, track, place)):
            yield page
        if track.window is not None:
            return
        newest = await self._list(OUTBOX, {"sort": f"-{OUTBOX.order}"})
        track.mark_ms = max(track.mark_ms, self._not_in_future(newest.newest))
        yield _page(await self._wanted(OUTBOX, track, newest.rows), place)
        async for page in _some(self._rescan(OUTBOX, place.outbox_again, track, place)):
            yield page

    async def _read_passes(
        self, listing: Listing, passes: Iterator[Pass], reader: Reader, track: Track, place: Place
    ) -> AsyncGenerator[Page, None]:
        """Read the passes one after the other; each page's checkpoint goes on behind that page."""
        for begun in passes:
            reader.current = begun
            async for page in self._read_pass(listing, reader, track, place):
                yield page
            if _is_history(listing, begun) and track.window is None:
                yield _page([], place)

    async def _read_pass(self, listing: Listing, reader: Reader, track: Track, place: Place) -> AsyncIterator[Page]:
        seen: set[str] = set()
        while (asked := reader.current) is not None:
            sheet = await self._ask(listing, asked)
            wanted = await self._wanted(listing, track, sheet.rows)
            fresh = {row.id for row in sheet.rows} - seen
            seen |= fresh
            reader.take(asked.after(sheet, len(fresh)), now=self._now(), latest_ms=self._server_ms)
            is_history = _is_history(listing, asked)
            yield _page(wanted, place, backfilling=is_history, progress=track.progress() if is_history else None)
            if reader.current is not None and reader.current.is_restless:
                raise TryLater(f"rows of {listing.path} are deleted faster than they can be read")

    async def _wanted(self, listing: Listing, track: Track, rows: Sequence[Row]) -> list[Row]:
        news = [row for row in track.floor.keep(rows) if row.is_news]
        if listing is not OUTBOX:
            return news
        await self._learn_campaigns(news)
        return [row for row in news if self._metric_of.get(row.campaign or "", "nps") == "nps"]

    async def _learn_campaigns(self, rows: Sequence[Row]) -> None:
        """Sent surveys do not say what they ask for, their campaigns do; one that is not listed is taken for NPS."""
        unknown = {row.campaign for row in rows if row.campaign} - self._metric_of.keys()
        if unknown:
            listed = {row.id: row.metric or "nps" for row in (await self._list(CAMPAIGNS, {})).rows}
            self._metric_of.update(dict.fromkeys(unknown, "nps") | listed)

    # --- the first round ------------------------------------------------------------------------------------------

    async def _start_place(self) -> Place:
        track = await self._start(FEEDBACK)
        # A rescan right behind the history finds what was edited while we read it.
        now = 0 if self._settings.backfill else self._now()
        again = LookBack(hourly_at=now, daily_at=now)
        return Place(feedback=track, feedback_again=again, outbox_again=msgspec.structs.replace(again))

    async def _start(self, listing: Listing) -> Track:
        """Where following will begin is settled before any history is read, so that nothing falls between the two."""
        sheet = await self._newest(listing)
        mark_ms = self._not_in_future(sheet.newest)
        if not self._settings.backfill:
            del self._opening[listing.key]
            there = [row.id for row in sheet.rows if row.at is not None and row.at >= mark_ms]
            return Track(mark_ms=mark_ms, floor=Floor(at_ms=mark_ms, ids=there))
        since = self._settings.backfill_since
        floor = Floor(at_ms=max(0, milliseconds(since))) if since else Floor()
        first = max(await self._first(listing, sheet), floor.at_ms // 1000)
        del self._opening[listing.key]
        has_history = bool(sheet.rows) and first * 1000 <= mark_ms
        return Track(first=first, window=first if has_history else None, mark_ms=mark_ms, floor=floor)

    async def _newest(self, listing: Listing) -> Sheet:
        """The newest page when we came; known while other questions fail, or a flapping server would keep us out."""
        if listing.key not in self._opening:
            self._opening[listing.key] = await self._list(listing, {"sort": f"-{listing.order}"})
        return self._opening[listing.key]

    async def _first(self, listing: Listing, newest: Sheet) -> int:
        """The second of the oldest row, in at most two requests; 0 when that cannot be known."""
        oldest = min(newest.times, default=0)
        if newest.total is not None and newest.total <= len(newest.rows):
            return oldest // 1000
        head = await self._list(listing, {"sort": listing.order, "limit": "1"})
        if head.times and head.times[0] <= oldest:
            return head.times[0] // 1000
        # The server sorts as it likes, which is newest first: the oldest row is the last one.
        total = head.total or newest.total
        if total is None:
            return 0
        tail = await self._list(listing, {"sort": listing.order, "limit": "1", "page": str(total)})
        return min([*tail.times, oldest]) // 1000 if tail.times else 0

    # --- single answers -------------------------------------------------------------------------------------------

    async def _read_back(self, words: Sequence[str]) -> list[Row]:
        for word in sorted(words, key=lambda word: "@" in word):
            rows = await (self._by_email(word) if "@" in word else self._by_id(word))
            if rows:
                return rows
        return []

    async def _by_id(self, feedback_id: str) -> list[Row]:
        """One answer; the same path takes the id of a campaign and then lists what nobody asked for."""
        if not feedback_id.strip("."):
            return []  # such a path would lead elsewhere
        path = f"{FEEDBACK.path}/{quote(feedback_id, safe='')}"
        reply = await self._get(path, {}, operation="read_response")
        if reply.status in NOT_FOUND:
            return []
        return [row for row in self._sheet(reply, FEEDBACK, path, or_one=True).rows if row.id == feedback_id]

    async def _by_email(self, email: str) -> list[Row]:
        if self._floor is None:
            raise TryLater("reading has not begun yet", after=ASK_AGAIN)
        query = {"email": email, "sort": f"-{FEEDBACK.order}", "limit": str(PAGE_SIZE)}
        reply = await self._get(FEEDBACK.path, query, operation="read_responses_of_person")
        sheet = self._sheet(reply, FEEDBACK, f"{FEEDBACK.path}?email=")
        return [row for row in self._floor.keep(sheet.rows) if row.email == email.casefold()]

    # --- requests -------------------------------------------------------------------------------------------------

    async def _ask(self, listing: Listing, asked: Pass) -> Sheet:
        """One page of a pass, oldest first, so that what comes in while we read lands behind us.

        It begins a second early, because `startDate` may be exclusive.
        """
        if asked.task is Task.HISTORY:
            await asyncio.sleep(self._history_pace.reserve(asyncio.get_running_loop().time()))
        query = {"sort": listing.order, "page": str(asked.page)}
        if asked.since:
            query["startDate"] = _iso(asked.since - 1)
        if asked.until:
            query["endDate"] = _iso(asked.until)
        sheet = await self._list(listing, query)
        if asked.is_repeated_by(sheet):
            raise TryLater(f"page {asked.page} of {listing.path} repeats the page before")
        self._look_at_order(listing, sheet)
        return sheet

    def _look_at_order(self, listing: Listing, sheet: Sheet) -> None:
        """No pass depends on the order: it ends at the end of the list, and only then counts; but it costs more."""
        is_sorted = sheet.times == sorted(sheet.times)
        if listing is FEEDBACK and not is_sorted and not self._has_told_of_order:
            self._has_told_of_order = True
            logger.bind(connection=self.connection).warning("The server does not sort answers as it was asked to")

    async def _list(self, listing: Listing, query: Mapping[str, str]) -> Sheet:
        params = {"limit": str(PAGE_SIZE), **query} if listing is not CAMPAIGNS else {}
        reply = await self._get(listing.path, params, operation=f"list_{listing.key}")
        return self._sheet(reply, listing, f"{listing.path}?{urlencode(params)}")

    async def _get(self, path: str, query: Mapping[str, str], *, operation: str) -> Reply:
        reply = await self._http.request(
            "GET", self._settings.base_url + path, operation=operation, params=query, headers=self._headers
        )
        said = said_at(reply)
        self._server_ms = milliseconds(said) if said else self._server_ms
        if reply.status == 429 and retry_after(reply, now=self._clock.now()) is None:  # noqa: PLR2004 - HTTP's number
            wait = min(FIRST_WAIT * 2.0**self._refusals, LONGEST_WAIT)
            self._refusals += 1
            raise TryLater("HTTP 429", after=wait)
        self._refusals = 0
        return reply

    def _sheet(self, reply: Reply, listing: Listing, location: str, *, or_one: bool = False) -> Sheet:
        expect_ok(reply, location=location, setting=self._setting, now=self._clock.now)
        try:
            return read_sheet(reply.body, listing, or_one=or_one)
        except BadRecord as error:
            reason = f"the answer is not a list of {listing.key}: {error}"
            raise UnreadablePage(reason, location=location, body=reply.body[:EXCERPT]) from error

    def _not_in_future(self, moment_ms: int) -> int:
        return moment_ms if self._server_ms is None else min(moment_ms, self._server_ms)

    def _now(self) -> int:
        return self._clock.now_ms() // 1000


def _wants_all(settings: RetentlySettings) -> bool:
    """Whether no answer is too old to be told; who does not poll is told of none but what webhooks speak of."""
    return not settings.pull or (settings.backfill and settings.backfill_since is None)


def _is_history(listing: Listing, asked: Pass) -> bool:
    """Whether a pass belongs to the history of the answers; that of the outbox goes on beside the news."""
    return listing is FEEDBACK and asked.task is Task.HISTORY


async def _some(pages: AsyncGenerator[Page, None]) -> AsyncIterator[Page]:
    """As many pages as one round has room for; the checkpoint of the last one says where to go on."""
    left = SLICE
    async with aclosing(pages):
        async for page in pages:
            yield page
            left -= 1
            if left == 0:
                return


def _iso(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _page(rows: Sequence[Row], place: Place, *, backfilling: bool = False, progress: float | None = None) -> Page:
    return Page(
        records=[row.raw for row in rows], checkpoint=place.encode(), backfilling=backfilling, progress=progress
    )
