"""What the operator has paused: facts in the store, and how the loops of a connection come to rest and go on.

Knows neither what the loops do nor who wrote the facts.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
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
        self._running: dict[anyio.CancelScope, str] = {}
        """What a pause of the connection cancels."""

    def learn(self, facts: Mapping[str, str]) -> None:
        """Take in the facts of the store: what is paused now comes to rest, what no longer is goes on."""
        paused = paused_in(facts)
        if paused == self._paused:
            return
        self._paused = paused
        self._changed.set()
        self._changed = anyio.Event()
        for scope, connection in self._running.items():
            if connection in paused:
                scope.cancel()

    def holds(self, connection: str) -> bool:
        """Whether a connection is paused."""
        return connection in self._paused

    async def run_between(
        self, connection: str, run: Callable[[], Awaitable[None]], *, stand_still: Callable[[], Awaitable[None]] | None
    ) -> None:
        """Run something to its end that can be cancelled at any moment; a pause cancels it, and then it starts afresh.

        Args:
            connection: whose pauses count.
            run: what rests meanwhile.
            stand_still: called at the beginning of each pause.
        """
        while True:
            if self.holds(connection) and stand_still:
                await stand_still()
            while self.holds(connection):
                await self._changed.wait()
            with self.cut_short(connection):
                await run()
                return

    @contextmanager
    def cut_short(self, connection: str) -> Iterator[None]:
        """A block that is left as soon as the connection is paused, wherever it waits."""
        with anyio.CancelScope() as scope:
            if self.holds(connection):
                scope.cancel()
            self._running[scope] = connection
            try:
                yield
            finally:
                del self._running[scope]
