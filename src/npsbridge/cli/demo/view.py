"""What there is to see of a running demo at one moment, read from the daemon and from the sinks."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from npsbridge.app import App
from npsbridge.cli.demo.stage import Stage
from npsbridge.cli.demo.titles import OWED, SINKS, SURVEY_PLATFORMS, TITLES
from npsbridge.cli.demo.truth import count_at
from npsbridge.core.model import Record
from npsbridge.engine.board import Condition, Direction, Line

CUT_OFF: Final = "cut off"
"""What is said of every connection between two lives of the daemon."""


class Standing(Record, frozen=True, kw_only=True):
    """How one platform stands."""

    platform: str
    words: str
    told: int
    """Its answers that Segment knows; of a sink: what it was sent."""
    known: int | None = None
    """Answers at the vendor; None for a sink."""
    is_away: bool = False
    """Whether there is trouble."""

    @property
    def title(self) -> str:
        """The vendor's name."""
        return TITLES[self.platform]


class View(Record, frozen=True, kw_only=True):
    """One look at everything."""

    standings: Sequence[Standing]
    history: float
    """0..1 of the answers that were there when the daemon came: how many of them Segment knows."""
    calls: Mapping[str, int]
    """What Segment was told, by call."""
    camps: Mapping[str, int]
    """Promoters, passives and detractors that Segment knows of."""
    recognised: int
    """Records that came again and were not told again."""
    states: Mapping[str, str]
    """The state word of each connection."""
    surveys: int = 0
    """How many surveys the vendors were asked for."""


async def look(stage: Stage) -> View:
    """Take a look."""
    heard = stage.heard.catch_up()
    async with stage.daemon.seen() as app:
        lines, owed, recognised = await _of_daemon(app)
    return View(
        standings=[*_sources(stage, lines), *_sinks(stage, lines, owed)],
        history=min(1.0, len(heard.responses) / stage.history) if stage.history else 1.0,
        calls=Counter(heard.calls),
        camps=heard.camps,
        recognised=recognised,
        states={name: line.condition.value for name, line in lines.items()},
        surveys=sum(account.asked.surveys for account in stage.sandbox.accounts),
    )


async def _of_daemon(app: App | None) -> tuple[dict[str, Line], Counter[str], int]:
    """The line of each connection, what is owed to each sink, and how many records were recognised."""
    if app is None:
        return {}, Counter(), 0
    lines = {line.connection: line for line in app.board.lines() if line.direction is direction_of(line.connection)}
    owed: Counter[str] = Counter()
    for (connection, state), count in (await app.store.depths()).items():
        owed[connection] += count if state in OWED else 0
    return lines, owed, (await app.store.ledger()).duplicate


def direction_of(platform: str) -> Direction:
    """Where answers go."""
    return Direction.FORWARD if platform in SINKS else Direction.PULL


def _sources(stage: Stage, lines: Mapping[str, Line]) -> list[Standing]:
    known = {account.kind: count_at(account) for account in stage.sandbox.accounts}
    told = stage.heard.by_connection
    return [_standing(name, lines.get(name), 0, told=told[name], known=known[name]) for name in SURVEY_PLATFORMS]


def _sinks(stage: Stage, lines: Mapping[str, Line], owed: Counter[str]) -> list[Standing]:
    sent = {"segment": stage.heard.calls.total(), "heap": len(stage.sandbox.heap.events)}
    return [_standing(name, lines.get(name), owed[name], told=sent[name]) for name in SINKS]


def _standing(name: str, line: Line | None, owed: int, *, told: int, known: int | None = None) -> Standing:
    words = in_words(line, owed) if line else CUT_OFF
    return Standing(platform=name, words=words, told=told, known=known, is_away=line is None or line.is_trouble)


def in_words(line: Line, owed: int) -> str:
    """How a connection is."""
    is_pull = line.direction is Direction.PULL
    match line.condition:
        case Condition.WAITING_FOR_DATA:
            return "waits for the first answer" if is_pull else "waits for the first call"
        case Condition.BACKFILLING:
            return "reads the history"
        case Condition.CONNECTED:
            on_their_way = f", {owed:,} on their way" if owed else ""
            return "connected, looks for news every second" if is_pull else f"connected{on_their_way}"
        case Condition.RETRYING:
            waits = "it is asked again" if is_pull else f"{owed:,} wait on disk, and it is tried again"
            return f"away ({line.reason}); {waits}"
        case _:
            return f"{line.condition.replace('_', ' ')}: {line.reason}"
