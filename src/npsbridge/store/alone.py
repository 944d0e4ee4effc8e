"""Leases of a store that one daemon holds alone: everything is its own, for ever."""

from collections.abc import Collection, Mapping

from npsbridge.clock import Clock
from npsbridge.core.leases import Fleet, Replica


class Alone:
    """See `npsbridge.core.leases.Leases`."""

    is_shared = False

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def announce(self, me: Replica, held: Mapping[str, int], *, seconds: float) -> Fleet:
        """There is nobody to be heard by."""
        del me, held
        return await self.fleet(seconds=seconds)

    async def take(self, names: Collection[str], *, holder: str, seconds: float) -> dict[str, int]:
        """Everything is to be had."""
        del holder, seconds
        return dict.fromkeys(names, 0)

    async def give_back(self, held: Mapping[str, int]) -> None:
        """There is nobody to take it."""

    async def leave(self, replica: str) -> None:
        """There is nobody to miss it."""

    async def fleet(self, *, seconds: float) -> Fleet:
        """Nobody but whoever asks."""
        del seconds
        return Fleet(now=self._clock.now_ms())

    async def book(self, connection: str, *, limit: float, seconds: float) -> float:
        """The only replica keeps the window of an account itself (`npsbridge.core.pace.RateWindow`)."""
        del connection, limit, seconds
        return 0.0

    async def booked(self) -> dict[str, int]:
        """The same window knows."""
        return {}
