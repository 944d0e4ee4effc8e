"""The least that telling a vendor of people takes in Python: aiohttp's client, so many requests under way at once."""

import argparse
import asyncio
import sys
from collections.abc import Iterator

import aiohttp
import orjson


async def _post(url: str, count: int, at_once: int) -> None:
    numbers = iter(range(count))
    connector = aiohttp.TCPConnector(limit=at_once)
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(_some(session, f"{url}/people.json", numbers))


async def _some(session: aiohttp.ClientSession, url: str, numbers: Iterator[int]) -> None:
    for number in numbers:
        body = orjson.dumps(
            {
                "email": f"user.{number}@example.com",
                "name": f"Person {number}",
                "properties": {"plan": "team", "seats": 12, "segment_user_id": f"user-{number}"},
                "send": False,
            }
        )
        async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as answer:
            orjson.loads(await answer.read())


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("url")
    asked.add_argument("count", type=int)
    asked.add_argument("--at-once", type=int, default=32)
    arguments = asked.parse_args()
    asyncio.run(_post(arguments.url, arguments.count, arguments.at_once))
    # Whoever measures this process looks at it before it ends.
    sys.stdin.read()
