"""The arithmetic of NPS over counted scores: camps, their balance, stretches of time, moving windows (pure)."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Final

from npsbridge.core.model import Record
from npsbridge.core.translate import category
from npsbridge.core.views import Scored

DAY_MS: Final = 86_400_000
MOST_STRETCHES: Final = 60
"""More would be drawn over each other on a page."""
_LENGTHS: Final = (1, 7, 28, 91, 364)
"""Days of a stretch; whole weeks, so that no weekend counts twice in one and not in another."""
HIGHEST: Final = 10


class Camps(Record, frozen=True, kw_only=True):
    """How many answers each camp has."""

    promoters: int = 0
    passives: int = 0
    detractors: int = 0

    @property
    def total(self) -> int:
        """All answers."""
        return self.promoters + self.passives + self.detractors

    @property
    def nps(self) -> float | None:
        """Percent of promoters minus percent of detractors; None without an answer."""
        return 100 * (self.promoters - self.detractors) / self.total if self.total else None

    def __add__(self, other: "Camps") -> "Camps":
        """Both together."""
        return Camps(
            promoters=self.promoters + other.promoters,
            passives=self.passives + other.passives,
            detractors=self.detractors + other.detractors,
        )

    def __sub__(self, other: "Camps") -> "Camps":
        """What is left without the other, which is a part of it."""
        return Camps(
            promoters=self.promoters - other.promoters,
            passives=self.passives - other.passives,
            detractors=self.detractors - other.detractors,
        )


def camps_of(scored: Iterable[Scored]) -> Camps:
    """The camps of counted scores."""
    counts: Counter[str] = Counter()
    for one in scored:
        counts[category(one.score)] += one.count
    return Camps(promoters=counts["promoter"], passives=counts["passive"], detractors=counts["detractor"])


def mean(scored: Sequence[Scored]) -> float | None:
    """The mean score; None without an answer."""
    total = sum(one.count for one in scored)
    return sum(one.score * one.count for one in scored) / total if total else None


def distribution(scored: Iterable[Scored], highest: int = HIGHEST) -> list[int]:
    """How many answers gave 0, 1, ... up to the highest; what is between two counts with the lower."""
    counts = [0] * (highest + 1)
    for one in scored:
        if 0 <= one.score <= highest:
            counts[int(one.score)] += one.count
    return counts


class Stretch(Record, frozen=True, kw_only=True):
    """What was answered from one day to another, and the NPS of a longer window that ends with it."""

    first: int
    last: int
    """Days since 1970, both included."""
    camps: Camps
    moving: float | None
    """The NPS of the window of days that ends with the last one."""

    @property
    def label(self) -> str:
        """The day, or from when to when."""
        begin, end = map(_day, (self.first, self.last))
        return f"{begin:%-d %b}" if begin == end else f"{begin:%-d %b} \N{EN DASH} {end:%-d %b %Y}"

    @property
    def short_label(self) -> str:
        """The first day, as it stands below a chart; with the year where a stretch is a month or more."""
        is_long = self.last - self.first > 7  # noqa: PLR2004 - longer than a week
        return f"{_day(self.first):%b %Y}" if is_long else f"{_day(self.first):%-d %b}"


def _day(number: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=number)


def stretches(by_day: Sequence[Scored], first: int, last: int, *, window: int) -> list[Stretch]:
    """The time from one day to another in stretches of equal length, the newest ending with the last day.

    Args:
        by_day: scores by day, in order; those before the first day count for the moving window alone.
        first: days since 1970.
        last: the same.
        window: days of the moving window.
    """
    length = next((one for one in _LENGTHS if (last - first) // one < MOST_STRETCHES), _LENGTHS[-1])
    sums = _Sums(by_day, last)
    ends = range(last, first - 1, -length)
    return [
        Stretch(
            first=max(first, end - length + 1),
            last=end,
            camps=sums.between(max(first, end - length + 1), end),
            moving=sums.between(end - window + 1, end).nps,
        )
        for end in reversed(ends)
    ]


class _Sums:
    """The camps of any days between two, without counting again."""

    def __init__(self, by_day: Sequence[Scored], last: int) -> None:
        days = sorted({one.day for one in by_day if one.day <= last})
        self._first = days[0] if days else last
        per_day: dict[int, list[Scored]] = {day: [] for day in days}
        for one in by_day:
            per_day.get(one.day, []).append(one)
        counted = (camps_of(per_day.get(day, ())) for day in range(self._first, last + 1))
        self._up_to = [Camps(), *accumulate(counted)]

    def between(self, first: int, last: int) -> Camps:
        """The camps of the days from one to another, both included."""
        return self._before(last + 1) - self._before(first)

    def _before(self, day: int) -> Camps:
        return self._up_to[min(max(day - self._first, 0), len(self._up_to) - 1)]
