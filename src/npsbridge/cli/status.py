"""`npsbridge status`: the daemon, its connections, ledger and queues, read from the store beside it."""

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.live import Live

from npsbridge.cli.opening import is_daemon_running, settings_from, store_beside
from npsbridge.cli.show import console, print_json, readable, table
from npsbridge.clock import Clock
from npsbridge.core.records import Health
from npsbridge.core.storage import Store
from npsbridge.core.times import iso_utc
from npsbridge.settings import Settings

_REFRESH_SECONDS: Final = 2.0


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
        console().print(_page(found))


async def _watch(settings: Settings, *, as_json: bool) -> None:
    async with store_beside(settings) as store:
        out = console()
        if as_json or not out.is_terminal:
            while True:
                _print_on(await snapshot(settings, store), as_json=as_json)
                await asyncio.sleep(_REFRESH_SECONDS)
        with Live(console=out, auto_refresh=False, screen=True) as live:
            while True:
                live.update(_page(await snapshot(settings, store)), refresh=True)
                await asyncio.sleep(_REFRESH_SECONDS)


def _print_on(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found, on_one_line=True)
    else:
        console().print(_page(found))
    sys.stdout.flush()


async def snapshot(settings: Settings, store: Store) -> dict[str, Any]:
    """Everything `status` shows, as one JSON document."""
    ledger = await store.ledger()
    return {
        "daemon": {"running": is_daemon_running(settings)},
        "connections": [_connection(line) for line in await store.health()],
        "ledger": {entry: getattr(ledger, entry) for entry in (*ledger.__struct_fields__, "imbalance")},
        "deliveries": [
            {"connection": connection, "state": state.value, "count": count}
            for (connection, state), count in sorted((await store.depths()).items())
        ],
    }


def _connection(line: Health) -> dict[str, Any]:
    return {
        "connection": line.connection,
        "direction": line.direction,
        "state": line.state,
        "since": iso_utc(Clock.at(line.since)),
        "reason": line.reason,
    }


def _page(found: dict[str, Any]) -> Group:
    """The status for people; a stopped daemon's states are shown as what they are, past."""
    is_running = found["daemon"]["running"]
    daemon = "The daemon is running." if is_running else "No daemon is running; this is how the last one left it."
    connections = [
        (f"{one['connection']}:{one['direction']}", one["state"].replace("_", " "), one["since"], one["reason"])
        for one in found["connections"]
    ]
    queues = [(one["connection"], one["state"], one["count"]) for one in found["deliveries"]]
    parts: list[RenderableType] = [
        daemon,
        "",
        table("Connections", ["connection", "state", "since", "reason"], connections),
        "",
        table("Ledger", ["entry", "count"], list(found["ledger"].items())),
    ]
    if queues:
        parts += ["", table("Deliveries not finished", ["connection", "state", "count"], queues)]
    return Group(*(readable(part) if isinstance(part, str) else part for part in parts))
