"""How fast deliveries of fifty connections are claimed and settled: one file, then 1, 2 and 3 processes on a database.

`PYTHONPATH=tests python tests/benchmark/claims.py`; nothing is sent, so it is the store alone that is measured.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Sequence
from multiprocessing import get_context
from typing import Any

import databases
from npsbridge.clock import Clock
from npsbridge.core.model import PlannedDelivery, State
from npsbridge.core.records import Arrival, Origin, Routing, Settlement
from npsbridge.core.storage import Store
from npsbridge.store import open_store

CONNECTIONS = [f"c{number}" for number in range(50)]
EACH, BATCH, PEOPLE = 2_000, 50, 100


async def fill(url: str) -> None:
    """Have every connection owed the same."""
    async with open_store(url, clock=Clock()) as store:
        one = Arrival(connection="shop", origin=Origin.POLL, body=b"[{}]", count=1, received_at=1)
        await store.append([one] * len(CONNECTIONS))
        for entry, name in zip(await store.unrouted(100), CONNECTIONS, strict=True):
            owed = tuple(
                PlannedDelivery(
                    connection=name, person=f"p{n % PEOPLE}", message_id=f"{name}-{n}", kind="submit", body=bytes(500)
                )
                for n in range(EACH)
            )
            await store.commit_routing([Routing(journal_id=entry.id, deliveries=owed, fanned_out=1)])


async def empty(store: Store, name: str) -> int:
    """Claim and settle all of a connection, as its lane does; returns how many there were."""
    settled = 0
    while batch := await store.claim(name, now=int(time.time() * 1000), limit=BATCH):
        await store.settle([Settlement(id=one.id, state=State.DELIVERED) for one in batch])
        settled += len(batch)
    return settled


def work(url: str, names: Sequence[str], told: Any) -> None:
    """One process with its share of the connections."""

    async def main() -> None:
        async with open_store(url, clock=Clock()) as store:
            begun = time.time()
            settled = sum(await asyncio.gather(*(empty(store, name) for name in names)))
            told.put((settled, begun, time.time()))

    asyncio.run(main())


def measured(url: str, processes: int) -> float:
    """Deliveries a second, all processes together."""
    asyncio.run(fill(url))
    context = get_context("spawn")
    told = context.Queue()
    workers = [
        context.Process(target=work, args=(url, CONNECTIONS[place::processes], told)) for place in range(processes)
    ]
    for worker in workers:
        worker.start()
    found = [told.get() for _ in workers]
    for worker in workers:
        worker.join()
    return float(sum(one[0] for one in found) / (max(one[2] for one in found) - min(one[1] for one in found)))


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        print(f"sqlite, 1      {measured(f'sqlite:///{folder}/npsbridge.db', 1):9.0f} deliveries/s")
    for processes in (1, 2, 3):
        print(f"postgresql, {processes}  {measured(databases.postgres_url(), processes):9.0f} deliveries/s")
    print("load", *os.getloadavg())


if __name__ == "__main__":
    main()
