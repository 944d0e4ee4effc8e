"""One poller per source: a round, a pause, and what a vendor's refusal means for the next round."""

from collections.abc import Callable

from loguru import logger

from npsbridge.clock import Clock
from npsbridge.core.pace import backoff
from npsbridge.core.ports import Page, Shelved, Source, Store
from npsbridge.core.reading import digest
from npsbridge.engine.bell import Bell
from npsbridge.engine.board import Board, Condition, Direction
from npsbridge.engine.intake import Intake
from npsbridge.errors import Gone, PersonMustAct, StoreFull, TryLater, UnreadablePage
from npsbridge.metrics import Metrics

LONGEST_BACKOFF = 120.0
FIRST_PROBE, LONGEST_PROBE = 30.0, 600.0
"""Seconds between looks whether a paused connection works again; a key may be mended at the vendor's side."""


class Poller:
    """Reads one source round by round."""

    def __init__(
        self,
        source: Source,
        *,
        store: Store,
        intake: Intake,
        board: Board,
        clock: Clock,
        metrics: Metrics,
        bell: Bell,
        jitter: Callable[[], float],
    ) -> None:
        self._source = source
        self._name = source.connection
        self._store = store
        self._intake = intake
        self._board = board
        self._clock = clock
        self._metrics = metrics
        self._bell = bell
        self._jitter = jitter
        self._failures = 0
        self._has_data = False

    async def run(self) -> None:
        """Poll until the service has ended; cancelled from outside."""
        self._has_data = self._fact in await self._store.facts()
        await self._note(self._resting)
        while True:
            try:
                await self._round()
            except Gone as gone:
                await self._note(Condition.RETIRED, str(gone))
                return
            except PersonMustAct as refusal:
                delay = self._failed(FIRST_PROBE, LONGEST_PROBE)
                await self._note(Condition.PAUSED, str(refusal))
            except (TryLater, StoreFull) as trouble:
                delay = await self._retry(trouble)
            else:
                self._failures, delay = 0, self._source.poll_interval
            await self._bell.wait(delay)

    async def _round(self) -> None:
        checkpoint = await self._store.checkpoint(self._name)
        async for page in self._source.read(checkpoint):
            await self._take(page)
            self._failures = 0
        self._metrics.poll_last_success.labels(self._name).set(self._clock.now_ms() / 1000)
        await self._note(self._resting)

    async def _take(self, page: Page) -> None:
        new = await self._intake.page(self._name, page)
        if new and not self._has_data:
            await self._store.note_fact(self._fact, str(self._clock.now_ms()))
            self._has_data = True
        if page.backfilling:
            await self._board.note(self._name, Direction.PULL, Condition.BACKFILLING, progress=page.progress)
        elif self._is_in_trouble():
            await self._note(self._resting)

    async def _retry(self, trouble: TryLater | StoreFull) -> float:
        """What went wrong is passing: note it, show an unreadable page on the shelf, and say when to go again."""
        delay = self._failed(1.0, LONGEST_BACKOFF)
        if isinstance(trouble, UnreadablePage):
            await self._shelve(trouble)
        if isinstance(trouble, TryLater) and trouble.after is not None:
            delay = max(trouble.after, self._jitter())
        await self._note(Condition.RETRYING, str(trouble))
        return delay

    async def _shelve(self, page: UnreadablePage) -> None:
        reason = f"{page} (asked for {page.location})"
        key = digest(reason.encode() + page.body)
        logger.bind(connection=self._name, key=key).warning("an answer of {} cannot be read: {}", self._name, reason)
        try:
            await self._store.shelve(
                Shelved(connection=self._name, kind="page", key=key, reason=reason, body=page.body)
            )
        except StoreFull:
            logger.warning("the answer could not be shelved: the disk is full")

    def _failed(self, base: float, cap: float) -> float:
        self._failures += 1
        return backoff(self._failures, jitter=self._jitter(), base=base, cap=cap)

    async def _note(self, condition: Condition, reason: str | None = None) -> None:
        await self._board.note(self._name, Direction.PULL, condition, reason=reason)

    def _is_in_trouble(self) -> bool:
        line = self._board.find(self._name, Direction.PULL)
        return line is not None and line.condition in (Condition.RETRYING, Condition.PAUSED)

    @property
    def _resting(self) -> Condition:
        return Condition.CONNECTED if self._has_data else Condition.WAITING_FOR_DATA

    @property
    def _fact(self) -> str:
        return f"first_response_at:{self._name}"
