"""Replicas that die and sleep under load: `PYTHONPATH=tests python -m fault.replicas --minutes 5`.

Three processes work on one database; callers send to any that answers. Now and then one is killed, put to sleep past
its leases, or stopped in peace and started again. At the end everything that was answered 200 has come to its end, no
survey was asked for twice, and the ledger balances. What is measured is printed.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

import databases
from end_to_end.harness import until
from end_to_end.process import DAEMON, Daemon, daemon_process
from npsbridge.clock import Clock
from npsbridge.core.model import State
from npsbridge.core.records import Ledger
from npsbridge.core.storage import Store
from npsbridge.engine.fleet import LEASE_SECONDS
from npsbridge.sandbox import DelightedServer, SegmentServer
from npsbridge.store import open_store

WRITE_KEY = "key-of-the-web-shop"
EVENT = "Purchased Product"
TAKEOVER_SECONDS = 30.0
"""Within which the work of a replica that died is another's."""
LANE = "forward delighted"
SKEWED = Path(__file__).with_name("skewed.py")
PATIENCE = 60.0
"""Seconds for one call to be taken, by whichever replica, and for the work of a killed one to be taken over."""
STANDSTILL = 150.0
"""Seconds in which something that was accepted must come to its end, once nobody sends any more: a survey of which
nobody knows is asked after for a minute and a half."""


def peak_megabytes(replica: Daemon) -> float:
    """The most memory that a process has had resident, in MiB."""
    lines = Path(f"/proc/{replica.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


Trouble = Coroutine[Any, Any, None]
"""What happens while callers send; when it is over, they end."""


@dataclass(kw_only=True)
class Seen:
    """What the callers saw."""

    accepted: set[str] = field(default_factory=set)
    """Emails of whose purchases were answered 200."""
    seconds: list[float] = field(default_factory=list)
    """From the first try of a call until it was answered 200, by whichever replica."""
    refused: Counter[str] = field(default_factory=Counter)
    takeovers: list[float] = field(default_factory=list)
    """Seconds from a kill until others did what the killed one had done."""

    behind: float = 0.0
    """Seconds until all that was accepted had come to its end."""

    def percentile(self, part: float) -> float:
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


class Fleet:
    """The replicas, each of which is started again whenever it has ended."""

    def __init__(self, folder: Path, environment: dict[str, str], stack: AsyncExitStack) -> None:
        self._folder = folder
        self._environment = environment
        self._stack = stack
        self.replicas: list[Daemon] = []

    async def start(self, count: int) -> None:
        for _ in range(count):
            await self.add()

    async def add(self, *, skew: float = 0.0) -> Daemon:
        """One more, whose clock is so many seconds ahead."""
        self.replicas.append(await self._one(skew=skew))
        return self.replicas[-1]

    async def _one(self, *, skew: float = 0.0) -> Daemon:
        program = (str(SKEWED), str(skew)) if skew else DAEMON
        daemon = daemon_process(self._folder, self._environment, program=program)
        return await (await self._stack.enter_async_context(daemon)).ready()

    async def end(self, place: int, number: signal.Signals) -> None:
        """End one by a signal."""
        self.replicas[place].send(number)
        await self.replicas[place].ended()

    async def refill(self, place: int) -> None:
        """Start another in the place of one that has ended."""
        self.replicas[place] = await self._one()

    async def roll_over(self) -> None:
        """Stop each in peace and start another in its place, one after the other."""
        for place in range(len(self.replicas)):
            await self.end(place, signal.SIGTERM)
            await self.refill(place)

    async def sleep(self, place: int, seconds: float) -> None:
        """Have one stand still, and go on."""
        self.replicas[place].send(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self.replicas[place].send(signal.SIGCONT)

    def place_of(self, replica: str) -> int:
        """Where a replica is that does some work, by its name."""
        named = (any(line.get("replica") == replica for line in one.told) for one in self.replicas)
        return list(named).index(True)

    def addresses(self) -> list[str]:
        """Where those listen that live."""
        living = [one for one in self.replicas if one.process.returncode is None]
        ready = (next((line for line in one.told if line["message"] == "npsbridge is ready"), None) for one in living)
        return [str(line["listen"]) for line in ready if line]


async def call(
    fleet: Fleet, seen: Seen, chance: random.Random, is_over: asyncio.Event, name: str, *, pause: float
) -> None:
    """One caller: identifies somebody and has them buy something, at whichever replica answers, until it is 200.

    After a pause in seconds it is somebody else's turn.
    """
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        number = 0
        while not is_over.is_set():
            number += 1
            user, email = f"{name}-{number}", f"{name}-{number}@example.com"
            calls = [
                {"type": "identify", "messageId": f"i-{user}", "userId": user, "traits": {"email": email}},
                {"type": "track", "messageId": f"t-{user}", "userId": user, "event": EVENT, "properties": {}},
            ]
            body = json.dumps({"writeKey": WRITE_KEY, "batch": calls}).encode()
            begun = time.monotonic()
            await until(partial(_is_taken, session, fleet, seen, chance, body), within=PATIENCE, look_every=0.05)
            seen.seconds.append(time.monotonic() - begun)
            seen.accepted.add(email)
            await asyncio.sleep(pause)


async def _is_taken(
    session: aiohttp.ClientSession, fleet: Fleet, seen: Seen, chance: random.Random, body: bytes
) -> bool:
    addresses = fleet.addresses()
    if not addresses:
        return False
    try:
        async with session.post(f"http://{chance.choice(addresses)}/v1/batch", data=body) as answer:
            await answer.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        seen.refused[type(error).__name__] += 1
        return False
    if answer.status != 200:
        seen.refused[str(answer.status)] += 1
        return False
    return True


async def holder_of(store: Store, work: str) -> str:
    """Who does a piece of work, once somebody does."""
    found: list[str] = []

    async def is_done() -> bool:
        fleet = await store.leases.fleet(seconds=LEASE_SECONDS)
        found.extend(one.holder for one in fleet.holdings if one.name == work and one.holder)
        return bool(found)

    await until(is_done, within=PATIENCE, look_every=0.1)
    return found[-1]


async def all_done_since(store: Store, names: Sequence[str], moment: int) -> bool:
    """Whether each of these pieces of work is done by somebody who was heard of after a moment of the store's clock."""
    seen = await store.leases.fleet(seconds=LEASE_SECONDS)
    living = {one.id for one in seen.replicas if one.heard_at > moment}
    return set(names) <= {one.name for one in seen.holdings if one.holder in living}


async def trouble(fleet: Fleet, seen: Seen, store: Store, chance: random.Random, seconds: float, *, ways: str) -> None:
    """Kill one (k), put one to sleep (s) and roll all over (t), in turn, for so long."""
    turn, ends_at = 0, time.monotonic() + seconds
    while time.monotonic() < ends_at:
        place, way = chance.randrange(len(fleet.replicas)), ways[turn % len(ways)]
        turn += 1
        match way:
            case "k":
                await kill(fleet, seen, store, place)
            case "s":
                # Whoever asks for surveys, with some of them in hand.
                await fleet.sleep(fleet.place_of(await holder_of(store, LANE)), 20)
            case _:
                await fleet.roll_over()
        await asyncio.sleep(chance.uniform(0.5, 2))


async def kill(fleet: Fleet, seen: Seen, store: Store, place: int) -> None:
    """Kill one and start another; measures how long it takes until all that it did is done by a replica that lives."""
    works = [one.name for one in (await store.leases.fleet(seconds=LEASE_SECONDS)).holdings]
    begun = time.monotonic()
    await fleet.end(place, signal.SIGKILL)
    died_at = (await store.leases.fleet(seconds=LEASE_SECONDS)).now
    async with asyncio.TaskGroup() as group:
        group.create_task(fleet.refill(place))
        await until(partial(all_done_since, store, works, died_at), within=PATIENCE, look_every=0.25)
        seen.takeovers.append(time.monotonic() - begun)


async def rest(store: Store) -> Ledger:
    """The ledger once nothing waits any more.

    Raises:
        AssertionError: something waits, and nothing has come to its end for long; says what.
    """
    waiting, since = -1, time.monotonic()
    while (ledger := await store.ledger()).waiting:
        if ledger.waiting != waiting:
            waiting, since = ledger.waiting, time.monotonic()
        if time.monotonic() - since > STANDSTILL:
            raise AssertionError(f"{waiting} wait and nothing moves: {ledger}, {await store.depths()}")
        await asyncio.sleep(0.25)
    return ledger


@dataclass(kw_only=True)
class Verdict:
    """What held, and what was measured."""

    seen: Seen
    ledger: Ledger
    surveys: Counter[str]
    held: int
    megabytes: float
    """The most memory that a replica that lives has had resident."""

    def insist(self) -> None:
        """Nothing lost, nothing twice.

        Raises:
            AssertionError: something is wrong.
        """
        twice = {email: count for email, count in self.surveys.items() if count > 1}
        assert not twice, f"surveyed more than once: {twice}"
        missing = self.seen.accepted - set(self.surveys)
        assert len(missing) <= self.held, f"{len(missing)} were accepted and never surveyed, {self.held} are held"
        assert self.ledger.imbalance == 0, self.ledger
        assert self.ledger.waiting == 0, self.ledger
        assert self.ledger.dead == 0, self.ledger

    def table(self) -> dict[str, Any]:
        return {
            "purchases answered 200": len(self.seen.accepted),
            "surveyed": len(self.surveys),
            "surveyed twice": sum(count > 1 for count in self.surveys.values()),
            "held": self.held,
            "ingest p50 ms": round(self.seen.percentile(0.5) * 1000, 1),
            "ingest p99 ms": round(self.seen.percentile(0.99) * 1000, 1),
            "replica MiB": round(self.megabytes),
            "seconds behind": round(self.seen.behind, 1),
            "take-over s": [round(one, 1) for one in self.seen.takeovers],
            "not 200": dict(self.seen.refused),
            "ledger": {name: getattr(self.ledger, name) for name in self.ledger.__struct_fields__},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Replicas at work between look-alikes, and the store beside them."""

    fleet: Fleet
    delighted: DelightedServer
    store: Store

    async def under_load(self, seen: Seen, trouble: Trouble, *, callers: int, pause: float) -> None:
        """Callers, for as long as the trouble lasts."""
        is_over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for number in range(callers):
                dice = random.Random(number)  # noqa: S311
                group.create_task(call(self.fleet, seen, dice, is_over, f"c{number}-{len(seen.accepted)}", pause=pause))
            await trouble
            is_over.set()

    async def verdict(self, seen: Seen) -> Verdict:
        """Wait until all has come to its end, and say what held."""
        seen.behind = -time.monotonic()
        ledger = await rest(self.store)
        seen.behind += time.monotonic()
        held = len(await self.store.deliveries(state=State.HELD, limit=1_000))
        surveys = Counter(str(self.delighted.people[one.person_id].email) for one in self.delighted.survey_requests)
        megabytes = max(map(peak_megabytes, self.fleet.replicas))
        return Verdict(seen=seen, ledger=ledger, surveys=surveys, held=held, megabytes=megabytes)


@asynccontextmanager
async def scene(url: str, *, replicas: int) -> AsyncIterator[Scene]:
    """Replicas on a store, for the length of a block."""
    async with AsyncExitStack() as stack:
        delighted = await stack.enter_async_context(DelightedServer())
        segment = await stack.enter_async_context(SegmentServer())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        environment = {
            "STORE_URL": url,
            "LISTEN": "127.0.0.1:0",
            "ADMIN_LISTEN": "127.0.0.1:0",
            "LOG_FORMAT": "json",
            "SEGMENT__WRITE_KEY": segment.write_keys[0],
            "SEGMENT__BASE_URL": segment.base_url,
            "DELIGHTED__API_KEY": delighted.api_key,
            "DELIGHTED__BASE_URL": delighted.base_url,
            "DELIGHTED__SURVEYS": json.dumps([EVENT]),
            "DELIGHTED__RATE_LIMIT": "0",
            "DELIGHTED__POLL_INTERVAL": "2",
            "INGEST__WRITE_KEYS": json.dumps([WRITE_KEY]),
            "SHUTDOWN_TIMEOUT": "10",
        }
        fleet = Fleet(folder, environment, stack)
        await fleet.start(replicas)
        store = await stack.enter_async_context(open_store(url, clock=Clock(), exclusive=False))
        yield Scene(fleet=fleet, delighted=delighted, store=store)


async def run(
    seconds: float,
    *,
    replicas: int = 3,
    callers: int = 4,
    ways: str = "kst",
    seed: int = 1,
    pause: float = 0.0,
    url: str | None = None,
) -> Verdict:
    """Load and trouble for so long; then what held."""
    seen = Seen()
    async with scene(url or databases.postgres_url(), replicas=replicas) as there:
        chance = random.Random(seed)  # noqa: S311 - the same troubles every time
        happens = (
            trouble(there.fleet, seen, there.store, chance, seconds, ways=ways) if ways else asyncio.sleep(seconds)
        )
        await there.under_load(seen, happens, callers=callers, pause=pause)
        return await there.verdict(seen)


async def compare(seconds: float, *, callers: int) -> None:
    """One daemon on a file, one on a database, three on a database, one after the other under the same load."""
    with tempfile.TemporaryDirectory() as folder:
        cases = {"sqlite, 1": f"sqlite:///{folder}/npsbridge.db", "postgresql, 1": None, "postgresql, 3": None}
        for name, url in cases.items():
            count = int(name[-1])
            verdict = await run(seconds, replicas=count, callers=callers, ways="", url=url)
            verdict.insist()
            seen, rate = verdict.seen, len(verdict.seen.accepted) / (seconds + verdict.seen.behind)
            print(  # noqa: T201 - a script prints
                f"{name:14} {rate:6.0f} purchases/s  200 after {seen.percentile(0.5) * 1000:4.0f} ms (p50), "
                f"{seen.percentile(0.99) * 1000:4.0f} ms (p99)  {verdict.megabytes:4.0f} MiB a replica  "
                f"{seen.behind:5.1f} s behind"
            )
    print("load", *os.getloadavg())  # noqa: T201 - a script prints


def main() -> None:
    """Run for so many minutes, print, and fail if something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--replicas", type=int, default=3)
    parser.add_argument("--callers", type=int, default=4)
    parser.add_argument("--pause", type=float, default=0.02, help="seconds between two purchases of a caller")
    parser.add_argument(
        "--ways", default="kst", help="k: SIGKILL, s: SIGSTOP past the leases, t: SIGTERM to each, in turn"
    )
    parser.add_argument("--compare", action="store_true", help="without trouble: a file, a database, three replicas")
    wish = parser.parse_args()
    if wish.compare:
        asyncio.run(compare(wish.minutes * 60, callers=wish.callers))
        return
    with suppress(KeyboardInterrupt):
        verdict = asyncio.run(
            run(
                wish.minutes * 60,
                replicas=wish.replicas,
                callers=wish.callers,
                ways=wish.ways,
                pause=wish.pause,
            )
        )
        print(json.dumps(verdict.table(), indent=2))  # noqa: T201 - a script prints
        verdict.insist()


if __name__ == "__main__":
    main()
