"""Which pieces of work are this replica's, and the tasks that do them while they are.

One heartbeat renews what is held, sees who else is there, and takes or leaves work so that all do about the same. What
has not been renewed in time may be somebody else's by now: until it is renewed nothing leaves under it (the HTTP client
asks), and nothing is written under it (the store asks). Knows neither what the work is nor how a store keeps leases.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

import anyio
import msgspec
from loguru import logger

from npsbridge.clock import Clock
from npsbridge.core.leases import Fleet, Lease, Leases, Replica, shares, under
from npsbridge.core.storage import Store
from npsbridge.engine.roster import Disagreement, disagreements
from npsbridge.errors import LeaseLost, StoreError, StoreUnavailable

LEASE_SECONDS: Final = 15.0
"""After so long without a heartbeat others take over."""
MARGIN_SECONDS: Final = 3.0
"""So much earlier nothing leaves any more: what is on its way has arrived when another begins."""
BEAT_SECONDS: Final = 2.5
LEAVE_SECONDS: Final = 5.0

Run = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Work:
    """One piece of work, begun afresh each time it becomes ours."""

    run: Run
    stop: Callable[[], None] | None = None
    """Have it end when it is ready to; without, it can be cancelled at any moment."""


@dataclass(eq=False, slots=True)
class _Tenure:
    """One time of holding one piece of work."""

    lease: Lease
    deadline: "_Deadline | None" = None
    """None where nobody else could take it."""
    is_ending: bool = False
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    stop: Callable[[], None] | None = None

    def end(self) -> None:
        """Have the work end, in peace where it can."""
        self.is_ending = True
        (self.stop or self.scope.cancel)()


class _Deadline:
    """Until when a lease is good, by two clocks: one counts sleep of the machine, the other what a host hides."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._uptime = self._wall_ms = float("inf")

    def set(self, begun: tuple[float, float], seconds: float) -> None:
        """So many seconds from a moment, which `moment` told before the store was asked."""
        uptime, wall_ms = begun
        self._uptime, self._wall_ms = uptime + seconds, wall_ms + seconds * 1000

    def is_ahead(self) -> bool:
        """Whether it has not come yet, by either clock."""
        uptime, wall_ms = moment(self._clock)
        return uptime < self._uptime and wall_ms < self._wall_ms


def moment(clock: Clock) -> tuple[float, float]:
    """Now, by the two clocks of a deadline."""
    return clock.uptime(), float(clock.now_ms())


class Team:
    """This replica among the others."""

    def __init__(self, leases: Leases, me: Replica, clock: Clock) -> None:
        self._leases = leases
        self._me = me
        self._clock = clock
        self._tenures: dict[str, _Tenure] = {}
        self._changed = anyio.Event()
        self._is_stopping = False
        self._is_cut_off = False
        self._told: dict[str, Disagreement] = {}
        self.fleet = Fleet(now=clock.now_ms())
        """As it was when it was last seen."""

    @property
    def name(self) -> str:
        """What this replica is called among the others."""
        return self._me.id

    def has_somebody_for(self, work: str) -> bool:
        """Whether a replica does this piece of work, as far as was last seen."""
        return any(one.name == work and one.holder is not None for one in self.fleet.holdings)

    @asynccontextmanager
    async def joined(self) -> AsyncIterator[None]:
        """Be one of the fleet for the length of a block; at its end what is held is free for others at once."""
        if not self._leases.is_shared:
            yield
            return
        await self._beat()
        async with anyio.create_task_group() as group:
            group.start_soon(self._beat_for_ever, name="heartbeat")
            try:
                yield
            finally:
                group.cancel_scope.cancel()
                await self._leave()

    async def _leave(self) -> None:
        held = {name: one.lease.fence for name, one in self._tenures.items()}
        with anyio.move_on_after(LEAVE_SECONDS, shield=True), suppress(StoreError):
            await self._leases.give_back(held)
            await self._leases.leave(self._me.id)

    # --- the work ---------------------------------------------------------------------------------------------------

    async def do(self, name: str, begin: Callable[[], Work]) -> None:
        """Do a piece of work whenever it is ours, until `stop`; cancelled from outside.

        Work that ends by itself has no more to do, and is not begun again while it stays ours.
        """
        while (tenure := await self._granted(name)) is not None:
            with under(tenure.lease), tenure.scope:
                try:
                    await self._work(tenure, begin())
                except LeaseLost as lost:
                    logger.bind(work=name).warning("Work was left to another replica: {}", lost)
                    self._drop(name, tenure)
                    continue
            await self._give_back(name, tenure)

    async def _work(self, tenure: _Tenure, work: Work) -> None:
        tenure.stop = work.stop
        if self._is_over(tenure):
            return
        await work.run()
        tenure.stop = None
        if not self._is_over(tenure):
            await anyio.sleep_forever()

    def _is_over(self, tenure: _Tenure) -> bool:
        return tenure.is_ending or self._is_stopping

    async def _granted(self, name: str) -> _Tenure | None:
        """The next time of holding it; None once all is to stop."""
        while not self._is_stopping:
            if not self._leases.is_shared and name not in self._tenures:
                self._tenures[name] = _Tenure(Lease(name, 0, lambda: True))
            if (tenure := self._tenures.get(name)) is not None:
                return tenure
            await self._changed.wait()
        return None

    def stop(self, names: Collection[str]) -> None:
        """Have these pieces of work end in peace, and none begin any more."""
        self._is_stopping = True
        self._ring()
        for name in names:
            if tenure := self._tenures.get(name):
                tenure.end()

    async def _give_back(self, name: str, tenure: _Tenure) -> None:
        self._drop(name, tenure)
        # A daemon that ends by an error cuts its lanes short here: the next one is not to wait for the deadline.
        with anyio.move_on_after(LEAVE_SECONDS, shield=True), suppress(StoreError):
            await self._leases.give_back({name: tenure.lease.fence})

    def _drop(self, name: str, tenure: _Tenure) -> None:
        if self._tenures.get(name) is tenure:
            del self._tenures[name]

    def _ring(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    # --- the heartbeat ----------------------------------------------------------------------------------------------

    async def _beat_for_ever(self) -> None:
        while True:
            await anyio.sleep(BEAT_SECONDS)
            try:
                await self._beat()
            except StoreUnavailable as error:
                self._tell_cut_off(error)

    async def _beat(self) -> None:
        begun, held = moment(self._clock), dict(self._tenures)
        fences = {name: one.lease.fence for name, one in held.items()}
        self.fleet = await self._leases.announce(self._me, fences, seconds=LEASE_SECONDS)
        self._tell_back()
        self._renew(held, begun)
        self._note_skew(begun)
        self._warn()
        share = shares(self.fleet, self._me.id)
        for name in share.give:
            if name in self._tenures and not self._is_stopping:
                self._tenures[name].end()
        if share.take and not self._is_stopping:
            await self._take(share.take, moment(self._clock))

    def _renew(self, held: Mapping[str, _Tenure], begun: tuple[float, float]) -> None:
        now_held = {one.name: one.fence for one in self.fleet.holdings if one.holder == self._me.id}
        for name, tenure in held.items():
            if tenure.deadline is not None and now_held.get(name) == tenure.lease.fence:
                tenure.deadline.set(begun, LEASE_SECONDS - MARGIN_SECONDS)
            elif self._tenures.get(name) is tenure:
                logger.bind(work=name).warning("Another replica has taken over what this one did for too long unheard")
                self._drop(name, tenure)
                tenure.scope.cancel()

    async def _take(self, names: Collection[str], begun: tuple[float, float]) -> None:
        taken = await self._leases.take(names, holder=self._me.id, seconds=LEASE_SECONDS)
        for name, fence in taken.items():
            deadline = _Deadline(self._clock)
            deadline.set(begun, LEASE_SECONDS - MARGIN_SECONDS)
            self._tenures[name] = _Tenure(Lease(name, fence, deadline.is_ahead), deadline)
        if taken:
            logger.bind(work=sorted(taken), replica=self._me.id).info("This replica has taken up work")
        self._ring()

    # --- what the operator should hear --------------------------------------------------------------------------------

    def _tell_cut_off(self, error: StoreUnavailable) -> None:
        if not self._is_cut_off:
            logger.bind(reason=str(error)).warning("The store cannot be reached; nothing is accepted or sent meanwhile")
        self._is_cut_off = True

    def _tell_back(self) -> None:
        if self._is_cut_off:
            logger.info("The store can be reached again")
        self._is_cut_off = False

    def _note_skew(self, begun: tuple[float, float]) -> None:
        """The store's clock was read somewhere between the question and the answer."""
        middle = (begun[1] + self._clock.now_ms()) / 2
        self._me = msgspec.structs.replace(self._me, skew=round(middle - self.fleet.now))

    def _warn(self) -> None:
        found = {one.about: one for one in disagreements(self.fleet)}
        for about in found.keys() - self._told.keys():
            logger.warning(found[about].text)
        for about in self._told.keys() - found.keys():
            logger.info(self._told[about].ended)
        self._told = found


async def seen_lately(store: Store) -> Fleet:
    """All replicas on a store, and who holds what; nobody where one daemon has it alone.

    Raises:
        StoreUnavailable: it cannot be reached now.
    """
    return await store.leases.fleet(seconds=LEASE_SECONDS)
