"""`npsbridge trace`: the life of one message, response or person, from arrival to delivery."""

from pathlib import Path
from typing import Any, Final

import msgspec

from npsbridge.cli.opening import with_store
from npsbridge.cli.outbox import as_document, as_waiting
from npsbridge.cli.show import console, listing, print_json
from npsbridge.clock import Clock
from npsbridge.core.records import JournalEntry, RememberedResponse, Trace
from npsbridge.core.times import iso_utc
from npsbridge.errors import UsageError

_SHOWN_OF_RESPONSES: Final = ("connection", "id", "revision", "score", "comment", "created_at")
_IF_NONE: Final = {
    "arrivals": "none any more; they are kept for NPSBRIDGE_RETENTION__JOURNAL",
    "responses": "none is known",
    "deliveries": "none, or none any more; they are kept for NPSBRIDGE_RETENTION__DELIVERED and __DEAD",
}
_LONG: Final = ("message_id", "comment", "reason", "next_attempt_at", "expires_at")


def show_trace(env_file: Path | None, key: str, *, as_json: bool) -> None:
    """Print what is known.

    Raises:
        UsageError: nothing is; with JSON after the empty document.
    """
    found = with_store(env_file, lambda store: store.trace(key))
    document = _document(found)
    is_known = any(document.values())
    if as_json:
        print_json(document)
    elif is_known:
        _print(document)
    if not is_known:
        raise UsageError(f"nothing is known of {key}; a call that no platform wants leaves nothing to be shown")


def _document(found: Trace) -> dict[str, list[dict[str, Any]]]:
    return {
        "arrivals": [_arrival(entry) for entry in found.entries],
        "responses": [_response(remembered) for remembered in found.responses],
        "deliveries": [as_document(delivery) for delivery in found.deliveries],
        "waiting": [
            as_waiting(waiting) | {"expires_at": iso_utc(Clock.at(waiting.expires_at))} for waiting in found.awaited
        ],
    }


def _arrival(entry: JournalEntry) -> dict[str, Any]:
    return {
        "journal": entry.id,
        "connection": entry.connection,
        "origin": entry.origin.value,
        "received_at": iso_utc(Clock.at(entry.received_at)),
        "records": entry.count,
    }


def _response(remembered: RememberedResponse) -> dict[str, Any]:
    said = {"revision": remembered.revision, "milestones": list(remembered.milestones)}
    content: dict[str, Any] = msgspec.to_builtins(remembered.response)
    return said | content


def _print(document: dict[str, list[dict[str, Any]]]) -> None:
    out = console()
    for name, rows in document.items():
        title = name.capitalize()
        if rows:
            columns = _SHOWN_OF_RESPONSES if name == "responses" else list(rows[0])
            out.print(listing(columns, rows, below=_LONG, width=out.width, title=title))
            out.print()
        elif name in _IF_NONE and not document["waiting"]:
            out.print(f"{title}: {_IF_NONE[name]}")
            out.print()
