"""A pool of connections to one schema, and transactions that are tried again.

Knows PostgreSQL and the lease under which a task works; nothing of what is written.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from typing import Any, Final, TypeVar

import anyio
import asyncpg

from npsbridge.core.leases import current_lease
from npsbridge.errors import LeaseLost, NoStoreYet, StoreError, StoreUnusable
from npsbridge.store.postgres.faults import AGAIN, READ_ONLY, code_of, in_our_words
from npsbridge.store.postgres.hosts import CONNECT_SECONDS, Hosts
from npsbridge.store.postgres.place import Place
from npsbridge.store.postgres.upgrades import UPGRADES, one_at_a_time, upgrade, version_of

MOST_CONNECTIONS: Final = 10
"""Of one replica, and one more to listen; a database takes a hundred unless it is told otherwise."""
UPGRADE_SECONDS: Final = 3600.0
CLOSE_SECONDS: Final = 10.0
TRIES: Final = 8
"""Of a transaction that met another one; five seconds at most."""
SOON_SECONDS: Final = 10.0
"""For what somebody waits for who goes away soon, or who must not be thought of as dead."""
UNDO_SECONDS: Final = 2.0
"""For taking back what was cut short; the database does it as well once the connection is closed."""
_WAIT_SECONDS: Final = 0.02

_FENCE: Final = "SELECT fence FROM leases WHERE name = $1 FOR KEY SHARE"

Result = TypeVar("Result")
Row = tuple[Any, ...]
Act = Callable[[asyncpg.Connection], Awaitable[Result]]
"""Reads and writes inside of a transaction that others begin and end.

It may be called again after a rollback, so it must change nothing but the database.
"""


class Connections:
    """The way to one schema. Made by `open_connections`."""

    def __init__(self, pool: asyncpg.Pool, place: Place, hosts: Hosts) -> None:
        self._pool = pool
        self.place = place
        self.hosts = hosts
        """For a connection of one's own."""

    def in_our_words(self) -> AbstractContextManager[None]:
        """A block whose errors of the database are raised as ours."""
        return in_our_words(self.place.shown)

    async def rows(self, statement: str, *values: Any, within: float | None = None) -> list[Row]:
        """All rows of one statement, which is a transaction of its own.

        Args:
            statement: SQL.
            values: of its parameters.
            within: seconds that an answer may take, where they are fewer than usual.

        Raises:
            StoreUnavailable, StoreError: see npsbridge.store.postgres.faults.
        """
        return await self._tried(lambda connection: connection.fetch(statement, *values, timeout=within))

    async def first(self, statement: str, *values: Any) -> Row | None:
        """The first row, or None when there is none."""
        return next(iter(await self.rows(statement, *values)), None)

    async def rows_of(self, statement: str, sought: Collection[Any], *fixed: Any) -> list[Row]:
        """The rows for any number of values, `$1` of the statement, before the fixed ones; none for no values."""
        return await self.rows(statement, list(sought), *fixed) if sought else []

    async def together(self, act: Act[Result], *, within: float | None = None) -> Result:
        """Write in one transaction, which is on disk when this returns; within so many seconds, or not at all.

        What a task writes that works under a lease is refused once another replica has taken the lease over.

        Raises:
            LeaseLost: another replica holds the lease.
            StoreUnavailable: the database cannot be reached, or not be written.
            StoreError: see npsbridge.store.postgres.faults.
        """

        async def whole(connection: asyncpg.Connection) -> Result:
            async with _undone_if_cut_short(connection), asyncio.timeout(within), connection.transaction():
                await _insist_on_lease(connection)
                return await act(connection)

        return await self._tried(whole)

    async def _tried(self, act: Act[Result]) -> Result:
        """Run it, again and again while it only met others."""
        with self.in_our_words():
            for tries in range(1, TRIES + 1):
                try:
                    async with self._pool.acquire(timeout=CONNECT_SECONDS) as connection:
                        return await _in_time(act, connection)
                except asyncpg.PostgresError as error:
                    if code_of(error) == READ_ONLY:
                        # A standby by now: the next connections look for the host that takes writes.
                        await self._pool.expire_connections()
                    if code_of(error) not in AGAIN or tries == TRIES:
                        raise
                await asyncio.sleep(_WAIT_SECONDS * 2**tries * random.random())  # noqa: S311 - spreads, hides nothing
        raise AssertionError("the last try returns or raises")  # pragma: no cover


@asynccontextmanager
async def _undone_if_cut_short(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """A block of which nothing is left when its task is cancelled; asyncpg's own way back would be cancelled as well.

    It would be taken when the connection is used next, with an error in the log each time.
    """
    try:
        yield
    except asyncio.CancelledError:
        with anyio.move_on_after(UNDO_SECONDS, shield=True), suppress(asyncpg.PostgresError, asyncpg.InterfaceError):
            if connection.is_in_transaction():
                await connection.execute("ROLLBACK")
        raise


async def _in_time(act: Act[Result], connection: asyncpg.Connection) -> Result:
    """Its result; a connection that gave no answer in time is used no more, nor waited for."""
    try:
        return await act(connection)
    except TimeoutError:
        connection.terminate()
        raise


async def _insist_on_lease(connection: asyncpg.Connection) -> None:
    """Until the transaction ends nobody can take the lease over; to renew it is not held up."""
    lease = current_lease()
    if lease is None:
        return
    fence = await connection.fetchval(_FENCE, lease.name)
    if fence != lease.fence:
        raise LeaseLost(f"another replica has taken over {lease.name}")


@asynccontextmanager
async def open_connections(
    place: Place, *, must_exist: bool = False, as_it_is: bool = False
) -> AsyncIterator[Connections]:
    """Connections for the length of a block, to a schema that is created or upgraded first where needed.

    Args:
        place: where to.
        must_exist: refuse a schema in which no store is yet.
        as_it_is: the same, and upgrade nothing.

    Raises:
        NoStoreYet: it must exist, and does not.
        StoreUnavailable: the database cannot be reached.
        StorePermission: it refuses us.
        StoreUnusable: it does not keep what it is told, or is of a newer release.
    """
    with in_our_words(place.shown):
        hosts = Hosts(place)
        await _prepare(hosts, place, must_exist=must_exist or as_it_is, as_it_is=as_it_is)

        async def connect(*_: Any, **__: Any) -> asyncpg.Connection:
            return await hosts.connect()

        pool = await asyncpg.create_pool(
            connect=connect,
            # None is kept for its own sake: asyncpg would try again and again to have them, and log each failure.
            min_size=0,
            max_size=MOST_CONNECTIONS,
            reset=_leave_as_it_is,
        )
    try:
        yield Connections(pool, place, hosts)
    finally:
        await _close(pool)


async def _prepare(hosts: Hosts, place: Place, *, must_exist: bool, as_it_is: bool) -> None:
    connection = await hosts.connect(within=UPGRADE_SECONDS)
    try:
        version = await version_of(connection)
        if version > len(UPGRADES):
            raise StoreUnusable(
                f"{place.shown} is of a newer release (version {version}, this one knows {len(UPGRADES)}); "
                "install that release"
            )
        if version == 0 and must_exist:
            raise NoStoreYet(place.shown)
        if version < len(UPGRADES) and not as_it_is:
            await _make_current(connection, place)
    finally:
        await connection.close(timeout=CLOSE_SECONDS)


async def _make_current(connection: asyncpg.Connection, place: Place) -> None:
    if await connection.fetchval("SELECT current_schema()") is None:
        async with one_at_a_time(connection):
            await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_quoted(place.schema)}")
    await upgrade(connection)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


async def _leave_as_it_is(connection: asyncpg.Connection) -> None:
    """Nothing of a session is changed between two uses, so nothing has to be set back; that would cost a round trip."""


async def _close(pool: asyncpg.Pool) -> None:
    with anyio.move_on_after(CLOSE_SECONDS, shield=True) as limit, suppress(StoreError, asyncpg.PostgresError, OSError):
        await pool.close()
    if limit.cancelled_caught:
        pool.terminate()
