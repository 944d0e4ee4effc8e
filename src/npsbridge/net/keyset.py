"""Reading a list that is sorted by time and paged by number, without losing rows that move while we read.

Page numbers drift: a row that is edited between two requests leaves its place, everything behind it moves up by one,
and the row at the edge of the page is never seen. So the next page is asked for by the time of the last row seen
(inclusive), and a page number is used only inside a single second that fills more than a page.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from enum import Enum, auto

from npsbridge.core.model import Record
from npsbridge.errors import TryLater

PASSES = 25
"""How often a crowded second is read again before we give up for now; and how many pages in a row may bring nothing."""


class Row(Record, frozen=True, kw_only=True):
    """One row of a list, as far as reading on needs it."""

    id: str
    at: int | None
    """The time the list is sorted by, in seconds; None when the row is unreadable."""
    raw: bytes


class Leaf(Record, frozen=True, kw_only=True):
    """The rows of one answer, and from where to read on once they are stored."""

    rows: list[Row]
    bound: int
    """Reading on from this time misses nothing."""


Fetch = Callable[[int, int], Awaitable[list[Row]]]
"""(inclusive lower bound, page number from 1) -> the rows of that page."""


class Keyset:
    """Reads one list from a lower bound to its end; it need not know how many rows the server puts on a page.

    Args:
        fetch: asks for one page.
        short: a page with fewer rows than this is taken to be the last one without asking; 0 trusts no short page.
    """

    def __init__(self, fetch: Fetch, *, short: int) -> None:
        self._fetch = fetch
        self._short = short

    async def read(self, since: int) -> AsyncIterator[Leaf]:
        """Every row from `since` on; rows at the borders come more than once.

        A list that turns out not to be sorted is read by page numbers to its end, and its bound stays where it was.

        Raises:
            TryLater: the list repeats itself, or a crowded second does not hold still; and whatever `fetch` raises.
        """
        place = _Place(since)
        while True:
            rows = await self._fetch(place.bound, place.page)
            if rows:
                place.take(rows)
                yield Leaf(rows=rows, bound=place.safe)
            match self._next(place, len(rows)):
                case _Step.STOP:
                    return
                case _Step.TURN:
                    place.turn()
                case _Step.MOVE:
                    place.move()
                case _Step.AGAIN:
                    place.again()

    def _next(self, place: "_Place", count: int) -> "_Step":
        is_last = count < max(self._short, 1)
        if place.stays and not is_last:
            return _Step.TURN
        if not place.is_complete:
            return _Step.AGAIN
        return _Step.STOP if is_last else _Step.MOVE


class _Step(Enum):
    STOP = auto()
    TURN = auto()
    """The next page number, same bound."""
    MOVE = auto()
    """Page one from the last time seen."""
    AGAIN = auto()
    """Rows of a crowded second may have slipped from page to page: read that second once more."""


class _Place:
    """Where a reader is in the list; a pass is the pages 1, 2, ... from one bound."""

    def __init__(self, bound: int) -> None:
        self._is_sorted = True
        self._begin(bound)

    def _begin(self, bound: int) -> None:
        self.bound = bound
        self._passes = 0
        self._known: set[str] = set()
        """The rows of the bound's own second that were seen since it last changed."""
        self._listed_before: int | None = None
        self._begin_pass()

    def _begin_pass(self) -> None:
        self.page = 1
        self._reached = self.bound
        self._at_bound: set[str] = set()
        self._listed = 0
        """How often a row of the bound's second was listed in this pass."""
        self._seen: set[str] = set()
        self._barren = 0
        """How many pages in a row showed only what this pass had seen."""
        self._previous: Sequence[Row] = ()

    def take(self, rows: Sequence[Row]) -> None:
        self._refuse_repetition(rows)
        times = [self.bound, *(row.at for row in rows if row.at is not None)]
        self._is_sorted = self._is_sorted and times == sorted(times)
        self._reached = max(self._reached, *times)
        at_bound = [row.id for row in rows if row.at == self.bound]
        self._listed += len(at_bound)
        self._at_bound.update(at_bound)

    def _refuse_repetition(self, rows: Sequence[Row]) -> None:
        if rows == self._previous:
            raise TryLater(f"page {self.page} repeats page {self.page - 1}")
        ids = {row.id for row in rows}
        self._barren = self._barren + 1 if ids <= self._seen else 0
        if self._barren > PASSES:
            raise TryLater(f"the list does not end: nothing new since page {self.page - self._barren}")
        self._seen |= ids
        self._previous = rows

    @property
    def safe(self) -> int:
        """The time from which reading on misses nothing."""
        return self._reached if self._is_sorted and self.is_complete else self.bound

    @property
    def stays(self) -> bool:
        """Nothing later than the bound was seen, or the list is not sorted: only page numbers lead on."""
        return self._reached <= self.bound or not self._is_sorted

    @property
    def is_complete(self) -> bool:
        """Every row at the bound was seen, as far as that can be known.

        One page shows all of them. Of several, a row may slip: to an earlier page, when one before it leaves the
        second; to any page, when each answer orders them anew. So a pass over several pages proves nothing by itself.
        Passes that list the same number one after the other do, once as many different rows are known: nothing has
        left in between (the first of them does not count, for something may have left in its midst).

        Nothing can be known of a list that is not sorted.
        """
        if self.page == 1 or not self._is_sorted:
            return True
        return self._listed == self._listed_before and len(self._known | self._at_bound) >= self._listed

    def turn(self) -> None:
        self.page += 1

    def move(self) -> None:
        self._begin(self._reached)

    def again(self) -> None:
        self._passes += 1
        if self._passes > PASSES:
            raise TryLater(f"the rows of second {self.bound} do not hold still")
        has_changed = self._listed != self._listed_before
        self._known = set() if has_changed else self._known | self._at_bound
        self._listed_before = self._listed
        self._begin_pass()
