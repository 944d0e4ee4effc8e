"""Scenes in which answers go to Segment: they are read, delivered, or wait in the store of an old release."""

import json
import re
from collections.abc import Collection, Iterable
from itertools import takewhile
from typing import ClassVar, Final

from end_to_end.harness import until
from fault.crash.old_store import old_store
from fault.crash.scene import Scene
from fault.crash.strace_log import SystemCall
from fault.lives import STANDS_STILL, Stop
from npsbridge.core.keys import message_id
from npsbridge.core.model import Kind
from npsbridge.sandbox import PastAnswer
from npsbridge.store import open_store

DAY: Final = 86_400
SAID_WITH_COMMENT: Final = frozenset({Kind.IDENTIFY, Kind.SUBMIT, Kind.ANSWERED, Kind.COMPLETED})


class Answers(Scene):
    """Common to what is about answers on their way to Segment."""

    COUNT: ClassVar[int]

    def history(self) -> list[PastAnswer]:
        """So old, and so far apart, that no overlap and no look back for edits finds what a checkpoint has passed."""
        first = self.line.clock.now_ms() // 1000 - 300 * DAY
        return [
            PastAnswer(
                email=f"p{n % 50}@example.org",
                score=n % 11,
                comment=f"because {n}",
                created_at=first + n * 240 * DAY // self.COUNT,
            )
            for n in range(self.COUNT)
        ]

    async def begin_round(self) -> None:
        await super().begin_round()
        self.line.segment.forget()

    def is_done(self) -> bool:
        return self.line.segment.message_ids >= self.expected

    async def is_settled(self) -> bool:
        _, metrics = await self.daemon.get("/metrics")
        has_read_all = re.search(r"^npsbridge_poll_last_success_timestamp_seconds\{.*\} [1-9]", metrics, re.MULTILINE)
        return has_read_all is not None and await super().is_settled()

    async def check(self) -> None:
        """All of it was said, under the ids that it has in any life, and each answer as one that was never edited."""
        missing, strange = self.expected - self.line.segment.message_ids, self.line.segment.message_ids - self.expected
        assert not missing, f"I1, I11: {len(missing)} of {len(self.expected)} calls never came"
        assert not strange, f"I12: calls under other ids: {strange}"

    def expect(self, kinds: Collection[Kind]) -> None:
        """Note under which ids everything has to come."""
        key = self.line.segment.write_keys[0]
        self.expected = {
            message_id(key, "delighted", "delighted", response, kind, 1)
            for response in self.line.delighted.responses
            for kind in kinds
        }


class Polling(Answers):
    """Three pages of history are read, routed and delivered, from the first request to the last."""

    COUNT = 220
    changes: ClassVar = {
        "DELIGHTED__PULL": "true",
        "DELIGHTED__POLL_INTERVAL": "1h",
        "EVENTS__NAMES": json.dumps(["Submit Survey"]),
    }
    from_birth = True
    reads_history = True

    async def prepare(self) -> None:
        async with open_store(self.line.environment["STORE_URL"], clock=self.line.clock):
            self.line.delighted.load(self.history())
        self.store.keep()
        self.expect({Kind.IDENTIFY, Kind.SUBMIT})


class Delivering(Answers):
    """Answers that are in the outbox go out to Segment, in several batches, and are noted as delivered."""

    COUNT = 90
    changes: ClassVar = {
        "DELIGHTED__PULL": "true",
        "DELIGHTED__POLL_INTERVAL": "1h",
        "SEGMENT__RATE_LIMIT": "600",  # a batch is a quarter of it
    }
    from_birth = True

    async def prepare(self) -> None:
        await self.owe()
        await self.line.segment.start()
        self.store.keep()

    async def owe(self) -> None:
        """Have everything in the outbox, while Segment is away."""
        self.line.delighted.load(self.history())
        self.expect(SAID_WITH_COMMENT)
        await self.line.segment.stop()
        await self.daemon.begin()
        await self.daemon.ready()
        await until(self._is_owed, look_every=0.03)
        await self.daemon.stopped()

    async def _is_owed(self) -> bool:
        ledger = await self.line.ledger(self.line.settings())
        return ledger.waiting == len(self.expected)


class Upgrading(Delivering):
    """A store of the first release is brought to the newest version; what it owed, or had not routed, follows."""

    async def prepare(self) -> None:
        await self.owe()
        self.line.delighted.answer("late@example.org", 9, comment="still to be routed")
        self.expect(SAID_WITH_COMMENT)
        await self.daemon.begin(Stop(method="commit_routing", moment="before"))
        await self.daemon.says(STANDS_STILL)
        await self.daemon.killed()
        await self.line.segment.start()
        self.store = await old_store(self.store)

    def part(self, made: Iterable[SystemCall]) -> Iterable[SystemCall]:
        """Up to the first line of the log, which comes when the store is open."""
        return takewhile(lambda one: (one.name, one.descriptor) != ("write", 2), made)
