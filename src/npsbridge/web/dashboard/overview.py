"""The first page: is all well, what does the NPS do, what waits, what needs a person.

What is shown is decided by pure functions from what the board, the store and the request limits say.
"""

import asyncio
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import partial
from itertools import groupby
from typing import Any, Final

import anyio.to_thread
from aiohttp import web

from npsbridge.core.model import Record, State
from npsbridge.core.records import Ledger
from npsbridge.core.storage import Store
from npsbridge.core.views import Answers, Scored
from npsbridge.engine.board import Condition, Direction, Line
from npsbridge.engine.fleet import seen_lately
from npsbridge.engine.roster import Roster, roster_of
from npsbridge.engine.upkeep import work_of
from npsbridge.web.dashboard.filters import NPS
from npsbridge.web.dashboard.pages import Pages, document
from npsbridge.web.dashboard.score import DAY_MS, Camps, Stretch, camps_of, stretches
from npsbridge.web.dashboard.words import number, span, title
from npsbridge.web.usage import Limit, limits
from npsbridge.web.view import View

WINDOW: Final = 30
"""Days of the NPS that is shown first, and of the one that it is compared with."""
_OWED: Final = (State.QUEUED, State.WAITING, State.INFLIGHT)


class Level(StrEnum):
    """How much something matters, the worst first."""

    PERSON = "person"
    """Somebody has to act."""
    TROUBLE = "trouble"
    """It mends itself."""
    CAUTION = "caution"
    """Everything works, and yet it should not stay so."""
    NOTE = "note"


class Notice(Record, frozen=True, kw_only=True):
    """One thing that is not as it always is."""

    level: Level
    text: str
    link: str
    act: str
    """What the link offers."""


class Card(Record, frozen=True, kw_only=True):
    """One connection and direction."""

    connection: str
    platform: str
    direction: str
    condition: str
    is_by_hand: bool
    since: int
    reason: str | None
    progress: float | None
    seconds_left: float | None
    last_answer: int | None
    next_at: int | None
    holder: str | None
    """The other replica that does it; None where it is this daemon's own work, or nobody's at this moment."""
    used: int | None
    limit: float | None
    owed: int
    held: int
    dead: int
    oldest: int | None
    """When the oldest delivery was accepted that is still owed."""

    @property
    def task(self) -> str:
        """What the direction is for."""
        if self.direction == Direction.PULL:
            return "answers in"
        return "answers out" if self.platform in {"segment", "heap"} else "surveys out"


class Overview(Record, frozen=True, kw_only=True):
    """Everything on the first page."""

    status: str
    verdict: str
    notices: list[Notice]
    cards: list[Card]
    ledger: Ledger
    imbalance: int
    owed: int
    held: int
    dead: int
    oldest: int | None
    oldest_connection: str | None
    nps: float | None
    nps_before: float | None
    """The same of the window before."""
    camps: Camps
    trend: list[Stretch]
    fleet: Roster
    """The replicas that share the store; none where it has only this daemon."""
    replica: str | None
    """Which of them shows this page."""


def cards(
    lines: Sequence[Line],
    *,
    now: int,
    platforms: Mapping[str, str],
    depths: Mapping[tuple[str, State], int],
    oldest: Mapping[str, int],
    last_answers: Mapping[str, int],
    limits: Mapping[str, Limit],
    holders: Mapping[str, str],
) -> list[Card]:
    """One for each line of the board, those of one connection side by side, what reads before what sends."""
    places = {line.connection: place for place, line in reversed(list(enumerate(lines)))}
    ordered = sorted(lines, key=lambda line: (places[line.connection], line.direction is Direction.FORWARD))
    return [
        Card(
            connection=line.connection,
            platform=platforms.get(line.connection, line.connection),
            direction=line.direction.value,
            condition=line.condition.value,
            is_by_hand=line.is_by_hand,
            since=line.since,
            reason=line.reason,
            progress=line.progress,
            seconds_left=line.time_left(now),
            last_answer=last_answers.get(line.connection) if line.direction is Direction.PULL else None,
            next_at=line.next_at,
            holder=holders.get(work_of(line.connection, line.direction)),
            used=limits[line.connection].used if line.connection in limits else None,
            limit=limits[line.connection].most if line.connection in limits else None,
            **_queue(line, depths, oldest),
        )
        for line in ordered
    ]


def _queue(line: Line, depths: Mapping[tuple[str, State], int], oldest: Mapping[str, int]) -> dict[str, Any]:
    """What waits for a direction that sends; a reading one has no queue."""
    if line.direction is Direction.PULL:
        return {"owed": 0, "held": 0, "dead": depths.get((line.connection, State.DEAD), 0), "oldest": None}
    return {
        "owed": sum(depths.get((line.connection, state), 0) for state in _OWED),
        "held": depths.get((line.connection, State.HELD), 0),
        "dead": depths.get((line.connection, State.DEAD), 0),
        "oldest": oldest.get(line.connection),
    }


def notices(
    shown: Sequence[Card], *, imbalance: int, held: int, dead: int, now: int, warnings: Sequence[str] = ()
) -> list[Notice]:
    """What is not as it always is, the worst first; `warnings` are of replicas."""
    alike = groupby(shown, key=lambda card: (card.connection, card.condition, card.is_by_hand))
    found = [notice for _, cards in alike if (notice := _of_cards(list(cards), now)) is not None]
    if imbalance:
        text = f"{number(abs(imbalance))} accepted records are unaccounted for; this is a fault, please report it."
        found.append(Notice(level=Level.PERSON, text=text, link="#ledger", act="Look at the ledger"))
    if held:
        text = f"{_some(held, 'delivery is', 'deliveries are')} in doubt: nobody knows whether the survey was sent."
        found.append(Notice(level=Level.PERSON, text=text, link="/deliveries?state=held", act="Settle it"))
    if dead:
        text = f"{_some(dead, 'delivery', 'deliveries')} will never work as they are. Nothing else waits for them."
        found.append(Notice(level=Level.PERSON, text=text, link="/deliveries?state=dead", act="Look at them"))
    caution = partial(Notice, level=Level.CAUTION, link="#fleet", act="Look at the replicas")
    found += [caution(text=f"{text}.") for text in warnings]
    return sorted(found, key=lambda one: list(Level).index(one.level))


def _some(count: int, one: str, more: str) -> str:
    return f"{number(count)} {one if count == 1 else more}"


def _of_cards(alike: Sequence[Card], now: int) -> Notice | None:
    """What is to be said of the directions of one connection that are in the same condition."""
    card = min(alike, key=lambda one: one.since)
    name, place = called(card), f"#{card.connection}-{card.direction}"
    tell = partial(Notice, link=place, act="See why")
    match card.condition:
        case Condition.PAUSED if card.is_by_hand:
            return tell(level=Level.NOTE, text=f"{name} is paused by hand.", act="Resume it")
        case Condition.PAUSED:
            return tell(level=Level.PERSON, text=f"{name} is paused until somebody acts.", act="See what to mend")
        case Condition.RETRYING:
            text = (
                f"{name} has been in trouble for {span((now - card.since) / 1000)}; it is tried again, nothing is lost."
            )
            return tell(level=Level.TROUBLE, text=text)
        case Condition.RETIRED:
            return tell(level=Level.NOTE, text=f"{name} is retired: the vendor says that the service has ended.")
        case Condition.BACKFILLING:
            return tell(level=Level.NOTE, text=f"{name} is reading its history.", act="See how far")
    return None


def called(card: Card) -> str:
    """A connection for people; the account's name where it has one of its own."""
    known = title(card.platform)
    return known if card.connection == card.platform else f"{card.connection} ({known})"


def verdict(found: Sequence[Notice], *, has_connections: bool) -> tuple[str, str]:
    """The status (`pass`, `warn`, `fail`) and one line in plain words."""
    if not has_connections:
        return "warn", "No connection is configured yet"
    persons = sum(one.level is Level.PERSON for one in found)
    if persons:
        return "fail", "1 thing needs you" if persons == 1 else f"{persons} things need you"
    if any(one.level is Level.TROUBLE for one in found):
        return "warn", "Something is in trouble, and is being tried again"
    if any(one.level is Level.CAUTION for one in found):
        return "warn", "Everything works, but the replicas do not agree"
    return "pass", "All is well"


# --- looking ----------------------------------------------------------------------------------------------------


class Facts(Record, frozen=True, kw_only=True):
    """What the store says, each part from one moment."""

    ledger: Ledger
    depths: dict[tuple[str, State], int]
    oldest: dict[str, int]
    last_answers: dict[str, int]
    by_day: list[Scored]


async def look(view: View) -> Overview:
    """How everything is now."""
    now = view.seams.clock.now_ms()
    facts = await _facts(view.seams.store, now // DAY_MS)
    roster = roster_of(await seen_lately(view.seams.store))
    shown = cards(
        view.seams.board.lines(),
        now=now,
        platforms=view.platforms,
        depths=facts.depths,
        oldest=facts.oldest,
        last_answers=facts.last_answers,
        limits=await limits(view),
        holders={work: one.id for one in roster.replicas if one.id != view.replica for work in one.work},
    )
    return put_together(shown, facts, now=now, roster=roster, replica=view.replica)


async def _facts(store: Store, today: int) -> Facts:
    """All of it, the slow part beside the rest."""
    (ledger, depths, oldest), (last_answers, by_day) = await asyncio.gather(_owed(store), _answered(store, today))
    return Facts(ledger=ledger, depths=depths, oldest=oldest, last_answers=last_answers, by_day=by_day)


async def _owed(store: Store) -> tuple[Ledger, dict[tuple[str, State], int], dict[str, int]]:
    return await store.ledger(), await store.depths(), await store.oldest_owed()


async def _answered(store: Store, today: int) -> tuple[dict[str, int], list[Scored]]:
    last_answers = await store.views.last_answers()
    # The first point of the trend and the time before begin on the same day.
    since = (today - 2 * WINDOW + 1) * DAY_MS
    which = Answers(connections=tuple(sorted(last_answers)), survey_type=NPS, since=since)
    return last_answers, await store.views.scores_by_day(which)


def put_together(shown: list[Card], facts: Facts, *, now: int, roster: Roster, replica: str | None = None) -> Overview:
    """The whole page from its parts."""
    held = _count(facts.depths, State.HELD)
    dead = _count(facts.depths, State.DEAD)
    found = notices(shown, imbalance=facts.ledger.imbalance, held=held, dead=dead, now=now, warnings=roster.warnings)
    status, words = verdict(found, has_connections=bool(shown))
    today = now // DAY_MS
    last, before = (
        _days(facts.by_day, today - WINDOW + 1, today),
        _days(facts.by_day, today - 2 * WINDOW + 1, today - WINDOW),
    )
    oldest = min(facts.oldest.items(), key=lambda item: item[1], default=(None, None))
    return Overview(
        status=status,
        verdict=words,
        notices=found,
        cards=shown,
        ledger=facts.ledger,
        imbalance=facts.ledger.imbalance,
        owed=sum(_count(facts.depths, state) for state in _OWED),
        held=held,
        dead=dead,
        oldest=oldest[1],
        oldest_connection=oldest[0],
        nps=last.nps,
        nps_before=before.nps,
        camps=last,
        trend=stretches(facts.by_day, today - WINDOW + 1, today, window=WINDOW),
        fleet=roster,
        replica=replica,
    )


def _count(depths: Mapping[tuple[str, State], int], wanted: State) -> int:
    return sum(count for (_, state), count in depths.items() if state is wanted)


def _days(by_day: Sequence[Scored], first: int, last: int) -> Camps:
    return camps_of(one for one in by_day if first <= one.day <= last)


# --- routes -----------------------------------------------------------------------------------------------------


async def overview_page(pages: Pages, request: web.Request) -> web.Response:
    """The first page."""
    shown = await look(pages.view)
    spark = await anyio.to_thread.run_sync(_spark, shown) if shown.nps is not None else None
    return await pages.page("overview.html", request, shown=shown, spark=spark)


def _spark(shown: Overview) -> str:
    from npsbridge.web.dashboard import charts  # noqa: PLC0415 - see there

    return charts.spark(shown.trend)


async def overview_document(pages: Pages, _: web.Request) -> web.Response:
    """What stands on it."""
    return document(await look(pages.view))
