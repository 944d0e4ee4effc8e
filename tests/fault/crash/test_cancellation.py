"""Cancelled at any await, of a loop or on the way in (F3): no half of anything is left, and what follows is as ever."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from end_to_end.harness import until
from end_to_end.outbound import WRITE_KEY, Outbound, outbound
from fault.crash.cut_short import CutShort, awaited
from fault.crash.enumerator import wanted_points
from fault.survey_truth import VENDORS, identify, settings, surveys, trigger
from npsbridge.app.loops import Loops, make_loops
from npsbridge.app.parts import assemble
from npsbridge.core.envelope import CallSource, unwrap
from npsbridge.core.keys import message_id
from npsbridge.core.model import Kind, State
from npsbridge.core.storage import Store
from npsbridge.engine.board import Board
from npsbridge.engine.seams import Seams
from npsbridge.metrics import Metrics
from npsbridge.net.client import open_session
from npsbridge.sandbox import PastAnswer
from npsbridge.store import open_store
from stores import on_postgres, store_url

ANSWERS: Final = 130
"""More than a page."""
AWAITS_TOGETHER: Final = 5
"""On PostgreSQL, where a step of a loop is several round trips, every so-many-th await is tried; with CRASH_POINTS=all
every single one."""
MOST_AWAITS: Final = 2000
"""Beyond these something turns in a circle."""
DAY: Final = 86_400


class Shop:
    """Answers to be read and people to be asked, anew in every round, and daemons that live in this process."""

    def __init__(self, line: Outbound) -> None:
        self.line = line
        self.round = 0

    def begin_round(self) -> None:
        self.round += 1
        self.url = store_url(self.line.folder, str(self.round))
        self.line.segment.forget()
        first = 10 * self.round
        self.steps = {vendor: first + n for n, vendor in enumerate(VENDORS)}
        people = {vendor: f"{vendor}-{self.round}" for vendor in VENDORS}
        self.calls = [identify(person, first + 5 + n) for n, person in enumerate(people.values())]
        self.calls += [trigger(vendor, people[vendor], step) for vendor, step in self.steps.items()]

    @property
    def body(self) -> bytes:
        """The calls of this round as an SDK sends them."""
        return json.dumps({"writeKey": WRITE_KEY, "batch": self.calls}).encode()

    async def keep(self, loops: Loops) -> None:
        """Take the calls in."""
        envelope = unwrap(self.body, type_in_path=None).envelope
        await loops.intake.calls(envelope.encode(), len(envelope.batch), CallSource.SDK)

    @asynccontextmanager
    async def loops(self) -> AsyncIterator[tuple[Store, Loops]]:
        """Everything of a daemon but its listeners."""
        given = self.line.settings(STORE_URL=self.url)
        clock, metrics = self.line.clock, Metrics()
        async with open_store(self.url, clock=clock) as store, open_session() as session:
            seams = Seams(store=store, board=Board(store, clock), clock=clock, metrics=metrics, jitter=lambda: 0.5)
            loops = make_loops(given, assemble(given, session, metrics, clock), seams)
            await loops.budgets.recall()
            yield store, loops

    def is_done(self) -> bool:
        """Whether Segment and all vendors were told of everything."""
        asked = all(surveys(self.line.vendors[vendor])[step] for vendor, step in self.steps.items())
        return asked and self.line.segment.message_ids >= self.expected

    @property
    def expected(self) -> set[str]:
        key = self.line.segment.write_keys[0]
        return {
            message_id(key, "delighted", "delighted", response, kind, 1)
            for response in self.line.delighted.responses
            for kind in (Kind.IDENTIFY, Kind.SUBMIT)
        }

    async def check(self, store: Store) -> None:
        """Nothing is missing, nothing was asked twice, and what nobody knows is held."""
        assert self.line.segment.message_ids == self.expected
        rows = {
            one.message_id.partition(":")[0]: one for one in await store.deliveries(limit=1000) if one.kind == "survey"
        }
        for vendor, step in self.steps.items():
            row, asked = rows[f"step-{step}"], surveys(self.line.vendors[vendor])[step]
            assert (row.state, asked) in {(State.DELIVERED, 1), (State.HELD, 0), (State.HELD, 1)}, (vendor, asked, row)
        assert (await store.ledger()).imbalance == 0


@asynccontextmanager
async def running(loops: Loops, *, cut: str = "", at: int = 0) -> AsyncIterator[asyncio.Task[Any]]:
    """All loops at work; at the end of the block they are cancelled. Gives the one that may be cut short."""
    every = {**loops.own, **loops.feeding, **{name: make().run for name, make in loops.lanes.items()}}
    tasks = {
        name: asyncio.ensure_future(awaited(CutShort(_coroutine(run), at if name == cut else 0)))
        for name, run in every.items()
    }
    try:
        yield tasks[cut or "router"]
    finally:
        for task in tasks.values():
            task.cancel()
        ends = await asyncio.gather(*tasks.values(), return_exceptions=True)
    failures = [end for end in ends if isinstance(end, Exception)]
    assert failures == []


async def _coroutine(run: Callable[[], Awaitable[None]]) -> None:
    await run()


@asynccontextmanager
async def shop(folder: Path) -> AsyncIterator[Shop]:
    changes = {"DELIGHTED__PULL": "true", "DELIGHTED__POLL_INTERVAL": "1h", "EVENTS__NAMES": '["Submit Survey"]'}
    async with outbound(folder, **settings(**changes)) as line:
        # So far apart that what a checkpoint has passed is not found again by reading a little of it anew.
        first = line.clock.now_ms() // 1000 - 300 * DAY
        line.delighted.load(
            PastAnswer(email=f"p{n}@example.org", score=n % 11, created_at=first + 2 * n * DAY) for n in range(ANSWERS)
        )
        yield Shop(line)


async def cut_short(made: Shop, loop: str, at: int) -> bool:
    """One round in which a loop is cut short, and a further life; whether it was, before all was done."""
    made.begin_round()
    async with made.loops() as (_, loops):
        await made.keep(loops)
        async with running(loops, cut=loop, at=at) as victim:
            await until(lambda: victim.done() or made.is_done())
            was_cut = victim.done()
    async with made.loops() as (store, loops), running(loops):

        async def is_settled() -> bool:
            has_read_all = loops.seams.metrics.registry.get_sample_value(
                "npsbridge_poll_last_success_timestamp_seconds", {"connection": "delighted"}
            )
            return bool(has_read_all) and (await store.ledger()).waiting == 0

        await until(is_settled)
        await made.check(store)
    return was_cut


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "loop", ["poll delighted", "router", "forward segment", "forward delighted", "forward promoter"]
)
async def test_i1_i2_i8_i12_f3_a_loop_cancelled_at_any_await_leaves_nothing_half_done(
    tmp_path: Path, loop: str, record_property: Callable[[str, object], None]
) -> None:
    async with shop(tmp_path) as made:
        at, step = 1, steps()
        while await cut_short(made, loop, at):
            at += step
            assert at < MOST_AWAITS
    record_property("cuts", at // step)
    assert at > 5


def steps() -> int:
    """From one await at which a loop is cut short to the next."""
    return AWAITS_TOGETHER if on_postgres() and wanted_points() != "all" else 1


async def test_i1_i3_f3_calls_whose_taking_in_is_cancelled_at_any_await_are_there_whole_or_not_at_all(
    tmp_path: Path,
) -> None:
    async with shop(tmp_path) as made:
        for at in range(1, MOST_AWAITS):
            made.begin_round()
            async with made.loops() as (_, loops):
                task = asyncio.ensure_future(awaited(CutShort(made.keep(loops), at)))
                await asyncio.wait({task})
            async with made.loops() as (store, loops):
                kept = [entry.count for entry in await store.unrouted(100)]
                assert kept in ([], [len(made.calls)])
                await made.keep(loops)
                async with running(loops):
                    await until(made.is_done)
                ledger = await store.ledger()
            assert (ledger.imbalance, ledger.duplicate) == (0, sum(kept)), ledger
            if not task.cancelled():
                break
        assert at > 1


async def test_i4_f3_a_caller_who_goes_before_the_reply_and_comes_again_changes_nothing(tmp_path: Path) -> None:
    async with shop(tmp_path) as made:
        made.begin_round()
        head = f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: {len(made.body)}\r\n\r\n".encode()
        async with made.line.daemon(STORE_URL=made.url) as app:
            _, writer = await asyncio.open_connection(app.public.host, app.public.port)
            writer.write(head + made.body)
            await writer.drain()
            writer.transport.abort()
            await until(made.is_done)
            assert (await made.line.send(app, *made.calls)).status == 200
            await made.line.rests(app)
            assert (await app.store.ledger()).duplicate == len(made.calls)
            await made.check(app.store)
