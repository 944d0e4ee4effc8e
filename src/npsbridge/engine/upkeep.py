"""What has to be done now and then: forget what is past its retention, notice what other processes wrote."""

from collections.abc import Callable, Iterable

import anyio

from npsbridge.core.records import Retention
from npsbridge.engine.bell import Bell
from npsbridge.engine.board import Direction
from npsbridge.engine.fleet import Team
from npsbridge.engine.seams import Seams
from npsbridge.errors import StoreUnavailable

PURGE_EVERY = 600.0
BETWEEN_CHUNKS = 0.05
LOOK_EVERY = 1.0
LOOK_AT_OTHERS_EVERY = 0.25
"""Seconds, where other replicas journal what is this one's to route or to deliver."""
RING_ANYWAY = 5.0
"""Seconds after which the loops look although nobody has told of anything: what one replica tells may be lost."""


class Upkeep:
    """Two quiet loops over the store."""

    def __init__(
        self,
        seams: Seams,
        *,
        retention: Retention,
        bells: Iterable[Bell],
        team: Team | None = None,
        forget: Callable[[], None] = lambda: None,
    ) -> None:
        """Make them.

        Args:
            seams: what every loop shares.
            retention: how long what is kept.
            bells: what wakes the loops.
            team: where others share the store; they are shown as well.
            forget: keeps nobody in memory; called once somebody was erased, here or by another process.
        """
        self._seams = seams
        self._team = team
        self._forget = forget
        self._erasures = 0
        self._retention = retention
        self._bells = tuple(bells)

    async def purge(self) -> None:
        """Delete what is past its retention, a little at a time; cancelled from outside."""
        while True:
            has_more = await self._purge_some()
            await anyio.sleep(BETWEEN_CHUNKS if has_more else PURGE_EVERY)

    async def _purge_some(self) -> bool:
        """Delete a chunk; whether there may be another."""
        try:
            deleted = await self._seams.store.purge(now=self._seams.ageing.now_ms(), retention=self._retention)
            await self._seams.ageing.note()
        except StoreUnavailable:
            return False  # deleting needs a little room itself; the next time finds some
        return deleted > 0

    async def listen(self) -> None:
        """Tell every loop when another process (a replica, a verb of the command line) has written to the store."""
        is_shared = self._team is not None
        pause, quiet = LOOK_AT_OTHERS_EVERY if is_shared else LOOK_EVERY, 0.0
        while True:
            await anyio.sleep(pause)
            quiet += pause
            try:
                is_news = await self._seams.store.changed_elsewhere()
                if is_news or (is_shared and quiet >= RING_ANYWAY):
                    quiet = 0.0
                    await self._take_notice()
                if quiet % LOOK_EVERY == 0:
                    await self._forget_the_erased()
            except StoreUnavailable:
                continue  # the heartbeat tells of it

    async def _take_notice(self) -> None:
        self._seams.pauses.learn(await self._seams.store.facts())
        if (team := self._team) is not None:
            noted = await self._seams.store.health()
            self._seams.board.learn(
                one for one in noted if team.has_somebody_for(work_of(one.connection, one.direction))
            )
        for bell in self._bells:
            bell.ring()

    async def _forget_the_erased(self) -> None:
        """Whoever was erased is in no memory of this process from now on, be it ever so short."""
        erasures = await self._seams.store.erasures()
        if erasures != self._erasures:
            self._forget()
        self._erasures = erasures


def work_of(connection: str, direction: str) -> str:
    """The piece of work that one direction of a connection is."""
    return f"{WORK[Direction(direction)]} {connection}"


WORK = {Direction.PULL: "poll", Direction.FORWARD: "forward"}
