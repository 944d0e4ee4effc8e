"""How far one loop runs ahead of the next, so that what it hands on is still at hand when its turn comes."""

from typing import Final

import anyio

from npsbridge.engine.bell import Bell

LONGEST_WAIT: Final = 0.1
"""Seconds that anybody is kept from going on: others may wait for what he does next."""


class Lead(Bell):
    """The bell of a loop; whoever rings it can learn whether the loop keeps up."""

    def __init__(self, far: int) -> None:
        """`far` is how much may be handed over and not be done: enough that the loop never lacks work."""
        super().__init__()
        self._far = far
        self._ahead = 0
        self._flows = False
        self._moved = anyio.Event()

    def hand_over(self, count: int) -> None:
        """So much more is to be done; rings."""
        self._ahead += count
        self.ring()

    def done(self, count: int) -> None:
        """So much was done, and more will be."""
        self._ahead, self._flows = max(0, self._ahead - count), True
        self._moved.set()

    def rest(self) -> None:
        """There is nothing to do, or nothing is done at present."""
        self._ahead, self._flows = 0, False
        self._moved.set()

    async def shorten(self) -> None:
        """Give a loop that goes on a moment to come nearer; returns at once when it is near, or rests."""
        with anyio.move_on_after(LONGEST_WAIT):
            while self._flows and self._ahead > self._far:
                if self._moved.is_set():  # otherwise somebody else waits for it as well
                    self._moved = anyio.Event()
                await self._moved.wait()
