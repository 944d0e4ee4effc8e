"""`npsbridge pause` and `npsbridge resume`: a connection rests, in both directions, until it may go on."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import msgspec

from npsbridge.cli.opening import is_daemon_running, settings_from, store_beside_or_new
from npsbridge.cli.show import console
from npsbridge.clock import Clock
from npsbridge.core.records import Health
from npsbridge.core.storage import Store
from npsbridge.engine.board import Condition, Direction
from npsbridge.engine.dispatch import first_delivery_fact
from npsbridge.engine.pauses import by_hand, pause_fact, paused_in
from npsbridge.engine.poll import first_response_fact
from npsbridge.errors import UsageError
from npsbridge.settings import Settings


def steer_connection(env_file: Path | None, name: str, *, is_paused: bool) -> None:
    """Pause or resume a connection; a running daemon takes notice within two seconds.

    Raises:
        UsageError: there is no such connection.
    """
    settings = settings_from(env_file)
    if name not in settings.connections:
        raise UsageError(f"there is no connection {name}; configured: {', '.join(settings.connections) or 'none'}")
    has_changed = asyncio.run(_steer(settings, name, is_paused=is_paused))
    _tell(settings, name, is_paused=is_paused, has_changed=has_changed)


async def _steer(settings: Settings, name: str, *, is_paused: bool) -> bool:
    """Note it; whether that is news."""
    async with store_beside_or_new(settings) as store:
        if (name in paused_in(await store.facts())) is is_paused:
            return False
        await store.note_fact(*pause_fact(name, is_paused=is_paused))
        await _note_health(store, name, is_paused=is_paused)
        return True


async def _note_health(store: Store, name: str, *, is_paused: bool) -> None:
    """Let `status` show it even while no daemon runs; one that does notes what is true beyond that."""
    facts, now = await store.facts(), Clock().now_ms()
    for line in await store.health():
        if line.connection == name and line.state != Condition.RETIRED:
            state = Condition.PAUSED if is_paused else _resting(line, facts)
            reason = by_hand(name) if is_paused else None
            await store.note_health(msgspec.structs.replace(line, state=state, reason=reason, since=now))


def _resting(line: Health, facts: Mapping[str, str]) -> Condition:
    """What a direction is that goes on, as its loop would note it."""
    is_pull = line.direction == Direction.PULL
    fact = first_response_fact(line.connection) if is_pull else first_delivery_fact(line.connection)
    return Condition.CONNECTED if fact in facts else Condition.WAITING_FOR_DATA


def _tell(settings: Settings, name: str, *, is_paused: bool, has_changed: bool) -> None:
    out = console()
    if not has_changed:
        out.print(f"{name} is paused already." if is_paused else f"{name} is not paused.")
        return
    when = "from now on" if is_daemon_running(settings) else "when the next daemon starts; none is running"
    if is_paused:
        out.print(f"{name} is paused, {when}: nothing is read from it or sent to it, and nothing is lost.")
        out.print(f"`npsbridge resume {name}` ends that.")
    else:
        out.print(f"{name} goes on, {when}.")
