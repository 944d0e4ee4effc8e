"""A database that is not quite PostgreSQL: a proxy that rewrites what is asked of a real server on its way.

It knows as much of the protocol as it takes to tell messages apart (PostgreSQL's documentation, "Message Formats"). To
have the server refuse something, the SQL is rewritten into what it refuses in the same way: the answer is a real one.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final
from urllib.parse import parse_qs, urlsplit

QUERY: Final = b"Q"

Rewrite = Callable[[bytes, bytes], bytes]
"""From the kind of a message and its content to the content that is passed on."""


@asynccontextmanager
async def rewritten(url: str, rewrite: Rewrite) -> AsyncIterator[str]:
    """The URL of the same store behind the proxy.

    Args:
        url: of a store on a server that listens on a Unix socket.
        rewrite: for each message of a client that has connected.
    """
    asked = {name: values[-1] for name, values in parse_qs(urlsplit(url).query).items()}
    tasks: set[asyncio.Task[None]] = set()

    async def serve(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_unix_connection(f"{asked['host']}/.s.PGSQL.5432")
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            async with asyncio.TaskGroup() as both:
                both.create_task(_ask(client, to_server, rewrite))
                both.create_task(_answer(server, to_client))

    def begin(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(client, to_client))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listener = await asyncio.start_server(begin, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres?sslmode=disable&search_path={asked['search_path']}"
    finally:
        listener.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _ask(client: asyncio.StreamReader, server: asyncio.StreamWriter, rewrite: Rewrite) -> None:
    """The first message has no kind; those behind it begin with one byte."""
    try:
        size = await client.readexactly(4)
        server.write(size + await client.readexactly(int.from_bytes(size) - 4))
        while kind := await client.read(1):
            size = await client.readexactly(4)
            content = rewrite(kind, await client.readexactly(int.from_bytes(size) - 4))
            server.write(kind + (len(content) + 4).to_bytes(4) + content)
            await server.drain()
    finally:
        server.close()


async def _answer(server: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
    try:
        while piece := await server.read(1 << 16):
            client.write(piece)
            await client.drain()
    finally:
        client.close()


def without_listening(kind: bytes, content: bytes) -> bytes:
    """LISTEN is no word, and pg_notify no function."""
    del kind
    return content.replace(b"LISTEN ", b"LISSEN ").replace(b"pg_notify", b"no_notify")


class Conflicts:
    """Every commit is refused so many times as a conflict with others, before one is taken."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.refused = 0

    def __call__(self, kind: bytes, content: bytes) -> bytes:
        if kind != QUERY or not content.startswith(b"COMMIT") or self.refused >= self.times:
            self.refused = 0 if content.startswith(b"COMMIT") else self.refused
            return content
        self.refused += 1
        return b"ROLLBACK; DO $$BEGIN RAISE SQLSTATE '40001'; END$$\0"
