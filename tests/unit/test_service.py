"""What systemd is told, and how often it wants to hear."""

import os
import socket
from pathlib import Path

import pytest

from npsbridge.service import notify, watchdog_interval


def manager_at(address: str) -> socket.socket:
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.settimeout(5)
    manager.bind(address)
    return manager


def test_a_state_reaches_the_manager_at_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Relative, because a socket's path may have no more than 107 bytes.
    monkeypatch.chdir(tmp_path)
    with manager_at("notify"):
        monkeypatch.setenv("NOTIFY_SOCKET", "/proc/self/cwd/notify")
        assert notify("READY=1")


def test_several_states_go_in_one_datagram(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with manager_at("notify") as manager:
        monkeypatch.setenv("NOTIFY_SOCKET", "/proc/self/cwd/notify")
        notify("READY=1\nSTATUS=größer")
        assert manager.recv(100).decode() == "READY=1\nSTATUS=größer"


def test_a_state_reaches_the_manager_at_an_abstract_address(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"npsbridge-test-{os.getpid()}"
    with manager_at(f"\0{name}") as manager:
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        assert notify("STOPPING=1")
        assert manager.recv(100) == b"STOPPING=1"


def test_without_a_manager_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify("READY=1")


@pytest.mark.parametrize("address", ["", "relative", "vsock:2:1", "/does/not/exist", "@", "/" + "x" * 200])
def test_a_manager_that_cannot_be_reached_raises_nothing(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    assert not notify("READY=1")


def test_the_watchdog_is_fed_twice_as_often_as_it_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    assert watchdog_interval() == 15


def test_the_watchdog_may_name_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    assert watchdog_interval() == 0.5


def test_a_watchdog_of_another_process_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid() + 1))
    assert watchdog_interval() is None


@pytest.mark.parametrize("microseconds", [None, "", "0", "-5", "soon"])
def test_without_a_sensible_watchdog_there_is_no_interval(
    microseconds: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    if microseconds is not None:
        monkeypatch.setenv("WATCHDOG_USEC", microseconds)
    assert watchdog_interval() is None
