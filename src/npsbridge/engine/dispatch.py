"""One lane per destination: claims what is ready, attempts it, records what became of it.

The lane sends one batch at a time, so that what is accepted first arrives first. A delivery that was sent and not yet
settled when the process dies is sent again under the same messageId.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import anyio
from loguru import logger

from npsbridge.clock import Clock
from npsbridge.core.model import Delivery, State
from npsbridge.core.outcome import Outcome
from npsbridge.core.pace import RateWindow
from npsbridge.core.ports import Destination, Settlement, Store
from npsbridge.core.settle import Pace, Verdict, next_pace, settlements
from npsbridge.engine.bell import Bell
from npsbridge.engine.board import Board, Condition, Direction
from npsbridge.errors import StoreFull
from npsbridge.metrics import Metrics

FULL_DISK_PAUSE = 5.0
LONGEST_SLEEP = 3600.0


class Lane:
    """Everything owed to one destination, in order."""

    def __init__(
        self,
        destination: Destination,
        *,
        store: Store,
        board: Board,
        clock: Clock,
        metrics: Metrics,
        bell: Bell,
        jitter: Callable[[], float],
        give_up_after: float,
    ) -> None:
        self._destination = destination
        self._name = destination.connection
        self._store = store
        self._board = board
        self._clock = clock
        self._metrics = metrics
        self._bell = bell
        self._jitter = jitter
        self._give_up_after = give_up_after
        self._window = RateWindow(destination.rate_limit, 1.0)
        self._pace = Pace(size=destination.batch_limit)
        self._stopping = anyio.Event()
        self._has_delivered = False

    def stop(self) -> None:
        """Finish the attempt under way, then let `run` return."""
        self._stopping.set()
        self._bell.ring()

    async def run(self) -> None:
        """Deliver until stopped, or until the destination has ended for good."""
        self._has_delivered = self._fact in await self._store.facts()
        await self._note(self._resting)
        while not self._stopping.is_set() and self._pace.verdict is not Verdict.RETIRED:
            try:
                await self.step()
            except StoreFull:
                await self._rest(FULL_DISK_PAUSE)

    async def step(self) -> None:
        """Attempt one batch, or wait until there may be one."""
        batch = await self._store.claim(self._name, now=self._clock.now_ms(), limit=self._pace.size)
        if not batch:
            await self._bell.wait(await self._until_due())
            return
        await self._rest(self._window.reserve(self._clock.monotonic(), len(batch)))
        if not self._stopping.is_set():
            await self._attempt(batch)

    async def _attempt(self, batch: Sequence[Delivery]) -> None:
        outcomes = await self._destination.deliver(batch)
        settled = settlements(
            batch, outcomes, now=self._clock.now_ms(), jitter=self._jitter(), give_up_after=self._give_up_after
        )
        await self._store.settle(settled)
        self._count(outcomes)
        self._tell_dead(batch, settled)
        self._pace = next_pace(self._pace, outcomes, limit=self._destination.batch_limit, jitter=self._jitter())
        await self._show(settled)
        await self._rest(self._pace.pause)

    async def _show(self, settled: Sequence[Settlement]) -> None:
        if not self._has_delivered and any(one.state is State.DELIVERED for one in settled):
            await self._store.note_fact(self._fact, str(self._clock.now_ms()))
            self._has_delivered = True
        conditions = {
            Verdict.FLOWS: self._resting,
            Verdict.RETRYING: Condition.RETRYING,
            Verdict.PAUSED: Condition.PAUSED,
            Verdict.RETIRED: Condition.RETIRED,
        }
        await self._note(conditions[self._pace.verdict], self._pace.reason)

    def _count(self, outcomes: Sequence[Outcome]) -> None:
        for result, count in Counter(type(outcome).__name__ for outcome in outcomes).items():
            self._metrics.deliveries.labels(self._name, RESULTS[result]).inc(count)

    def _tell_dead(self, batch: Sequence[Delivery], settled: Sequence[Settlement]) -> None:
        for delivery, one in zip(batch, settled, strict=True):
            if one.state is State.DEAD:
                bound = logger.bind(connection=self._name, message_id=delivery.message_id, delivery=delivery.id)
                bound.error("{} will never take this {}: {}", self._name, delivery.kind, one.reason)

    async def _rest(self, seconds: float) -> None:
        if seconds > 0:
            with anyio.move_on_after(seconds):
                await self._stopping.wait()

    async def _until_due(self) -> float:
        due = await self._store.next_due(self._name)
        return LONGEST_SLEEP if due is None else max(0.0, (due - self._clock.now_ms()) / 1000)

    async def _note(self, condition: Condition, reason: str | None = None) -> None:
        await self._board.note(self._name, Direction.FORWARD, condition, reason=reason)

    @property
    def _resting(self) -> Condition:
        return Condition.CONNECTED if self._has_delivered else Condition.WAITING_FOR_DATA

    @property
    def _fact(self) -> str:
        return f"first_delivery_at:{self._name}"


RESULTS = {
    "Delivered": "delivered",
    "RetryLater": "retry",
    "Rejected": "dead",
    "Paused": "paused",
    "Retired": "retired",
    "Unknown": "held",
}
"""The word in the metrics for each outcome."""
