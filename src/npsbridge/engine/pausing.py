"""Pausing and resuming a connection, as a person wishes; noted in the store, beside a daemon or inside one."""

from collections.abc import Mapping

import msgspec

from npsbridge.core.records import Health
from npsbridge.core.storage import Store
from npsbridge.engine.board import Condition, Direction
from npsbridge.engine.dispatch import first_delivery_fact
from npsbridge.engine.pauses import by_hand, pause_fact, paused_in
from npsbridge.engine.poll import first_response_fact


async def steer(store: Store, name: str, *, is_paused: bool, now: int) -> bool:
    """Note that a connection is paused, or no longer is; returns whether that is news.

    A running daemon takes notice by `Pauses.learn`. `now` is in milliseconds since 1970.
    """
    if (name in paused_in(await store.facts())) is is_paused:
        return False
    await store.note_fact(*pause_fact(name, is_paused=is_paused))
    await _note_health(store, name, is_paused=is_paused, now=now)
    return True


async def _note_health(store: Store, name: str, *, is_paused: bool, now: int) -> None:
    """Let `status` show it even while no daemon runs; one that does notes what is true beyond that."""
    facts = await store.facts()
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
