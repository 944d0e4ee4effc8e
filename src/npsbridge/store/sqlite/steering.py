"""What a person has done with deliveries, in SQLite: tried again, dropped, sent once more.

The functions that write run inside one transaction of the writer, which begins and ends it. Each looks at the state
that it changes, because a daemon may have changed it since the person looked.
"""

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence

import orjson

from npsbridge.core.model import Delivery, State
from npsbridge.core.records import Arrival, RememberedResponse, Sent
from npsbridge.store import ledger, rows
from npsbridge.store.sqlite import calls
from npsbridge.store.sqlite import statements as sql
from npsbridge.store.sqlite.reader import Reader
from npsbridge.store.sqlite.writes import count, journal

# --- reading ----------------------------------------------------------------------------------------------------


async def chosen(
    reader: Reader, states: Collection[State], connection: str | None, after: int, limit: int
) -> list[Delivery]:
    """Deliveries in some states, oldest first."""
    words = orjson.dumps([state.value for state in states]).decode()
    wish = {"states": words, "connection": connection, "after": after, "limit": limit}
    return [rows.delivery(row) for row in await reader.rows(sql.CHOSEN, wish)]


async def sent(reader: Reader, connection: str, before: int, after: tuple[int, int], limit: int) -> list[Sent]:
    """What a connection has taken."""
    reached, number = after
    wish = {"connection": connection, "before": before, "reached": reached, "after": number, "limit": limit}
    return [rows.sent(row) for row in await reader.rows(sql.SENT, wish)]


async def untold(reader: Reader, connection: str, after: int, limit: int) -> list[tuple[int, RememberedResponse]]:
    """Responses of which a connection was told nothing, as far as the outbox knows."""
    found = await reader.rows(sql.UNTOLD, {"connection": connection, "after": after, "limit": limit})
    return [(row[0], rows.remembered_response(row[1:])) for row in found]


# --- writing ----------------------------------------------------------------------------------------------------


def requeue(database: sqlite3.Connection, numbers: Sequence[int], now: int) -> int:
    """Owe again what is held or dead."""
    dead = _owe_again(database, numbers, State.DEAD, now)
    held = _owe_again(database, numbers, State.HELD, now)
    count(database, [ledger.requeued(dead=dead)])
    return dead + held


def confirm(database: sqlite3.Connection, numbers: Sequence[int], because: str, now: int) -> int:
    """Take what is held for delivered."""
    changed = database.executemany(sql.CONFIRM, [(because, now, number) for number in numbers]).rowcount
    count(database, [ledger.confirmed(max(changed, 0))])
    return max(changed, 0)


def send_again(database: sqlite3.Connection, numbers: Sequence[int], now: int) -> int:
    """Owe again what was delivered."""
    changed = _owe_again(database, numbers, State.DELIVERED, now)
    count(database, [ledger.sent_again(changed)])
    return changed


def _owe_again(database: sqlite3.Connection, numbers: Iterable[int], state: State, now: int) -> int:
    changed = database.executemany(sql.SEND_AGAIN, [(now, number, state.value) for number in numbers]).rowcount
    return max(changed, 0)


def unshelve(database: sqlite3.Connection, items: Mapping[int, Arrival | None]) -> int:
    """Delete shelved items, and journal those that are to be routed anew."""
    taken = [arrival for number, arrival in items.items() if database.execute(sql.UNSHELVE, (number,)).rowcount == 1]
    arrivals = [arrival for arrival in taken if arrival is not None]
    journal(database, arrivals)
    count(database, [ledger.unshelved(journaled=len(arrivals), forgotten=len(taken) - len(arrivals))])
    return len(taken)


def drop(database: sqlite3.Connection, numbers: Sequence[int], because: str, now: int) -> int:
    """Filter what is still to be sent, or might be."""
    dead = _filter(database, numbers, State.DEAD, because, now)
    others = sum(_filter(database, numbers, state, because, now) for state in (State.QUEUED, State.WAITING, State.HELD))
    calls.forget_said(database, numbers)
    count(database, [ledger.dropped(dead=dead, others=others)])
    return dead + others


def _filter(database: sqlite3.Connection, numbers: Iterable[int], state: State, because: str, now: int) -> int:
    changed = database.executemany(sql.DROP, [(because, now, number, state.value) for number in numbers]).rowcount
    return max(changed, 0)
