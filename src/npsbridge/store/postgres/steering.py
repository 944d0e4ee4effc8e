"""What a person has done with deliveries, in PostgreSQL: tried again, dropped, sent once more.

Each function runs inside one transaction that others begin and end. Each looks at the state that it changes, because a
replica may have changed it since the person looked.
"""

from collections.abc import Mapping, Sequence

import asyncpg

from npsbridge.core.model import State
from npsbridge.core.records import Arrival
from npsbridge.store import ledger
from npsbridge.store.postgres import calls
from npsbridge.store.postgres import statements as sql
from npsbridge.store.postgres.texts import stored
from npsbridge.store.postgres.writes import count, journal_again


async def requeue(connection: asyncpg.Connection, numbers: Sequence[int], now: int) -> int:
    """Owe again what is held or dead."""
    dead = await _owe_again(connection, numbers, State.DEAD, now)
    held = await _owe_again(connection, numbers, State.HELD, now)
    await count(connection, [ledger.requeued(dead=dead)])
    return dead + held


async def confirm(connection: asyncpg.Connection, numbers: Sequence[int], because: str, now: int) -> int:
    """Take what is held for delivered."""
    changed = len(await connection.fetch(sql.CONFIRM, stored(because), now, numbers))
    await count(connection, [ledger.confirmed(changed)])
    return changed


async def send_again(connection: asyncpg.Connection, numbers: Sequence[int], now: int) -> int:
    """Owe again what was delivered."""
    changed = await _owe_again(connection, numbers, State.DELIVERED, now)
    await count(connection, [ledger.sent_again(changed)])
    return changed


async def _owe_again(connection: asyncpg.Connection, numbers: Sequence[int], state: State, now: int) -> int:
    return len(await connection.fetch(sql.SEND_AGAIN, now, numbers, state.value))


async def unshelve(connection: asyncpg.Connection, items: Mapping[int, Arrival | None]) -> int:
    """Delete shelved items, and journal those that are to be routed anew."""
    taken = {number for (number,) in await connection.fetch(sql.UNSHELVE, list(items))}
    arrivals = [arrival for number, arrival in items.items() if number in taken and arrival is not None]
    await journal_again(connection, arrivals)
    await count(connection, [ledger.unshelved(journaled=len(arrivals), forgotten=len(taken) - len(arrivals))])
    return len(taken)


async def drop(connection: asyncpg.Connection, numbers: Sequence[int], because: str, now: int) -> int:
    """Filter what is still to be sent, or might be."""
    dead = await _filter(connection, numbers, State.DEAD, because, now)
    others = 0
    for state in (State.QUEUED, State.WAITING, State.HELD):
        others += await _filter(connection, numbers, state, because, now)
    await calls.forget_said(connection, numbers)
    await count(connection, [ledger.dropped(dead=dead, others=others)])
    return dead + others


async def _filter(connection: asyncpg.Connection, numbers: Sequence[int], state: State, because: str, now: int) -> int:
    return len(await connection.fetch(sql.DROP, stored(because), now, numbers, state.value))
