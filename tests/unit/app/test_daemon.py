"""The daemon as a process: what signals and systemd get to hear. The whole of it is in end_to_end/test_process.py."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

from end_to_end.harness import log_kept
from npsbridge.app.daemon import Orders, _feed_watchdog, serve
from npsbridge.app.sockets import Sockets
from npsbridge.core.storage import Store
from npsbridge.errors import ConfigurationError, Fault, StoreError, StoreFull
from npsbridge.platforms import settings_classes
from npsbridge.settings import Settings, load
from unit.engine.doubles import MemoryStore

REFUSED = "The settings were not reloaded; the old ones stay in force"


def settings(folder: Path, **changes: str) -> Settings:
    usual = {
        "STORE_URL": f"sqlite:///{folder}/npsbridge.db",
        "LISTEN": "127.0.0.1:0",
        "ADMIN_LISTEN": "127.0.0.1:0",
        "LOG_FORMAT": "json",
    }
    return load(settings_classes(), environ={f"NPSBRIDGE_{name}": value for name, value in (usual | changes).items()})


class Manager:
    """systemd, as far as a service sees it."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.address)
        self.socket.setblocking(False)

    def heard(self) -> list[str]:
        """Everything it was told so far."""
        told = []
        while True:
            try:
                told.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return told


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    made = Manager(tmp_path)
    monkeypatch.setenv("NOTIFY_SOCKET", made.address)
    yield made
    made.socket.close()


def tell(number: signal.Signals) -> None:
    """Send a signal to ourselves; it is handled when the loop turns."""
    os.kill(os.getpid(), number)


async def test_it_says_that_it_is_ready_and_that_it_stops(
    tmp_path: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It would take over the logging of the test's own process.
    monkeypatch.setattr("npsbridge.app.daemon.start_logging", lambda *_, **__: None)
    tell_later = asyncio.get_running_loop().call_later

    def load_and_end() -> Settings:
        tell_later(0.0, tell, signal.SIGTERM)
        return settings(tmp_path)

    await serve(load_and_end)
    assert manager.heard() == ["READY=1", "STOPPING=1"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_to_stop_leaves_signals_to_their_usual_effect(number: signal.Signals, tmp_path: Path) -> None:
    with closing(Sockets()) as sockets, closing(Orders(lambda: settings(tmp_path), sockets)) as orders:
        tell(number)
        assert await orders.following(settings(tmp_path), cast("Store", MemoryStore())) is None
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


async def test_a_signal_that_came_before_anybody_listened_is_not_lost(tmp_path: Path) -> None:
    with closing(Sockets()) as sockets, closing(Orders(lambda: settings(tmp_path), sockets)) as orders:
        tell(signal.SIGTERM)
        await asyncio.sleep(0)
        assert await orders.following(settings(tmp_path), cast("Store", MemoryStore())) is None


async def test_a_good_reload_is_announced_and_hands_over_the_new_settings(tmp_path: Path, manager: Manager) -> None:
    wanted = settings(tmp_path, SHUTDOWN_TIMEOUT="7")
    with closing(Sockets()) as sockets, closing(Orders(lambda: wanted, sockets)) as orders:
        tell(signal.SIGHUP)
        assert await orders.following(settings(tmp_path), cast("Store", MemoryStore())) is wanted
    [reloading] = manager.heard()
    assert reloading.startswith("RELOADING=1\nMONOTONIC_USEC=")


async def test_f42_a_bad_reload_is_told_fault_by_fault_and_ends(tmp_path: Path, manager: Manager) -> None:
    def fail() -> Settings:
        tell(signal.SIGTERM)
        raise ConfigurationError([Fault(setting="A", problem="is wrong"), Fault(setting="B", problem="is missing")])

    with log_kept("ERROR") as told, closing(Sockets()) as sockets, closing(Orders(fail, sockets)) as orders:
        tell(signal.SIGHUP)
        assert await orders.following(settings(tmp_path), cast("Store", MemoryStore())) is None
    assert [(line.message, line.extra["fault"]) for line in told] == [
        (REFUSED, "A: is wrong"),
        (REFUSED, "B: is missing"),
    ]
    assert [line.partition("\n")[0] for line in manager.heard()] == ["RELOADING=1", "READY=1", "STOPPING=1"]


async def test_another_store_takes_a_restart(tmp_path: Path) -> None:
    def other() -> Settings:
        tell(signal.SIGTERM)
        return settings(tmp_path, STORE_URL=f"sqlite:///{tmp_path}/other.db")

    with log_kept("ERROR") as told, closing(Sockets()) as sockets, closing(Orders(other, sockets)) as orders:
        tell(signal.SIGHUP)
        assert await orders.following(settings(tmp_path), cast("Store", MemoryStore())) is None
    assert [line.extra["fault"].partition(":")[0] for line in told] == ["NPSBRIDGE_STORE_URL"]


class Heart:
    """A store whose writer answers as the script says."""

    def __init__(self, *beats: Exception | None) -> None:
        self.beats = list(beats)

    async def heartbeat(self) -> None:
        if beat := self.beats.pop(0):
            raise beat


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("beats", "fed"),
    [
        ([None, None, StoreError("closed")], 2),
        ([None, StoreFull("no room"), None, StoreError("closed")], 2),
        ([StoreError("the disk failed")], 0),
    ],
)
async def test_the_watchdog_hears_of_us_while_the_writer_answers(
    manager: Manager, monkeypatch: pytest.MonkeyPatch, beats: list[Exception | None], fed: int
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "20000000")
    await _feed_watchdog(cast("Store", Heart(*beats)))
    assert manager.heard() == ["WATCHDOG=1"] * fed
    assert asyncio.get_running_loop().time() == 10.0 * (len(beats) - 1)


async def test_without_a_watchdog_nothing_is_fed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    await _feed_watchdog(cast("Store", Heart()))
