"""One replica among others: it begins what is its own, and nothing leaves it under a lease that may be another's."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import partial

import anyio
import msgspec
import pytest
from loguru import logger

from npsbridge.clock import Clock
from npsbridge.core.leases import Fleet, Holding, Replica, current_lease
from npsbridge.engine.fleet import BEAT_SECONDS, LEASE_SECONDS, MARGIN_SECONDS, Team, Work
from npsbridge.errors import LeaseLost, StoreUnavailable

pytestmark = pytest.mark.looptime


class Hours(Clock):
    """Both clocks go with the virtual time of the test."""

    def __init__(self) -> None:
        self.slept = 0.0
        """Seconds in which this machine slept, unseen by the loop."""
        super().__init__(wall=lambda: 1_000_000.0 + asyncio.get_running_loop().time())

    def uptime(self) -> float:  # type: ignore[override]
        return asyncio.get_running_loop().time() + self.slept


class Registry:
    """Leases in memory; time is that of the test, and the way to it can be cut."""

    is_shared = True

    def __init__(self) -> None:
        self.replicas: dict[str, Replica] = {}
        self.held: dict[str, tuple[str | None, int, float]] = {}
        self.is_cut = False

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def look(self) -> None:
        if self.is_cut:
            raise StoreUnavailable("cut")

    async def announce(self, me: Replica, held: Mapping[str, int], *, seconds: float) -> Fleet:
        self.look()
        self.replicas[me.id] = me
        for name, fence in held.items():
            if self.held[name][:2] == (me.id, fence):
                self.held[name] = (me.id, fence, self.now() + seconds)
        return await self.fleet(seconds=seconds)

    async def take(self, names: Collection[str], *, holder: str, seconds: float) -> dict[str, int]:
        self.look()
        got = {}
        for name in names:
            now_holder, fence, until = self.held.get(name, (None, 0, 0.0))
            if now_holder is None or until < self.now():
                got[name] = fence + 1
                self.held[name] = (holder, fence + 1, self.now() + seconds)
        return got

    async def give_back(self, held: Mapping[str, int]) -> None:
        self.look()
        for name, fence in held.items():
            if self.held[name][1] == fence:
                self.held[name] = (None, fence, 0.0)

    async def leave(self, replica: str) -> None:
        self.replicas.pop(replica, None)

    async def fleet(self, *, seconds: float) -> Fleet:
        del seconds
        holdings = [
            Holding(name=name, holder=holder if until >= self.now() else None, fence=fence)
            for name, (holder, fence, until) in sorted(self.held.items())
        ]
        there = tuple(self.replicas[name] for name in sorted(self.replicas))
        return Fleet(now=int((1_000_000 + self.now()) * 1000), replicas=there, holdings=tuple(holdings))

    async def book(self, connection: str, *, limit: float, seconds: float) -> float:
        raise NotImplementedError

    async def booked(self) -> dict[str, int]:
        raise NotImplementedError


class Desk:
    """A replica whose work is to note when it works, and under which fence."""

    def __init__(self, registry: Registry, name: str = "a", *works: str) -> None:
        self.works = works or ("router",)
        me = Replica(id=name, host=name, version="1", settings="x", works=self.works, started_at=0)
        self.clock = Hours()
        self.team = Team(registry, me, self.clock)
        self.working: dict[str, int] = {}
        self.is_good: Callable[[], bool] = lambda: False
        self.raises: Exception | None = None

    async def work(self, name: str) -> None:
        lease = current_lease()
        assert lease is not None
        self.working[name], self.is_good = lease.fence, lease.is_good
        try:
            if self.raises:
                raise self.raises
            await asyncio.sleep(10_000)
        finally:
            del self.working[name]

    def joined(self) -> AbstractAsyncContextManager[None]:
        return self.team.joined()

    def start(self) -> list[asyncio.Task[None]]:
        def begin(name: str) -> Work:
            return Work(partial(self.work, name))

        return [asyncio.create_task(self.team.do(name, partial(begin, name))) for name in self.works]


async def beats(count: float) -> None:
    await asyncio.sleep(count * BEAT_SECONDS + 0.1)


async def test_the_only_replica_does_everything_until_it_leaves() -> None:
    registry = Registry()
    desk = Desk(registry, "a", "router", "poll shop")
    tasks = desk.start()
    async with desk.joined():
        await beats(20)
        assert desk.working == {"router": 1, "poll shop": 1}
        desk.team.stop(desk.works)
        await asyncio.gather(*tasks)
    assert desk.working == {}
    assert {name: holder for name, (holder, _, _) in registry.held.items()} == {"router": None, "poll shop": None}
    assert registry.replicas == {}


async def test_a_second_replica_is_given_its_share_and_never_two_do_the_same() -> None:
    registry = Registry()
    first, second = (Desk(registry, name, "w1", "w2", "w3", "w4") for name in "ab")
    tasks = [*first.start(), *second.start()]
    async with first.joined():
        await beats(1)
        async with second.joined():
            for _ in range(8):
                await beats(0.5)
                assert not {*first.working} & {*second.working}
            assert (len(first.working), len(second.working)) == (2, 2)
            for task in tasks:
                task.cancel()


async def test_work_is_given_back_although_its_end_is_cut_short() -> None:
    class Slow(Registry):
        async def give_back(self, held: Mapping[str, int]) -> None:
            await asyncio.sleep(1)
            await super().give_back(held)

    registry = Slow()
    desk = Desk(registry)
    async with desk.joined():
        async with anyio.create_task_group() as group:
            group.start_soon(desk.team.do, "router", lambda: Work(partial(desk.work, "router")))
            await beats(1)
            assert registry.held["router"][0] == "a"
            desk.team.stop(desk.works)
            await asyncio.sleep(0.5)
            group.cancel_scope.cancel()
        assert registry.held["router"][0] is None


async def test_a_replica_that_is_not_heard_of_is_followed_by_another_within_30_seconds() -> None:
    registry = Registry()
    first, second = Desk(registry, "a"), Desk(registry, "b")
    tasks = [*first.start(), *second.start()]
    async with first.joined():
        await beats(1)
        first.team._leases = cut = Registry()
        cut.is_cut = True
        del registry.replicas["a"]
        async with second.joined():
            await asyncio.sleep(30)
            assert second.working == {"router": 2}
            assert not first.is_good()
            for task in tasks:
                task.cancel()


async def test_nothing_leaves_under_a_lease_before_another_may_have_it() -> None:
    registry = Registry()
    desk = Desk(registry)
    tasks = desk.start()
    async with desk.joined():
        await beats(1)
        assert desk.is_good()
        registry.is_cut = True
        await asyncio.sleep(LEASE_SECONDS - MARGIN_SECONDS)
        assert not desk.is_good()
        assert registry.held["router"][2] > registry.now()
        registry.is_cut = False
        await beats(1)
        assert desk.is_good()
        assert desk.working == {"router": 1}
        tasks[0].cancel()


async def test_a_machine_that_slept_knows_that_its_lease_may_be_gone() -> None:
    desk = Desk(Registry())
    (task,) = desk.start()
    async with desk.joined():
        await beats(1)
        desk.clock.slept += LEASE_SECONDS
        assert not desk.is_good()
        task.cancel()


async def test_work_that_another_has_taken_over_is_left_at_once() -> None:
    registry = Registry()
    desk = Desk(registry)
    (task,) = desk.start()
    async with desk.joined():
        await beats(1)
        registry.held["router"] = ("b", 9, registry.now() + 1000)
        await beats(1)
        assert desk.working == {}
        task.cancel()


async def test_a_write_that_is_refused_ends_the_work_and_not_the_daemon() -> None:
    desk = Desk(Registry())
    desk.raises = LeaseLost("another replica has taken over router")
    (task,) = desk.start()
    async with desk.joined():
        await beats(1)
        assert not task.done()
        desk.raises = None
        await beats(8)
        assert desk.working == {"router": 2}
        task.cancel()


@contextmanager
def log_of() -> Iterator[list[tuple[str, str]]]:
    """What is logged, by level."""
    told: list[tuple[str, str]] = []
    handler = logger.add(lambda one: told.append((one.record["level"].name, one.record["message"])), level="INFO")
    try:
        yield told
    finally:
        logger.remove(handler)


async def test_replicas_that_differ_are_told_of_once_and_again_when_they_are_alike() -> None:
    registry = Registry()
    desk = Desk(registry)
    other = Replica(id="b", host="b", version="1", settings="other", works=(), started_at=0)
    with log_of() as told:
        async with desk.joined():
            registry.replicas["b"] = other
            await beats(2)
            registry.replicas["c"] = msgspec.structs.replace(other, id="c", host="c")
            await beats(2)
            del registry.replicas["b"], registry.replicas["c"]
            await beats(2)
    said = [(level, text.partition(":")[0]) for level, text in told if "settings" in text]
    assert said == [
        ("WARNING", "Replicas run with different settings"),
        ("INFO", "All replicas run with the same settings again"),
    ]
