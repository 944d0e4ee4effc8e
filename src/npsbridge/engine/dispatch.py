"""One lane per destination: claims what is ready, attempts it, records what became of it.

The lane sends one batch at a time, so that what is accepted first arrives first. What was delivered is written down
while the next batch is under way; a delivery that was sent and not yet settled when the process dies is sent again
under the same messageId.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

import anyio
from loguru import logger

from npsbridge.core.forward import superseded
from npsbridge.core.model import Delivery, State
from npsbridge.core.outcome import (
    Declined,
    Delivered,
    Outcome,
    Paused,
    Rejected,
    Retired,
    RetryLater,
    Undone,
    Unknown,
)
from npsbridge.core.pace import RateWindow
from npsbridge.core.ports import Sender
from npsbridge.core.records import Settlement
from npsbridge.core.settle import Pace, Verdict, next_pace, settlements
from npsbridge.engine.abreast import Abreast
from npsbridge.engine.board import Condition, Direction
from npsbridge.engine.doubt import Doubts
from npsbridge.engine.lead import Lead
from npsbridge.engine.pauses import by_hand
from npsbridge.engine.seams import Seams
from npsbridge.errors import StoreError, StoreUnavailable
from npsbridge.telemetry import NAMED, hears, of_several

FULL_DISK_PAUSE = 5.0
LONGEST_SLEEP = 3600.0
PEOPLE_AT_ONCE = 8
"""Requests under way at once, to a survey platform that takes one person each; its limit holds all the same."""
LOOK_AHEAD = 100
"""Deliveries among which a newer identify makes an older one superfluous, if no more go together."""
LONGEST_BATCH = 5.0
"""Seconds after which nobody else leaves with a batch: what became of it is written down before more is under way."""
MOST_AHEAD = 20
"""Batches after which what is owed is looked through from its beginning again, where something may be owed anew."""
HELD_UP_PAUSE = 1.0
"""Seconds until a delivery is looked at again whose time has come, but which an earlier one of its person holds up."""
LONGEST_PUT_OFF_MS = 900_000
"""Beyond what any delivery is made to wait, by a backoff or by the wish of its destination."""
LONG_IN_HAND = 1.0
"""Seconds from its claim after which a delivery that is about to leave is looked up again: is it still owed?"""
SHORTEST_PAUSE = 0.5
"""Seconds after trouble, whatever the destination says: `Retry-After: 0` is no invitation to ask without end."""

ATTEMPTED: Final = "A delivery was attempted"
DEAD: Final = "Deliveries are dead: they will never be taken as they are; npsbridge outbox list --state dead"

RESULTS: Final[dict[type[Outcome], str]] = {
    Delivered: "delivered",
    RetryLater: "retry",
    Rejected: "dead",
    Paused: "paused",
    Retired: "retired",
    Unknown: "held",
    Undone: "undone",
    Declined: "declined",
}
"""The word in the metrics for each outcome."""


class Lane:
    """Everything owed to one destination, in order."""

    def __init__(
        self,
        destination: Sender,
        seams: Seams,
        *,
        bell: Lead,
        give_up_after: float,
        frozen: Mapping[str, str] | None = None,
        doubts: Doubts | None = None,
    ) -> None:
        """Make a lane.

        Args:
            destination: where to.
            seams: what every loop shares.
            bell: rung when something is owed.
            give_up_after: seconds after which a delivery that keeps failing is dead.
            frozen: facts that the first delivery makes true for good.
            doubts: for a destination that is asked for what must not happen twice.
        """
        self._doubts = doubts
        self._sender: Sender = destination
        self._goes_abreast = doubts is not None and destination.batch_limit == 1
        if self._goes_abreast:
            self._sender = Abreast(destination, PEOPLE_AT_ONCE, set_out=self._set_out, goes_on=self._goes_on_with_batch)
        self._frozen = frozen or {}
        self._name = destination.connection
        self._seams = seams
        self._store = seams.store
        self._bell = bell
        self._give_up_after = give_up_after
        self._window = RateWindow(destination.rate_limit, 1.0)
        self._pace = Pace(size=self._sender.batch_limit)
        self._stopping = anyio.Event()
        self._has_delivered = False
        self._ahead: list[Delivery] = []
        """What was claimed while the batch before it was under way."""
        self._ahead_claimed_at = self._claimed_at = 0.0
        """When that was claimed, and what is in hand: on the loop's clock."""
        self._batch_began_at = 0.0
        self._batches_ahead = 0
        self._left_something = False
        """Whether of the last batch anything was not delivered."""
        self._unrecorded: list[Settlement] = []
        """What was delivered last, to be written down while the batch that was claimed ahead is under way."""

    def stop(self) -> None:
        """Finish the attempt under way, then let `run` return."""
        self._stopping.set()
        self._bell.ring()

    async def run(self) -> None:
        """Deliver until stopped, or until the destination has ended for good."""
        facts = await self._store.facts()
        self._has_delivered = first_delivery_fact(self._name) in facts
        self._seams.pauses.learn(facts)
        if not self._is_paused:
            await self._note(self._resting)
        if self._doubts:
            await self._doubts.recall()
        try:
            while not self._stopping.is_set() and self._pace.verdict is not Verdict.RETIRED:
                await self._go_on()
            with suppress(StoreUnavailable):  # then it is sent again
                await self._record_delivered()
        finally:
            self._bell.rest()

    async def _go_on(self) -> None:
        try:
            await (self._stand_still() if self._is_paused else self.step())
        except StoreUnavailable:
            self._bell.rest()
            await self._rest(FULL_DISK_PAUSE)

    async def _stand_still(self) -> None:
        """Wait until the operator resumes the connection; whoever does so, or stops the lane, rings."""
        await self._record_delivered()
        await self._note(Condition.PAUSED, by_hand(self._name))
        self._bell.rest()
        while self._is_paused and not self._stopping.is_set():
            await self._bell.wait(LONGEST_SLEEP)
        if not self._is_paused:
            await self._note(self._resting)

    async def step(self) -> None:
        """Attempt one batch, or wait until there may be one."""
        if self._doubts:
            await self._doubts.step()
        now = self._seams.clock.now_ms()
        ahead, self._ahead = self._ahead, []
        if not ahead:  # what is not written down would be claimed again
            await self._record_delivered()
        self._claimed_at = self._ahead_claimed_at if ahead else self._seams.clock.monotonic()
        batch = ahead or await self._claim(now) or await self._left_behind(now)
        if not batch:
            self._bell.rest()
            await self._bell.wait(await self._until_due(now))
            return
        if (pause := self._window.reserve(self._seams.clock.monotonic(), len(batch))) > 0:
            await self._record_delivered()
            await self._rest_unless_paused(pause)
        if not self._goes_on():
            return
        if self._doubts:
            await self._attempt(batch)
        else:
            await self._attempt_and_look_ahead(batch)

    async def _attempt_and_look_ahead(self, batch: Sequence[Delivery]) -> None:
        """Claim what comes next while a batch is under way; it goes next if all of the batch was delivered.

        Meanwhile the batch before this one is written down.
        """
        self._batches_ahead = (self._batches_ahead + 1) % MOST_AHEAD
        troubles: list[StoreError] = []  # as they are, and not in a group
        before, self._unrecorded = self._unrecorded, []
        async with anyio.create_task_group() as group:
            group.start_soon(self._caught, partial(self._record, before), troubles)
            if self._batches_ahead and len(batch) >= self._pace.size:
                group.start_soon(self._look_ahead, batch[-1].id)
            await self._caught(partial(self._attempt, batch), troubles)
        if troubles or self._left_something or self._pace.verdict is not Verdict.FLOWS:
            self._ahead = []
        if troubles:
            raise troubles[0]

    async def _caught(self, do: Callable[[], Awaitable[None]], troubles: list[StoreError]) -> None:
        try:
            await do()
        except StoreError as error:
            troubles.append(error)

    async def _record_delivered(self) -> None:
        """Write down what was delivered and is not written down yet."""
        settled, self._unrecorded = self._unrecorded, []
        await self._record(settled)

    async def _look_ahead(self, after: int) -> None:
        """What is behind a batch, unless something before it waits for its time, and might be overtaken."""
        now = self._seams.clock.now_ms()
        with suppress(StoreError):  # which the next claim will say
            if await self._store.next_due(self._name) is None:
                self._ahead_claimed_at = self._seams.clock.monotonic()
                self._ahead = await self._store.claim(self._name, now=now, limit=self._pace.size, after=after)

    async def _left_behind(self, now: int) -> list[Delivery]:
        """What would wait for longer than anything is put off: since it was, the system's clock has been set back."""
        due = await self._store.next_due(self._name)
        return await self._claim(due) if due is not None and due - now > LONGEST_PUT_OFF_MS else []

    async def _claim(self, now: int) -> list[Delivery]:
        """What is ready. Of what people are told to be like, only the newest is worth a request."""
        if self._doubts is None:
            return await self._store.claim(self._name, now=now, limit=self._pace.size)
        ready = await self._store.claim(self._name, now=now, limit=max(self._pace.size, LOOK_AHEAD))
        if outdated := superseded(ready):
            reason = "a newer identify call says all of it"
            await self._store.settle([Settlement(id=id_, state=State.FILTERED, reason=reason) for id_ in outdated])
        return self._doubts.bearable([one for one in ready if one.id not in outdated][: self._pace.size])

    async def _attempt(self, batch: Sequence[Delivery]) -> None:
        batch = batch if self._goes_abreast else await self._set_out(batch)
        if not batch:
            return
        self._batch_began_at = self._seams.clock.monotonic()
        said = await self._sender.deliver(batch)
        batch, outcomes = self._without_doubts(*self._without_unsent(batch, said))
        jitter = self._seams.jitter()
        settled = settlements(
            batch,
            outcomes,
            now=self._seams.clock.now_ms(),
            aged=self._seams.ageing.now_ms(),
            jitter=jitter,
            give_up_after=self._give_up_after,
        )
        self._left_something = any(one.state is not State.DELIVERED for one in settled)
        if self._ahead and not self._left_something:
            self._unrecorded = settled
        else:
            await self._record(settled)
        self._tell(batch, outcomes, settled)
        self._pace = next_pace(self._pace, said, limit=self._sender.batch_limit, jitter=jitter)
        flows = self._pace.verdict is Verdict.FLOWS
        if flows and self._goes_on():
            self._bell.done(len(batch))
        else:
            self._bell.rest()
        await self._show(settled)
        if not flows:
            await self._rest_unless_paused(max(self._pace.pause, SHORTEST_PAUSE))

    async def _set_out(self, batch: Sequence[Delivery]) -> Sequence[Delivery]:
        """What may leave: of requests that must not be repeated only those whose intent is on disk now.

        Those that were dropped, or erased with their person, since they were claimed have no intent. Others are looked
        up where they were in hand for long, because of a slow vendor or a limit: that costs a read each time.
        """
        if self._seams.clock.monotonic() - self._claimed_at >= LONG_IN_HAND:
            owed = await self._store.still_owed([one.id for one in batch])
            batch = [one for one in batch if one.id in owed]
        if self._doubts is None or not batch:
            return batch
        await self._doubts.set_out(batch)
        if not any(map(self._doubts.concerns, batch)):
            return batch
        intended = {one.id for one in await self._store.inflight(self._name)}
        return [one for one in batch if one.id in intended or not self._doubts.concerns(one)]

    def _without_unsent(
        self, batch: Sequence[Delivery], said: Sequence[Outcome]
    ) -> tuple[Sequence[Delivery], Sequence[Outcome]]:
        """What has left; the rest is in the store as it was."""
        if not self._goes_abreast:
            return batch, said
        sent = [(one, outcome) for one, outcome in zip(batch, said, strict=True) if not isinstance(outcome, Undone)]
        return [one for one, _ in sent], [outcome for _, outcome in sent]

    def _without_doubts(
        self, batch: Sequence[Delivery], outcomes: Sequence[Outcome]
    ) -> tuple[Sequence[Delivery], list[Outcome]]:
        """What is known by now; what is in doubt is asked after later."""
        weighed = self._doubts.weigh(batch, outcomes) if self._doubts else list(outcomes)
        known = [(one, outcome) for one, outcome in zip(batch, weighed, strict=True) if outcome is not None]
        return [one for one, _ in known], [outcome for _, outcome in known]

    async def _record(self, settled: Sequence[Settlement]) -> None:
        """Write down what has changed; what is simply still owed costs neither a write nor an attempt.

        The destination has taken its part by now, so while there is no room the writing is tried again, not the
        sending.
        """
        changed = [one for one in settled if one.state is not State.QUEUED or self._doubts]
        while changed:
            try:
                await self._store.settle(changed)
            except StoreUnavailable:
                await self._rest(FULL_DISK_PAUSE)
                if self._stopping.is_set():
                    raise
            else:
                return

    def _tell(self, batch: Sequence[Delivery], outcomes: Sequence[Outcome], settled: Sequence[Settlement]) -> None:
        for kind, count in Counter(map(type, outcomes)).items():
            self._seams.metrics.deliveries.labels(self._name, RESULTS[kind]).inc(count)
        _tell_dead(self._name, batch, settled)
        if not hears("DEBUG"):
            return
        for delivery, one in zip(batch, settled, strict=True):
            logger.debug(
                ATTEMPTED,
                connection=self._name,
                kind=delivery.kind,
                message_id=delivery.message_id,
                delivery=delivery.id,
                state=one.state.value,
                reason=one.reason,
            )

    async def _show(self, settled: Sequence[Settlement]) -> None:
        """Show the state of the connection; the first delivery of its life is remembered."""
        if not self._has_delivered and any(one.state is State.DELIVERED for one in settled):
            now = str(self._seams.clock.now_ms())
            for name, value in [*self._frozen.items(), (first_delivery_fact(self._name), now)]:
                await self._store.note_fact(name, value)
            self._has_delivered = True
        conditions = {
            Verdict.FLOWS: self._resting,
            Verdict.RETRYING: Condition.RETRYING,
            Verdict.PAUSED: Condition.PAUSED,
            Verdict.RETIRED: Condition.RETIRED,
        }
        await self._note(conditions[self._pace.verdict], self._pace.reason)

    async def _rest(self, seconds: float) -> None:
        """Wait so long, or until there is a reason to stop."""
        if seconds > 0:
            with anyio.move_on_after(seconds):
                await self._stopping.wait()

    async def _rest_unless_paused(self, seconds: float) -> None:
        """Wait so long, or until there is a reason to stop or to stand still."""
        with self._seams.pauses.cut_short(self._name):
            await self._rest(seconds)

    async def _until_due(self, now: int) -> float:
        doubt = self._doubts.wait() if self._doubts else None
        longest = LONGEST_SLEEP if doubt is None else min(LONGEST_SLEEP, doubt)
        due = await self._store.next_due(self._name)
        if due is None:
            return longest
        return min(longest, (due - now) / 1000 if due > now else HELD_UP_PAUSE)

    async def _note(self, condition: Condition, reason: str | None = None) -> None:
        await self._seams.board.note(self._name, Direction.FORWARD, condition, reason=reason)

    def _goes_on(self) -> bool:
        return not (self._stopping.is_set() or self._is_paused)

    def _goes_on_with_batch(self) -> bool:
        return self._goes_on() and self._seams.clock.monotonic() - self._batch_began_at < LONGEST_BATCH

    @property
    def _is_paused(self) -> bool:
        return self._seams.pauses.holds(self._name)

    @property
    def _resting(self) -> Condition:
        return Condition.CONNECTED if self._has_delivered else Condition.WAITING_FOR_DATA


def first_delivery_fact(connection: str) -> str:
    """The name of the fact that says when something was first delivered to a connection."""
    return f"first_delivery_at:{connection}"


def _tell_dead(connection: str, batch: Sequence[Delivery], settled: Sequence[Settlement]) -> None:
    """One line for a batch: after an outage that was too long thousands die of the same."""
    dead = [(delivery, one) for delivery, one in zip(batch, settled, strict=True) if one.state is State.DEAD]
    if not dead:
        return
    message_ids = [delivery.message_id for delivery, _ in dead[:NAMED]]
    several = of_several([one.reason or "" for _, one in dead])
    logger.bind(connection=connection, message_ids=message_ids, **several).error(DEAD)
