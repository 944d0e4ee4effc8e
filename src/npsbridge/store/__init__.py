"""Durable memory behind the port `npsbridge.core.storage.Store`; the only SQL of the project lives below here."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path

from npsbridge.clock import Clock
from npsbridge.core.storage import Store
from npsbridge.errors import ConfigurationError, Fault

__all__ = ["open_store"]

_SQLITE = "sqlite:///"


def open_store(
    url: str, *, clock: Clock, exclusive: bool = True, folder: Path | None = None
) -> AbstractAsyncContextManager[Store]:
    """The store that a URL names, for the length of an `async with` block.

    Args:
        url: `sqlite:///relative.db` or `sqlite:////absolute.db`.
        clock: where the store's own times come from.
        exclusive: hold the store alone, as the daemon does; verbs of the command line work beside it without.
        folder: where a relative path starts; the working directory when None.

    Raises:
        ConfigurationError: the URL names no store that is known here.
        StoreError: the store cannot be opened; the kinds of it say what to do.
    """
    if not url.startswith(_SQLITE):
        fault = Fault(
            setting="NPSBRIDGE_STORE_URL",
            problem="must begin with sqlite:///",
            example="sqlite:////var/lib/npsbridge/npsbridge.db",
        )
        raise ConfigurationError([fault])
    from npsbridge.store.sqlite.store import open_sqlite  # noqa: PLC0415 - an engine is loaded when a URL asks for it

    path = (folder or Path.cwd()) / url.removeprefix(_SQLITE)
    return open_sqlite(path, clock=clock, exclusive=exclusive)
