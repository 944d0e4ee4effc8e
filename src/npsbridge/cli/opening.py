"""What most verbs begin with: the settings, and the store beside a daemon that may be running."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final, TypeVar

from npsbridge.clock import Clock
from npsbridge.core.storage import Store
from npsbridge.engine.fleet import seen_lately
from npsbridge.errors import StoreLocked
from npsbridge.platforms import settings_classes
from npsbridge.settings import Settings, load
from npsbridge.store import open_store
from npsbridge.store.sqlite.lock import held_alone
from npsbridge.telemetry import start_logging

T = TypeVar("T")

_SQLITE: Final = "sqlite:///"


def settings_from(env_file: Path | None) -> Settings:
    """The configuration in force; from here on warnings go to standard error, and no secret into any message.

    Raises:
        ConfigurationError: it cannot be used.
    """
    settings = load(settings_classes(), env_file=env_file)
    start_logging("WARNING", "text", secrets=settings.secrets())
    return settings


def store_beside(settings: Settings) -> AbstractAsyncContextManager[Store]:
    """The store, opened beside a daemon that may be running.

    Raises:
        NoStoreYet: there is none; reading must not create one.
    """
    return open_store(settings.store_url, clock=Clock(), exclusive=False, must_exist=True)


def store_beside_or_new(settings: Settings) -> AbstractAsyncContextManager[Store]:
    """The same for a verb that writes, which makes the store where there is none."""
    return open_store(settings.store_url, clock=Clock(), exclusive=False)


def with_store(env_file: Path | None, act: Callable[[Store], Awaitable[T]]) -> T:
    """Open the store, act on it, close it."""

    async def main() -> T:
        async with store_beside(settings_from(env_file)) as store:
            return await act(store)

    return asyncio.run(main())


async def is_daemon_running(settings: Settings, store: Store) -> bool:
    """Whether a daemon works on a store now: one holds its file, or replicas are heard of.

    The lock of a file is free again whenever its holder dies.
    """
    path = store_path(settings)
    if path is None:
        return bool((await seen_lately(store)).replicas)
    try:
        with held_alone(path.resolve()):
            return False
    except StoreLocked:
        return True


def store_path(settings: Settings) -> Path | None:
    """The file of the store; None when it is no file."""
    return sqlite_path(settings.store_url)


def sqlite_path(url: str) -> Path | None:
    """The file that the URL of a store names; None when it names none."""
    return Path(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else None
