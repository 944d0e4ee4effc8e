"""Durable memory behind the port `npsbridge.core.storage.Store`; the only SQL of the project lives below here."""

from contextlib import AbstractAsyncContextManager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from npsbridge.clock import Clock
from npsbridge.core.storage import Store
from npsbridge.errors import ConfigurationError, Fault

__all__ = ["insist_on_driver", "open_store"]

_SETTING: Final = "NPSBRIDGE_STORE_URL"
_SQLITE: Final = "sqlite:///"
_POSTGRES: Final = "postgresql://"


def open_store(
    url: str, *, clock: Clock, exclusive: bool = True, must_exist: bool = False, folder: Path | None = None
) -> AbstractAsyncContextManager[Store]:
    """The store that a URL names, for the length of an `async with` block.

    Args:
        url: `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://user:password@host/database`.
        clock: where the store's own times come from.
        exclusive: hold the store as the daemon does, a file alone and a database as one of its replicas; verbs of the
            command line work beside daemons without.
        must_exist: refuse what is not there yet, instead of making it.
        folder: where a relative path starts; the working directory when None.

    Raises:
        ConfigurationError: the URL names no store that is known here, or one whose driver is not installed.
        StoreError: the store cannot be opened; the kinds of it say what to do.
    """
    # An engine is loaded when a URL asks for it.
    if url.startswith(_POSTGRES):
        insist_on_driver()
        from npsbridge.store.postgres.store import open_postgres  # noqa: PLC0415

        return open_postgres(url, clock=clock, is_daemon=exclusive, must_exist=must_exist)
    if not url.startswith(_SQLITE):
        fault = Fault(
            setting=_SETTING,
            problem="must begin with sqlite:/// or postgresql://",
            example="sqlite:////var/lib/npsbridge/npsbridge.db",
        )
        raise ConfigurationError([fault])
    from npsbridge.store.sqlite.store import open_sqlite  # noqa: PLC0415

    path = (folder or Path.cwd()) / url.removeprefix(_SQLITE)
    return open_sqlite(path, clock=clock, exclusive=exclusive, must_exist=must_exist)


def insist_on_driver() -> None:
    """What PostgreSQL needs is an extra.

    Raises:
        ConfigurationError: it is not installed; says how to.
    """
    if find_spec("asyncpg") is None:
        problem = "names a PostgreSQL database, whose driver is not installed: pip install 'npsbridge[postgres]'"
        raise ConfigurationError([Fault(setting=_SETTING, problem=problem)])
