"""The way to a database that may be at one of several hosts, as it is before and after a fail-over.

A connection is one to a host that answers, can be written to, and has its commits wait for the disk.
"""

from contextlib import suppress
from typing import Any, Final

import asyncpg

from npsbridge import __version__
from npsbridge.errors import StoreUnavailable, StoreUnusable
from npsbridge.store.postgres.faults import RAISED, store_fault
from npsbridge.store.postgres.place import Place

CONNECT_SECONDS: Final = 10.0
"""For all hosts together: one that swallows what it is sent must leave time for the next."""
ANSWER_SECONDS: Final = 30.0
"""How long a statement may take."""

# Aurora has no disk of its own to sync, and says so: its storage has a commit on four of six copies by then (Amazon
# Aurora User Guide, "Amazon Aurora storage").
_SETTINGS: Final = """
    SELECT current_setting('synchronous_commit', true), CASE
        WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_proc WHERE proname = 'aurora_version') THEN 'on'
        ELSE current_setting('fsync', true)
    END
"""
_DURABLE: Final = frozenset({"on", "remote_apply"})


class Hosts:
    """The hosts of one database, first the one that took the last connection."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._urls = list(place.urls)

    async def connect(self, *, within: float = ANSWER_SECONDS) -> asyncpg.Connection:
        """A connection that the caller closes.

        Args:
            within: seconds that its statements may take.

        Raises:
            StoreUnusable: a commit would return before it is durable.
            asyncpg.PostgresError, OSError: what the last host said, or the first of which no other host is better.
        """
        trouble: Exception = AssertionError("a place has a host")
        for url in tuple(self._urls):
            try:
                connection = await self._at(url, within)
            except RAISED as error:
                trouble = error
                if not isinstance(store_fault(error, self._place.shown), StoreUnavailable):
                    break
            else:
                self._urls.sort(key=url.__ne__)
                return connection
        raise trouble

    async def _at(self, url: str, within: float) -> asyncpg.Connection:
        choice: dict[str, Any] = {}
        if len(self._urls) > 1 and "target_session_attrs=" not in url:
            choice["target_session_attrs"] = "read-write"
        connection = await asyncpg.connect(
            url,
            timeout=CONNECT_SECONDS / len(self._urls),
            command_timeout=within,
            server_settings={"application_name": f"npsbridge {__version__}", "search_path": self._place.schema},
            **choice,
        )
        try:
            await verified(connection)
        except BaseException:
            connection.terminate()
            raise
        return connection


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
