"""`npsbridge trace`: the life of one message, response or person, from arrival to delivery."""

from pathlib import Path
from typing import Any

import msgspec

from npsbridge.cli.opening import with_store
from npsbridge.cli.outbox import as_document
from npsbridge.cli.show import console, print_json, table
from npsbridge.clock import Clock
from npsbridge.core.ports import Trace
from npsbridge.core.times import iso_utc

NOT_FOUND = 1


def show_trace(env_file: Path | None, key: str, *, as_json: bool) -> int:
    """Print what is known; returns 1 when nothing is."""
    found = with_store(env_file, lambda store: store.trace(key))
    document = _document(found)
    if as_json:
        print_json(document)
    else:
        _print(document)
    return 0 if any(document.values()) else NOT_FOUND


def _document(found: Trace) -> dict[str, list[dict[str, Any]]]:
    return {
        "arrivals": [
            {
                "journal": entry.id,
                "connection": entry.connection,
                "origin": entry.origin.value,
                "received_at": iso_utc(Clock.at(entry.received_at)),
                "records": entry.count,
            }
            for entry in found.entries
        ],
        "responses": [
            {"revision": one.revision, "milestones": list(one.milestones), **msgspec.to_builtins(one.response)}
            for one in found.responses
        ],
        "deliveries": [as_document(delivery) for delivery in found.deliveries],
    }


def _print(document: dict[str, list[dict[str, Any]]]) -> None:
    out = console()
    for title, rows in document.items():
        columns = list(rows[0]) if rows else ["nothing known"]
        shown = columns if title != "responses" else ["connection", "id", "revision", "score", "comment", "created_at"]
        out.print(table(title.capitalize(), shown, [[row.get(column) for column in shown] for row in rows]))
        out.print()
