"""What most verbs begin with: the settings, and the store beside a daemon that may be running."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from npsbridge.clock import Clock
from npsbridge.core.ports import Store
from npsbridge.errors import StoreUnusable
from npsbridge.platforms import settings_classes
from npsbridge.settings import Settings, load
from npsbridge.store import open_store

T = TypeVar("T")


def settings_from(env_file: Path | None) -> Settings:
    """The configuration in force. Raises ConfigurationError."""
    return load(settings_classes(), env_file=env_file)


@asynccontextmanager
async def store_beside(settings: Settings) -> AsyncIterator[Store]:
    """The store, opened beside a daemon that may be running.

    Raises:
        StoreUnusable: there is none yet; reading must not create one.
    """
    _expect_store(settings.store_url)
    async with open_store(settings.store_url, clock=Clock(), exclusive=False) as store:
        yield store


def _expect_store(url: str) -> None:
    path = url.removeprefix("sqlite:///")
    if url.startswith("sqlite:") and not Path(path).exists():
        raise StoreUnusable(f"there is no store at {path} yet; `npsbridge run` makes it")


def with_store(env_file: Path | None, act: Callable[[Store], Awaitable[T]]) -> T:
    """Open the store, act on it, close it."""

    async def main() -> T:
        async with store_beside(settings_from(env_file)) as store:
            return await act(store)

    return asyncio.run(main())
