"""What the operator has paused: facts in the store, and how the loops of a connection come to rest and go on.

Knows neither what the loops do nor who wrote the facts.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import anyio

_PREFIX: Final = "paused:"
_YES, _NO = "yes", "no"


def pause_fact(connection: str, *, is_paused: bool) -> tuple[str, str]:
    """Name and value of the fact that says whether a connection is paused."""
    return _PREFIX + connection, _YES if is_paused else _NO


def paused_in(facts: Mapping[str, str]) -> frozenset[str]:
    """The connections that are paused, by the facts of a store."""
    return frozenset(
        name.removeprefix(_PREFIX) for name, value in facts.items() if name.startswith(_PREFIX) and value == _YES
    )


def by_hand(connection: str) -> str:
    """Why such a connection is paused, for the operator."""
    return f"paused by hand; npsbridge resume {connection}"


class Pauses:
    """Which connections are paused at this moment."""

    def __init__(self) -> None:
        self._paused: frozenset[str] = frozenset()
        self._changed = anyio.Event()

    def learn(self, facts: Mapping[str, str]) -> None:
        """Take in the facts of the store, and wake whoever waits for a change."""
        paused = paused_in(facts)
        if paused != self._paused:
            self._paused = paused
            self._changed.set()
            self._changed = anyio.Event()

    def holds(self, connection: str) -> bool:
        """Whether a connection is paused."""
        return connection in self._paused

    async def run_between(
        self,
        connection: str,
        run: Callable[[], Awaitable[None]],
        stand_still: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Run something to its end that can be cancelled at any moment; a pause cancels it, and then it starts afresh.

        Args:
            connection: whose pauses count.
            run: what rests meanwhile.
            stand_still: called at the beginning of each pause.
        """
        has_ended = False
        while not has_ended:
            if self.holds(connection):
                await (stand_still() if stand_still else anyio.lowlevel.checkpoint())
            await self._until(connection, is_paused=False)
            has_ended = await self._run_until_paused(connection, run)

    async def _run_until_paused(self, connection: str, run: Callable[[], Awaitable[None]]) -> bool:
        """Whether it came to its own end."""
        has_ended = False
        async with anyio.create_task_group() as group:

            async def cancel() -> None:
                await self._until(connection, is_paused=True)
                group.cancel_scope.cancel()

            group.start_soon(cancel)
            await run()
            has_ended = True
            group.cancel_scope.cancel()
        return has_ended

    async def _until(self, connection: str, *, is_paused: bool) -> None:
        while self.holds(connection) is not is_paused:
            await self._changed.wait()
