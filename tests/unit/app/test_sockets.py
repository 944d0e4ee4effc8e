"""Sockets that outlive the daemons that serve on them."""

import socket
from collections.abc import Iterator

import pytest

from npsbridge.app.sockets import Sockets
from npsbridge.errors import ListenError
from npsbridge.platforms import settings_classes
from npsbridge.settings import Settings, load


def at(listen: str, admin: str = "127.0.0.1:0") -> Settings:
    return load(settings_classes(), environ={"NPSBRIDGE_LISTEN": listen, "NPSBRIDGE_ADMIN_LISTEN": admin})


@pytest.fixture
def sockets() -> Iterator[Sockets]:
    made = Sockets()
    yield made
    made.close()


@pytest.fixture
def free() -> str:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        return f"127.0.0.1:{opened.getsockname()[1]}"


def test_both_are_listened_on(sockets: Sockets) -> None:
    sockets.follow(at("127.0.0.1:0"))
    for opened in (sockets.public, sockets.admin):
        socket.create_connection(opened.getsockname()).close()


def test_an_address_that_stays_keeps_its_socket(sockets: Sockets) -> None:
    sockets.follow(at("127.0.0.1:0"))
    public, admin = sockets.public, sockets.admin
    sockets.follow(at("127.0.0.1:0"))
    assert (sockets.public, sockets.admin) == (public, admin)


def test_an_address_that_moves_gets_another_and_the_old_one_is_closed(sockets: Sockets, free: str) -> None:
    sockets.follow(at("127.0.0.1:0"))
    public, admin = sockets.public, sockets.admin
    sockets.follow(at(free))
    assert sockets.admin is admin
    assert sockets.public.getsockname()[1] == int(free.rpartition(":")[2])
    assert public.fileno() == -1


def test_an_address_that_cannot_be_had_changes_nothing(sockets: Sockets, free: str) -> None:
    sockets.follow(at("127.0.0.1:0"))
    public, admin = sockets.public, sockets.admin
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(ListenError, match="NPSBRIDGE_ADMIN_LISTEN"),
    ):
        sockets.follow(at(free, f"127.0.0.1:{taken.getsockname()[1]}"))
    assert (sockets.public, sockets.admin) == (public, admin)
    socket.create_server(("127.0.0.1", int(free.rpartition(":")[2]))).close()


def test_closing_twice_is_no_harm(sockets: Sockets) -> None:
    sockets.follow(at("127.0.0.1:0"))
    sockets.close()
    sockets.close()
