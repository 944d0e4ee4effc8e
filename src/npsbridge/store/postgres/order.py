"""Whether numbers are given in the order in which rows come, by whichever connection they come.

What is accepted first has the smaller number: the order of each person's calls rests on it. PostgreSQL numbers so;
engines that hand blocks of a sequence to each connection do not, unless they are told to.
"""

from contextlib import AsyncExitStack
from typing import Final

import asyncpg

from npsbridge.errors import StoreUnusable
from npsbridge.store.postgres.connections import CLOSE_SECONDS, Connections

ORDERED: Final = ("journal", "outbox")
_NEXT: Final = "SELECT nextval(pg_get_serial_sequence($1, 'id'))"


async def insist_on_order(connections: Connections) -> None:
    """Draw numbers by two connections in turn.

    Raises:
        StoreUnusable: the database numbers out of order; says which setting is to be changed.
    """
    async with AsyncExitStack() as stack:
        one, other = [await _opened(connections, stack) for _ in range(2)]
        for table in ORDERED:
            drawn = [await by.fetchval(_NEXT, table) for by in (one, other, one)]
            if drawn != sorted(drawn):
                raise StoreUnusable(
                    f"{connections.place.shown} gives each connection a block of numbers, so that calls could overtake "
                    f"one another: `ALTER SEQUENCE {table}_id_seq CACHE 1`, on YugabyteDB after "
                    "ysql_sequence_cache_minval was set to 1"
                )


async def _opened(connections: Connections, stack: AsyncExitStack) -> asyncpg.Connection:
    connection = await connections.hosts.connect()
    stack.push_async_callback(connection.close, timeout=CLOSE_SECONDS)
    return connection
