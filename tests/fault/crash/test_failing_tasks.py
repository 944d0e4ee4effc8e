"""A part of the daemon fails or stands still (F4): it is started again, or the daemon ends, or systemd is to end it."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from end_to_end.harness import until, world
from end_to_end.process import PATIENCE
from fault.crash.calls_scenes import Ingest
from fault.crash.enumerator import lived_on
from fault.crash.scenes import scene
from fault.lives import lives
from npsbridge.engine.poll import Poller
from npsbridge.engine.supervise import RESTARTS
from stores import store_url

INTERNAL = 70
SILENCE = 0.5
"""Seconds; ten times as long as from one sign of life to the next."""


@pytest.mark.looptime
async def test_i6_f4_a_loop_that_fails_is_started_again_and_meanwhile_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carry_out, failures = Poller.step, [ValueError("a mistake of ours")] * RESTARTS

    async def step(poller: Poller) -> float | None:
        if failures:
            raise failures.pop()
        return await carry_out(poller)

    monkeypatch.setattr(Poller, "step", step)
    async with world(tmp_path) as both, both.daemon() as app:
        told, read = (both.delighted.answer(f"{name}@example.org", 9) for name in ("told", "read"))
        headers, body = both.delighted.signed_webhook("survey_response.created", told)
        assert await both.hook(app, headers, body) == 200
        await until(lambda: both.revisions(told) == [1])
        assert failures
        assert both.revisions(read) == []
        await until(lambda: both.revisions(read) == [1], within=600)
        restarts = app.metrics.registry.get_sample_value("npsbridge_task_restarts_total", {"task": "poll delighted"})
        assert restarts == RESTARTS
    both.check_each_said_once()


async def test_i1_f4_a_loop_that_keeps_failing_ends_the_daemon_with_70_and_the_next_one_goes_on(tmp_path: Path) -> None:
    async with scene("ingest", tmp_path) as work:
        assert isinstance(work, Ingest)
        await work.begin_round()
        await work.daemon.begin(mistake="keeps_failing")
        await work.send(await work.daemon.address("listen"))
        assert len(work.unsent) < work.BATCHES  # some was taken, and is not to be lost
        assert await work.daemon.ended() == INTERNAL
        (end,) = [line for line in work.daemon.told if line.get("level") == "CRITICAL"]
        assert "a mistake of ours" in end["exception"]
        again = [line for line in work.daemon.told if line.get("task") == "router"]
        assert len(again) == RESTARTS
        await lived_on(work)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """systemd, as far as a service sees it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as opened:
        opened.bind(str(tmp_path / "notify"))
        opened.setblocking(False)
        yield opened


async def heard(manager: socket.socket) -> str:
    """The next thing that the service says."""
    return (await asyncio.get_running_loop().sock_recv(manager, 4096)).decode()


async def test_f4_a_loop_that_is_blocked_feeds_no_watchdog(tmp_path: Path, manager: socket.socket) -> None:
    await feeds_no_watchdog(tmp_path, manager, "blocks_the_loop")


async def test_f4_a_writer_that_hangs_feeds_no_watchdog(tmp_path: Path, manager: socket.socket) -> None:
    await feeds_no_watchdog(tmp_path, manager, "hangs_the_writer")


async def feeds_no_watchdog(tmp_path: Path, manager: socket.socket, mistake: str) -> None:
    settings = {
        "STORE_URL": store_url(tmp_path),
        "LISTEN": "127.0.0.1:0",
        "ADMIN_LISTEN": "127.0.0.1:0",
        "INGEST__WRITE_KEYS": '["key"]',  # or there would be nothing to route
    }
    systemd = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "100000"}
    async with lives(tmp_path, settings, **systemd) as daemon:
        await daemon.begin(mistake=mistake)
        async with asyncio.timeout(PATIENCE):
            assert [await heard(manager) for _ in range(2)] == ["READY=1", "WATCHDOG=1"]
            await silent(manager)
        assert daemon.child
        await daemon.killed()


async def silent(manager: socket.socket) -> None:
    """Wait until nothing has been heard for a while."""
    while True:
        try:
            async with asyncio.timeout(SILENCE):
                assert await heard(manager) == "WATCHDOG=1"
        except TimeoutError:
            return
