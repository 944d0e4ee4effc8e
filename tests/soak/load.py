"""What goes on around the daemon: callers who repeat until they are thanked, people who answer, vendors who fail."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from end_to_end.outbound import Message, Outbound
from fault.survey_truth import REPORTS, VENDORS, identify, post, trigger
from npsbridge.sandbox.faults import Fault, Hang, ResetAfterReading, ResetBeforeReading, html, status

CALLERS: Final = 4
PEOPLE: Final = 50
"""Of each caller; a person's calls come from one caller, so that their order is known."""
LARGEST_BATCH: Final = 20
COMES_AGAIN: Final = 0.2
"""Seconds after which a caller who was not thanked tries again."""
OUTAGE_EVERY, OUTAGE_LASTS, ANSWER_EVERY = (20.0, 60.0), (5.0, 30.0), (0.5, 2.0)
"""Seconds, from and to."""
FAULTS: Final[tuple[Fault, ...]] = (
    status(503),
    status(500),
    status(429, retry_after=1),
    html(),
    ResetBeforeReading(),
    ResetAfterReading(effect=True),
    Hang(seconds=20, effect=True),
)


@dataclass(kw_only=True)
class Told:
    """What callers were told, and what people answered: the truth that the store is held against."""

    thanked: list[str] = field(default_factory=list)
    """The messageIds of all calls that were answered with 200."""
    wanted: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    """By vendor: the steps that ask for its surveys, once thanked for."""
    newest: dict[str, int] = field(default_factory=dict)
    """By person: the step that described them last."""
    answers: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """By vendor: the ids of all answers."""
    refused: int = 0
    """How often a batch was not thanked for, and came again."""
    outages: int = 0


class Load:
    """Callers, people and outages around one daemon, until `ending` is set."""

    def __init__(self, line: Outbound, address: str, chance: random.Random, rate: float) -> None:
        """`address` is that of the daemon's listener, `rate` how many calls a second all callers send together."""
        self.told = Told()
        self.ending = asyncio.Event()
        self._line, self._address, self._chance = line, address, chance
        self._pause = CALLERS * (1 + LARGEST_BATCH) / 2 / rate
        self._steps = count(REPORTS)
        self._reports: Iterator[int] = iter(range(REPORTS))

    async def run(self) -> None:
        """All of it, until told to end; afterwards every call that was ever sent has been thanked for."""
        async with asyncio.TaskGroup() as group:
            for number in range(CALLERS):
                group.create_task(self._call(number))
            group.create_task(self._answer())
            group.create_task(self._fail())

    # --- callers --------------------------------------------------------------------------------------------------

    async def _call(self, number: int) -> None:
        people = [f"u{number}x{n}" for n in range(PEOPLE)]
        await self._hand_in([self._described(person) for person in people])
        while await self._goes_on(self._chance.uniform(0, 2 * self._pause)):
            size = self._chance.randint(1, LARGEST_BATCH)
            await self._hand_in([self._next(self._chance.choice(people)) for _ in range(size)])

    def _next(self, person: str) -> Message:
        if self._chance.random() < 0.3:
            return self._described(person)
        vendor = self._chance.choice(VENDORS)
        step = next(self._reports, None) if vendor == "satismeter" else next(self._steps)
        if step is None:  # SatisMeter is told of no more events than are configured
            return self._described(person)
        self.told.wanted[vendor].add(step)
        return trigger(vendor, person, step)

    def _described(self, person: str) -> Message:
        self.told.newest[person] = next(self._steps)
        return identify(person, self.told.newest[person])

    async def _hand_in(self, calls: list[Message]) -> None:
        """As an SDK does: the same batch again and again, until it is thanked for."""
        while not await post(self._address, calls):
            self.told.refused += 1
            await asyncio.sleep(COMES_AGAIN)
        self.told.thanked += [call["messageId"] for call in calls]

    # --- people ---------------------------------------------------------------------------------------------------

    async def _answer(self) -> None:
        for number in count():
            server: Any = self._line.vendors[self._chance.choice(VENDORS)]
            comment = "why not" if number % 2 else None
            key = server.answer(f"guest{number}@example.org", self._chance.randint(0, 10), comment=comment)
            self.told.answers[server.kind].add(str(key))
            if not await self._goes_on(self._chance.uniform(*ANSWER_EVERY)):
                return

    # --- outages --------------------------------------------------------------------------------------------------

    async def _fail(self) -> None:
        while await self._goes_on(self._chance.uniform(*OUTAGE_EVERY)):
            self.told.outages += 1
            await self._chance.choice((self._misbehave, self._vanish))()

    async def _misbehave(self) -> None:
        server = self._anybody()
        server.faults.add(self._chance.choice(FAULTS), times=None, every=self._chance.randint(1, 3))
        await self._goes_on(self._chance.uniform(*OUTAGE_LASTS))
        server.faults.clear()

    async def _vanish(self) -> None:
        """Nobody listens any more."""
        server = self._anybody()
        await server.stop()
        await self._goes_on(self._chance.uniform(*OUTAGE_LASTS))
        await server.start()

    def _anybody(self) -> Any:
        return self._chance.choice([self._line.segment, *self._line.vendors.values()])

    async def _goes_on(self, seconds: float) -> bool:
        """Whether it is not yet time to end, after so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self.ending.wait()
        except TimeoutError:
            return True
        return False
