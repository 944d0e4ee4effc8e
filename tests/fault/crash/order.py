"""Whether a daemon ever says more than the disk holds: strace's record of a whole life against promises 1, 2 and 4.

No 200 leaves before the calls that it is about are safe, no request for a survey before its intent is, and no
checkpoint is safe before the responses that it has passed.
"""

import re
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Final

import aiohttp

from fault.crash.enumerator import killed_at, strace_log
from fault.crash.keeping import Files
from fault.crash.power_cut import SYNCS, Moment, laid_out, moments
from fault.crash.scene import Scene
from fault.crash.strace_log import SystemCall, calls
from fault.crash.talk import Asked, Thanked, by_call, talk_of
from fault.survey_truth import READ
from npsbridge.app.parts import assemble
from npsbridge.core.model import State
from npsbridge.core.reading import split
from npsbridge.core.storage import Store
from npsbridge.metrics import Metrics
from npsbridge.store import open_store

FILES: Final = ("npsbridge.db", "npsbridge.db-wal")
ALL_OF_THEM: Final = 100_000
_MESSAGE_ID: Final = re.compile(rb'"messageId": ?"([^"]+)"')


async def order_kept(scene: Scene, *, mistake: str | None = None) -> "Order":
    """Write down a whole life and go through it."""
    await scene.begin_round()
    before = scene.line.folder / "before"
    laid_out({FILES[0]: (scene.line.folder / FILES[0]).read_bytes()}, before)
    assert not await killed_at(scene, None, mistake=mistake, whole=True)
    order = Order(scene)
    await order.check(list(scene.part(calls(strace_log(scene).read_text().splitlines()))), before)
    return order


class Order:
    """One life, and what it did too early."""

    def __init__(self, scene: Scene) -> None:
        assert isinstance(scene.store, Files)
        self._scene = scene
        self._files = scene.store
        self._folder = scene.line.folder / "after-the-power-failed"
        self.broken: list[str] = []
        """What was done too early, in words."""
        self.at_stake: Counter[str] = Counter()
        """How often it could have been: `calls` thanked for, `surveys` asked for, `disks` that were left by a sync."""

    async def check(self, made: Sequence[SystemCall], before: Path) -> None:
        """Go through a life; `before` has the files as they were when it began."""
        leaving = by_call(talk_of(made))
        for moment in moments(made, FILES, before):
            if moment.is_begin:
                await self._leaves(moment, leaving.get(moment.call))
            elif moment.call.name in SYNCS and moment.call.file.endswith(FILES):
                await self._is_synced(moment)

    async def _leaves(self, moment: Moment, said: Thanked | Asked | None) -> None:
        match said:
            case Thanked(request=request):
                for message_id in _MESSAGE_ID.findall(request):
                    await self._is_thanked_for(moment, message_id.decode())
            case Asked():
                for step in surveys_in(self._scene, said):
                    await self._is_asked(moment, step)

    async def _is_thanked_for(self, moment: Moment, message_id: str) -> None:
        self.at_stake["calls"] += 1
        async with self._left_by(moment) as store:
            unrouted = [entry.body for entry in await store.unrouted(ALL_OF_THEM)]
            is_safe = await store.seen([message_id]) or any(message_id.encode() in body for body in unrouted)
        if not is_safe:
            self.broken.append(f"I1: a 200 left before {message_id} was safe: {moment.call}")

    async def _is_asked(self, moment: Moment, step: int) -> None:
        self.at_stake["surveys"] += 1
        async with self._left_by(moment) as store:
            owed = await store.deliveries(limit=ALL_OF_THEM)
        intended = {one.message_id for one in owed if one.state not in {State.QUEUED, State.WAITING}}
        if not any(one.startswith(f"step-{step}:survey") for one in intended):
            self.broken.append(f"I8: a survey was asked for before the intent was safe: {moment.call}")

    async def _is_synced(self, moment: Moment) -> None:
        self.at_stake["disks"] += 1
        laid_out(moment.disk, self._folder)
        with closing(sqlite3.connect(self._folder / FILES[0])) as database:
            self._files.check_disk(database)
        if self._scene.reads_history:
            async with self._left_by(moment) as store:
                lost = await passed_over(self._scene, store)
            if lost:
                self.broken.append(
                    f"I11: the checkpoint has passed {len(lost)} answers that are not safe: {moment.call}"
                )

    @asynccontextmanager
    async def _left_by(self, moment: Moment) -> AsyncIterator[Store]:
        """The store that a power failure at this moment would leave."""
        laid_out(moment.disk, self._folder)
        url = f"sqlite:///{self._folder / FILES[0]}"
        async with open_store(url, clock=self._scene.line.clock, exclusive=False) as store:
            yield store


def surveys_in(scene: Scene, said: Asked) -> list[int]:
    """The steps that a request asks a vendor to survey somebody for."""
    port = int(said.request.headers["host"].rpartition(":")[2])
    asked = [server for server in scene.line.vendors.values() if server.port == port and said.request.method == "POST"]
    return [one.step for server in asked for one in READ[server.kind](said.request) if one.is_survey]


async def passed_over(scene: Scene, store: Store) -> set[str]:
    """The answers that are not in a store and will not be read by whoever goes on from its checkpoint."""
    everything = set(scene.line.delighted.responses)
    async with aiohttp.ClientSession() as session:
        parts = assemble(scene.line.settings(), session, Metrics(), scene.line.clock)
        (source,) = parts.sources
        checkpoint = await store.checkpoint(source.connection)
        still_to_come = [record async for page in source.read(checkpoint) for record in page.records]
    journaled = [record for entry in await store.unrouted(ALL_OF_THEM) for record in split(entry.body)]
    parse = parts.parsers[source.connection]
    found = {parse(source.connection, record).id for record in (*still_to_come, *journaled)}
    routed = await store.recall(source.connection, responses=everything, people=(), emails=())
    return everything - found - set(routed.responses)
