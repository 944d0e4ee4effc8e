"""Many people, many triggers, four vendors, and a daemon that is killed again and again, wherever it happens to be.

Chance is seeded; what is waited for are events at the look-alikes, at the listener and in the log, never time.
"""

import asyncio
import random
import signal
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count, pairwise
from pathlib import Path
from typing import Final

import pytest

from end_to_end.harness import until
from end_to_end.outbound import Message, Outbound, outbound
from fault.lives import Lives, lives
from fault.survey_truth import (
    VENDORS,
    Fates,
    Heard,
    fates,
    heard,
    held,
    identify,
    is_drained,
    post,
    settings,
    surveys,
    trigger,
)
from npsbridge.core.model import State
from npsbridge.sandbox import Hang
from stores import POSTGRES, SQLITE, engine

KILLS: Final = {SQLITE: 100, POSTGRES: 20}
"""By engine."""
STOPS: Final = 8
PEOPLE: Final = [f"u{number}" for number in range(25)]
SETTLED_WELL: Final = frozenset({State.DELIVERED, State.FILTERED})


@dataclass(kw_only=True)
class Shop:
    """Sends calls one batch after the other, each until it is taken, whoever lives at the other end."""

    chance: random.Random
    steps: Iterator[int] = field(default_factory=count)
    wanted: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """By vendor: the steps that ask for its surveys."""
    newest: dict[str, int] = field(default_factory=dict)
    """By person: the step that described them last."""
    taken: int = 0
    """How many batches were answered with 200."""
    _batch: list[Message] = field(default_factory=list)

    def begin(self) -> None:
        """Everybody is described first."""
        self._batch = [self._described(person) for person in PEOPLE]

    async def sell(self, address: str, line: Outbound) -> None:
        """Send until nobody answers any more; the next batch goes out when the one before has led to something.

        A batch that comes again may have led to all it ever will.
        """
        while True:
            comes_again, before = bool(self._batch), requests(line)
            if not await self.sent(address):
                return
            if not comes_again:
                await until(asked_more_than(line, before))

    async def sent(self, address: str) -> bool:
        """Send what was not taken before, or else something new; whether it was taken."""
        self._batch = self._batch or [self._next() for _ in range(self.chance.randint(1, 3))]
        if not await post(address, self._batch):
            return False
        self.taken += 1
        self._batch = []
        return True

    def _next(self) -> Message:
        person = self.chance.choice(PEOPLE)
        if self.chance.random() < 0.3:
            return self._described(person)
        vendor, step = self.chance.choice(VENDORS), next(self.steps)
        self.wanted[vendor].append(step)
        return trigger(vendor, person, step)

    def _described(self, person: str) -> Message:
        self.newest[person] = next(self.steps)
        return identify(person, self.newest[person])


def requests(line: Outbound) -> int:
    """How many requests all vendors have had."""
    return sum(len(server.requests) for server in line.vendors.values())


def asked_more_than(line: Outbound, count: int) -> "Moment":
    """Some vendor has had a further request."""
    return lambda: requests(line) > count


# --- moments ------------------------------------------------------------------------------------------------------

Moment = Callable[[], bool]


def held_up(line: Outbound, chance: random.Random, *, effect: bool) -> Moment:
    """A vendor has read a request, did or did not do it, and does not answer."""
    server = chance.choice(list(line.vendors.values()))
    server.faults.add(Hang(seconds=60, effect=effect), every=chance.randint(1, 4))
    seen = len(server.requests)
    return lambda: any(one.fault == "hang" for one in server.requests[seen:])


def answering(line: Outbound, chance: random.Random) -> Moment:
    """A vendor has read a request, and answers at this moment; other lanes are wherever they are."""
    server = chance.choice(list(line.vendors.values()))
    enough = len(server.requests) + chance.randint(1, 5)
    return lambda: len(server.requests) >= enough


def thanked(shop: Shop, chance: random.Random) -> Moment:
    """A caller has got a 200."""
    enough = shop.taken + chance.randint(1, 4)
    return lambda: shop.taken >= enough


async def life(line: Outbound, daemon: Lives, shop: Shop, chance: random.Random, ways: str) -> None:
    """One life, in which calls come in and go out, up to a moment that chance chooses; it still lives then."""
    way = chance.choice(ways.split())
    await daemon.begin()
    if way == "born":
        return
    address = await daemon.address("listen")
    moment: Moment = {
        "undone": lambda: held_up(line, chance, effect=False),
        "done": lambda: held_up(line, chance, effect=True),
        "answering": lambda: answering(line, chance),
        "thanked": lambda: thanked(shop, chance),
    }[way]()
    selling = asyncio.create_task(shop.sell(address, line))
    try:
        await until(moment, look_every=0.001)
    finally:
        selling.cancel()
        await asyncio.wait([selling])


async def last_life(line: Outbound, daemon: Lives, shop: Shop) -> None:
    """All that was not taken is sent, and all that is owed goes out."""
    await daemon.begin()
    assert await shop.sent(await daemon.address("listen"))
    await until(lambda: is_drained(line), within=60, look_every=0.1)
    await daemon.stopped()


# --- what must be true afterwards ---------------------------------------------------------------------------------


def check_surveys(line: Outbound, shop: Shop, known: Fates) -> None:
    """Nothing was asked twice, and every trigger has an end: asked for, declined by the vendor, or held."""
    for vendor, server in line.vendors.items():
        asked, ends = surveys(server), known.of(vendor)
        assert max(asked.values()) == 1
        assert sorted(ends) == sorted(shop.wanted[vendor])
        assert {row.state for row in ends.values()} <= SETTLED_WELL | {State.HELD}
        sure = {step for step, row in ends.items() if row.state in SETTLED_WELL}
        assert sure <= set(asked)
        assert set(asked) - sure <= {step for step, row in ends.items() if row.state is State.HELD}


def check_people(line: Outbound, shop: Shop) -> None:
    """Whoever is told of people has heard of everybody's newest state, and of everything in the order of sending.

    What an identify says may come again after a kill, when the vendor has heard of later things; it says nothing new.
    """
    for server in line.vendors.values():
        by_person: dict[str, list[Heard]] = defaultdict(list)
        for one in heard(server):
            by_person[one.person].append(one)
        for person, told in by_person.items():
            assert all(before.step < after.step for before, after in pairwise(dict.fromkeys(told))), server.kind
            described = [one.step for one in told if not one.is_survey]
            assert server.kind == "retently" or described[-1] == shop.newest[person]


async def check_all(line: Outbound, shop: Shop) -> tuple[Fates, list[dict[str, object]]]:
    """All of it; what the store says of the surveys, and what `npsbridge outbox list --state held` shows."""
    known = await fates(line)
    check_surveys(line, shop, known)
    check_people(line, shop)
    ledger = await line.ledger(line.settings())
    rows = held(line)
    assert (ledger.imbalance, ledger.waiting, ledger.dead, ledger.held) == (0, 0, 0, len(rows))
    assert sorted(row["id"] for row in rows) == sorted(row.id for row in known.rows if row.state is State.HELD)
    assert all(row["reason"] for row in rows)
    return known, rows


@pytest.mark.slow
async def test_i1_i5_i8_f1_many_kills_ask_nobody_twice_and_lose_nobody(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    kills = KILLS[engine()]
    chance = random.Random(4)  # noqa: S311 - to be the same in every run
    shop = Shop(chance=chance)
    async with outbound(tmp_path, **settings()) as line, lives(tmp_path, line.environment) as daemon:
        line.delighted.change_switches({"throttle_days": None})
        shop.begin()
        for _ in range(kills):
            await life(line, daemon, shop, chance, "undone undone done done answering answering answering thanked born")
            await daemon.killed()
            for server in line.vendors.values():
                server.faults.clear()
        await last_life(line, daemon, shop)
        known, rows = await check_all(line, shop)
    record_property("kills", kills)
    record_property("triggers", len(known.rows))
    record_property("held", len(rows))
    record_property(
        "asked although held", sum(map(len, map(surveys, line.vendors.values()))) - len(known.rows) + len(rows)
    )
    assert 0 < len(rows) < len(known.rows)


async def test_i18_f5_stopped_again_and_again_in_the_middle_of_it_nothing_is_held_and_nothing_doubled(
    tmp_path: Path,
) -> None:
    chance = random.Random(18)  # noqa: S311 - to be the same in every run
    shop = Shop(chance=chance)
    async with outbound(tmp_path, **settings()) as line, lives(tmp_path, line.environment) as daemon:
        line.delighted.change_switches({"throttle_days": None})
        shop.begin()
        for _ in range(STOPS):
            await life(line, daemon, shop, chance, "done answering thanked")
            daemon.send(signal.SIGTERM)
            await daemon.says("npsbridge is stopping: it finishes what is under way")
            for server in line.vendors.values():
                server.faults.clear()
            assert await daemon.ended() == 0
        await last_life(line, daemon, shop)
        known, rows = await check_all(line, shop)
    assert rows == []
    assert len(known.rows) > STOPS
