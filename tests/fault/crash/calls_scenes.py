"""Scenes in which calls arrive: people are described, and asked for their opinion."""

import asyncio
import json
from typing import ClassVar, Final

from fault.crash.scene import Scene
from fault.lives import DIED
from fault.survey_truth import VENDORS, fates, heard, identify, post, surveys, trigger
from npsbridge.core.model import State

TOLD_OF_PEOPLE: Final = ("delighted", "satismeter", "promoter")


class Ingest(Scene):
    """People are described: in several requests, two of them at the same time."""

    BATCHES: Final = 4
    changes: ClassVar = {
        name: json.dumps([]) for name in ("DELIGHTED__SURVEYS", "SATISMETER__EVENTS", "PROMOTER__SURVEYS")
    }

    async def begin_round(self) -> None:
        await super().begin_round()
        first = self.round * 100
        self.unsent = [[identify(f"p{self.round}-{n}", first + n)] for n in range(self.BATCHES)]
        self.people = {f"p{self.round}-{n}": first + n for n in range(self.BATCHES)}

    async def send(self, address: str) -> None:
        answers = [await post(address, batch) for batch in self.unsent[:2]]
        answers += await asyncio.gather(*(post(address, batch) for batch in self.unsent[2:]))
        told = zip(self.unsent, answers, strict=True)
        self.unsent = [batch for batch, was_taken in told if not was_taken]

    def is_done(self) -> bool:
        return all(self._told(vendor) == self.people for vendor in TOLD_OF_PEOPLE)

    def _told(self, vendor: str) -> dict[str, int]:
        told = heard(self.line.vendors[vendor])
        return {one.person: one.step for one in told if one.person in self.people}

    async def check(self) -> None:
        for vendor in TOLD_OF_PEOPLE:
            assert self._told(vendor) == self.people, f"I1: {vendor} was told {self._told(vendor)}"


class Surveys(Scene):
    """Four people are described and do what makes a vendor ask them, each another one, all in one batch."""

    async def begin_round(self) -> None:
        await super().begin_round()
        first = 10 * self.round
        self.steps = {vendor: first + n for n, vendor in enumerate(VENDORS)}
        people = {vendor: f"{vendor}-{self.round}" for vendor in VENDORS}
        known = [identify(person, first + 5 + n) for n, person in enumerate(people.values())]
        self.unsent = known + [trigger(vendor, people[vendor], step) for vendor, step in self.steps.items()]

    async def send(self, address: str) -> None:
        if self.unsent and await post(address, self.unsent):
            self.unsent = []

    def is_done(self) -> bool:
        return all(surveys(self.line.vendors[vendor])[step] for vendor, step in self.steps.items())

    async def check(self) -> None:
        known = await fates(self.line)
        for vendor, step in self.steps.items():
            asked, ends = surveys(self.line.vendors[vendor])[step], known.of(vendor)
            assert step in ends, f"I1: what asks {vendor} for a survey is lost"
            row = ends[step]
            assert asked <= 1, f"I8: {vendor} was asked {asked} times"
            assert row.state in {State.DELIVERED, State.HELD}, f"I8: {vendor}: {row}"
            assert asked == 1 or row.state is State.HELD, f"I1: {vendor} was never asked, and nothing is held: {row}"
            assert row.reason == (DIED if row.state is State.HELD else None), f"I8: {vendor}: {row}"
