"""Who does what, in PostgreSQL: `npsbridge.core.leases.Leases` says what is promised. Time is the database's.

A lease is a row that is never deleted, so that its fence only grows. Whoever writes under a lease holds its row against
others until the commit (npsbridge.store.postgres.connections), which a renewal does not wait for.
"""

from collections.abc import Collection, Mapping
from typing import Final

import asyncpg

from npsbridge.core.leases import Fleet, Holding, Replica
from npsbridge.store.postgres.connections import SOON_SECONDS, Connections
from npsbridge.store.postgres.texts import stored, told

_NOW: Final = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
ANNOUNCE: Final = f"""
    INSERT INTO replicas (id, host, version, settings, works, started_at, heard_at, skew)
    VALUES ($1, $2, $3, $4, $5, $6, {_NOW}, $7)
    ON CONFLICT (id) DO UPDATE SET
        works = excluded.works, settings = excluded.settings, heard_at = excluded.heard_at, skew = excluded.skew
"""  # noqa: S608 - put together from constants
RENEW: Final = f"""
    UPDATE leases SET held_until = {_NOW} + $3
    FROM unnest($1::text[], $2::bigint[]) AS mine (name, fence)
    WHERE leases.name = mine.name AND leases.fence = mine.fence AND leases.holder = $4
"""  # noqa: S608 - put together from constants
REGISTER: Final = """
    INSERT INTO leases (name, holder, fence, held_until) SELECT name, NULL, 0, 0 FROM unnest($1::text[]) AS given (name)
    ON CONFLICT (name) DO NOTHING
"""
# Whoever looks at the same lease at the same moment passes it by.
TAKE: Final = f"""
    UPDATE leases SET holder = $2, fence = fence + 1, held_until = {_NOW} + $3
    WHERE name = ANY(ARRAY(
        SELECT name FROM leases WHERE name = ANY($1::text[]) AND (holder IS NULL OR held_until < {_NOW})
        ORDER BY name FOR UPDATE SKIP LOCKED
    ))
    RETURNING name, fence
"""  # noqa: S608 - put together from constants
GIVE_BACK: Final = """
    UPDATE leases SET holder = NULL, held_until = 0
    FROM unnest($1::text[], $2::bigint[]) AS mine (name, fence)
    WHERE leases.name = mine.name AND leases.fence = mine.fence
"""
LEAVE: Final = "DELETE FROM replicas WHERE id = $1"
FORGET_OLD: Final = f"DELETE FROM replicas WHERE heard_at < {_NOW} - $1"  # noqa: S608 - put together from constants
NOW: Final = f"SELECT {_NOW}"
REPLICAS: Final = f"""
    SELECT id, host, version, settings, works, started_at, heard_at, skew FROM replicas
    WHERE heard_at >= {_NOW} - $1 ORDER BY id
"""  # noqa: S608 - put together from constants
HOLDINGS: Final = f"""
    SELECT name, CASE WHEN held_until >= {_NOW} THEN holder END, fence FROM leases ORDER BY name
"""  # noqa: S608 - put together from constants

# The bookings of an account are kept in order. A request leaves once so many have left the window that it fits.
BOOK: Final = f"""
    WITH moment AS (SELECT {_NOW} AS ms)
    INSERT INTO budgets (connection, booked) SELECT $1, ARRAY[ms + $3::bigint] FROM moment
    ON CONFLICT (connection) DO UPDATE SET booked = (
        SELECT still || greatest({_NOW}, coalesce(still[cardinality(still) - $2::int + 1], 0)) + $3::bigint
        FROM (SELECT ARRAY(SELECT one FROM unnest(budgets.booked) AS one WHERE one > {_NOW} ORDER BY one) AS still)
            AS window_now
    )
    RETURNING booked[cardinality(booked)] - $3::bigint - {_NOW}
"""  # noqa: S608 - put together from constants
BOOKED: Final = f"""
    SELECT connection, (SELECT count(*) FROM unnest(booked) AS one WHERE one > {_NOW}) FROM budgets
"""  # noqa: S608 - put together from constants

_ROUNDING_MS: Final = 1
"""So much nearer to each other than they look may two moments be that are told in whole milliseconds."""
_KEPT_FOR: Final = 10
"""Times the length of a lease after which a replica that is not heard of is forgotten."""


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


class PostgresLeases:
    """The replicas of one schema."""

    is_shared = True

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def announce(self, me: Replica, held: Mapping[str, int], *, seconds: float) -> Fleet:
        """Be heard of, renew what is held, and see who else is there."""
        length = _ms(seconds)

        async def act(connection: asyncpg.Connection) -> Fleet:
            known = (me.id, stored(me.host), me.version, me.settings, list(me.works), me.started_at, me.skew)
            await connection.execute(ANNOUNCE, *known)
            await connection.execute(RENEW, list(held), list(held.values()), length, me.id)
            await connection.execute(FORGET_OLD, length * _KEPT_FOR)
            return await _fleet(connection, length)

        return await self._connections.together(act, within=SOON_SECONDS)

    async def take(self, names: Collection[str], *, holder: str, seconds: float) -> dict[str, int]:
        """Take what nobody holds."""
        wanted = sorted(names)

        async def act(connection: asyncpg.Connection) -> dict[str, int]:
            await connection.execute(REGISTER, wanted)
            return dict(await connection.fetch(TAKE, wanted, holder, _ms(seconds)))

        return await self._connections.together(act, within=SOON_SECONDS)

    async def give_back(self, held: Mapping[str, int]) -> None:
        """Let others take at once what is still held."""
        await self._connections.rows(GIVE_BACK, list(held), list(held.values()), within=SOON_SECONDS)

    async def leave(self, replica: str) -> None:
        """Be no replica any more."""
        await self._connections.rows(LEAVE, replica)

    async def fleet(self, *, seconds: float) -> Fleet:
        """All replicas that were heard of."""
        return await self._connections.together(lambda connection: _fleet(connection, _ms(seconds)))

    async def book(self, connection: str, *, limit: float, seconds: float) -> float:
        """Book one request to an account."""
        most, length = max(1, int(limit)), _ms(seconds * max(1.0, 1 / limit)) + _ROUNDING_MS
        ((wait,),) = await self._connections.rows(BOOK, connection, most, length, within=SOON_SECONDS)
        return max(0, int(wait)) / 1000

    async def booked(self) -> dict[str, int]:
        """The requests that count towards each limit now."""
        return dict(await self._connections.rows(BOOKED))


async def _fleet(connection: asyncpg.Connection, length: int) -> Fleet:
    replicas = [
        Replica(
            id=id_,
            host=told(host),
            version=version,
            settings=settings,
            works=tuple(works),
            started_at=started_at,
            heard_at=heard_at,
            skew=skew,
        )
        for id_, host, version, settings, works, started_at, heard_at, skew in await connection.fetch(REPLICAS, length)
    ]
    holdings = [
        Holding(name=name, holder=holder, fence=fence) for name, holder, fence in await connection.fetch(HOLDINGS)
    ]
    return Fleet(now=await connection.fetchval(NOW), replicas=tuple(replicas), holdings=tuple(holdings))
