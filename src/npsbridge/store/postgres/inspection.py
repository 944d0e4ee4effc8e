"""Looks a schema over without changing it, beside its replicas, and says of each thing whether it is as it must be."""

from typing import Final

from npsbridge.errors import StoreUnusable
from npsbridge.store import rows
from npsbridge.store.findings import Found, judged_ledger
from npsbridge.store.postgres import statements as sql
from npsbridge.store.postgres.connections import Connections, open_connections
from npsbridge.store.postgres.place import place_of
from npsbridge.store.postgres.upgrades import UPGRADES

_WITHOUT_BODY: Final = """
    SELECT count(*) FROM outbox WHERE NOT EXISTS (SELECT 1 FROM bodies WHERE delivery_id = outbox.id)
"""
_WITHOUT_ENTRY: Final = """
    SELECT count(*) FROM unrouted WHERE NOT EXISTS (SELECT 1 FROM journal WHERE journal.id = unrouted.journal_id)
"""


async def inspect(url: str) -> list[Found]:
    """Everything that can be said of the store in a schema.

    Raises:
        StoreError: it cannot be read; the kinds of it say what to do.
    """
    place = place_of(url)
    async with open_connections(place, as_it_is=True) as connections:
        ((version,),) = await connections.rows("SELECT max(number) FROM upgrades")
        what = f"{place.shown}, version {version} of {len(UPGRADES)}"
        if version < len(UPGRADES):
            return [Found(subject="store", is_good=None, text=f"{what}; the next start brings it there")]
        ledger = rows.ledger(await connections.rows(sql.LEDGER))
        return [
            Found(subject="store", is_good=True, text=what),
            # To connect has proved it: see npsbridge.store.postgres.connections.verified.
            Found(subject="durability", is_good=True, text="commits wait for the disk (synchronous_commit, fsync)"),
            await _belonging(connections),
            judged_ledger(ledger),
        ]


async def _belonging(connections: Connections) -> Found:
    """Whether rows have what they belong to."""
    ((bodies,),) = await connections.rows(_WITHOUT_BODY)
    ((entries,),) = await connections.rows(_WITHOUT_ENTRY)
    if bodies or entries:
        text = f"{bodies} deliveries have no body, {entries} entries that wait are not in the journal; restore a backup"
        return Found(subject="references", is_good=False, text=text, exit_code=StoreUnusable.exit_code)
    return Found(subject="references", is_good=True, text="whatever belongs to something has it")
