"""Applications served on a real socket, as the daemon serves them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from npsbridge.settings import Address
from npsbridge.web.listener import Listener, bind, serving

ANYWHERE = Address("127.0.0.1", 0)


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[Listener]:
    """An application on a free port."""
    with bind(ANYWHERE, "NPSBRIDGE_LISTEN") as opened:
        async with serving(app, opened, grace=1.0) as listener:
            yield listener


@asynccontextmanager
async def caller(app: web.Application) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of an application on a free port."""
    async with served(app) as listener, aiohttp.ClientSession(f"http://{listener}") as session:
        yield session


async def spoken(listener: Listener, *parts: bytes) -> bytes:
    """Send bytes over a connection of its own, and return all that comes until it is closed."""
    reader, writer = await asyncio.open_connection(listener.host, listener.port)
    for part in parts:
        writer.write(part)
        await writer.drain()
    answer = await reader.read()
    writer.close()
    return answer
