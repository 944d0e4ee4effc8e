"""Mistakes that a daemon might make, made on purpose: whatever says that there are none must notice each of them.

A function of this file spoils one life; `fault.cradle` calls it by its name, in the process of that life.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from fault.cradle import store_kind
from npsbridge.core.envelope import CallSource
from npsbridge.core.model import Delivery
from npsbridge.core.records import Arrival, JournalEntry, Routing
from npsbridge.core.storage import Store
from npsbridge.engine import supervise
from npsbridge.engine.dispatch import Lane
from npsbridge.engine.forwarding import CallRouter
from npsbridge.engine.intake import Intake
from npsbridge.engine.router import Router
from npsbridge.store.sqlite import opening, upgrades
from npsbridge.store.sqlite.store import SqliteStore

LATER: Final = 0.2
"""Seconds by which a mistake comes late; what must not come before it has come by then, on a busy machine as well."""
LONGEST: Final = 600.0
"""Seconds that something stands still, unless its process is killed before."""

_left_behind: set[asyncio.Task[None]] = set()


def lets_the_disk_be_lazy() -> None:
    """SQLite syncs now and then, not at every commit."""
    assert isinstance(opening.WRITING, dict)
    opening.WRITING["synchronous"] = ("NORMAL", 1)


def answers_before_the_commit() -> None:
    """Callers are thanked before what they sent is on disk."""
    keep = Intake.calls

    async def calls(intake: Intake, body: bytes, count: int, source: CallSource) -> None:
        async def afterwards() -> None:
            await asyncio.sleep(LATER)
            await keep(intake, body, count, source)

        _later(afterwards())

    _replace(Intake, calls)


def moves_the_checkpoint_first() -> None:
    """The checkpoint is on disk before the page that it belongs to."""
    kind = store_kind()
    keep = kind.append

    async def append(store: Store, arrivals: Sequence[Arrival], *, checkpoint: tuple[str, bytes] | None = None) -> None:
        await keep(store, [], checkpoint=checkpoint)
        await keep(store, arrivals)

    _replace(kind, append)


def notes_the_intent_late() -> None:
    """A request for a survey leaves before anything on disk says so."""
    carefully = Lane._set_out

    async def _set_out(lane: Lane, batch: Sequence[Delivery]) -> Sequence[Delivery]:
        async def afterwards() -> None:
            await asyncio.sleep(LATER)
            await carefully(lane, batch)

        _later(afterwards())
        return batch

    _replace(Lane, _set_out)


def upgrades_bit_by_bit() -> None:
    """Every statement of an upgrade is a transaction of its own."""

    def _take_step(database: sqlite3.Connection, number: int, statements: upgrades.Upgrade) -> None:
        for statement in statements:
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {number:d}")

    _replace(upgrades, _take_step)


def keeps_failing() -> None:
    """Routing fails whenever there is something to route, and is tried again without a pause."""

    async def route(_: CallRouter, __: Sequence[JournalEntry]) -> list[Routing]:
        raise ValueError("a mistake of ours")

    def backoff(*_: Any, **__: Any) -> float:
        return 0.0

    _replace(CallRouter, route)
    _replace(supervise, backoff)


def blocks_the_loop() -> None:
    """The event loop stands still after a moment."""

    async def run(_: Router) -> None:
        await asyncio.sleep(LATER)
        time.sleep(LONGEST)  # noqa: ASYNC251 - that is the mistake

    _replace(Router, run)


def hangs_the_writer() -> None:
    """The thread that writes stands still after a moment; the loop does not."""

    async def run(router: Router) -> None:
        await asyncio.sleep(LATER)
        store = router._store
        assert isinstance(store, SqliteStore)
        await store._writer.run(lambda _: time.sleep(LONGEST))

    _replace(Router, run)


def _replace(owner: object, by: Callable[..., Any]) -> None:
    """What has the same name does what this function does, from now on."""
    setattr(owner, by.__name__, by)


def _later(doing: Any) -> None:
    task = asyncio.ensure_future(doing)
    _left_behind.add(task)
    task.add_done_callback(_left_behind.discard)
