"""How fast deliveries of fifty connections are claimed and settled, and whose processor is the wall.

`PYTHONPATH=tests python tests/benchmark/claims.py`: one file, then 1, 2 and 3 processes on a database; nothing is sent,
so it is the store alone that is measured. Where two cores are all there is, processes and database take them from each
other: the second table has the database on a core of its own, and gives each process no more than a part of the other,
as a replica has on a machine of its own that is so much slower.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import databases
from npsbridge.clock import Clock
from npsbridge.core.leases import Fleet, Replica, shares
from npsbridge.core.model import PlannedDelivery, State
from npsbridge.core.records import Arrival, Origin, Routing, Settlement
from npsbridge.core.storage import Store
from npsbridge.store import open_store

CONNECTIONS = [f"c{number:02}" for number in range(50)]
EACH, BATCH, PEOPLE = 2_000, 50, 100
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the processes of a run may use."""

    share: float = 1.0
    """Part of a core that each process that claims may use."""
    apart: bool = False
    """Whether the database has the first core for itself, and they the others."""


async def fill(url: str, each: int) -> None:
    """Have every connection owed the same."""
    async with open_store(url, clock=Clock()) as store:
        one = Arrival(connection="shop", origin=Origin.POLL, body=b"[{}]", count=1, received_at=1)
        await store.append([one] * len(CONNECTIONS))
        for entry, name in zip(await store.unrouted(100), CONNECTIONS, strict=True):
            owed = tuple(
                PlannedDelivery(
                    connection=name, person=f"p{n % PEOPLE}", message_id=f"{name}-{n}", kind="submit", body=bytes(500)
                )
                for n in range(each)
            )
            await store.commit_routing([Routing(journal_id=entry.id, deliveries=owed, fanned_out=1)])


async def empty(store: Store, name: str, share: float) -> int:
    """Claim and settle all of a connection, as its lane does; returns how many there were."""
    settled, begun, used = 0, time.monotonic(), time.process_time()
    while batch := await store.claim(name, now=int(time.time() * 1000), limit=BATCH):
        await store.settle([Settlement(id=one.id, state=State.DELIVERED) for one in batch])
        settled += len(batch)
        ahead = (time.process_time() - used) / share - (time.monotonic() - begun)
        if ahead > 0:
            await asyncio.sleep(ahead)
    return settled


def work(url: str, names: Sequence[str], limits: Limits, told: Any) -> None:
    """One process with its share of the connections."""
    if limits.apart:
        os.sched_setaffinity(0, range(1, os.cpu_count() or 2))

    async def main() -> None:
        async with open_store(url, clock=Clock()) as store:
            begun, used = time.time(), time.process_time()
            settled = sum(await asyncio.gather(*(empty(store, name, limits.share) for name in names)))
            told.put((settled, begun, time.time(), time.process_time() - used))

    asyncio.run(main())


def divided(processes: int) -> list[tuple[str, ...]]:
    """The connections that each replica would take, by the rule that replicas go by."""
    works = tuple(f"forward {name}" for name in CONNECTIONS)
    replicas = [
        Replica(id=f"r{n}", host="", version="", settings="", works=works, started_at=0) for n in range(processes)
    ]
    fleet = Fleet(now=0, replicas=tuple(replicas))
    return [tuple(work.removeprefix("forward ") for work in shares(fleet, one.id).take) for one in replicas]


def seconds_of_server() -> float:
    """Processor time of all processes of the database, those included that have ended."""
    ticks = 0
    for number in databases.the_server().processes():
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:15] if number == databases.the_server().postmaster else fields[11:13]))
    return ticks / TICKS


def pin_server(*, apart: bool) -> None:
    cores = {0} if apart else set(range(os.cpu_count() or 1))
    for number in databases.the_server().processes():
        os.sched_setaffinity(number, cores)


def measured(name: str, url: str, processes: int, limits: Limits, each: int) -> None:
    """Print deliveries a second, and what a delivery costs whom; all processes together."""
    asyncio.run(fill(url, each))
    is_file = url.startswith("sqlite")
    if not is_file:
        pin_server(apart=limits.apart)
    before = 0.0 if is_file else seconds_of_server()
    context = get_context("spawn")
    told = context.Queue()
    workers = [context.Process(target=work, args=(url, names, limits, told)) for names in divided(processes)]
    for worker in workers:
        worker.start()
    found = [told.get() for _ in workers]
    for worker in workers:
        worker.join()
    count, seconds = sum(one[0] for one in found), max(one[2] for one in found) - min(one[1] for one in found)
    ours, server = sum(one[3] for one in found), 0.0 if is_file else seconds_of_server() - before
    print(
        f"{name:15}{count / seconds:9.0f} deliveries/s   µs a delivery: {ours / count * 1e6:5.1f} processes, "
        f"{server / count * 1e6:5.1f} database   cores: {ours / seconds:4.2f}, {server / seconds:4.2f}"
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=EACH, help="deliveries of each connection")
    parser.add_argument("--share", type=float, default=0.2, help="of a core for each process, in the second table")
    wish = parser.parse_args()
    free, narrow = Limits(), Limits(share=wish.share, apart=True)
    print(f"{len(CONNECTIONS)} connections, {os.cpu_count()} cores for all")
    with tempfile.TemporaryDirectory() as folder:
        measured("sqlite, 1", f"sqlite:///{folder}/npsbridge.db", 1, free, wish.each)
    for processes in (1, 2, 3):
        measured(f"postgresql, {processes}", databases.postgres_url(), processes, free, wish.each)
    print(f"the database on a core of its own, {wish.share} of another for each process")
    for processes in (1, 2, 3):
        measured(f"postgresql, {processes}", databases.postgres_url(), processes, narrow, wish.each)
    print("load", *os.getloadavg())


if __name__ == "__main__":
    main()
