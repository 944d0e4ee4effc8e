"""What is written together: each function runs inside one transaction of the writer, which begins and ends it.

A function may run again after a rollback, and changes nothing but the database.
"""

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final

from npsbridge.core.model import PlannedDelivery, State
from npsbridge.core.records import Arrival, Health, Retention, Routing, Settlement, Shelved
from npsbridge.errors import ErasedMeanwhile
from npsbridge.store import ledger, rows
from npsbridge.store.sqlite import bulk, calls, people
from npsbridge.store.sqlite import statements as sql

PURGED_ENTRIES: Final = 50
PURGED_DELIVERIES: Final = 250
"""Rows deleted at once: some milliseconds' work, so that arrivals do not wait behind retention."""
PROBE_BYTES: Final = 64 << 10
"""Room for a page of responses."""


Append = tuple[Sequence[Arrival], tuple[str, bytes] | None]
"""Arrivals, and the checkpoint (of a connection) that is true with them; bare, because one is made for every event."""


def append_all(database: sqlite3.Connection, appends: Sequence[Append]) -> list[None]:
    """Journal what several callers hand in, in their order."""
    arrivals = [arrival for together, _ in appends for arrival in together]
    if arrivals:
        journal(database, arrivals)
        count(database, [ledger.arrived(arrivals)])
    moved = [checkpoint for _, checkpoint in appends if checkpoint is not None]
    if moved:
        database.executemany(sql.MOVE_CHECKPOINT, moved)
    return [None] * len(appends)


def journal(database: sqlite3.Connection, arrivals: Sequence[Arrival]) -> None:
    """Have arrivals wait to be routed, in their order; the ledger is the caller's business."""
    if arrivals:
        numbers = _numbers(database, "journal", len(arrivals))
        bulk.insert(database, sql.ADD_ARRIVAL, list(map(rows.arrival_row, numbers, arrivals)))
        database.execute(sql.AWAIT_ROUTING, (numbers[0],))


Owed = tuple[int, PlannedDelivery]
"""A delivery with its number in the outbox."""


def commit_routings(
    database: sqlite3.Connection, routings: Sequence[Routing], now: int, erasures: int | None = None
) -> list[Owed]:
    """Make routings true, in order, except those that are already; returns the deliveries that are new.

    Raises:
        ErasedMeanwhile: somebody was erased since there were so many erasures.
    """
    erasures_now = _erasures(database)
    if erasures is not None and erasures_now != erasures:
        raise ErasedMeanwhile("somebody was erased since this was decided")
    waited = _end_waiting(database, routings)
    entries, true, quiet, of_quiet_ones = list[ledger.Entries](), list[Routing](), list[Routing](), 0
    owed = list[Owed]()
    for routing in routings:
        left = waited.pop(routing.journal_id, None) if routing.journal_id is not None else _news(database, routing)
        if left is None:
            continue
        forgotten = 0 if routing.records is None else max(routing.records - left, 0)
        true.append(routing)
        if routing.is_quiet:
            quiet.append(routing)
            of_quiet_ones += forgotten
        else:
            added, new = _apply(database, routing, now, forgotten=forgotten, erasures=erasures_now)
            entries.append(added)
            owed += new
    calls.note_seen(database, true, now)
    count(database, [*entries, ledger.quiet(quiet, counted_before=of_quiet_ones)])
    return owed


def _erasures(database: sqlite3.Connection) -> int:
    row = database.execute(sql.ERASURES).fetchone()
    return int(row[0]) if row else 0


def _end_waiting(database: sqlite3.Connection, routings: Sequence[Routing]) -> dict[int, int]:
    """By journal entry that still waited, and waits no more: how many records it has."""
    numbers = [routing.journal_id for routing in routings if routing.journal_id is not None]
    return dict(database.execute(sql.END_WAITING, (bulk.listed(numbers),)).fetchall()) if numbers else {}


def _news(database: sqlite3.Connection, routing: Routing) -> int | None:
    """That a release has no records of its own; None when it was made before."""
    return 0 if _is_news(database, routing) else None


def _is_news(database: sqlite3.Connection, routing: Routing) -> bool:
    """Whether held-back responses are still to be released."""
    keys = [(remembered.response.connection, remembered.response.id) for remembered in routing.responses]
    settling = sum(database.execute(sql.IS_SETTLING, key).fetchone() is not None for key in keys)
    return settling >= -routing.settling


def _apply(
    database: sqlite3.Connection, routing: Routing, now: int, *, forgotten: int, erasures: int
) -> tuple[ledger.Entries, list[Owed]]:
    """Make one true; returns what it adds to the ledger, and to the outbox.

    Args:
        database: in a transaction.
        routing: what was decided.
        now: milliseconds since 1970.
        forgotten: how many of its records were erased, and counted as such, since then.
        erasures: how often somebody has been erased by now.
    """
    source = routing.journal_id
    erased_calls = calls.end_waiting(database, routing)
    gone = people.keep(database, routing.people, erasures) | frozenset(erased_calls)
    bulk.insert(database, sql.REMEMBER_RESPONSE, [rows.response_row(known, source) for known in routing.responses])
    bulk.insert(database, sql.NOTE_NEWEST, list(routing.newest.items()))
    owed = _owe(database, routing, gone, now)
    people.rekey(database, routing.people, gone)
    entries = ledger.routed(
        routing,
        stored=Counter(rows.fate(planned) for _, planned in owed),
        waiting=calls.keep(database, routing, gone=gone),
        shelved=sum(_is_shelved_anew(database, item, source, now) for item in routing.shelved),
        erased=sum(person in gone for person in _people_of(routing)) if gone else 0,
        counted_before=len(erased_calls) + forgotten,
    )
    return entries, owed


def _people_of(routing: Routing) -> list[str]:
    """Whom each part of a routing is about."""
    return [*(one.person for one in routing.deliveries), *(one.person for one in routing.awaited)]


def _owe(database: sqlite3.Connection, routing: Routing, gone: Collection[str], now: int) -> list[Owed]:
    """Put the deliveries of a routing into the outbox, in order; returns those that were not there before."""
    wanted = [one for one in routing.deliveries if one.person not in gone] if gone else routing.deliveries
    if not wanted:
        return []
    numbers = _numbers(database, "outbox", len(wanted))
    owed = list(zip(numbers, wanted, strict=True))
    at_once = [rows.owed_at_once_row(*one, routing.journal_id, now) for one in owed if goes_at_once(one, now)]
    others = [rows.owed_row(*one, routing.journal_id, now) for one in owed if not goes_at_once(one, now)]
    if bulk.insert(database, sql.OWE_AT_ONCE, at_once) + bulk.insert(database, sql.OWE, others) < len(owed):
        taken = {number for (number,) in database.execute(sql.TAKEN, (numbers[0], numbers[-1]))}
        owed = [one for one in owed if one[0] in taken]
    bulk.insert(database, sql.KEEP_BODY, [(number, planned.body) for number, planned in owed])
    return owed


def goes_at_once(owed: Owed, now: int) -> bool:
    """Whether it is to be sent, and need not wait."""
    planned = owed[1]
    waits = planned.not_before is not None and planned.not_before > now
    return not waits and planned.filtered_because is None and planned.expired_because is None


def shelve_page(database: sqlite3.Connection, item: Shelved, now: int) -> None:
    """Shelve what never was a record of an arrival."""
    if _is_shelved_anew(database, item, None, now):
        count(database, [ledger.page_shelved()])


def _is_shelved_anew(database: sqlite3.Connection, item: Shelved, journal_id: int | None, now: int) -> bool:
    (number,) = _numbers(database, "outbox", 1)
    is_new = bulk.insert(database, sql.OWE, [rows.shelf_row(number, item, journal_id=journal_id, now=now)]) == 1
    if is_new:
        bulk.insert(database, sql.KEEP_BODY, [(number, item.body)])
    else:
        database.execute(sql.TRY_SHELF_AGAIN, (item.key, item.connection))
    return is_new


def settle_all(database: sqlite3.Connection, settlements: Sequence[Settlement], now: int) -> None:
    """Record outcomes, in order."""
    entries = []
    for fate, together in groupby(settlements, key=attrgetter("state", "reason", "next_attempt_at")):
        same = list(together)
        numbers = bulk.listed([one.id for one in same])
        if fate[0] in rows.NOT_TAKEN:
            database.execute(sql.TAKE_BACK, (numbers,))
        changed = database.execute(sql.SETTLE, (*rows.settlement_row(same[0], now=now), numbers)).rowcount
        entries.append(ledger.settled(fate[0], changed))
        database.executemany(sql.SET_OUT, rows.intent_rows(same))
        calls.forget_said(database, [one.id for one in same if one.is_untold])
    count(database, entries)


def note_hints(database: sqlite3.Connection, connection: str, hints: Sequence[str], heard_at: int) -> None:
    """Remember what is to be read back."""
    database.executemany(sql.NOTE_HINT, [(connection, hint, heard_at) for hint in hints])


def forget_hints(database: sqlite3.Connection, connection: str, hints: Sequence[str]) -> None:
    """Forget what was read back."""
    database.executemany(sql.FORGET_HINT, [(connection, hint) for hint in hints])


def note_health(database: sqlite3.Connection, health: Health) -> None:
    """Remember the state of one direction."""
    noted = (health.connection, health.direction, health.state, health.reason, health.since)
    database.execute(sql.NOTE_HEALTH, noted)


def note_fact(database: sqlite3.Connection, name: str, value: str) -> None:
    """Set a fact."""
    database.execute(sql.NOTE_FACT, (name, value))


def purge_some(database: sqlite3.Connection, retention: Retention, now: int) -> int:
    """Delete a bounded number of rows past their retention; the ledger does not move."""
    oldest = {"limit": PURGED_ENTRIES, "before": now - int(retention.journal * 1000)}
    deleted = database.execute(sql.PURGE_JOURNAL, oldest).rowcount
    for state in rows.FINISHED:
        kept = retention.dead if state in {State.DEAD, State.EXPIRED} else retention.delivered
        finished = {"state": state.value, "before": now - int(kept * 1000), "limit": PURGED_DELIVERIES}
        deleted += database.execute(sql.PURGE_OUTBOX, finished).rowcount
    before = now - int(retention.journal * 1000)
    return deleted + calls.purge(database, before=before, limit=PURGED_DELIVERIES)


def fill_and_empty(database: sqlite3.Connection) -> None:
    """Write and take back as much as a page needs; a full disk or quota shows now instead of with the next page."""
    database.execute(sql.FILL, (PROBE_BYTES,))
    database.execute(sql.EMPTY)


def data_version(database: sqlite3.Connection) -> int:
    """A number that changes when another connection has written (SQLite's PRAGMA data_version)."""
    (version,) = database.execute(sql.DATA_VERSION).fetchone()
    return int(version)


def _numbers(database: sqlite3.Connection, name: str, wanted: int) -> range:
    """Numbers that were never given before; those that are not used after all stay unused."""
    (last,) = database.execute(sql.TAKE_NUMBERS, (wanted, name)).fetchone()
    return range(last - wanted + 1, last + 1)


def count(database: sqlite3.Connection, entries: Iterable[ledger.Entries]) -> None:
    """Move the lines of the ledger, in the transaction of what is counted."""
    total: ledger.Entries = Counter()
    for entry in entries:
        for name, amount in entry.items():
            total[name] += amount
    database.executemany(sql.COUNT, [(amount, name) for name, amount in total.items() if amount])
