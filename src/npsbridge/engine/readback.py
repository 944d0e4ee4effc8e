"""Reads back what unsigned webhooks hint at: one task per connection, beside its poller.

A hint is on disk before the vendor is answered, and stays there until the API has told the truth about it. What never
can be read back is given up after a day; polling finds it anyway.
"""

from collections.abc import Sequence
from typing import Final

import anyio
from loguru import logger

from npsbridge.core.pace import backoff
from npsbridge.core.ports import Lookup
from npsbridge.core.records import Hinted
from npsbridge.engine.bell import Bell
from npsbridge.engine.board import Direction
from npsbridge.engine.intake import Intake
from npsbridge.engine.seams import Seams
from npsbridge.errors import Gone, PersonMustAct, StoreError, TryLater

AT_ONCE: Final = 50
"""Hints that one look takes; more wait for the next."""
IN_SIGHT: Final = 500
"""Hints that are looked through for those whose time has come."""
GIVE_UP_AFTER: Final = 86_400_000
"""Milliseconds after which a hint is forgotten."""
FIRST_BACKOFF, LONGEST_BACKOFF = 1.0, 120.0
FIRST_PROBE, LONGEST_PROBE = 30.0, 600.0
"""Seconds between looks while somebody must act; the poller says so."""
LONGEST_SLEEP: Final = 3600.0


class ReadBack:
    """What webhooks of one connection spoke of, and how it becomes records."""

    def __init__(self, connection: str, source: Lookup, seams: Seams, intake: Intake) -> None:
        self._name = connection
        self._source = source
        self._seams = seams
        self._intake = intake
        self.bell = Bell()
        """Rung when a webhook has told of something, at this replica or another."""
        self._failures = 0
        self._tries: dict[str, int] = {}
        self._not_before: dict[str, float] = {}
        """By hint: the monotonic second until which it is left alone."""
        self._is_wary = False
        """The last look at several failed: one by one finds the one that is to blame."""

    async def note(self, hints: Sequence[str]) -> None:
        """Keep hints on disk and wake the task.

        Raises:
            StoreUnavailable: nothing was kept; the vendor must be told to try again.
        """
        await self._seams.store.note_hints(self._name, hints, heard_at=self._seams.clock.now_ms())
        self._seams.metrics.ingest_events.labels("webhook", "hinted").inc(len(hints))
        self.bell.ring()

    async def run(self) -> None:
        """Read back until the service has ended, but not while the connection is paused; cancelled from outside."""
        self._seams.pauses.learn(await self._seams.store.facts())
        await self._seams.pauses.run_between(self._name, self._read_back, stand_still=None)

    async def _read_back(self) -> None:
        pause = await self.step()
        while pause is not None:
            if self._failures:
                await anyio.sleep(pause)
            else:
                await self.bell.wait(pause)
            pause = await self.step()

    async def step(self) -> float | None:
        """One look; returns the seconds until the next one, or None when there will be none."""
        noted = await self._without_old(await self._seams.store.hints(self._name, IN_SIGHT))
        due = [one.hint for one in noted if self._not_before.get(one.hint, 0.0) <= self._seams.clock.monotonic()]
        if not due:
            self._failures = 0
            return self._until_due(noted)
        wanted = due[:1] if self._is_wary else due[:AT_ONCE]
        try:
            await self._read(wanted)
        except Gone:
            return None
        except PersonMustAct as refusal:
            return self._failed(refusal, backoff(self._failures + 1, jitter=0.0, base=FIRST_PROBE, cap=LONGEST_PROBE))
        except TryLater as trouble:
            return self._put_off(wanted, trouble, trouble.after)
        except StoreError:
            raise
        except Exception as mistake:  # noqa: BLE001 - a mistake about one hint must not keep the others from being read
            return self._put_off(wanted, mistake, None)
        self._failures, self._is_wary = 0, False
        return 0.0

    async def _read(self, wanted: Sequence[str]) -> None:
        if records := await self._source.look_up(wanted):
            await self._intake.webhook(self._name, records)
        await self._forget(wanted)

    async def _forget(self, hints: Sequence[str]) -> None:
        await self._seams.store.forget_hints(self._name, hints)
        for hint in hints:
            self._tries.pop(hint, None)
            self._not_before.pop(hint, None)

    async def _without_old(self, noted: Sequence[Hinted]) -> list[Hinted]:
        limit = self._seams.clock.now_ms() - GIVE_UP_AFTER
        old = [one.hint for one in noted if one.heard_at <= limit]
        if old:
            logger.bind(connection=self._name, hints=len(old)).warning(
                "What webhooks told of could not be read back for a day and is left to polling"
            )
            await self._forget(old)
        return [one for one in noted if one.heard_at > limit]

    def _put_off(self, wanted: Sequence[str], trouble: Exception, after: float | None) -> float:
        """One that fails by itself is left alone for a while; when several fail, they are tried one by one."""
        if len(wanted) > 1:
            self._is_wary = True
            return self._failed(trouble, after)
        (hint,) = wanted
        self._tries[hint] = self._tries.get(hint, 0) + 1
        own = after if after is not None else self._pause(self._tries[hint])
        self._not_before[hint] = self._seams.clock.monotonic() + max(own, FIRST_BACKOFF)
        return self._failed(trouble, None)

    def _failed(self, trouble: Exception, after: float | None) -> float:
        self._failures += 1
        # Once, and not when polling has told of the same outage already.
        is_news = self._failures == 1 and isinstance(trouble, PersonMustAct) and not self._is_told_by_polling
        level = "WARNING" if is_news else "DEBUG"
        reason = str(trouble) or type(trouble).__name__
        logger.bind(connection=self._name, reason=reason).log(level, "What a webhook told of cannot be read back yet")
        return max(after, FIRST_BACKOFF) if after is not None else self._pause(self._failures)

    @property
    def _is_told_by_polling(self) -> bool:
        line = self._seams.board.find(self._name, Direction.PULL)
        return line is not None and line.is_trouble

    def _pause(self, failures: int) -> float:
        return backoff(failures, jitter=self._seams.jitter(), base=FIRST_BACKOFF, cap=LONGEST_BACKOFF)

    def _until_due(self, noted: Sequence[Hinted]) -> float:
        now = self._seams.clock.monotonic()
        return min((self._not_before.get(one.hint, now) - now for one in noted), default=LONGEST_SLEEP)
