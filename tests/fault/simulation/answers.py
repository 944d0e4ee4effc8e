"""What people answer at the vendors, and what was true of each answer at which time."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from contract.platforms.account import Answered
from fault.simulation.places import HOUR, Nature, Places, WallClock

RESPONDENTS: Final = [f"u{number}@example.org" for number in range(4)] + [
    f"e{number}@example.org" for number in range(5)
]
"""Some of them are also known by calls; None answers too, as nobody."""
COMMENTS: Final = (None, "Good", "Slow 🙂", "a" * 300, "Ünïcode\n2nd line", "Fine")


class Version(NamedTuple):
    """What an answer says from a moment on."""

    at: float
    score: int
    comment: str | None


@dataclass(kw_only=True)
class Truth:
    """One answer."""

    vendor: str
    number: str
    email: str | None
    answered_at: float
    versions: list[Version] = field(default_factory=list)
    removed_at: float | None = None

    @property
    def now(self) -> Version:
        """What it says last."""
        return self.versions[-1]


class People:
    """Answers, edits and removals, and the memory of them."""

    def __init__(self, places: Places, kind: Nature, clock: WallClock) -> None:
        self._places = places
        self._kind = kind
        self._clock = clock
        self.truths: dict[tuple[str, str], Truth] = {}
        """By vendor and number."""

    def answer(self, chance: random.Random, *, ago: float = 0.0, vendor: str | None = None) -> Truth:
        """Somebody answers now, or has so long ago and it shows only now."""
        vendor = vendor or chance.choice(self._kind.vendors)
        at = float(int(self._clock.true() - ago))
        email = chance.choice([*RESPONDENTS, None])
        score, comment = chance.randint(0, 10), chance.choice(COMMENTS)
        number = self._places.accounts[vendor].answer(Answered(at=at, score=score, email=email, comment=comment))
        truth = Truth(vendor=vendor, number=number, email=email, answered_at=at)
        truth.versions.append(Version(self._clock.true(), score, comment))
        self.truths[vendor, number] = truth
        return truth

    def begin(self, chance: random.Random) -> None:
        """What was answered before anybody listened."""
        for number in range(self._kind.answers_before):
            self.answer(chance, ago=(self._kind.answers_before - number) * 20 * HOUR)

    def edit(self, chance: random.Random) -> None:
        """Somebody changes score or comment."""
        if truth := self._some(chance):
            score = chance.randint(0, 10) if chance.random() < 0.5 else truth.now.score
            self._change(truth, score, chance.choice(COMMENTS[1:]))

    def take_back(self, chance: random.Random) -> None:
        """Somebody makes an answer what it was before the last edit."""
        if (truth := self._some(chance)) and len(truth.versions) > 1 and truth.versions[-2].comment is not None:
            self._change(truth, truth.versions[-2].score, truth.versions[-2].comment)

    def _change(self, truth: Truth, score: int, comment: str | None) -> None:
        self._places.accounts[truth.vendor].edit(truth.number, score=score, comment=comment)
        truth.versions.append(Version(self._clock.true(), score, comment))

    def remove(self, chance: random.Random) -> None:
        """Somebody removes an answer; at Delighted a person, though no customer, with all they answered."""
        truth = self._some(chance)
        if truth is None or (truth.vendor == "delighted" and not (truth.email or "").startswith("e")):
            return
        self._places.accounts[truth.vendor].remove(truth.number)
        for gone in self.truths.values():
            is_of_person = truth.vendor == "delighted" == gone.vendor and gone.email == truth.email
            if gone is truth or is_of_person:
                gone.removed_at = gone.removed_at or self._clock.true()

    def _some(self, chance: random.Random) -> Truth | None:
        standing = list(self.standing())
        return chance.choice(standing) if standing else None

    def standing(self) -> Iterator[Truth]:
        """The answers that are still there."""
        return (truth for truth in self.truths.values() if truth.removed_at is None)
