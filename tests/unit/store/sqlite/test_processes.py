"""What holds between processes: SIGKILL, two at once, a second daemon, and leaving."""

import asyncio
import hashlib
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from npsbridge.clock import Clock
from npsbridge.core.records import Arrival, Origin
from npsbridge.store import open_store

APPENDING = Path(__file__).with_name("appending.py")
LIMIT = 30.0
"""Seconds after which a process has failed."""


@contextmanager
def appending(url: str, wanted: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(APPENDING), url, str(wanted)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own script
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'npsbridge.db'}"


def arrival(body: bytes) -> Arrival:
    return Arrival(connection="retently", origin=Origin.POLL, body=body, count=1, received_at=0)


@pytest.mark.parametrize("acknowledged", [1, 40, 500])
async def test_i1_every_acknowledged_append_survives_sigkill(url: str, acknowledged: int) -> None:
    with appending(url, 1_000_000) as process:
        assert process.stdout is not None
        seen = [process.stdout.readline() for _ in range(acknowledged)]
        process.kill()
        seen += process.stdout.readlines()
    told = {int(line) for line in seen if line.endswith("\n")}
    async with open_store(url, clock=Clock()) as store:
        kept = [int(entry.body.strip(b"[]")) for entry in await store.unrouted(2_000_000)]
        ledger = await store.ledger()
    assert told <= set(kept)
    assert len(kept) == len(set(kept)) == ledger.accepted == ledger.waiting


async def test_i11_after_sigkill_the_checkpoint_is_that_of_an_entry_in_the_journal(url: str) -> None:
    with appending(url, 1_000_000) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.kill()
    async with open_store(url, clock=Clock()) as store:
        entries = await store.unrouted(2_000_000)
        assert await store.checkpoint("delighted") in {entry.body for entry in entries}


async def test_two_processes_append_to_one_store_and_nothing_is_lost(url: str) -> None:
    async with open_store(url, clock=Clock()) as store:
        with appending(url, 300) as process:
            mine = [store.append([arrival(b"[%d]" % number)]) for number in range(300)]
            await asyncio.gather(*mine)
            assert await asyncio.to_thread(process.wait, LIMIT) == 0
        assert await store.changed_elsewhere()
        ledger = await store.ledger()
        assert (ledger.accepted, ledger.waiting) == (600, 600)
        assert len(await store.unrouted(1_000)) == 600


SECOND = """
    import asyncio, sys
    from npsbridge.clock import Clock
    from npsbridge.errors import StoreLocked
    from npsbridge.store import open_store

    async def main():
        async with open_store(sys.argv[1], clock=Clock()):
            pass

    try:
        asyncio.run(main())
    except StoreLocked as error:
        sys.exit(error.exit_code)
"""


@pytest.mark.parametrize("name", ["npsbridge.db", "link.db", "folder/npsbridge.db"])
async def test_i16_a_second_daemon_ends_with_75_and_changes_no_byte(url: str, tmp_path: Path, name: str) -> None:
    (tmp_path / "link.db").symlink_to("npsbridge.db")
    (tmp_path / "folder").symlink_to(".")
    async with open_store(url, clock=Clock()) as store:
        await store.append([arrival(b"[1]")])
        files = [tmp_path / f"npsbridge.db{end}" for end in ("", "-wal", ".lock")]
        before = [hashlib.sha256(file.read_bytes()).digest() for file in files]
        command = [sys.executable, "-c", textwrap.dedent(SECOND), f"sqlite:///{tmp_path / name}"]
        second = await asyncio.to_thread(subprocess.run, command, timeout=LIMIT, check=False)
        assert second.returncode == 75
        assert [hashlib.sha256(file.read_bytes()).digest() for file in files] == before


LEAVING = """
    import asyncio, sys
    from npsbridge.clock import Clock
    from npsbridge.store import open_store

    async def main():
        async with open_store(sys.argv[1], clock=Clock()) as store:
            asyncio.get_running_loop().call_soon(asyncio.current_task().cancel)
            {wait}

    asyncio.run(main())
"""
WAITS = ["await asyncio.sleep(3600)", "await store.ledger()", "await store.heartbeat()", "raise SystemExit(3)"]


@pytest.mark.parametrize("wait", WAITS)
def test_f3_a_store_never_keeps_its_process_from_leaving(url: str, wait: str) -> None:
    command = [sys.executable, "-c", textwrap.dedent(LEAVING).format(wait=wait), url]
    left = subprocess.run(  # noqa: S603 - the script above
        command, timeout=LIMIT, check=False, capture_output=True, text=True
    )
    assert left.returncode in {1, 3}
    assert "CancelledError" in left.stderr or left.returncode == 3
    assert not Path(f"{url.removeprefix('sqlite:///')}-wal").exists()
