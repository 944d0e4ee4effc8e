"""The state of every connection and direction, in the words of contract §4; what health and `status` show.

An outage is two log lines: one when it starts, one when it ends. Changes are noted in the store for the next start.
"""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import msgspec
from loguru import logger

from npsbridge.clock import Clock
from npsbridge.core.model import Record
from npsbridge.core.records import Health
from npsbridge.core.storage import Store
from npsbridge.engine.pauses import by_hand
from npsbridge.errors import StoreUnavailable


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


STATUS: Final = {Condition.RETRYING: "warn", Condition.RETIRED: "warn", Condition.PAUSED: "fail"}
"""`fail` needs a person; `warn` mends itself or cannot be mended; whatever is not listed passes."""

TOLD: Final = {
    Condition.RETRYING: ("WARNING", "The connection is in trouble and is tried again until it works; nothing is lost"),
    Condition.PAUSED: ("ERROR", "The connection is paused until somebody acts; nothing is lost"),
    Condition.RETIRED: ("WARNING", "The connection is retired: the vendor says that the service has ended"),
}
COMES_AND_GOES: Final = "The connection comes and goes; that is told once, until it has been in one state for a while"
RETURNS_TOLD: Final = 2
"""The return of a trouble in a row after which it is said to come and go."""
STEADY_AFTER_MS: Final = 900_000
"""Within so long after its end a trouble is the same one, back again."""


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
    progress_before: float = 0.0
    """What it was when this began; some of a history may have been read by a process before."""
    next_at: int | None = None
    """When it is asked again, milliseconds since 1970; None while it is at work, or when nobody knows."""

    @property
    def is_by_hand(self) -> bool:
        """Whether the operator wants it so; then nobody has to be woken."""
        return self.condition is Condition.PAUSED and self.reason == by_hand(self.connection)

    @property
    def status(self) -> str:
        """pass, warn or fail."""
        return "warn" if self.is_by_hand else STATUS.get(self.condition, "pass")

    def time_left(self, now: int) -> float | None:
        """Seconds until the history is read, if it goes on as up to now; `now` in milliseconds since 1970."""
        if self.progress is None or self.progress <= self.progress_before:
            return None
        seconds = (now - self.since) / 1000
        return seconds * (1 - self.progress) / (self.progress - self.progress_before)

    @property
    def is_trouble(self) -> bool:
        """Whether this is a state that somebody should hear of."""
        return self.condition in TOLD


class Board:
    """Keeps one line per connection and direction."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._teller = Teller()
        self._lines: dict[tuple[str, Direction], Line] = {}
        self._own: set[tuple[str, Direction]] = set()
        """The lines of what this replica does; the others' are as they have noted them."""

    def lines(self) -> list[Line]:
        """All lines, in the order in which they were first noted."""
        return list(self._lines.values())

    def find(self, connection: str, direction: Direction) -> Line | None:
        """The line of one connection and direction."""
        return self._lines.get((connection, direction))

    @property
    def status(self) -> str:
        """The worst status of all lines."""
        found = {line.status for line in self._lines.values()}
        return next((status for status in ("fail", "warn") if status in found), "pass")

    def learn(self, noted: Iterable[Health]) -> None:
        """Show what other replicas have noted of what they do."""
        others = {(one.connection, Direction(one.direction)): one for one in noted}
        self._lines = {key: line for key, line in self._lines.items() if key in self._own}
        for (connection, direction), one in others.items():
            if (connection, direction) not in self._own:
                self._lines[connection, direction] = Line(
                    connection=connection,
                    direction=direction,
                    condition=Condition(one.state),
                    reason=one.reason,
                    since=one.since,
                )

    def let_go(self, connection: str, direction: Direction) -> None:
        """Another replica does it from now on."""
        self._own.discard((connection, direction))

    async def note(
        self,
        connection: str,
        direction: Direction,
        condition: Condition,
        *,
        reason: str | None = None,
        progress: float | None = None,
    ) -> None:
        """Set a line. Only a change of condition is logged and stored; reason and progress may change silently."""
        before = self.find(connection, direction)
        self._own.add((connection, direction))
        line = Line(
            connection=connection,
            direction=direction,
            condition=condition,
            since=self._clock.now_ms(),
            reason=reason,
            progress=progress,
            progress_before=progress or 0.0,
        )
        if before is not None and before.condition is condition:
            self._teller.goes_on(before, line.since)
            self._lines[connection, direction] = msgspec.structs.replace(
                line, since=before.since, progress_before=before.progress_before
            )
            return
        self._lines[connection, direction] = line
        self._teller.tell(line, before)
        await self._keep(line)

    def expect(self, connection: str, direction: Direction, next_at: int) -> None:
        """Note when a line is asked again, until it is noted anew; milliseconds since 1970."""
        line = self.find(connection, direction)
        if line is not None:
            self._lines[connection, direction] = msgspec.structs.replace(line, next_at=next_at)

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
        except StoreUnavailable:
            logger.bind(connection=line.connection).warning(
                "The state of a connection was not noted: the store takes nothing at this moment"
            )


class Teller:
    """Says in the log what changes: an outage in two lines, and what comes and goes in one."""

    def __init__(self) -> None:
        self._recovered_at: dict[tuple[str, Direction], int] = {}
        """When each direction last came out of a passing trouble, milliseconds since 1970."""
        self._returns: Counter[tuple[str, Direction]] = Counter()
        """How often in a row a passing trouble was soon back."""

    def tell(self, line: Line, before: Line | None) -> None:
        """A direction is in another state than before."""
        key = line.connection, line.direction
        bound = logger.bind(connection=line.connection, direction=line.direction.value, state=line.condition.value)
        if line.is_by_hand:
            bound.bind(reason=line.reason).info("The connection is paused by hand; nothing is lost")
        elif line.condition in TOLD:
            level, sentence = self._trouble(key, line)
            bound.bind(reason=line.reason).log(level, sentence)
        elif before is not None and before.is_trouble:
            seconds = round((line.since - before.since) / 1000)
            level = "DEBUG" if self._comes_and_goes(key) and before.condition is Condition.RETRYING else "INFO"
            self._recovered_at[key] = line.since
            bound.bind(was=before.condition.value, seconds=seconds).log(level, "The connection works again")
        else:
            bound.info("The connection changed its state")

    def goes_on(self, line: Line, now: int) -> None:
        """A direction is still in its state; one that came and went may be steady by now, or in trouble for long."""
        key = line.connection, line.direction
        if key not in self._returns or now - line.since < STEADY_AFTER_MS:
            return
        if self._comes_and_goes(key):
            bound = logger.bind(connection=line.connection, direction=line.direction.value, state=line.condition.value)
            if line.condition is Condition.RETRYING:
                level, sentence = TOLD[line.condition]
                bound.bind(reason=line.reason).log(level, sentence)
            elif not line.is_trouble:
                bound.info("The connection works steadily again")
        del self._returns[key]

    def _trouble(self, key: tuple[str, Direction], line: Line) -> tuple[str, str]:
        """How loud a trouble is, and what is said of it."""
        if line.condition is not Condition.RETRYING:
            return TOLD[line.condition]
        is_soon_back = line.since - self._recovered_at.get(key, line.since - STEADY_AFTER_MS) < STEADY_AFTER_MS
        self._returns[key] = self._returns[key] + 1 if is_soon_back else 0
        if not self._comes_and_goes(key):
            return TOLD[line.condition]
        return ("WARNING" if self._returns[key] == RETURNS_TOLD else "DEBUG"), COMES_AND_GOES

    def _comes_and_goes(self, key: tuple[str, Direction]) -> bool:
        return self._returns[key] >= RETURNS_TOLD
