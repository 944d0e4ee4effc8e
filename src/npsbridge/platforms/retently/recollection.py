"""What this process remembers of the requests it made lately, so that one survey is not taken for another's.

The outbox says to whom and when, but not for which request. Nothing here outlives a restart; what is then missing is
when a request was made, and it is looked for from the time on at which its trigger came. Times are seconds on the
loop's clock, which nobody sets. Knows no HTTP.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from npsbridge.core.model import Delivery
from npsbridge.core.outcome import Delivered, Outcome, Unknown
from npsbridge.platforms.retently.trigger import Trigger

SKEW: Final = 60.0
"""What clocks may differ by; a survey that went out this long before its request was made is still its."""
MOST: Final = 10_000
"""Requests in doubt that are remembered; only where nobody verifies them do so many gather."""


@dataclass(slots=True)
class Search:
    """One request that is looked for."""

    since: float
    """A survey sent before is another one."""
    others: int = 0
    """How many surveys since then belong to other requests, for the same email and campaign."""
    missed_since: float | None = None
    """Since when it has been looked for in vain."""


class Recollection:
    """The requests of one connection: those of the last minutes that were taken, and those in doubt."""

    def __init__(self) -> None:
        self._taken: deque[tuple[float, str, str]] = deque()
        self._searches: dict[int, Search] = {}

    def note(self, sent: Sequence[Trigger], outcomes: Sequence[Outcome], *, at: float) -> None:
        """Remember what became of requests that were made at a time."""
        while self._taken and self._taken[0][0] < at - 2 * SKEW:
            self._taken.popleft()
        for one, outcome in zip(sent, outcomes, strict=True):
            match outcome:
                case Delivered():
                    self._taken.append((at, one.email, one.campaign))
                case Unknown():
                    others = sum(rest == [one.email, one.campaign] for _, *rest in self._taken)
                    self._searches[one.delivery.id] = Search(since=at - SKEW, others=others)
        while len(self._searches) > MOST:
            del self._searches[next(iter(self._searches))]

    def search(self, delivery: Delivery, *, accepted: float) -> Search:
        """What is known of a request in doubt, whose trigger was accepted at a time, as far as can be known now."""
        return self._searches.setdefault(delivery.id, Search(since=accepted - SKEW))

    def found(self, trigger: Trigger) -> None:
        """It was taken after all."""
        search = self._searches.pop(trigger.delivery.id, None)
        if search is not None:
            self._taken.append((search.since + SKEW, trigger.email, trigger.campaign))

    def forget(self, delivery: Delivery) -> None:
        """It is looked for no longer."""
        self._searches.pop(delivery.id, None)
