"""A list that changes while it is read: edits between requests, a clock of whole seconds, crowds, late rows."""

import random
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from npsbridge.errors import TryLater
from npsbridge.net.keyset import Keyset, Row

OVERLAP = 10
SEEDED = 120
"""Rows that are there before anybody reads."""
CHANGES = 140
"""How often a row is added or edited, all in all: a page brings more than changes in the meantime, as in life."""

Reader = Callable[["ToyList", int], Awaitable[int]]
"""Reads one round from a watermark, and returns the new one."""


class Version(NamedTuple):
    id: str
    at: int
    edit: int


class ToyList:
    """The list of a server, sorted by the time of the last change, and what one reader has seen of it.

    Args:
        seed: of all chance.
        size: rows on a page.
        shuffles: every answer orders the rows of one second anew.
        lag: a change becomes visible up to so many seconds late.
        crowd: so many rows share a second at the start.
    """

    def __init__(self, seed: int, *, size: int = 20, shuffles: bool = False, lag: int = 0, crowd: int = 1) -> None:
        self._dice = random.Random(seed)  # noqa: S311 - a toy world must be repeatable
        self._size = size
        self._shuffles = shuffles
        self._lag = lag
        self._changes = CHANGES
        self.requests = 0
        self.seen: set[Version] = set()
        self.visible = {str(row): Version(str(row), 1000 + row // crowd, 0) for row in range(SEEDED)}
        self.truth = dict(self.visible)
        self._late: list[tuple[int, Version]] = []
        self.now = 1000 + SEEDED // crowd + OVERLAP

    async def page(self, bound: int, number: int) -> list[Row]:
        """Page `number` of what has changed at `bound` or later; the world goes on before each answer."""
        self.requests += 1
        self._live()
        listed = sorted((row for row in self.visible.values() if row.at >= bound), key=self._rank)
        shown = listed[(number - 1) * self._size : number * self._size]
        self.seen.update(shown)
        return [Row(id=row.id, at=row.at, raw=b"%d" % row.edit) for row in shown]

    @property
    def lost(self) -> int:
        """How many rows were never seen as they are in the end."""
        return len(set(self.truth.values()) - self.seen)

    def _rank(self, row: Version) -> tuple[int, float]:
        return row.at, self._dice.random() if self._shuffles else int(row.id)

    def _live(self) -> None:
        self.now += self._dice.choice((0, 0, 1))
        for _ in range(min(self._dice.randint(0, self._size // 3), self._changes)):
            self._changes -= 1
            row = str(self._dice.randrange(len(self.truth) + 1))
            edit = self.truth[row].edit + 1 if row in self.truth else 0
            self.truth[row] = Version(row, self.now, edit)
            self._late.append((self.now + self._dice.randint(0, self._lag), self.truth[row]))
        self._show()

    def _show(self) -> None:
        for due, version in self._late:
            shown = self.visible.get(version.id)
            if due <= self.now and (shown is None or shown.edit < version.edit):
                self.visible[version.id] = version
        self._late = [(due, version) for due, version in self._late if due > self.now]

    def end(self) -> None:
        """Nothing changes any more, and everything is visible."""
        self._changes = 0
        self.now += self._lag
        self._show()


async def read_by_keyset(toy: ToyList, watermark: int, overlap: int = OVERLAP) -> int:
    """One round as a source does it; what changes while it lasts is read again in the next one.

    A round that is given up goes on with the next one.
    """
    began = toy.now
    try:
        async for leaf in Keyset(toy.page, short=0).read(watermark - overlap):
            watermark = max(watermark, min(leaf.bound, began))
    except TryLater:
        pass
    return watermark


async def watch(toy: ToyList, read: Reader, *, rounds: int = 12) -> int:
    """Rounds while the list changes, and a last one when it has come to rest; returns how many rows were lost."""
    watermark = 0
    for _ in range(rounds):
        watermark = await read(toy, watermark)
    toy.end()
    await read(toy, watermark)
    return toy.lost
