"""One world: the daemon amid everything, a plan of what happens, and an end at which all promises are checked.

The plan follows from the seed, and each of its deeds draws from a chance of its own, so that a plan can be shortened
(`search.py`) without changing what the other deeds do.
"""

import asyncio
import itertools
import random
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiohttp

from contract.platforms.vendors.lookalike import LookAlikeAccount
from fault.simulation.answers import People
from fault.simulation.callers import CUSTOMERS, Callers
from fault.simulation.installing import let_days_pass, run
from fault.simulation.lives import Daemon
from fault.simulation.loop import SimulatedLoop
from fault.simulation.places import CALMLY, DAY, DOOR, HOUR, Nature, Places, WallClock, nature
from fault.simulation.storage import Disk
from fault.simulation.trouble import Trouble
from npsbridge.core.model import State
from npsbridge.core.people import IdKind, PersonId
from npsbridge.engine.pauses import pause_fact
from npsbridge.errors import StoreFull
from npsbridge.sandbox.faults import html

LOOK_BACK: Final = 1.2 * DAY
"""Seconds within which every vendor is looked through for edits of old answers."""
PATIENCE: Final = 6 * DAY
"""Seconds within which all that is owed is dealt with once nothing goes wrong any more."""
DEEDS: Final = (
    *["answer"] * 6,
    *["edit"] * 4,
    *["take_back"] * 2,
    "remove",
    "ties",
    "late",
    "hook_again",
    "hook_forged",
    *["say"] * 6,
    "wander",
    "repeat",
    "replay",
    "bad_batch",
    *["stumble"] * 4,
    *["fail"] * 2,
    "refuse",
    "disconnect",
    "fill",
    "jump",
    *["kill"] * 4,
    "stop",
    "reload",
    "pause",
    "resume",
    "forget",
    *["rest"] * 2,
)
"""What may happen, the usual more often."""


class Deed(NamedTuple):
    """One thing that happens, and its own chance."""

    name: str
    seed: int


class Plan(NamedTuple):
    """All that is to happen in a world."""

    seed: int
    deeds: tuple[Deed, ...]


def plan_of(seed: int) -> Plan:
    """The plan that a seed stands for."""
    chance = random.Random(f"plan {seed}")  # noqa: S311 - repeatable
    count = chance.randint(10, 24)
    return Plan(seed, tuple(Deed(chance.choice(DEEDS), chance.getrandbits(48)) for _ in range(count)))


class World:
    """See the module; made by `live`.

    Attributes:
        story: What happened, in words, for whoever looks for the mistake.
    """

    def __init__(self, loop: SimulatedLoop, disk: Disk, plan: Plan, folder: Path) -> None:
        chance = random.Random(f"world {plan.seed}")  # noqa: S311 - repeatable
        self.plan = plan
        self.loop = loop
        self.disk = disk
        self.kind: Nature = nature(chance)
        self.clock = WallClock(loop.time)
        self.places = Places(self.kind, self.clock, chance)
        self.people = People(self.places, self.kind, self.clock)
        self.callers = Callers(self.kind, self.clock)
        self.trouble = Trouble(loop, disk, self.places, self.kind, self.clock)
        self.folder = folder
        self.daemon: Daemon
        self.erased: dict[str, float] = {}
        """By email: when somebody was forgotten."""
        self.retried: set[int] = set()
        """The steps whose deliveries were given up or in doubt, and go out behind later ones."""
        self.story: list[str] = []
        self._chance = chance
        self._flushing: asyncio.Task[bool] | None = None
        loop.network.latency = self.kind.latency

    # --- the course of things -----------------------------------------------------------------------------------

    async def live(self) -> None:
        """From the first day to the moment when all is over and nothing is owed."""
        for server in self.places.servers.values():
            await server.start()
        try:
            await self._live()
        finally:
            if hasattr(self, "daemon"):
                self.daemon.is_safe = False
                self.daemon.kill()
                await self.daemon.buried()
            for server in self.places.servers.values():
                await server.stop()

    async def _live(self) -> None:
        store = f"sqlite:///{self.folder}/npsbridge.db"
        self.daemon = Daemon(self.loop, self.disk, self.clock, self.places.settings(store), self._chance)
        self.people.begin(self._chance)
        self.places.begin_webhooks(self._chance)
        self.callers.begin()
        self._tell(repr(self.kind))
        await self.daemon.begin()
        for deed in self.plan.deeds:
            await self._do(deed)
        await self._end()

    async def _do(self, deed: Deed) -> None:
        chance = random.Random(deed.seed)  # noqa: S311 - repeatable
        self._tell(deed.name)
        await _DEEDS[deed.name](self, chance)
        self._flush()
        await asyncio.sleep(chance.choice((0.0, 0.1, 1.0, chance.expovariate(1 / self.kind.pulse))))
        await self._revive()
        await self.check_ledger()

    async def _revive(self) -> None:
        """Whatever has become of the daemon, one is running again; one that ended by itself is a mistake."""
        await self.daemon.buried()
        self.daemon.look_after()
        await self.daemon.begin()

    async def _end(self) -> None:
        """Everything is well again, and is given the time to be finished."""
        self._tell("the end of all trouble")
        self.trouble.end()
        self.daemon.is_safe = True
        if self._flushing:
            await self._flushing
        await self._revive()
        await self._resume_all()
        own = {f"{name.upper()}__POLL_INTERVAL": str(int(CALMLY)) for name in self.kind.vendors}
        let_days_pass()
        await self.daemon.restart(**own)
        if not await self.callers.flush():
            raise AssertionError("calls are not taken although nothing is wrong")
        await asyncio.sleep(LOOK_BACK)
        await self._requeue_dead()
        await self._until_at_rest()
        await asyncio.sleep(2 * CALMLY)
        await self._until_at_rest()
        self._tell("at rest")

    async def _until_at_rest(self) -> None:
        ends_at = self.loop.time() + PATIENCE
        while (ledger := await self.daemon.ledger()).waiting:
            self.daemon.look_after()
            if self.loop.time() > ends_at:
                raise AssertionError(f"still owed after {PATIENCE / DAY:.0f} days without trouble: {ledger}")
            await asyncio.sleep(HOUR)

    async def _requeue_dead(self) -> None:
        """An operator tries again what was given up; nothing of it is wrong by itself."""
        async with self.daemon.store() as store:
            dead = await store.deliveries(state=State.DEAD, limit=100_000)
            await store.requeue([one.id for one in dead])
        self.retried |= {step_of(one.message_id) for one in dead if one.message_id.startswith("step-")}

    async def check_ledger(self) -> None:
        """I2, at any moment."""
        ledger = await self.daemon.ledger()
        assert ledger.imbalance == 0, f"I2: the ledger does not balance: {ledger}"

    def _flush(self) -> None:
        """Let the callers send, without waiting for them."""
        if self._flushing is None or self._flushing.done():
            self._flushing = self.loop.create_task(self.callers.flush())

    def _tell(self, what: str) -> None:
        self.story.append(f"{self.loop.time():12.2f} step {self.loop.steps:7d}  {what}")

    # --- deeds of people ------------------------------------------------------------------------------------------

    async def answer(self, chance: random.Random) -> None:
        for _ in range(chance.randint(1, 3)):
            self.people.answer(chance)

    async def ties(self, chance: random.Random) -> None:
        """More than a page of answers in one second."""
        vendor = chance.choice(self.kind.vendors)
        for _ in range(7):
            self.people.answer(chance, vendor=vendor)

    async def late(self, chance: random.Random) -> None:
        """An answer becomes visible only now."""
        self.people.answer(chance, ago=chance.uniform(0, self.kind.lag))

    async def edit(self, chance: random.Random) -> None:
        self.people.edit(chance)

    async def take_back(self, chance: random.Random) -> None:
        self.people.take_back(chance)

    async def remove(self, chance: random.Random) -> None:
        self.people.remove(chance)

    async def say(self, chance: random.Random) -> None:
        self.callers.say(chance)

    async def wander(self, chance: random.Random) -> None:
        self.callers.wander(chance)

    async def repeat(self, chance: random.Random) -> None:
        self.callers.repeat(chance)

    async def replay(self, chance: random.Random) -> None:
        self.callers.replay(chance)

    async def bad_batch(self, chance: random.Random) -> None:
        self.callers.stumble(chance)

    async def forget(self, chance: random.Random) -> None:
        """An operator has a person forgotten."""
        email = f"{chance.choice(CUSTOMERS)}@example.org"
        with suppress(StoreFull):
            async with self.daemon.store() as store:
                await store.forget(PersonId(IdKind.EMAIL, email))
            self.erased.setdefault(email, self.clock.true())

    # --- webhooks by hand -------------------------------------------------------------------------------------------

    async def hook_again(self, chance: random.Random) -> None:
        """A webhook about an answer as it stands comes once more."""
        standing = list(self.people.standing())
        if standing:
            truth = chance.choice(standing)
            headers, body = self.places.accounts[truth.vendor].webhook(truth.number)
            await self._hook(truth.vendor, headers, body)

    async def hook_forged(self, chance: random.Random) -> None:
        """Somebody makes a webhook up; it must be refused."""
        vendor = chance.choice(self.kind.vendors)
        status = await self._hook(vendor, {}, b'{"event_type": "survey_response.created"}', token="forged")
        assert status in {401, 404, None, 503}, f"a forged webhook was answered {status}"

    async def _hook(self, vendor: str, headers: Any, body: bytes, *, token: str | None = None) -> int | None:
        account = self.places.accounts[vendor]
        assert isinstance(account, LookAlikeAccount)
        own = account.token if token is None or account.token is None else token
        path = "/".join(part for part in ("hooks", vendor, own) if part)
        url = f"http://127.0.0.1:{DOOR}/{path}"
        try:
            async with (
                asyncio.timeout(20),
                aiohttp.ClientSession() as session,
                session.post(url, data=body, headers=headers) as answer,
            ):
                return answer.status
        except (aiohttp.ClientError, OSError):
            return None

    # --- deeds of operators and fate ------------------------------------------------------------------------------

    async def stumble(self, chance: random.Random) -> None:
        self.trouble.stumble(chance)

    async def fail(self, chance: random.Random) -> None:
        self.trouble.fail(chance)

    async def refuse(self, chance: random.Random) -> None:
        self.trouble.refuse(chance)

    async def disconnect(self, chance: random.Random) -> None:
        self.trouble.disconnect(chance)

    async def fill(self, chance: random.Random) -> None:
        self.trouble.fill(chance)

    async def jump(self, chance: random.Random) -> None:
        self.trouble.jump(chance)

    async def kill(self, chance: random.Random) -> None:
        """At some step, at some commit, or when some request arrives at somebody."""
        match chance.choice(("step", "step", "commit", "request")):
            case "step":
                self.loop.in_steps(chance.randint(1, 400), self.daemon.kill)
            case "commit":
                self.disk.at_commit(chance.randint(1, 6), self.daemon.kill, is_before=chance.random() < 0.5)
            case _:
                left = chance.randint(1, 5)
                server = chance.choice(list(self.places.servers.values()))
                server.faults.add(html(), path=_at_request(left, partial(self.loop.call_soon, self.daemon.kill)))

    async def stop(self, _: random.Random) -> None:
        await self.daemon.stop()

    async def reload(self, chance: random.Random) -> None:
        """Settings change: whether a direction is on, or how often is polled."""
        section = chance.choice(self.kind.vendors).upper()
        changes = (
            {f"{section}__POLL_INTERVAL": str(int(self.kind.pulse * 2))},
            {f"{section}__OVERLAP": "600"},
            {"EVENTS__SETTLE": "0"},
            {"LOG_LEVEL": "DEBUG"},
        )
        await self.daemon.restart(**chance.choice(changes))

    async def pause(self, chance: random.Random) -> None:
        await self._note_pause(self._some_connection(chance), is_paused=True)

    async def resume(self, chance: random.Random) -> None:
        await self._note_pause(self._some_connection(chance), is_paused=False)

    async def rest(self, chance: random.Random) -> None:
        """Nothing for a while."""
        await asyncio.sleep(chance.uniform(1, 5) * self.kind.pulse)

    def _some_connection(self, chance: random.Random) -> str:
        return chance.choice([*self.kind.vendors, "segment"])

    async def _resume_all(self) -> None:
        for name in (*self.kind.vendors, "segment"):
            await self._note_pause(name, is_paused=False)

    async def _note_pause(self, connection: str, *, is_paused: bool) -> None:
        with suppress(StoreFull):
            async with self.daemon.store() as store:
                await store.note_fact(*pause_fact(connection, is_paused=is_paused))


_DEEDS: Final[dict[str, Callable[[World, random.Random], Awaitable[None]]]] = {
    name: getattr(World, name) for name in dict.fromkeys(DEEDS)
}


def step_of(message_id: str) -> int:
    """The step of the call that a delivery comes from."""
    return int(message_id.removeprefix("step-").partition(":")[0])


def _at_request(count: int, act: Callable[[], object]) -> Callable[[str], bool]:
    """Acts when the so-many-th request has arrived and nothing has been done about it; lets all of them pass."""
    left = itertools.count(count - 1, -1)

    def watch(_: str) -> bool:
        if next(left) == 0:
            act()
        return False

    return watch


def live(plan: Plan, check: Callable[[World], Awaitable[None]]) -> World:
    """Let a world live in which a plan comes true, and check it at its end."""
    folder = Path(tempfile.mkdtemp(prefix="npsbridge-world-", dir=_quick_folder()))

    async def main(loop: SimulatedLoop, disk: Disk) -> World:
        world = World(loop, disk, plan, folder)
        try:
            await world.live()
            await check(world)
        except Exception as error:
            error.add_note("\n".join(world.story))
            raise
        return world

    try:
        return run(main)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _quick_folder() -> str | None:
    """Memory, where there is a folder for it."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a folder of our own below it
