"""SIGKILL at the moments that matter, reached without strace (F2): the daemon stands still there, and is killed."""

import asyncio
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from end_to_end.harness import until
from fault.crash.enumerator import Violation, lived_on
from fault.crash.old_store import OLDEST
from fault.crash.scene import Scene
from fault.crash.scenes import scene
from fault.lives import STANDS_STILL, Stop
from npsbridge.core.model import State
from npsbridge.sandbox import Hang
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
}
"""By scene: the moments, under the names of the reliability list where it has one. For page and cursor it wants what
cannot be: they are one transaction."""
PEACE: Final = "budgets:ended_in_peace"
"""The fact that a daemon notes last, before its store is closed; it takes it back when it begins."""


async def killed_standing(work: Scene, stop: Stop, *, mistake: str | None = None, in_the_end: bool = False) -> None:
    """A life that comes to a moment of its work, or of an end in peace while all is owed, and is killed there."""
    daemon = work.daemon
    await daemon.begin(stop, mistake=mistake)
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
async def test_i1_i2_i8_i11_f2_killed_where_it_stands_it_lives_on_and_keeps_every_promise(
    tmp_path: Path, name: str
) -> None:
    async with scene(name, tmp_path) as work:
        for failpoint, stop in FAILPOINTS[name].items():
            await killed_and_lived_on(work, stop, failpoint)


async def test_i21_f2_killed_between_two_statements_of_an_upgrade_it_lives_on(tmp_path: Path) -> None:
    async with scene("upgrade", tmp_path) as work:
        for passes in range(0, sum(map(len, UPGRADES[OLDEST:])), 3):
            stop = Stop(method="upgrade", moment="within", passes=passes)
            await killed_and_lived_on(work, stop, f"after {passes} statements")


@pytest.mark.parametrize("name", ["ingest", "survey"])
async def test_i1_i18_f2_f5_killed_mid_shutdown_it_lives_on_and_keeps_every_promise(tmp_path: Path, name: str) -> None:
    async with scene(name, tmp_path) as work:
        for moment in ("before", "after"):
            stop = Stop(method="note_fact", fact=PEACE, moment=moment, passes=1)
            await killed_and_lived_on(work, stop, f"mid_shutdown, {moment} the last fact", in_the_end=True)


@pytest.mark.parametrize(
    ("name", "mistake", "stop", "said"),
    [
        ("ingest", "answers_before_the_commit", Stop(method="append", moment="before", passes=1), "I1:"),
        ("survey", "notes_the_intent_late", Stop(method="settle", state=State.INFLIGHT, moment="before"), "I8:"),
        ("poll", "moves_the_checkpoint_first", Stop(method="append", moment="before", passes=3), "I11:"),
    ],
)
async def test_it_notices_a_daemon_that_breaks_its_promises(
    tmp_path: Path, name: str, mistake: str, stop: Stop, said: str
) -> None:
    async with scene(name, tmp_path) as work:
        # Or its answer would be on disk before the intent that comes late.
        work.line.retently.faults.add(Hang(seconds=60, effect=True), method="POST")
        with pytest.raises(Violation, match=said):
            await killed_and_lived_on(work, stop, "a moment that a good daemon has not", mistake=mistake)


async def killed_and_lived_on(
    work: Scene, stop: Stop, failpoint: str, *, mistake: str | None = None, in_the_end: bool = False
) -> None:
    """All of it, with the name of the failpoint in every failure."""
    await work.begin_round()
    try:
        await killed_standing(work, stop, mistake=mistake, in_the_end=in_the_end)
        await work.store.check()
        await lived_on(work)
    except (AssertionError, TimeoutError) as error:
        raise Violation(f"killed at {failpoint!r}: {error}\n{work.daemon.output}") from error
