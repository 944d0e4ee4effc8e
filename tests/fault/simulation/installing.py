"""Puts the simulated loop, network and disk in the place of the real ones, for the length of a block."""

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import aiohttp
import pytest
from aiohttp.connector import TCPConnector

from fault.simulation.loop import SimulatedLoop
from fault.simulation.storage import Disk
from npsbridge.engine import budgets, upkeep

T = TypeVar("T")
LOOK_EVERY, LOOK_RARELY = 30.0, 3600.0
"""Seconds between two looks whether another process has written; a second would make idle days expensive."""


@contextmanager
def simulated() -> Iterator[tuple[SimulatedLoop, Disk]]:
    """A loop of its own, in which the real daemon and the real look-alikes run without sockets, threads or waiting."""
    loop, disk = SimulatedLoop(), Disk()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TCPConnector, "_wrap_create_connection", _connecting(loop))
        patch.setattr("npsbridge.store.sqlite.store.open_writer", disk.open_writer)
        patch.setattr("npsbridge.store.sqlite.store.open_reader", disk.open_reader)
        patch.setattr("anyio.to_thread.run_sync", _at_once)
        patch.setattr(upkeep, "LOOK_EVERY", LOOK_EVERY)
        patch.setattr(budgets, "NOTE_EVERY", budgets.NOTE_EVERY)
        try:
            yield loop, disk
        finally:
            loop.close()
            disk.close()


def run(main: Callable[[SimulatedLoop, Disk], Coroutine[Any, Any, T]]) -> T:
    """Run something to its end in a world of its own."""
    with simulated() as (loop, disk):
        return loop.run_until_complete(main(loop, disk))


def let_days_pass() -> None:
    """From now on nothing looks around every few seconds; undone at the end of `simulated`."""
    vars(upkeep)["LOOK_EVERY"] = vars(budgets)["NOTE_EVERY"] = LOOK_RARELY


def _connecting(loop: SimulatedLoop) -> Callable[..., Coroutine[Any, Any, Any]]:
    """aiohttp's way to a connection, errors sorted as it sorts them (`TCPConnector._wrap_create_connection`)."""

    async def connect(_: TCPConnector, factory: Callable[[], Any], *, req: Any, **limits: Any) -> Any:
        try:
            async with _within(limits["timeout"]):
                return await loop.connect(factory, req.url.port)
        except OSError as error:
            if error.errno is None and isinstance(error, TimeoutError):
                raise
            raise aiohttp.ClientConnectorError(req.connection_key, error) from error

    return connect


def _within(limits: aiohttp.ClientTimeout) -> Any:
    return aiohttp.helpers.ceil_timeout(limits.sock_connect, ceil_threshold=limits.ceil_threshold)


async def _at_once(work: Callable[..., T], *arguments: Any, **_: Any) -> T:
    return work(*arguments)
