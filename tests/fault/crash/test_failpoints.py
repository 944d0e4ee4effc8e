"""SIGKILL at the moments that matter, reached without strace (F2): the daemon stands still there, and is killed."""

import asyncio
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from end_to_end.harness import until
from fault.crash.enumerator import Violation, check_files, lived_on
from fault.crash.old_store import OLDEST
from fault.crash.scene import Scene
from fault.crash.scenes import scene
from fault.lives import STANDS_STILL, Stop
from npsbridge.core.model import State
from npsbridge.store.sqlite.upgrades import UPGRADES

FAILPOINTS: Final[Mapping[str, Mapping[str, Stop]]] = {
    "ingest": {
        "after_accept_before_commit": Stop(method="append", moment="before", passes=1),
        "within the commit of calls": Stop(method="append", moment="within", passes=1),
        "after_commit_before_reply": Stop(method="append", moment="after", passes=1),
    },
    "survey": {
        "within the commit of an intent": Stop(method="settle", state=State.INFLIGHT, moment="within"),
        "after_intent_before_send": Stop(method="settle", state=State.INFLIGHT, moment="after"),
        "after_send_before_record": Stop(method="settle", state=State.DELIVERED, moment="before"),
    },
    "poll": {
        "after_page_before_cursor": Stop(method="append", moment="before", passes=1),
        "within the commit of page and cursor": Stop(method="append", moment="within", passes=1),
        "after cursor, before routing": Stop(method="commit_routing", moment="before", passes=1),
        "within the commit of the outbox": Stop(method="commit_routing", moment="within", passes=1),
    },
    "deliver": {
        "mid_batch_flush": Stop(method="settle", state=State.DELIVERED, moment="before", passes=1),
        "within the record of a batch": Stop(method="settle", state=State.DELIVERED, moment="within"),
    },
    "upgrade": {
        f"after {passes} statements": Stop(method="upgrade", moment="within", passes=passes)
        for passes in range(0, sum(map(len, UPGRADES[OLDEST:])), 3)
    },
}
"""By scene: the moments, under the names of the reliability list where it has one. For page and cursor, and for an
upgrade, it wants what cannot be: they are one transaction."""
PEACE: Final = "budgets:ended_in_peace"
"""The fact that a daemon notes last, before its store is closed; it takes it back when it begins."""


async def killed_standing(work: Scene, stop: Stop, *, in_the_end: bool = False) -> None:
    """A life that comes to a moment of its work, or of an end in peace while all is owed, and is killed there."""
    daemon = work.daemon
    await daemon.begin(stop)
    ended, sending = asyncio.create_task(daemon.ended()), asyncio.create_task(_sent(work))
    if in_the_end:
        await asyncio.wait({sending})
        daemon.send(signal.SIGTERM)
    await until(lambda: ended.done() or any(line["message"] == STANDS_STILL for line in daemon.told))
    if not ended.done():
        daemon.send(signal.SIGKILL)
    assert await ended == -signal.SIGKILL
    await sending


async def _sent(work: Scene) -> None:
    if not work.from_birth:
        await work.send(await work.daemon.address("listen"))


@pytest.mark.parametrize("name", FAILPOINTS)
async def test_i1_i2_i8_i11_i21_f2_killed_where_it_stands_it_lives_on_and_keeps_every_promise(
    tmp_path: Path, name: str
) -> None:
    async with scene(name, tmp_path) as work:
        for failpoint, stop in FAILPOINTS[name].items():
            await killed_and_lived_on(work, stop, failpoint)


@pytest.mark.parametrize("name", ["ingest", "survey"])
async def test_i1_i18_f2_f5_killed_mid_shutdown_it_lives_on_and_keeps_every_promise(tmp_path: Path, name: str) -> None:
    async with scene(name, tmp_path) as work:
        for moment in ("before", "after"):
            stop = Stop(method="note_fact", fact=PEACE, moment=moment, passes=1)
            await killed_and_lived_on(work, stop, f"mid_shutdown, {moment} the last fact", in_the_end=True)


async def killed_and_lived_on(work: Scene, stop: Stop, failpoint: str, *, in_the_end: bool = False) -> None:
    """All of it, with the name of the failpoint in every failure."""
    await work.begin_round()
    try:
        await killed_standing(work, stop, in_the_end=in_the_end)
        check_files(work)
        await lived_on(work)
    except (AssertionError, TimeoutError) as error:
        raise Violation(f"killed at {failpoint!r}: {error}\n{work.daemon.output}") from error
