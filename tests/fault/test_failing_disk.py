"""The disk fails below a running daemon: the system call itself says so, by strace, or the process may not write more.

No 200 is given for what is not on disk, the process ends with 74 after an error that cannot be taken back, and the next
start finds a whole store that holds everything that was thanked for (F7, F13, I1). When there is only no room, it goes
on (F6).
"""

import asyncio
import os
import re
import resource
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest

from contract.store.examples import owe, planned, settle
from end_to_end.harness import until
from end_to_end.process import PATIENCE, Daemon, daemon_process
from fault.crash.tracing import needs_strace
from fault.test_storage import ENVIRONMENT, KEY, is_ready
from npsbridge.clock import Clock
from npsbridge.core.records import Arrival, Origin, Retention
from npsbridge.errors import StoreFull
from npsbridge.store import open_store
from npsbridge.store.sqlite.inspection import inspect
from npsbridge.store.sqlite.store import SqliteStore

BIG: Final = b"x" * 50_000
FAR_AHEAD: Final = 10**13
"""Milliseconds since 1970."""


async def times_asked(daemon: Daemon) -> int:
    """How often the vendor was asked for something."""
    _, figures = await daemon.get("/metrics")
    found = re.findall(r'^npsbridge_vendor_requests_total\{.*connection="delighted".*\} (\S+)$', figures, re.MULTILINE)
    return int(sum(map(float, found)))


async def is_asked(daemon: Daemon, times: int) -> bool:
    return await times_asked(daemon) >= times


async def sent(daemon: Daemon, message_id: str, *, size: int = 10, **members: Any) -> int | None:
    """The status that an SDK gets for one call; None when nobody answers any more."""
    call = {"type": "track", "messageId": message_id, "userId": "u1", "event": "E", "properties": {"x": "x" * size}}
    call |= members
    url = f"http://{await daemon.address('listen')}/v1/batch"
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, json={"writeKey": KEY, "batch": [call]}) as answer,
        ):
            return answer.status
    except aiohttp.ClientError:
        return None


@asynccontextmanager
async def failing(daemon: Daemon, call: str, error: str) -> AsyncIterator[None]:
    """From now on a system call on the store fails in the daemon, every time."""
    strace = await asyncio.create_subprocess_exec(
        *("strace", "-f", "-o", os.devnull, "-e", f"trace={call}", "-e", "signal=none"),
        *("-e", f"inject={call}:error={error}", "-p", str(daemon.process.pid)),
        stderr=asyncio.subprocess.PIPE,
    )
    assert strace.stderr is not None
    async with asyncio.timeout(PATIENCE):
        assert b"attached" in await strace.stderr.readline()
    try:
        yield
    finally:
        if strace.returncode is None:
            strace.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE):
            await strace.communicate()


async def check_whole(folder: Path, thanked: list[str]) -> None:
    """The store is whole, and all that was thanked for is in it."""
    path = folder / "npsbridge.db"
    assert [one.text for one in inspect(path) if one.is_good is False] == []
    with closing(sqlite3.connect(path)) as database:
        stored = b"".join(body for (body,) in database.execute("SELECT body FROM journal"))
    assert [one for one in thanked if one.encode() not in stored] == []


@pytest.mark.parametrize("call", ["fdatasync", "pwrite64"])
async def test_i1_f7_a_disk_that_fails_is_never_answered_200_and_ends_the_daemon_with_74(
    tmp_path: Path, call: str
) -> None:
    needs_strace()
    async with daemon_process(tmp_path, ENVIRONMENT) as daemon:
        assert await sent(daemon, "before") == 200
        async with failing(daemon, call, "EIO"):
            assert await sent(daemon, "meanwhile") in {503, None}
            assert await daemon.ended() == 74
    assert "check the disk, then start again" in daemon.output
    async with daemon_process(tmp_path, ENVIRONMENT) as again:
        assert await sent(again, "afterwards") == 200
        again.send(signal.SIGTERM)
        assert await again.ended() == 0
    await check_whole(tmp_path, ["before", "afterwards"])


async def test_f7_the_next_start_on_a_disk_that_still_fails_ends_with_74_as_well(tmp_path: Path) -> None:
    needs_strace()
    async with daemon_process(tmp_path, ENVIRONMENT) as daemon:
        await daemon.ready()
        async with failing(daemon, "fdatasync", "EIO"):
            assert (await daemon.get("/readyz"))[0] == 503
            assert await daemon.ended() == 74


async def test_f6_no_room_by_the_system_call_itself_is_503_until_there_is_room(tmp_path: Path) -> None:
    """Loops that cannot write meanwhile go on: somebody is told to a vendor whom nobody reaches, again and again."""
    needs_strace()
    # Nobody listens there.
    vendor = {"DELIGHTED__API_KEY": "key", "DELIGHTED__BASE_URL": "http://127.0.0.1:9", "DELIGHTED__PULL": "false"}
    async with daemon_process(tmp_path, ENVIRONMENT | vendor) as daemon:
        assert await sent(daemon, "before", type="identify", traits={"email": "ann@example.org"}) == 200
        await until(lambda: is_asked(daemon, 1), within=PATIENCE)
        async with failing(daemon, "pwrite64", "ENOSPC"):
            asked = await times_asked(daemon)
            assert await sent(daemon, "meanwhile") == 503
            assert (await daemon.get("/readyz"))[0] == 503
            await until(lambda: is_asked(daemon, asked + 1), within=PATIENCE)
            assert (await daemon.get("/livez"))[0] == 200
        await until(lambda: is_ready(daemon), within=30)
        assert await sent(daemon, "afterwards") == 200
        daemon.send(signal.SIGTERM)
        assert await daemon.ended() == 0
    await check_whole(tmp_path, ["before", "afterwards"])


async def test_i1_f7_a_limit_on_the_size_of_files_is_to_sqlite_a_disk_that_fails(tmp_path: Path) -> None:
    """EFBIG, as `LimitFSIZE=` makes it; the signal that comes with it would end a process that does not ignore it."""
    async with daemon_process(tmp_path, ENVIRONMENT) as daemon:
        assert await sent(daemon, "before") == 200
        size = (tmp_path / "npsbridge.db-wal").stat().st_size
        resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        assert await sent(daemon, "meanwhile", size=20_000) in {503, None}
        assert await daemon.ended() == 74
    assert "check the disk, then start again" in daemon.output
    async with daemon_process(tmp_path, ENVIRONMENT) as again:
        assert await sent(again, "afterwards", size=20_000) == 200
        again.send(signal.SIGTERM)
        assert await again.ended() == 0
    await check_whole(tmp_path, ["before", "afterwards"])


async def test_f6_with_no_page_left_deliveries_go_on_and_what_is_forgotten_makes_room(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path}/npsbridge.db", clock=Clock()) as store:
        assert isinstance(store, SqliteStore)
        numbers = [await owe(store, planned(f"nps-{n}", body=BIG)) for n in range(20)]
        await store._writer.run(allow_no_more_pages)
        assert await kept(store) < 20
        with pytest.raises(StoreFull):
            await store.probe()
        for number in numbers:
            await settle(store, number)
        while await store.purge(now=FAR_AHEAD, retention=Retention(journal=1e9, delivered=0, dead=0)):
            pass
        await store.probe()
        assert await kept(store) >= 10
        ledger = await store.ledger()
        assert (ledger.delivered, ledger.imbalance) == (20, 0)


def allow_no_more_pages(database: sqlite3.Connection) -> None:
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    database.execute(f"PRAGMA max_page_count = {pages}").close()


async def kept(store: SqliteStore) -> int:
    """How many large arrivals find room, up to twenty."""
    for number in range(20):
        try:
            await store.append([Arrival(connection="a", origin=Origin.SDK, body=BIG, count=1, received_at=0)])
        except StoreFull:
            return number
    return 20
