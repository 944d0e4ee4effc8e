"""`run` as a process: it says when it is up, ends when told, and logs why it could not."""

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest

from npsbridge.sandbox import DelightedServer, SegmentServer
from npsbridge.store.sqlite.lock import held_alone
from unit.cli.commands import between, command, started


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
async def test_i18_a_daemon_that_is_told_to_stop_ends_with_0(by: signal.Signals) -> None:
    async with DelightedServer() as delighted, SegmentServer() as segment:
        environ = between(delighted, segment) | {"NPSBRIDGE_LOG_FORMAT": "text"}
        async with started("run", environ=environ) as daemon:
            # Standard error is its log; standard output stays empty, so the first request tells that it is up.
            await delighted.until(lambda: len(delighted.requests) > 0, 30)
            ended = await daemon.end(by)
    assert (ended.code, ended.out) == (0, "")


async def test_i16_a_daemon_beside_another_one_says_so_in_its_log_and_ends_with_75(tmp_path: Path) -> None:
    with held_alone(tmp_path / "npsbridge.db"):
        ended = await command("run", environ={"NPSBRIDGE_LISTEN": "127.0.0.1:0", "NPSBRIDGE_ADMIN_LISTEN": "[::1]:0"})
    assert ended.code == 75
    last = json.loads(ended.err.splitlines()[-1])
    assert (last["level"], "another daemon" in last["message"]) == ("CRITICAL", True)


async def test_a_foreign_file_as_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "npsbridge.db").write_bytes(b"shopping list")
    ended = await command("run", environ={"NPSBRIDGE_LISTEN": "127.0.0.1:0", "NPSBRIDGE_ADMIN_LISTEN": "[::1]:0"})
    assert ended.code == 65
    assert (tmp_path / "npsbridge.db").read_bytes() == b"shopping list"


async def test_a_status_beside_a_running_daemon_says_that_it_runs() -> None:
    async with DelightedServer() as delighted, SegmentServer() as segment:
        environ = between(delighted, segment)
        async with started("run", environ=environ) as daemon:
            await delighted.until(lambda: len(delighted.requests) > 0, 30)
            shown = await command("status", "--json", environ=environ)
            await daemon.end()
    assert json.loads(shown.out)["daemon"] == {"running": True}


SAYS_WHETHER_GARBAGE_IS_COLLECTED = """
import gc, sys
import npsbridge.cli, npsbridge.cli.run

async def serve(load):
    print(gc.isenabled(), gc.get_freeze_count() > 0)

npsbridge.cli.run.serve = serve
sys.argv = ["npsbridge", "run"]
npsbridge.cli.main()
"""


async def test_the_collector_that_rests_while_the_daemon_loads_is_at_work_once_it_runs() -> None:
    code = SAYS_WHETHER_GARBAGE_IS_COLLECTED
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    assert (process.returncode, said) == (0, b"True True\n")
