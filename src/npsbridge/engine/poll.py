"""One poller per source: a round, a pause, and what a vendor's refusal means for the next round."""

import anyio
from loguru import logger

from npsbridge.core.pace import backoff
from npsbridge.core.ports import Page, Source
from npsbridge.core.reading import digest
from npsbridge.core.records import Shelved
from npsbridge.engine.board import Condition, Direction
from npsbridge.engine.intake import Intake
from npsbridge.engine.pauses import by_hand
from npsbridge.engine.seams import Seams
from npsbridge.errors import Gone, PersonMustAct, StoreUnavailable, TryLater, UnreadablePage

FIRST_BACKOFF, LONGEST_BACKOFF = 1.0, 120.0
"""Seconds between rounds that fail for a passing reason."""
FIRST_PROBE, LONGEST_PROBE = 30.0, 600.0
"""Seconds between looks whether a paused connection works again; a key may be mended at the vendor's side."""


class Poller:
    """Reads one source round by round."""

    def __init__(self, source: Source, seams: Seams, intake: Intake) -> None:
        self._source = source
        self._name = source.connection
        self._seams = seams
        self._intake = intake
        self._failures = 0
        self._has_data = False
        self._unreadable: str | None = None
        """The page that was told of last; it is not told of again while it stays so."""

    async def run(self) -> None:
        """Poll until the service has ended, but not while the connection is paused; cancelled from outside."""
        facts = await self._seams.store.facts()
        self._has_data = self._fact in facts
        self._seams.pauses.learn(facts)
        await self._seams.pauses.run_between(self._name, self._poll, stand_still=self._stand_still)

    async def _stand_still(self) -> None:
        await self._note(Condition.PAUSED, by_hand(self._name))

    async def _poll(self) -> None:
        await self._note(self._resting)
        pause = await self.step()
        while pause is not None:
            next_at = self._seams.clock.now_ms() + int(pause * 1000)
            self._seams.board.expect(self._name, Direction.PULL, next_at)
            await anyio.sleep(pause)
            pause = await self.step()

    async def step(self) -> float | None:
        """One round; returns the seconds until the next one, or None when there will be none."""
        try:
            await self._round()
        except Gone as gone:
            self._count("retired")
            await self._note(Condition.RETIRED, str(gone))
            return None
        except PersonMustAct as refusal:
            self._count("paused")
            await self._note(Condition.PAUSED, str(refusal))
            return self._backoff(FIRST_PROBE, LONGEST_PROBE)
        except (TryLater, StoreUnavailable) as trouble:
            self._count("retry")
            await self._note(Condition.RETRYING, str(trouble))
            return await self._after(trouble)
        self._count("ok")
        self._failures, self._unreadable = 0, None
        self._seams.metrics.poll_last_success.labels(self._name).set(self._seams.clock.now_ms() / 1000)
        await self._note(self._resting)
        return self._source.poll_interval

    def _count(self, result: str) -> None:
        self._seams.metrics.poll_rounds.labels(self._name, result).inc()

    async def _round(self) -> None:
        reached = await self._seams.store.checkpoint(self._name)
        async for page in self._source.read(reached):
            new = await self._intake.page(self._name, page)
            # Only what leads on counts as success: a round that fails at the same place every time, behind pages
            # that were read before, must be asked for ever less often, and is one outage.
            if new or page.checkpoint != reached:
                self._failures, reached = 0, page.checkpoint
                await self._tell(page, has_new=new > 0)

    async def _tell(self, page: Page, *, has_new: bool) -> None:
        if has_new and not self._has_data:
            await self._seams.store.note_fact(self._fact, str(self._seams.clock.now_ms()))
            self._has_data = True
        if page.backfilling:
            await self._note(Condition.BACKFILLING, progress=page.progress)
        else:
            await self._note(self._resting)

    async def _after(self, trouble: TryLater | StoreUnavailable) -> float:
        """Seconds until it is worth asking again; an unreadable page goes to the shelf in the meantime."""
        if isinstance(trouble, UnreadablePage):
            await self._shelve(trouble)
        pause = self._backoff(FIRST_BACKOFF, LONGEST_BACKOFF)
        if isinstance(trouble, TryLater) and trouble.after is not None:
            # A vendor that says 0 each time is not asked without end.
            return max(trouble.after, min(pause, FIRST_BACKOFF))
        return pause

    async def _shelve(self, page: UnreadablePage) -> None:
        """Show what came on the shelf: once for the same trouble at the same place, whatever the page says."""
        reason = f"{page} (asked for {page.location})"
        item = Shelved(connection=self._name, kind="page", key=digest(reason.encode()), reason=reason, body=page.body)
        bound = logger.bind(connection=self._name, key=item.key, reason=reason)
        if item.key != self._unreadable:
            bound.warning("An answer cannot be read; it is on the shelf of the dead, and is asked for again")
            self._unreadable = item.key
        try:
            await self._seams.store.shelve(item)
        except StoreUnavailable:
            bound.warning("An unreadable answer was not shelved: no room")

    def _backoff(self, first: float, longest: float) -> float:
        self._failures += 1
        return backoff(self._failures, jitter=self._seams.jitter(), base=first, cap=longest)

    async def _note(self, condition: Condition, reason: str | None = None, progress: float | None = None) -> None:
        await self._seams.board.note(self._name, Direction.PULL, condition, reason=reason, progress=progress)

    @property
    def _resting(self) -> Condition:
        return Condition.CONNECTED if self._has_data else Condition.WAITING_FOR_DATA

    @property
    def _fact(self) -> str:
        return first_response_fact(self._name)


def first_response_fact(connection: str) -> str:
    """The name of the fact that says when something was first read from a connection."""
    return f"first_response_at:{connection}"
