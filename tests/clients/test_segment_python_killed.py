"""segment-analytics-python 2.4.0 and the real command, killed between its commit and its answer."""

import asyncio
import signal
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest

from clients.door import Cut, door_before
from clients.sdk import Sdk, python_sdk
from clients.shop import ASKED_FOR_ONE_OF_EACH, ONE_OF_EACH, SETTINGS, WRITE_KEY, asked
from end_to_end.harness import World, until, world
from end_to_end.process import Daemon, daemon_process
from npsbridge.core.records import Ledger
from npsbridge.sandbox.faults import status

pytestmark = pytest.mark.clients

SDK = Sdk(command=partial(python_sdk, "segment.analytics"), gzip=True)


async def replaced(first: Daemon, both: World, life: AsyncExitStack) -> Daemon:
    """Another daemon at the address and over the store of one that is killed."""
    address = await first.address("listen")
    first.send(signal.SIGKILL)
    await first.ended()
    second = await life.enter_async_context(daemon_process(both.folder, {**both.environment, "LISTEN": address}))
    return await second.ready()


async def ledger_of(daemon: Daemon, both: World) -> Ledger:
    """What is in the store when a daemon has ended in peace."""
    daemon.send(signal.SIGTERM)
    assert await daemon.ended() == 0
    return await both.ledger(both.settings())


async def test_i1_what_a_killed_daemon_had_stored_counts_once_when_it_is_sent_again(tmp_path: Path) -> None:
    SDK.command()
    async with world(tmp_path, **SETTINGS) as both, AsyncExitStack() as life:
        # Nothing is delivered before the kill: it is the storing that is on trial here.
        both.delighted.faults.add(status(503), times=None)
        first = await life.enter_async_context(daemon_process(tmp_path, both.environment))
        door = await life.enter_async_context(door_before(int((await first.address("listen")).rpartition(":")[2])))
        async with asyncio.TaskGroup() as group:
            with door.cutting(Cut.BEFORE_THE_ANSWER):
                sending = group.create_task(SDK.send(ONE_OF_EACH, url=door.url, write_key=WRITE_KEY))
                await until(door.has_cut.is_set)
                second = await replaced(first, both, life)
                both.delighted.faults.clear()
        assert sending.result() == []
        await until(lambda: bool(asked(both)) and asked(both)[-1]["send"])
        ledger = await ledger_of(second, both)
    assert (ledger.accepted, ledger.duplicate, ledger.delivered, ledger.imbalance) == (10, 5, 2, 0)
    assert [request for request in asked(both) if request["send"]] == ASKED_FOR_ONE_OF_EACH[1:]
    assert door.statuses == [200, 200]
