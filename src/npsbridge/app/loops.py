"""The loops of a daemon, made from its parts: which there are, and in which order they start and stop."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Protocol

import anyio
from anyio.abc import TaskGroup

from npsbridge.app.parts import Parts, rules, takes_calls
from npsbridge.app.replica import this_replica
from npsbridge.core.keys import forget_people
from npsbridge.core.ports import Forwarder, Parser, Sender
from npsbridge.core.records import Retention
from npsbridge.engine.bell import Bell
from npsbridge.engine.budgets import Budgets
from npsbridge.engine.dispatch import Lane
from npsbridge.engine.doubt import Doubts
from npsbridge.engine.fleet import Team, Work
from npsbridge.engine.forwarding import CallRouter
from npsbridge.engine.intake import Intake
from npsbridge.engine.lead import Lead
from npsbridge.engine.poll import Poller
from npsbridge.engine.readback import ReadBack
from npsbridge.engine.router import Desk, Router
from npsbridge.engine.seams import Seams
from npsbridge.engine.supervise import supervise
from npsbridge.engine.upkeep import WORK, Upkeep
from npsbridge.settings import Settings, SurveySettings

Run = Callable[[], Awaitable[None]]

RECORDS_AHEAD = 600
"""Read and not yet decided about: two runs of the router."""
DELIVERIES_AHEAD = 1_000
"""Decided and not yet sent: a lane always finds a batch and the next one."""
READ_LATELY = 1_000
"""Records of each connection that need not be parsed again: several pages, so that the router may lag behind a bit."""


class _Remembering(Protocol):
    """What `lru_cache` makes of a function."""

    def cache_clear(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Loops:
    """Everything that runs, by the name it has in logs and metrics."""

    seams: Seams
    intake: Intake
    readbacks: dict[str, ReadBack]
    """What becomes of the hints of webhooks, by connection."""
    budgets: Budgets
    """What is used of each account's limit."""
    team: Team
    """This daemon among those that share its store."""
    own: dict[str, Run]
    """What every daemon does for itself; can be cancelled at any moment."""
    feeding: dict[str, Run]
    """What brings work, of all daemons one at a time; can be cancelled at any moment."""
    lanes: dict[str, Callable[[], Lane]]
    """What sends, of all daemons one at a time; a lane finishes its attempt before it ends."""
    bells: Sequence[Bell]
    """What wakes each of them."""

    def wake(self) -> None:
        """Have every loop look for work."""
        for bell in self.bells:
            bell.ring()

    def start_feeding(self, group: TaskGroup) -> None:
        """Start what brings work, as children of the group."""
        for name, run in self.own.items():
            group.start_soon(self._supervised, name, run, name=name)
        for name, run in self.feeding.items():
            group.start_soon(self.team.do, name, partial(self._feed, name, run), name=name)

    def start_lanes(self, group: TaskGroup) -> None:
        """Start what sends, as children of the group."""
        for name, make in self.lanes.items():
            group.start_soon(self.team.do, name, partial(self._send, name, make), name=name)

    def stop_lanes(self, group: TaskGroup, within: float) -> None:
        """Let attempts under way finish, for so many seconds at most; what is owed stays in the store."""
        self.team.stop(self.lanes)
        group.cancel_scope.deadline = anyio.current_time() + within

    def _feed(self, name: str, run: Run) -> Work:
        return Work(partial(self._supervised, name, run))

    def _send(self, name: str, make: Callable[[], Lane]) -> Work:
        lane = make()
        return Work(partial(self._supervised, name, lane.run), stop=lane.stop)

    async def _supervised(self, name: str, run: Run) -> None:
        try:
            await supervise(name, run, clock=self.seams.clock, metrics=self.seams.metrics)
        finally:
            for direction, work in WORK.items():
                self.seams.board.let_go(name.removeprefix(f"{work} "), direction)


def make_loops(settings: Settings, parts: Parts, seams: Seams) -> Loops:
    """Make every loop that these parts need."""
    bell, bells = Lead(RECORDS_AHEAD), _leads([*parts.sinks, *parts.forwarders])
    # The intake reads what it journals, and the router a moment later what is in the journal: the same records.
    parsers = {name: lru_cache(maxsize=READ_LATELY)(parse) for name, parse in parts.parsers.items()}
    intake = Intake(seams, bell, parsers)
    readbacks = {name: ReadBack(name, source, seams, intake) for name, source in parts.lookups.items()}
    is_shared = seams.store.leases.is_shared
    # Where replicas share an account's limit, the store knows what of it is used.
    budgets = Budgets({} if is_shared else parts.windows, seams)
    desk = _desk(settings, parts, seams, parsers)
    feeding: dict[str, Run] = {}
    if parts.sinks or takes_calls(settings):
        feeding["router"] = Router(desk, seams, bell=bell, bells=bells).run
    feeding |= {f"poll {source.connection}": Poller(source, seams, intake).run for source in parts.sources}
    feeding |= {f"read back {name}": readback.run for name, readback in readbacks.items()}
    lanes = _lanes(settings, parts, seams, bells)
    team = Team(seams.store.leases, this_replica(settings, ["purge", *feeding, *lanes], seams.clock), seams.clock)
    all_bells = [bell, *bells.values(), *(readback.bell for readback in readbacks.values())]
    forget = partial(_forget_people, list(parsers.values()), desk.calls)
    upkeep = Upkeep(
        seams, retention=_retention(settings), bells=all_bells, team=team if is_shared else None, forget=forget
    )
    return Loops(
        seams=seams,
        intake=intake,
        readbacks=readbacks,
        budgets=budgets,
        team=team,
        own={"listen": upkeep.listen, "budgets": budgets.run},
        feeding={**feeding, "purge": upkeep.purge},
        lanes=lanes,
        bells=all_bells,
    )


def _desk(settings: Settings, parts: Parts, seams: Seams, parsers: Mapping[str, Parser]) -> Desk:
    calls = CallRouter(parts.forwarders, seams, max_age=settings.ingest.max_trigger_age)
    return Desk(parsers=parsers, sinks=parts.sinks, rules=rules(settings), calls=calls)


def _retention(settings: Settings) -> Retention:
    kept = settings.retention
    return Retention(journal=kept.journal, delivered=kept.delivered, dead=kept.dead)


def _forget_people(parsers: Sequence[_Remembering], calls: CallRouter) -> None:
    """Keep no record in memory that was read lately, nor any id or email."""
    for parse in parsers:
        parse.cache_clear()
    calls.forget_people()
    forget_people()


def _lanes(settings: Settings, parts: Parts, seams: Seams, bells: Mapping[str, Lead]) -> dict[str, Callable[[], Lane]]:
    """What makes each lane, whenever it is this replica's."""
    lanes: dict[str, Callable[[], Lane]] = {}
    for sink in parts.sinks:
        lanes[f"forward {sink.connection}"] = partial(
            Lane,
            sink,
            seams,
            bell=bells[sink.connection],
            give_up_after=settings.retention.retry,
            frozen=parts.frozen.get(sink.connection),
        )
    for forwarder in parts.forwarders:
        lanes[f"forward {forwarder.connection}"] = partial(
            _forwarding_lane, forwarder, seams, bell=bells[forwarder.connection], settings=settings
        )
    return lanes


def _leads(senders: Sequence[Sender]) -> dict[str, Lead]:
    return {sender.connection: Lead(DELIVERIES_AHEAD) for sender in senders}


def _forwarding_lane(forwarder: Forwarder, seams: Seams, *, bell: Lead, settings: Settings) -> Lane:
    """A lane with doubts of its own, for what was under way is taken up afresh whenever a lane begins."""
    doubts = Doubts(forwarder, seams, on_unknown=_on_unknown(settings, forwarder.connection))
    return Lane(forwarder, seams, bell=bell, give_up_after=settings.retention.retry, doubts=doubts)


def _on_unknown(settings: Settings, connection: str) -> str:
    found = settings.connections[connection].settings
    return found.on_unknown if isinstance(found, SurveySettings) else "hold"
