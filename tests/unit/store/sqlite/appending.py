"""A process that appends from several tasks and tells what was acknowledged, until it is done or killed."""

import asyncio
import sys

from npsbridge.clock import Clock
from npsbridge.core.records import Arrival, Origin
from npsbridge.store import open_store

TASKS = 8


async def main(url: str, wanted: int) -> None:
    clock = Clock()
    numbers = iter(range(wanted))
    async with open_store(url, clock=clock, exclusive=False) as store:

        async def append() -> None:
            for number in numbers:
                body = b"[%d]" % number
                arrival = Arrival(
                    connection="delighted", origin=Origin.POLL, body=body, count=1, received_at=clock.now_ms()
                )
                await store.append([arrival], checkpoint=("delighted", body))
                sys.stdout.write(f"{number}\n")
                sys.stdout.flush()

        await asyncio.gather(*(append() for _ in range(TASKS)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
