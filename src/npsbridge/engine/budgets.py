"""Rate limits that outlive the process: what was asked for in the last minute counts after a restart as well.

Written when the daemon ends in peace, and now and then while much of a limit is used. After a crash half of each limit
counts as used: nobody knows better, and it costs half a minute at most.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import anyio
import msgspec

from npsbridge.core.pace import RateWindow
from npsbridge.engine.seams import Seams
from npsbridge.errors import StoreError, StoreUnavailable

NOTE_EVERY: Final = 10.0
WORTH_NOTING: Final = 0.25
"""The share of a limit in use above which it is noted while running; an idle account writes nothing."""
AFTER_A_CRASH: Final = 0.5
WINDOW: Final = 60.0
"""Seconds of the windows, for all limits are requests a minute."""
_ENDED_IN_PEACE: Final = "budgets:ended_in_peace"


class _Used(msgspec.Struct):
    at: int
    """Milliseconds since 1970."""
    booked: list[tuple[float, int]]


class Budgets:
    """The request limits of all accounts, by connection."""

    def __init__(self, windows: Mapping[str, RateWindow], seams: Seams) -> None:
        self._windows = {name: window for name, window in windows.items() if window.limit > 0}
        self._seams = seams
        self._noted: set[str] = set()
        self._has_begun = False

    async def recall(self) -> None:
        """Take up where the last process was, before anything is asked."""
        facts = await self._seams.store.facts()
        has_crashed = facts.get(_ENDED_IN_PEACE) == "no"
        now, wall = self._seams.clock.monotonic(), self._seams.clock.now_ms()
        for name, window in self._windows.items():
            used = _since(facts.get(_fact(name)), wall)
            if has_crashed:
                lost = int(window.limit * AFTER_A_CRASH) - sum(cost for _, cost in used)
                used += [(WINDOW, lost)] if lost > 0 else []
            window.restore(now, used)
        await self._note_beginning()

    async def _note_beginning(self) -> None:
        """From now on an end that is not noted is a crash; on a full disk that is noted as soon as there is room."""
        with suppress(StoreUnavailable):
            await self._seams.store.note_fact(_ENDED_IN_PEACE, "no")
            self._has_begun = True

    async def run(self) -> None:
        """Note what is used while it is much; cancelled from outside."""
        while True:
            await anyio.sleep(NOTE_EVERY)
            if not self._has_begun:
                await self._note_beginning()
            for name, window in self._windows.items():
                used = sum(cost for _, cost in window.booked(self._seams.clock.monotonic()))
                if used >= window.limit * WORTH_NOTING:
                    await self._note(name, window)

    async def end(self) -> None:
        """Note everything, for the next start; a store that fails now has been told of already."""
        with suppress(StoreError):
            for name, window in self._windows.items():
                if name in self._noted or window.booked(self._seams.clock.monotonic()):
                    await self._note(name, window)
            await self._seams.store.note_fact(_ENDED_IN_PEACE, "yes")

    async def _note(self, name: str, window: RateWindow) -> None:
        used = _Used(at=self._seams.clock.now_ms(), booked=window.booked(self._seams.clock.monotonic()))
        with suppress(StoreUnavailable):
            await self._seams.store.note_fact(_fact(name), msgspec.json.encode(used).decode())
            self._noted.add(name)


def _fact(name: str) -> str:
    return f"budget:{name}"


def _since(noted: str | None, now: int) -> list[tuple[float, int]]:
    """What is left of what was noted; a clock that was turned back forgets nothing."""
    if noted is None:
        return []
    used = msgspec.json.decode(noted, type=_Used)
    passed = max(0.0, (now - used.at) / 1000)
    return [(left - passed, cost) for left, cost in used.booked if left > passed]
