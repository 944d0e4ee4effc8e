"""SIGKILL before every system call by which something is written, synced or sent (F1); nothing is lost or doubled."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest

from end_to_end.harness import until
from end_to_end.process import daemon_process
from fault.crash.enumerator import READY_WITHIN, Violation, enough, enumerate_kills, killed_at, wanted_points
from fault.crash.scenes import SCENES, scene
from fault.crash.tracing import Point, needs_strace
from stores import bury, on_postgres

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture(autouse=True, scope="module")
def strace() -> None:
    needs_strace()


@pytest.mark.parametrize("name", SCENES)
async def test_i1_i2_i8_i11_i12_f1_killed_before_any_call_it_lives_on_and_keeps_every_promise(
    tmp_path: Path, name: str, record_property: Callable[[str, object], None]
) -> None:
    wanted = wanted_points()
    async with scene(name, tmp_path) as work:
        toll = await enumerate_kills(work, wanted)
    record_property("kills", len(toll.killed))
    record_property("seconds until ready, usually", median(toll.seconds))
    record_property("seconds until ready, at most", max(toll.seconds))
    assert len(toll.killed) >= enough(wanted)
    assert median(toll.seconds) < READY_WITHIN


@pytest.mark.parametrize(
    ("name", "mistake", "at", "said"),
    [
        ("ingest", "answers_before_the_commit", [f"pwrite64:{n}" for n in range(1, 60, 4)], "I1:"),
        ("poll", "moves_the_checkpoint_first", [f"fdatasync:{n}" for n in range(2, 12)], "I11:"),
        ("survey", "notes_the_intent_late", [f"pwrite64:{n}" for n in range(15, 90, 5)], "I8:"),
        ("upgrade", "upgrades_bit_by_bit", [f"fdatasync:{n}" for n in range(5, 20)], "I21:"),
    ],
)
async def test_it_notices_a_daemon_that_breaks_its_promises(
    tmp_path: Path, name: str, mistake: str, at: list[str], said: str
) -> None:
    async with scene(name, tmp_path) as work:
        with pytest.raises(Violation, match=said):
            await enumerate_kills(work, ",".join(at), mistake=mistake)


async def test_f1_after_a_kill_the_whole_command_is_ready_within_two_seconds(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """The lives above are forked; here the interpreter starts anew and imports everything, as after a real crash."""
    async with scene("poll", tmp_path) as work:
        await work.begin_round()
        middle = Point(call="sendto", number=60) if on_postgres() else Point(call="fdatasync", number=4)
        assert await killed_at(work, middle)
        bury(work.line.environment["STORE_URL"])
        began_at = asyncio.get_running_loop().time()
        async with daemon_process(tmp_path, work.line.environment) as daemon:
            await daemon.ready()
            record_property("seconds until ready", asyncio.get_running_loop().time() - began_at)
            worked = processor_seconds(daemon.process.pid)
            await until(work.is_done)
    record_property("seconds of a processor until ready", worked)
    assert worked < READY_WITHIN  # beside other work on the machine more passes by the clock


def processor_seconds(process: int) -> float:
    """How long a process has worked so far, as /proc/PID/stat tells it (proc(5): utime, stime)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
