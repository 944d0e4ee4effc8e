"""What there is to see of a running demo at one moment, read from the daemon and from Segment."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from npsbridge.cli.demo.stage import Stage
from npsbridge.core.model import Record, State
from npsbridge.engine.board import Condition, Direction, Line

_SOURCES: Final = ("backfill", "poll", "webhook")
_OWED: Final = frozenset({State.QUEUED, State.WAITING, State.INFLIGHT})


class View(Record, frozen=True, kw_only=True):
    """One look at everything."""

    read: int
    """Records the daemon has taken in so far."""
    progress: float | None
    """0..1 of the history; None while it is not being read. The demo knows how long it is; the daemon can only guess
    from the times of the answers."""
    calls: Mapping[str, int]
    """What Segment was told, by call."""
    camps: Mapping[str, int]
    """Promoters, passives and detractors that Segment knows of."""
    owed: int
    """Calls that wait for Segment."""
    recognised: int
    """Records that came again and were not told again."""
    health: Mapping[str, str]
    """By connection and direction, in words."""


async def look(stage: Stage) -> View:
    """Take a look."""
    heard = stage.heard.catch_up()
    depths, ledger = await stage.app.store.depths(), await stage.app.store.ledger()
    owed = sum(count for (_, state), count in depths.items() if state in _OWED)
    lines = stage.app.board.lines()
    read = sum(stage.counted("ingest_events_total", source=source, result="stored") for source in _SOURCES)
    is_reading = any(line.condition is Condition.BACKFILLING for line in lines)
    return View(
        read=read,
        progress=min(1.0, read / stage.history) if is_reading and stage.history else None,
        calls=Counter(heard.calls),
        camps=heard.camps,
        owed=owed,
        recognised=ledger.duplicate,
        health={f"{line.connection} {line.direction}": in_words(line, owed) for line in lines},
    )


def in_words(line: Line, owed: int) -> str:
    """How a connection is."""
    is_pull = line.direction is Direction.PULL
    match line.condition:
        case Condition.WAITING_FOR_DATA:
            return "waits for the first answer" if is_pull else "waits for the first call"
        case Condition.BACKFILLING:
            return "reads the history"
        case Condition.CONNECTED if is_pull:
            return "connected, looks for news every second"
        case Condition.CONNECTED:
            return "connected" + (f", {owed:,} calls on their way" if owed else "")
        case Condition.RETRYING if not is_pull:
            return f"away ({line.reason}); {owed:,} calls wait on disk, and it is tried again"
        case _:
            return f"{line.condition.replace('_', ' ')}: {line.reason}"
