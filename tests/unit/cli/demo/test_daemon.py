"""The daemon of the demo, which can be cut off and started again."""

from pathlib import Path

import pytest
from aiohttp import ClientSession

from npsbridge.app.ladder import one_error
from npsbridge.cli.demo.daemon import Daemon, living_daemon
from npsbridge.cli.demo.stage import daemon_settings
from npsbridge.clock import Clock
from npsbridge.core.records import Arrival, Origin
from npsbridge.errors import StoreError
from npsbridge.sandbox import open_sandbox
from npsbridge.settings import Settings


async def settings(folder: Path) -> Settings:
    async with open_sandbox(first_port=0, people=0) as sandbox:
        return daemon_settings(folder, sandbox)


async def accepted(daemon: Daemon) -> int | None:
    """What its ledger says; None when there is no daemon."""
    async with daemon.seen() as app:
        return (await app.store.ledger()).accepted if app else None


async def test_between_two_lives_nothing_is_seen(tmp_path: Path) -> None:
    async with living_daemon(await settings(tmp_path), Clock()) as daemon:
        await daemon.cut_off()
        assert await accepted(daemon) is None
        await daemon.start()
        assert await accepted(daemon) == 0


async def test_the_next_life_is_reached_at_the_same_address(tmp_path: Path) -> None:
    async with living_daemon(await settings(tmp_path), Clock()) as daemon, ClientSession() as session:
        before = daemon.admin
        await daemon.cut_off()
        await daemon.start()
        async with session.get(f"{before}/livez") as answer:
            assert answer.status == 200


async def test_what_was_on_disk_is_there_in_the_next_life(tmp_path: Path) -> None:
    async with living_daemon(await settings(tmp_path), Clock()) as daemon:
        async with daemon.seen() as app:
            assert app is not None
            body = b'[{"id":"1"}]'
            arrival = Arrival(connection="delighted", origin=Origin.POLL, body=body, count=1, received_at=0)
            await app.store.append([arrival])
        await daemon.cut_off()
        await daemon.start()
        assert await accepted(daemon) == 1


async def test_a_daemon_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    wanted = await settings(tmp_path / "file")
    with pytest.raises(StoreError), one_error():
        async with living_daemon(wanted, Clock()):
            raise AssertionError("it started")
