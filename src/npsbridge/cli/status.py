"""`npsbridge status`: connections, ledger and queues, read from the store beside the daemon."""

import asyncio
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.text import Text

from npsbridge.cli.opening import settings_from, store_beside
from npsbridge.cli.show import console, print_json, table
from npsbridge.clock import Clock
from npsbridge.core.ports import Store
from npsbridge.core.times import iso_utc
from npsbridge.settings import Settings

REFRESH = 2.0


def show_status(env_file: Path | None, *, as_json: bool, watch: bool) -> None:
    """Print the status once, or again and again."""
    asyncio.run(_show(settings_from(env_file), as_json=as_json, watch=watch))


async def _show(settings: Settings, *, as_json: bool, watch: bool) -> None:
    async with store_beside(settings) as store:
        if as_json:
            print_json(await snapshot(store))
        elif watch:
            await _watch(store)
        else:
            console().print(_page(await snapshot(store)))


async def _watch(store: Store) -> None:
    with Live(_page(await snapshot(store)), console=console(), auto_refresh=False, screen=True) as live:
        while True:
            await asyncio.sleep(REFRESH)
            live.update(_page(await snapshot(store)), refresh=True)


async def snapshot(store: Store) -> dict[str, Any]:
    """Everything `status` shows, as one JSON document."""
    ledger = await store.ledger()
    return {
        "connections": [
            {
                "connection": line.connection,
                "direction": line.direction,
                "state": line.state,
                "since": iso_utc(Clock.at(line.since)),
                "reason": line.reason,
            }
            for line in await store.health()
        ],
        "ledger": {entry: getattr(ledger, entry) for entry in (*ledger.__struct_fields__, "imbalance")},
        "deliveries": [
            {"connection": connection, "state": state.value, "count": count}
            for (connection, state), count in sorted((await store.depths()).items())
        ],
    }


def _page(found: dict[str, Any]) -> Group:
    connections = [
        (f"{one['connection']}:{one['direction']}", one["state"].replace("_", " "), one["since"], one["reason"])
        for one in found["connections"]
    ]
    queues = [(one["connection"], one["state"], one["count"]) for one in found["deliveries"]]
    blank = Text("")
    parts: list[Any] = [table("Connections", ["connection", "state", "since", "reason"], connections), blank]
    parts += [table("Ledger", ["entry", "count"], list(found["ledger"].items())), blank]
    if queues:
        parts.append(table("Deliveries not finished", ["connection", "state", "count"], queues))
    return Group(*parts)
