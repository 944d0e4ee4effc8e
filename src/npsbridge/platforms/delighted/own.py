"""What this process remembers of the surveys that it asked Delighted for, so that none is taken for another.

Nothing here outlives a restart. Times are in seconds on the loop's clock, which nobody sets. Knows no HTTP.
"""

from typing import Final

from npsbridge.core.model import Delivery

MOST: Final = 10_000
"""People whose last survey is remembered."""


class OwnSurveys:
    """The surveys of one connection: when each was to go out, and who got one."""

    def __init__(self) -> None:
        self._due: dict[int, float] = {}
        self._taken: dict[str, tuple[int, float]] = {}
        """By person: the last one that Delighted took, and when it was to go out."""

    def due(self, delivery: Delivery) -> float | None:
        """When its survey was to go out, if that is known."""
        return self._due.get(delivery.id)

    def note_due(self, delivery: Delivery, at: float) -> None:
        """A request leaves, or one of another process is dated."""
        self._due[delivery.id] = at

    def settle(self, delivery: Delivery, *, is_taken: bool) -> None:
        """What became of a request is known."""
        due = self._due.pop(delivery.id, None)
        if due is None or not is_taken:
            return
        self._taken.pop(delivery.person, None)
        self._taken[delivery.person] = delivery.id, due
        while len(self._taken) > MOST:
            del self._taken[next(iter(self._taken))]

    def explain(self, delivery: Delivery, since: float) -> bool:
        """Whether a survey that its person was sent since then may be another one of ours."""
        number, due = self._taken.get(delivery.person, (delivery.id, since))
        return number != delivery.id and due >= since
