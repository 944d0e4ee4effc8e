"""The state of every connection and direction, in the words of contract §4; what health and `status` show.

An outage is two log lines: one when it starts, one when it ends. Changes are noted in the store for the next start.
"""

from enum import StrEnum
from typing import Final

from loguru import logger

from npsbridge.clock import Clock
from npsbridge.core.model import Record
from npsbridge.core.ports import Health, Store
from npsbridge.errors import StoreFull


class Direction(StrEnum):
    """Pull reads answers from a platform; forward sends to it."""

    PULL = "pull"
    FORWARD = "forward"


class Condition(StrEnum):
    """The state words; a source waits for data until its first response, then is connected (as in Heap)."""

    WAITING_FOR_DATA = "waiting_for_data"
    BACKFILLING = "backfilling"
    CONNECTED = "connected"
    RETRYING = "retrying"
    PAUSED = "paused"
    RETIRED = "retired"


GOOD: Final = frozenset({Condition.WAITING_FOR_DATA, Condition.BACKFILLING, Condition.CONNECTED})
STATUS: Final = {Condition.RETRYING: "warn", Condition.RETIRED: "warn", Condition.PAUSED: "fail"}
"""`fail` needs a person; `warn` mends itself or cannot be mended."""


class Line(Record, frozen=True, kw_only=True):
    """One line of the board."""

    connection: str
    direction: Direction
    condition: Condition
    since: int
    """Milliseconds since 1970."""
    reason: str | None = None
    progress: float | None = None
    """0..1 while backfilling, if known."""

    @property
    def status(self) -> str:
        """pass, warn or fail."""
        return STATUS.get(self.condition, "pass")


class Board:
    """Keeps one line per connection and direction."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lines: dict[tuple[str, Direction], Line] = {}

    def lines(self) -> list[Line]:
        """All lines, in the order the connections were opened."""
        return list(self._lines.values())

    def find(self, connection: str, direction: Direction) -> Line | None:
        """The line of one connection and direction."""
        return self._lines.get((connection, direction))

    @property
    def status(self) -> str:
        """The worst status of all lines."""
        found = {line.status for line in self._lines.values()}
        return next((status for status in ("fail", "warn") if status in found), "pass")

    async def note(
        self,
        connection: str,
        direction: Direction,
        condition: Condition,
        *,
        reason: str | None = None,
        progress: float | None = None,
    ) -> None:
        """Set a line. Only a change of condition is logged and stored; its reason may change silently."""
        before = self._lines.get((connection, direction))
        has_changed = before is None or before.condition is not condition
        line = Line(
            connection=connection,
            direction=direction,
            condition=condition,
            since=self._clock.now_ms() if has_changed or before is None else before.since,
            reason=reason,
            progress=progress,
        )
        self._lines[connection, direction] = line
        if has_changed:
            self._tell(line, before)
            await self._keep(line)

    def _tell(self, line: Line, before: Line | None) -> None:
        name, words = f"{line.connection}:{line.direction}", line.condition.replace("_", " ")
        bound = logger.bind(connection=line.connection, direction=line.direction, state=line.condition)
        if line.condition is Condition.PAUSED:
            bound.error("{} is paused, nothing is lost: {}", name, line.reason)
        elif line.condition not in GOOD:
            bound.warning("{} is {}: {}", name, words, line.reason)
        elif before is not None and before.condition not in GOOD:
            seconds = (self._clock.now_ms() - before.since) / 1000
            bound.info("{} is {} again after {:.0f} s of {}", name, words, seconds, before.condition)
        else:
            bound.info("{} is {}", name, words)

    async def _keep(self, line: Line) -> None:
        health = Health(
            connection=line.connection,
            direction=line.direction,
            state=line.condition,
            reason=line.reason,
            since=line.since,
        )
        try:
            await self._store.note_health(health)
        except StoreFull:
            logger.warning("the state of {} could not be noted: the disk is full", line.connection)
