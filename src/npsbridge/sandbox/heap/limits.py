"""How many events and requests Heap takes within a time: windows that slide, so that no edge lets more through.

It knows no HTTP; the server turns `TooMany` into a 429. Figures: developers.heap.io, pages Track and Bulk Track.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Mapping

from npsbridge.sandbox.rate import RateLimit


class TooMany(Exception):
    """Beyond a limit; there is room again after `wait` seconds, as far as other callers leave it."""

    def __init__(self, wait: float) -> None:
        self.wait = wait
        super().__init__(wait)


class Windows:
    """What was taken lately, by whom it counts for; a request counts whole or not at all."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._taken: defaultdict[str, deque[tuple[float, int]]] = defaultdict(deque)

    def check(self, costs: Mapping[str, int], limit: RateLimit | None) -> None:
        """Raise TooMany if any cost is more than is left of the limit."""
        if limit is None:
            return
        for caller, cost in costs.items():
            taken = self._taken[caller]
            while taken and taken[0][0] <= self._now() - limit.seconds:
                taken.popleft()
            if sum(amount for _, amount in taken) + cost > limit.requests:
                oldest = taken[0][0] if taken else self._now()
                raise TooMany(oldest + limit.seconds - self._now())

    def take(self, costs: Mapping[str, int]) -> None:
        """Note what a request has cost."""
        for caller, cost in costs.items():
            self._taken[caller].append((self._now(), cost))
