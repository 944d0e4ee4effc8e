"""A vendor without latency or limit: answers every POST like Delighted's `people.json`, and counts them.

It does no more than read requests and write one answer, so that the sender is what is measured. Says in JSON lines
where it is, and when it has heard as many requests as it was told to wait for.
"""

import argparse
import asyncio
import json
import sys
import time

ANSWER_BODY = b'{"id":"1","email":"x@example.com","name":null,"survey_scheduled_at":1790000000,"created_at":1790000000}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(ANSWER_BODY),
    ANSWER_BODY,
)
_LENGTH = b"content-length: "


class _Heard:
    def __init__(self, wanted: int) -> None:
        self.requests = 0
        self._wanted = wanted

    def one(self) -> None:
        self.requests += 1
        if self.requests == self._wanted:
            print(json.dumps({"done_at": time.monotonic()}), flush=True)


class _Caller(asyncio.Protocol):
    def __init__(self, heard: _Heard) -> None:
        self._heard = heard
        self._waiting = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        while (end := _end_of_request(self._waiting)) is not None:
            self._waiting = self._waiting[end:]
            self._transport.write(ANSWER)
            self._heard.one()


def _end_of_request(raw: bytes) -> int | None:
    """Where the first whole request ends."""
    head, separator, _ = raw.partition(b"\r\n\r\n")
    if not separator:
        return None
    start = head.lower().find(_LENGTH)
    length = int(head[start + len(_LENGTH) :].split(b"\r\n", 1)[0]) if start >= 0 else 0
    end = len(head) + len(separator) + length
    return end if len(raw) >= end else None


async def _serve(wanted: int) -> None:
    loop, heard = asyncio.get_running_loop(), _Heard(wanted)
    server = await loop.create_server(lambda: _Caller(heard), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(json.dumps({"base_url": f"http://127.0.0.1:{port}"}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("wanted", type=int)
    asyncio.run(_serve(asked.parse_args().wanted))
