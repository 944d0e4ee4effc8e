"""The loops of a daemon, made from its parts: which there are, and in which order they start and stop."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import anyio
from anyio.abc import TaskGroup

from npsbridge.app.parts import Parts, rules, takes_calls
from npsbridge.core.records import Retention
from npsbridge.engine.bell import Bell
from npsbridge.engine.budgets import Budgets
from npsbridge.engine.dispatch import Lane
from npsbridge.engine.doubt import Doubts
from npsbridge.engine.forwarding import CallRouter
from npsbridge.engine.intake import Intake
from npsbridge.engine.poll import Poller
from npsbridge.engine.readback import ReadBack
from npsbridge.engine.router import Desk, Router
from npsbridge.engine.seams import Seams
from npsbridge.engine.supervise import supervise
from npsbridge.engine.upkeep import Upkeep
from npsbridge.settings import Settings, SurveySettings

Run = Callable[[], Awaitable[None]]

READ_LATELY = 1_000
"""Records of each connection that need not be parsed again: several pages, so that the router may lag behind a bit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loops:
    """Everything that runs, by the name it has in logs and metrics."""

    seams: Seams
    intake: Intake
    readbacks: dict[str, ReadBack]
    """What becomes of the hints of webhooks, by connection."""
    budgets: Budgets
    """What is used of each account's limit."""
    feeding: dict[str, Run]
    """What brings work; can be cancelled at any moment."""
    lanes: dict[str, Lane]
    """What sends; a lane finishes its attempt before it ends."""
    bells: Sequence[Bell]
    """What wakes each of them."""

    def wake(self) -> None:
        """Have every loop look for work."""
        for bell in self.bells:
            bell.ring()

    def start_feeding(self, group: TaskGroup) -> None:
        """Start what brings work, as children of the group."""
        for name, run in self.feeding.items():
            self._start(group, name, run)

    def start_lanes(self, group: TaskGroup) -> None:
        """Start what sends, as children of the group."""
        for name, lane in self.lanes.items():
            self._start(group, name, lane.run)

    def stop_lanes(self, group: TaskGroup, within: float) -> None:
        """Let attempts under way finish, for so many seconds at most; what is owed stays in the store."""
        for lane in self.lanes.values():
            lane.stop()
        group.cancel_scope.deadline = anyio.current_time() + within

    def _start(self, group: TaskGroup, name: str, run: Run) -> None:
        async def task() -> None:
            await supervise(name, run, clock=self.seams.clock, metrics=self.seams.metrics)

        group.start_soon(task, name=name)


def make_loops(settings: Settings, parts: Parts, seams: Seams) -> Loops:
    """Make every loop that these parts need."""
    bell, bells = Bell(), {sender.connection: Bell() for sender in (*parts.sinks, *parts.forwarders)}
    # The intake reads what it journals, and the router a moment later what is in the journal: the same records.
    parsers = {name: lru_cache(maxsize=READ_LATELY)(parse) for name, parse in parts.parsers.items()}
    intake = Intake(seams, bell, parsers)
    calls = CallRouter(parts.forwarders, seams, max_age=settings.ingest.max_trigger_age)
    desk = Desk(parsers=parsers, sinks=parts.sinks, rules=rules(settings), calls=calls)
    kept = settings.retention
    retention = Retention(journal=kept.journal, delivered=kept.delivered, dead=kept.dead)
    upkeep = Upkeep(seams, retention=retention, bells=[bell, *bells.values()])
    budgets = Budgets(parts.windows, seams)
    feeding: dict[str, Run] = {"purge": upkeep.purge, "listen": upkeep.listen, "budgets": budgets.run}
    if parts.sinks or takes_calls(settings):
        feeding["router"] = Router(desk, seams, bell=bell, bells=bells).run
    for source in parts.sources:
        feeding[f"poll {source.connection}"] = Poller(source, seams, intake).run
    readbacks = {name: ReadBack(name, source, seams, intake) for name, source in parts.lookups.items()}
    feeding |= {f"read back {name}": readback.run for name, readback in readbacks.items()}
    lanes = {
        f"forward {sink.connection}": Lane(
            sink,
            seams,
            bell=bells[sink.connection],
            give_up_after=kept.retry,
            frozen=parts.frozen.get(sink.connection),
        )
        for sink in parts.sinks
    }
    for forwarder in parts.forwarders:
        name = forwarder.connection
        doubts = Doubts(forwarder, seams, on_unknown=_on_unknown(settings, name))
        lane = Lane(forwarder, seams, bell=bells[name], give_up_after=kept.retry, doubts=doubts)
        lanes[f"forward {name}"] = lane
    return Loops(
        seams=seams,
        intake=intake,
        readbacks=readbacks,
        budgets=budgets,
        feeding=feeding,
        lanes=lanes,
        bells=[bell, *bells.values()],
    )


def _on_unknown(settings: Settings, connection: str) -> str:
    found = settings.connections[connection].settings
    return found.on_unknown if isinstance(found, SurveySettings) else "hold"
