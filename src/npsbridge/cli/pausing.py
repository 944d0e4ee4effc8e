"""`npsbridge pause` and `npsbridge resume`: a connection rests, in both directions, until it may go on."""

import asyncio
from pathlib import Path

from npsbridge.cli.opening import is_daemon_running, settings_from, store_beside_or_new
from npsbridge.cli.show import console, print_json
from npsbridge.clock import Clock
from npsbridge.engine.pausing import steer
from npsbridge.errors import UsageError
from npsbridge.settings import Settings


def steer_connection(env_file: Path | None, name: str, *, is_paused: bool, as_json: bool) -> None:
    """Pause or resume a connection; a running daemon takes notice within two seconds.

    Raises:
        UsageError: there is no such connection.
    """
    settings = settings_from(env_file)
    if name not in settings.connections:
        raise UsageError(f"there is no connection {name}; configured: {', '.join(settings.connections) or 'none'}")
    has_changed, is_running = asyncio.run(_steer(settings, name, is_paused=is_paused))
    if as_json:
        daemon = {"running": is_running}
        print_json({"connection": name, "paused": is_paused, "changed": has_changed, "daemon": daemon})
    else:
        _tell(name, is_paused=is_paused, has_changed=has_changed, is_running=is_running)


async def _steer(settings: Settings, name: str, *, is_paused: bool) -> tuple[bool, bool]:
    """Note it; whether that is news, and whether a daemon is running to hear it."""
    async with store_beside_or_new(settings) as store:
        has_changed = await steer(store, name, is_paused=is_paused, now=Clock().now_ms())
        return has_changed, await is_daemon_running(settings, store)


def _tell(name: str, *, is_paused: bool, has_changed: bool, is_running: bool) -> None:
    out = console()
    if not has_changed:
        out.print(f"{name} is paused already." if is_paused else f"{name} is not paused.")
        return
    when = "from now on" if is_running else "when the next daemon starts; none is running"
    if is_paused:
        out.print(f"{name} is paused, {when}: nothing is read from it or sent to it, and nothing is lost.")
        out.print(f"`npsbridge resume {name}` ends that.")
    else:
        out.print(f"{name} goes on, {when}.")
