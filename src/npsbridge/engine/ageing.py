"""By which time things grow too old to be kept or tried: the wall clock, but never more than twice as fast as time.

Somebody sets the system's clock, or a machine starts with a wrong one. Nothing has happened then, so nothing is
forgotten and nothing given up because of it. What is forgotten at once is lost: without its memory of the calls of the
last week the daemon would take their repetition for news. A clock that was ahead in vain is caught up with slowly, and
half of every period is kept at the least.
"""

from typing import Final

from npsbridge.clock import Clock
from npsbridge.core.storage import Store

FASTEST: Final = 2.0
"""Seconds that go by here while one does: what was slept through is made up for."""
NOTE_AFTER_MS: Final = 86_400_000
_REACHED: Final = "ageing:reached"


class Ageing:
    """One for all loops of a daemon; it goes on where the last daemon was."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._reached: int | None = None
        """Milliseconds since 1970; None before it is asked first."""
        self._asked_at = 0.0
        self._noted = 0

    async def recall(self) -> None:
        """Go on from where the last daemon was, before anything is asked."""
        facts = await self._store.facts()
        if _REACHED in facts:
            self._reached, self._asked_at = int(facts[_REACHED]), self._clock.monotonic()
            self._noted = self._reached
        self.now_ms()

    def now_ms(self) -> int:
        """Milliseconds since 1970; follows a clock that is set back."""
        wall, monotonic = self._clock.now_ms(), self._clock.monotonic()
        if self._reached is not None:
            wall = min(wall, self._reached + int((monotonic - self._asked_at) * FASTEST * 1000))
        self._reached, self._asked_at = wall, monotonic
        return wall

    async def note(self) -> None:
        """Remember for the next daemon how far time has come; hardly ever, for idle daemons write nothing.

        Raises:
            StoreFull: no room; the next daemon starts from an earlier time.
        """
        now = self.now_ms()
        if abs(now - self._noted) >= NOTE_AFTER_MS:
            await self._store.note_fact(_REACHED, str(now))
            self._noted = now
