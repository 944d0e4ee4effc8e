"""Reading a list by windows of days, each in one whole pass: nothing counts as read until all of it has been seen.

The list cannot be sorted, so page numbers drift when rows come or go between two requests; what saves us is the
list's own `count`. Pure but for `fetch`: each step is one request, and after a failed one the same step can be taken
again.
"""

from collections.abc import Awaitable, Mapping, Sequence
from datetime import date, timedelta
from typing import Protocol

from npsbridge.core.model import Record
from npsbridge.core.reading import digest
from npsbridge.errors import TryLater
from npsbridge.platforms.promoter.place import Row

LONGEST_PASS = 10
"""A window with more pages than these is read in narrower ones: at 30 requests a minute a pass takes 20 seconds."""
SHORT_PASS = 3
"""After a window with no more pages than these the next one is twice as wide."""
ATTEMPTS = 3


class Listing(Record, frozen=True, kw_only=True):
    """One page of the list."""

    rows: list[Row]
    count: int
    """How many rows the whole list has, as the vendor says."""
    next: Mapping[str, str] | None
    """The query of the next page."""


class Fetch(Protocol):
    """How a walk asks for a page."""

    def __call__(self, query: Mapping[str, str], *, may_be_missing: bool) -> Awaitable[Listing | None]:
        """The page; None when there is no such page, where that may be."""


class Window(Record, frozen=True, kw_only=True):
    """Days of the date filters. Whether the last one is part of it is not known, so windows share it."""

    first: date
    last: date

    @property
    def query(self) -> dict[str, str]:
        """The filters (the names are those that the Ruby gem passes through)."""
        return {"posted_date_0": self.first.isoformat(), "posted_date_1": self.last.isoformat()}

    @property
    def days(self) -> int:
        """How wide it is; one day is as narrow as it gets."""
        return (self.last - self.first).days

    def narrowed(self) -> "Window":
        """The first half."""
        return Window(first=self.first, last=self.first + timedelta(days=max(1, self.days // 2)))

    def following(self, days: int, end: date) -> "Window":
        """So many days from the last one on, but not beyond `end`."""
        return Window(first=self.last, last=self.last + timedelta(days=min(days, (end - self.last).days)))


class Pass:
    """One pass: from the first page to the one without `next`.

    Attributes:
        query: What is to be asked for next.
        count: What the first page said that there is.
        posted: When the latest row seen was posted.
        is_over: There is nothing more to ask for.
    """

    def __init__(self, window: Window | None, attempt: int = 1) -> None:
        self.window = window
        self.attempt = attempt
        self.query: Mapping[str, str] = window.query if window else {}
        self.count = self.posted = self.pages = 0
        self.is_over = False
        self._seen: set[str] = set()
        self._asked: set[frozenset[tuple[str, str]]] = set()
        self._counts: list[int] = []
        self._lengths: list[int] = []
        self._goes_round = False

    def take(self, listing: Listing) -> None:
        """Note a page, and find out what follows."""
        self.pages += 1
        self.count = self.count if self._counts else listing.count
        self._counts.append(listing.count)
        self._lengths.append(len(listing.rows))
        self.posted = max([self.posted, *(row.posted for row in listing.rows)])
        before = len(self._seen)
        self._seen.update(row.id for row in listing.rows)
        self._asked.add(frozenset(self.query.items()))
        self.is_over = listing.next is None
        if listing.next is not None:
            self._turn(listing.next, has_news=len(self._seen) > before)

    def _turn(self, following: Mapping[str, str], *, has_news: bool) -> None:
        """To the next page, unless the pages repeat themselves. Our own filters stay, whatever `next` says of them."""
        self.query = {**following, **(self.window.query if self.window else {})}
        self._goes_round = not has_news or frozenset(self.query.items()) in self._asked
        self.is_over = self._goes_round

    def end(self) -> None:
        """The vendor says that there is no such page; that is a good end only behind a full one."""
        self.is_over = True
        self._goes_round = self._lengths[-1] < self._lengths[0]

    @property
    def seen(self) -> int:
        """How many different rows came."""
        return len(self._seen)

    @property
    def is_whole(self) -> bool:
        """Nothing came or went while we read, and all of it was seen."""
        return not self._goes_round and len(set(self._counts)) == 1 and self.seen >= self._counts[-1]

    @property
    def is_good_enough(self) -> bool:
        """As many rows were seen as there were at the beginning: more may have come since, and will be read later."""
        return not self._goes_round and self.seen >= self.count


class Leaf(Record, frozen=True, kw_only=True):
    """What one step brought."""

    rows: Sequence[Row] = ()
    posted: int | None = None
    """Its window is now read whole, and this is when the latest row in it was posted (0 for none)."""


class Walk:
    """Reads a span of days, or without one all there is.

    It starts with the whole span: an empty one, however long, costs a single request. A window that is too full is
    halved, and after a sparse one the next is twice as wide.

    Attributes:
        opening: A fingerprint of the first page of all.
        count: How many rows there are, by that page.
        is_over: Everything was read.
    """

    def __init__(self, fetch: Fetch, span: Window | None) -> None:
        self._fetch = fetch
        self._end = span.last if span else None
        self._pass = Pass(span)
        self._read = 0
        self._trouble: str | None = None
        self.opening: str | None = None
        self.count = 0
        self.is_over = False

    @property
    def read(self) -> int:
        """How many rows were read up to now; those of a day that two windows share count twice."""
        return self._read + self._pass.seen

    async def step(self) -> Leaf:
        """Ask for one page.

        Raises:
            TryLater: a single day does not hold still; and whatever `fetch` raises. The next step asks again.
        """
        if self._trouble:
            trouble, self._trouble = self._trouble, None
            raise TryLater(trouble)
        listing = await self._fetch(self._pass.query, may_be_missing=self._pass.pages > 0)
        if listing is None:
            self._pass.end()
            return self._judged([])
        self._open(listing)
        self._pass.take(listing)
        if self._is_crowded():
            self._narrow()
            return Leaf()
        return self._judged(listing.rows)

    def _open(self, listing: Listing) -> None:
        if self.opening is None:
            page = f"{self._pass.query} {listing.count}".encode()
            self.opening = digest(b"\0".join([page, *(row.raw for row in listing.rows)]))
            self.count = listing.count

    def _is_crowded(self) -> bool:
        first = self._pass
        return first.pages == 1 and not first.is_over and first.count > LONGEST_PASS * first.seen and self._can_narrow()

    def _can_narrow(self) -> bool:
        return self._pass.window is not None and self._pass.window.days > 1

    def _narrow(self) -> None:
        self._pass = Pass(self._pass.window.narrowed() if self._pass.window else None)

    def _judged(self, rows: Sequence[Row]) -> Leaf:
        ended = self._pass
        if not ended.is_over:
            return Leaf(rows=rows)
        if ended.is_whole or (ended.attempt >= ATTEMPTS and ended.is_good_enough):
            self._move_on(ended)
            return Leaf(rows=rows, posted=ended.posted)
        self._repeat(ended)
        return Leaf(rows=rows)

    def _repeat(self, ended: Pass) -> None:
        """Again; when that does not help a narrower window; and when there is none, later."""
        if ended.attempt < ATTEMPTS:
            self._pass = Pass(ended.window, ended.attempt + 1)
        elif self._can_narrow():
            self._narrow()
        else:
            self._pass = Pass(ended.window)
            what = f"the answers of {ended.window.first} do" if ended.window else "the list does"
            self._trouble = (
                f"{what} not hold still: {ended.seen} of {ended.count} seen in the last of {ATTEMPTS} passes"
            )

    def _move_on(self, ended: Pass) -> None:
        if ended.window is None or self._end is None or ended.window.last >= self._end:
            self.is_over = True
            return
        days = ended.window.days * 2 if ended.pages <= SHORT_PASS else ended.window.days
        self._read += ended.seen
        self._pass = Pass(ended.window.following(days, self._end))
