"""`npsbridge outbox`: looking at deliveries."""

from pathlib import Path
from typing import Any

from npsbridge.cli.opening import with_store
from npsbridge.cli.show import console, print_json, table
from npsbridge.clock import Clock
from npsbridge.core.model import Delivery, State
from npsbridge.core.times import iso_utc
from npsbridge.errors import UsageError

COLUMNS = ("id", "connection", "kind", "state", "attempts", "created_at", "message_id", "reason")


def list_deliveries(
    env_file: Path | None, *, state: str | None, connection: str | None, limit: int, as_json: bool
) -> None:
    """Print deliveries, newest first."""
    wanted = _state(state)
    found = with_store(env_file, lambda store: store.deliveries(state=wanted, connection=connection, limit=limit))
    rows = [as_document(delivery) for delivery in found]
    if as_json:
        print_json(rows)
    else:
        console().print(table(None, COLUMNS, [[row[column] for column in COLUMNS] for row in rows]))


def show_delivery(env_file: Path | None, number: int, *, as_json: bool) -> None:
    """Print one delivery and what it carries."""
    delivery = with_store(env_file, lambda store: store.delivery(number))
    if delivery is None:
        raise UsageError(f"there is no delivery {number}")
    document = as_document(delivery) | {"body": delivery.body.decode("utf-8", "replace")}
    if as_json:
        print_json(document)
    else:
        console().print(table(None, ["", ""], list(document.items())))


def as_document(delivery: Delivery) -> dict[str, Any]:
    """A delivery as contract §7 lists it."""
    due = delivery.next_attempt_at
    return {
        "id": delivery.id,
        "connection": delivery.connection,
        "kind": delivery.kind,
        "state": delivery.state.value,
        "message_id": delivery.message_id,
        "attempts": delivery.attempts,
        "reason": delivery.reason,
        "next_attempt_at": None if due is None else iso_utc(Clock.at(due)),
        "created_at": iso_utc(Clock.at(delivery.created_at)),
    }


def _state(word: str | None) -> State | None:
    try:
        return None if word is None else State(word)
    except ValueError:
        raise UsageError(f"--state {word}: there are {', '.join(State)}") from None
