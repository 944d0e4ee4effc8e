"""A pool of connections whose settings durability rests on are verified, and transactions that are tried again.

Knows PostgreSQL and the lease under which a task works; nothing of what is written.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from typing import Any, Final, TypeVar

import anyio
import asyncpg

from npsbridge import __version__
from npsbridge.core.leases import current_lease
from npsbridge.errors import LeaseLost, StoreError, StoreUnusable
from npsbridge.store.postgres.faults import AGAIN, code_of, in_our_words
from npsbridge.store.postgres.place import Place
from npsbridge.store.postgres.upgrades import UPGRADES, one_at_a_time, upgrade, version_of

MOST_CONNECTIONS: Final = 10
"""Of one replica, and one more to listen; a database takes a hundred unless it is told otherwise."""
CONNECT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 30.0
"""How long a statement may take."""
UPGRADE_SECONDS: Final = 3600.0
CLOSE_SECONDS: Final = 10.0
TRIES: Final = 5
"""Of a transaction that met another one."""
_WAIT_SECONDS: Final = 0.02

_FENCE: Final = "SELECT fence FROM leases WHERE name = $1 FOR KEY SHARE"
_SETTINGS: Final = "SELECT current_setting('synchronous_commit', true), current_setting('fsync', true)"
_DURABLE: Final = frozenset({"on", "remote_apply"})

Result = TypeVar("Result")
Row = tuple[Any, ...]
Act = Callable[[asyncpg.Connection], Awaitable[Result]]
"""Reads and writes inside of a transaction that others begin and end.

It may be called again after a rollback, so it must change nothing but the database.
"""


class Connections:
    """The way to one schema. Made by `open_connections`."""

    def __init__(self, pool: asyncpg.Pool, place: Place) -> None:
        self._pool = pool
        self.place = place

    def in_our_words(self) -> AbstractContextManager[None]:
        """A block whose errors of the database are raised as ours."""
        return in_our_words(self.place.shown)

    async def rows(self, statement: str, *values: Any) -> list[Row]:
        """All rows of one statement, which is a transaction of its own.

        Raises:
            StoreUnavailable, StoreError: see npsbridge.store.postgres.faults.
        """
        return await self._tried(lambda connection: connection.fetch(statement, *values))

    async def first(self, statement: str, *values: Any) -> Row | None:
        """The first row, or None when there is none."""
        return next(iter(await self.rows(statement, *values)), None)

    async def rows_of(self, statement: str, sought: Collection[Any], *fixed: Any) -> list[Row]:
        """The rows for any number of values, `$1` of the statement, before the fixed ones; none for no values."""
        return await self.rows(statement, list(sought), *fixed) if sought else []

    async def together(self, act: Act[Result]) -> Result:
        """Write in one transaction, which is on disk when this returns.

        What a task writes that works under a lease is refused once another replica has taken the lease over.

        Raises:
            LeaseLost: another replica holds the lease.
            StoreUnavailable: the database cannot be reached, or not be written.
            StoreError: see npsbridge.store.postgres.faults.
        """

        async def whole(connection: asyncpg.Connection) -> Result:
            async with connection.transaction():
                await _insist_on_lease(connection)
                return await act(connection)

        return await self._tried(whole)

    async def _tried(self, act: Act[Result]) -> Result:
        """Run it, again and again while it only met others."""
        with self.in_our_words():
            for tries in range(1, TRIES + 1):
                try:
                    async with self._pool.acquire(timeout=CONNECT_SECONDS) as connection:
                        return await act(connection)
                except asyncpg.PostgresError as error:
                    if code_of(error) not in AGAIN or tries == TRIES:
                        raise
                await asyncio.sleep(_WAIT_SECONDS * 2**tries * random.random())  # noqa: S311 - spreads, hides nothing
        raise AssertionError("the last try returns or raises")  # pragma: no cover


async def _insist_on_lease(connection: asyncpg.Connection) -> None:
    """Until the transaction ends nobody can take the lease over; to renew it is not held up."""
    lease = current_lease()
    if lease is None:
        return
    fence = await connection.fetchval(_FENCE, lease.name)
    if fence != lease.fence:
        raise LeaseLost(f"another replica has taken over {lease.name}")


@asynccontextmanager
async def open_connections(place: Place, *, only_existing: bool = False) -> AsyncIterator[Connections]:
    """Connections for the length of a block, to a schema that is created or upgraded first where needed.

    Args:
        place: where to.
        only_existing: refuse a schema that is not there, as a verb does that only looks.

    Raises:
        StoreUnavailable: the database cannot be reached.
        StorePermission: it refuses us.
        StoreUnusable: it does not keep what it is told, or is of a newer release.
    """
    with in_our_words(place.shown):
        await _prepare(place, only_existing=only_existing)
        pool = await asyncpg.create_pool(
            place.url,
            # None is kept for its own sake: asyncpg would try again and again to have them, and log each failure.
            min_size=0,
            max_size=MOST_CONNECTIONS,
            timeout=CONNECT_SECONDS,
            command_timeout=ANSWER_SECONDS,
            init=verified,
            reset=_leave_as_it_is,
            server_settings=_greeting(place),
        )
    try:
        yield Connections(pool, place)
    finally:
        await _close(pool)


async def open_connection(place: Place, *, within: float = ANSWER_SECONDS) -> asyncpg.Connection:
    """One connection that the caller closes."""
    connection = await asyncpg.connect(
        place.url, timeout=CONNECT_SECONDS, command_timeout=within, server_settings=_greeting(place)
    )
    try:
        await verified(connection)
    except BaseException:
        connection.terminate()
        raise
    return connection


def _greeting(place: Place) -> dict[str, str]:
    return {"application_name": f"npsbridge {__version__}", "search_path": place.schema}


async def _prepare(place: Place, *, only_existing: bool) -> None:
    connection = await open_connection(place, within=UPGRADE_SECONDS)
    try:
        if await connection.fetchval("SELECT current_schema()") is None:
            async with one_at_a_time(connection):
                await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_quoted(place.schema)}")
        version = await version_of(connection)
        if version > len(UPGRADES):
            raise StoreUnusable(
                f"{place.shown} is of a newer release (version {version}, this one knows {len(UPGRADES)}); "
                "install that release"
            )
        if version == 0 and only_existing:
            raise StoreUnusable(f"there is no store at {place.shown} yet; `npsbridge run` makes it")
        if version < len(UPGRADES):
            await upgrade(connection)
    finally:
        await connection.close(timeout=CLOSE_SECONDS)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


async def verified(connection: asyncpg.Connection) -> None:
    """Have commits wait for the disk, and refuse a database that will not.

    Raises:
        StoreUnusable: a commit would return before it is durable.
    """
    commits, syncs = await connection.fetchrow(_SETTINGS)
    if commits is not None and commits not in _DURABLE:
        await connection.execute("SET synchronous_commit = on")
        commits, syncs = await connection.fetchrow(_SETTINGS)
    if (commits is not None and commits not in _DURABLE) or syncs == "off":
        raise StoreUnusable(
            f"the database keeps synchronous_commit at {commits} and fsync at {syncs}, so what it says is kept may be "
            "lost; both must be on"
        )
    # To compile a statement takes longer than any of ours runs. Not every engine has the setting.
    with suppress(asyncpg.PostgresError):
        await connection.execute("SET jit = off")


async def _leave_as_it_is(connection: asyncpg.Connection) -> None:
    """Nothing of a session is changed between two uses, so nothing has to be set back; that would cost a round trip."""


async def _close(pool: asyncpg.Pool) -> None:
    with anyio.move_on_after(CLOSE_SECONDS, shield=True) as limit, suppress(StoreError, asyncpg.PostgresError, OSError):
        await pool.close()
    if limit.cancelled_caught:
        pool.terminate()
