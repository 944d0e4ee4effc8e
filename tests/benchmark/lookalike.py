"""One look-alike in a process of its own: Delighted with a long history or prompt people, or Segment as a sink.

It says in JSON lines what its caller needs: where it is once it listens, and, as a sink, what it has once all came.
"""

import argparse
import asyncio
import json
import signal
import sys
import time
from collections.abc import Iterator

from npsbridge.sandbox import DelightedServer, PastAnswer, SegmentServer

LONGEST_RUN = 3600.0
FIRST_ANSWER = 1_640_995_200
"""2022-01-01; the answers are three minutes apart."""
COMMENT = "Support answered within the hour, but the export still cannot be scheduled. Grüße, "


def main() -> None:
    """Serve until the caller closes standard input, or asks to end."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("vendor", choices=["delighted", "answering", "segment"])
    asked.add_argument("count", type=int, help="responses of the history, surveys to be answered, or calls to wait for")
    arguments = asked.parse_args()
    serve = {"delighted": _delighted, "answering": _answering, "segment": _segment}[arguments.vendor]
    asyncio.run(serve(arguments.count))


async def _delighted(responses: int) -> None:
    server = DelightedServer()
    server.load(_answers(responses))
    async with server:
        _say(base_url=server.base_url, key=server.api_key)
        await _until_told()


async def _answering(surveys: int) -> None:
    """Everybody who is surveyed answers at once."""
    async with DelightedServer() as server:
        _say(base_url=server.base_url, key=server.api_key)
        answering = asyncio.create_task(_answer(server, surveys))
        await _until_told()
        answering.cancel()


async def _answer(server: DelightedServer, surveys: int) -> None:
    answered = 0
    while answered < surveys:
        for request in server.survey_requests[answered:]:
            server.answer(request.person_id, answered % 11, comment=f"{COMMENT}{answered}")
            answered += 1
        await asyncio.sleep(0.01)


def _answers(count: int) -> Iterator[PastAnswer]:
    """Answers of as many different people, each with a comment, so that each is told in four calls."""
    for number in range(count):
        at = FIRST_ANSWER + 180 * number
        yield PastAnswer(
            email=f"person.{number}@example.com",
            name=f"Person {number}",
            score=number % 11,
            comment=f"{COMMENT}{number}",
            created_at=at,
            updated_at=at + 60,
            person_properties={"plan": "team", "country": "DE", "Delighted Source": "Email"},
            tags=("export",),
        )


async def _segment(calls: int) -> None:
    async with SegmentServer(keep_events=False) as server:
        _say(base_url=server.base_url, key=server.write_keys[0])
        await server.until(lambda: server.counts.total() >= calls, LONGEST_RUN)
        _say(
            done_at=time.monotonic(),
            calls=server.counts.total(),
            message_ids=len(server.message_ids),
            dropped=server.drop_counts.total(),
            requests=len(server.requests) + server.requests.forgotten,
        )
        await _until_told()


def _say(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


async def _until_told() -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    loop.add_reader(sys.stdin, told.set)
    await told.wait()


if __name__ == "__main__":
    main()
