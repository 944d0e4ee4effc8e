"""Which of several hosts takes us."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import parse_qs, urlsplit

import pytest

import databases
from npsbridge.store.postgres import hosts
from npsbridge.store.postgres.hosts import Hosts
from npsbridge.store.postgres.place import place_of


@contextmanager
def silent() -> Iterator[socket.socket]:
    """A port whose connections are taken by the system, and by nobody else."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


def times_asked(listener: socket.socket) -> int:
    times = 0
    with suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()
            times += 1
    return times


def with_first(port: int, url: str) -> str:
    """The URL of a store with a host before its own."""
    folder = parse_qs(urlsplit(url).query)["host"][0]
    return f"{url}&sslmode=disable".replace(f"host={folder}", "").replace(
        "?", f"?host=127.0.0.1,{folder}&port={port},5432&", 1
    )


async def test_f12_a_host_that_says_nothing_leaves_time_for_the_next_and_is_asked_last_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hosts, "CONNECT_SECONDS", 2.0)
    with silent() as listener:
        found = Hosts(place_of(with_first(listener.getsockname()[1], databases.postgres_url())))
        for _ in range(3):
            connection = await found.connect()
            assert await connection.fetchval("SELECT 1") == 1
            await connection.close()
        assert times_asked(listener) == 1


async def test_f12_hosts_of_which_none_answers_are_told_by_the_error_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "CONNECT_SECONDS", 0.2)
    found = Hosts(place_of("postgresql://nps@127.0.0.1:1,127.0.0.1:2/nps"))
    with pytest.raises(OSError, match="Connect call failed"):
        await found.connect()
