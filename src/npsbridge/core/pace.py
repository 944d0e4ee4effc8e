"""When to go next: rate windows and backoff, as plain arithmetic on a clock that is handed in."""

from collections import deque
from collections.abc import Iterable


class RateWindow:
    """No more than `limit` in any `seconds`, measured as a sliding window.

    A sliding window, unlike a token bucket, never lets through more than the limit in any window of that length, so a
    limit set to the vendor's own is never refused.
    """

    def __init__(self, limit: float, seconds: float) -> None:
        """`limit` 0 means no limit; `seconds` is the length of the window."""
        self._limit = limit
        self._seconds = seconds
        self._booked: deque[tuple[float, int]] = deque()
        """When each booking leaves the window, and what it cost; in this order."""
        self._sum = 0

    def reserve(self, now: float, cost: int = 1) -> float:
        """Book `cost` at the earliest time it fits and return the seconds until then.

        Bookings are served in the order they are made. A cost above the limit waits for an empty window and then fills
        as many windows as it needs, so that a limit below one is kept as well.
        """
        if self._limit <= 0:
            return 0.0
        self._forget(now)
        at = max(now, self._earliest(now, cost))
        self._booked.append((at + self._seconds * max(1.0, cost / self._limit), cost))
        self._sum += cost
        return at - now

    @property
    def limit(self) -> float:
        """The most that any window holds; 0 for no limit."""
        return self._limit

    def used(self, now: float) -> float:
        """Which part of the limit is booked, as a ratio; above 1 requests wait for their turn. 0 without a limit."""
        if self._limit <= 0:
            return 0.0
        self._forget(now)
        return self._sum / self._limit

    def booked(self, now: float) -> list[tuple[float, int]]:
        """What the window holds: in how many seconds each booking leaves it, and what it costs."""
        self._forget(now)
        return [(leaves_at - now, cost) for leaves_at, cost in self._booked]

    def restore(self, now: float, booked: Iterable[tuple[float, int]]) -> None:
        """Take over what another window held, such as that of the process before; call it before anything is booked."""
        for left, cost in sorted(booked):
            if 0 < left <= self._seconds:
                self._booked.append((now + left, cost))
                self._sum += cost

    def _earliest(self, now: float, cost: int) -> float:
        excess = self._sum + min(cost, self._limit) - self._limit
        at = now
        for leaves_at, amount in self._booked:
            if excess <= 0:
                break
            excess -= amount
            at = leaves_at
        return at

    def _forget(self, now: float) -> None:
        while self._booked and self._booked[0][0] <= now:
            self._sum -= self._booked.popleft()[1]


def backoff(failures: int, *, jitter: float, base: float = 0.5, cap: float = 60.0) -> float:
    """Seconds to wait after the n-th failure in a row: doubling from `base` to `cap`.

    `jitter` in 0..1 takes away up to half, so that many clients do not come back together.
    """
    if failures <= 0:
        return 0.0
    full = min(cap, base * 2.0 ** min(failures - 1, 32))
    return full * (1 - jitter / 2)
