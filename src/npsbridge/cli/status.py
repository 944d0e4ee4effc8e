"""`npsbridge status`: the daemon, its connections, ledger and queues, read from the store beside it."""

import asyncio
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import aiohttp
from rich.console import Group

from npsbridge.cli.opening import is_daemon_running, settings_from, store_beside
from npsbridge.cli.show import console, print_json
from npsbridge.cli.status_view import one_line, page, view
from npsbridge.cli.watching import watch_live
from npsbridge.clock import Clock
from npsbridge.core.records import Health
from npsbridge.core.storage import Store
from npsbridge.core.times import iso_utc
from npsbridge.engine.fleet import seen_lately
from npsbridge.engine.roster import document, roster_of
from npsbridge.settings import Settings

_REFRESH_SECONDS: Final = 2.0
_ADMIN_PATIENCE: Final = 1.0
"""Seconds."""


def show_status(env_file: Path | None, *, as_json: bool, watch: bool) -> None:
    """Print the status once, or again and again until interrupted; watched JSON comes as one document a line."""
    settings = settings_from(env_file)
    if not watch:
        asyncio.run(_show(settings, as_json=as_json))
        return
    with suppress(KeyboardInterrupt):
        asyncio.run(_watch(settings, as_json=as_json))


async def _show(settings: Settings, *, as_json: bool) -> None:
    async with store_beside(settings) as store:
        found = await snapshot(settings, store)
    if as_json:
        print_json(found)
    else:
        console().print(page(found))


async def _watch(settings: Settings, *, as_json: bool) -> None:
    out = console()
    async with store_beside(settings) as store:
        if out.is_terminal and not as_json:

            async def draw() -> Callable[[], Group]:
                found = await snapshot(settings, store)
                return lambda: view(found, now=Clock().now(), width=out.width, height=out.height)

            await watch_live(draw, out, every=_REFRESH_SECONDS)
            return
        while True:
            found = await snapshot(settings, store)
            if as_json:
                print_json(found, on_one_line=True)
            else:
                print(one_line(found, Clock().now()))
            sys.stdout.flush()
            await asyncio.sleep(_REFRESH_SECONDS)


async def snapshot(settings: Settings, store: Store) -> dict[str, Any]:
    """Everything `status` shows, as one JSON document."""
    roster, ledger = roster_of(await seen_lately(store)), await store.ledger()
    is_running = await is_daemon_running(settings, store)
    progress = await _progress(settings) if is_running else {}
    return {
        "daemon": {"running": is_running},
        **document(roster),
        "connections": [_connection(line, progress) for line in await store.health()],
        "ledger": {entry: getattr(ledger, entry) for entry in (*ledger.__struct_fields__, "imbalance")},
        "deliveries": [
            {"connection": connection, "state": state.value, "count": count}
            for (connection, state), count in sorted((await store.depths()).items())
        ],
    }


async def _progress(settings: Settings) -> dict[str, float]:
    """How far histories have been read, which only the daemon knows; nothing where it cannot be asked."""
    if settings.admin_listen.port == 0:
        return {}
    try:
        patience = aiohttp.ClientTimeout(total=_ADMIN_PATIENCE)
        url = f"http://{settings.admin_listen}/healthz"
        async with aiohttp.ClientSession(timeout=patience) as session, session.get(url) as answer:
            checks = (await answer.json())["checks"]
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError):
        return {}
    return {name: check["progress"] for name, check in checks.items() if "progress" in check}


def _connection(line: Health, progress: Mapping[str, float]) -> dict[str, Any]:
    return {
        "connection": line.connection,
        "direction": line.direction,
        "state": line.state,
        "since": iso_utc(Clock.at(line.since)),
        "reason": line.reason,
        "progress": progress.get(f"{line.connection}:{line.direction}"),
    }
