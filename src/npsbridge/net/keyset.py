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
"""How often a second that fills several pages is read again when its pages overlapped."""


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
    """Reads one list from a lower bound to its end.

    Args:
        fetch: asks for one page.
        size: how many rows a page was asked to hold.
        short: a page with fewer rows than this is taken to be the last one without asking; 0 trusts no short page.
    """

    def __init__(self, fetch: Fetch, *, size: int, short: int) -> None:
        self._fetch = fetch
        self._size = size
        self._short = short

    async def read(self, since: int) -> AsyncIterator[Leaf]:
        """Every row from `since` on; rows at the borders come more than once.

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
                case _Step.PROBE:
                    place.probe()
                case _Step.MOVE:
                    place.move()
                case _Step.AGAIN:
                    place.again()

    def _next(self, place: "_Place", count: int) -> "_Step":
        is_short = count < self._short
        if count == 0:
            return _Step.STOP if place.is_complete else _Step.AGAIN
        if place.is_probing:
            return _Step.MOVE
        if place.stays:
            return _Step.STOP if is_short and place.is_complete else _Step.TURN
        if not place.is_complete:
            return _Step.AGAIN
        if count >= self._size:
            return _Step.MOVE
        return _Step.STOP if is_short else _Step.PROBE


class _Step(Enum):
    STOP = auto()
    TURN = auto()
    """The next page number, same bound."""
    PROBE = auto()
    """A page shorter than asked for may be the last one, or the server may cut pages short: look once."""
    MOVE = auto()
    """Page one from the last time seen."""
    AGAIN = auto()
    """The pages of a crowded second overlapped: read that second once more."""


class _Place:
    """Where a reader is in the list."""

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self.page = 1
        self.is_probing = False
        self._reached = bound
        self._is_sorted = True
        self._passes = 0
        self._listed = 0
        self._known: set[str] = set()
        self._previous: Sequence[Row] = ()

    def take(self, rows: Sequence[Row]) -> None:
        if self.page > 1 and rows == self._previous:
            raise TryLater(f"page {self.page} repeats page {self.page - 1}")
        self._previous = rows
        if self.is_probing:
            return
        times = [row.at for row in rows if row.at is not None]
        self._is_sorted = self._is_sorted and times == sorted(times)
        self._reached = max([self._reached, *times])
        at_bound = [row.id for row in rows if row.at == self.bound]
        self._listed += len(at_bound)
        self._known.update(at_bound)

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
        """As many different rows are known at the bound as were listed there in this pass."""
        return self._listed <= len(self._known)

    def turn(self) -> None:
        self.page += 1

    def probe(self) -> None:
        self.page += 1
        self.is_probing = True

    def move(self) -> None:
        self.bound, self.page, self.is_probing = self._reached, 1, False
        self._listed, self._passes = 0, 0
        self._known.clear()

    def again(self) -> None:
        self._passes += 1
        if self._passes > PASSES:
            raise TryLater(f"the rows of second {self.bound} do not hold still")
        self.page, self._listed, self._reached, self._previous = 1, 0, self.bound, ()
