"""`npsbridge outbox`: looking at deliveries."""

from pathlib import Path
from typing import Any, Final

import orjson

from npsbridge.cli.opening import with_store
from npsbridge.cli.show import console, details, print_json, readable, table
from npsbridge.clock import Clock
from npsbridge.core.model import Delivery, State
from npsbridge.core.times import iso_utc
from npsbridge.errors import UsageError

_COLUMNS: Final = ("id", "connection", "kind", "state", "attempts", "created_at", "message_id", "reason")


def list_deliveries(
    env_file: Path | None, *, state: str | None, connection: str | None, limit: int, as_json: bool
) -> None:
    """Print deliveries, newest first."""
    wanted = _state(state)
    found = with_store(env_file, lambda store: store.deliveries(state=wanted, connection=connection, limit=limit))
    rows = [as_document(delivery) for delivery in found]
    if as_json:
        print_json(rows)
    elif rows:
        console().print(table(None, _COLUMNS, [[row[column] for column in _COLUMNS] for row in rows]))
    else:
        console().print("There is no such delivery.")


def show_delivery(env_file: Path | None, number: int, *, as_json: bool) -> None:
    """Print one delivery and what it carries."""
    delivery = with_store(env_file, lambda store: store.delivery(number))
    if delivery is None:
        raise UsageError(f"there is no delivery {number}")
    document = as_document(delivery)
    if as_json:
        print_json(document | {"body": delivery.body.decode("utf-8", "replace")})
        return
    out = console()
    out.print(details(document))
    out.print(readable(_indented(delivery.body)), soft_wrap=True)


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


def _indented(body: bytes) -> str:
    """A body for people; what is no JSON (an unreadable page) as it came."""
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONDecodeError:
        return body.decode("utf-8", "replace")


def _state(word: str | None) -> State | None:
    try:
        return None if word is None else State(word)
    except ValueError:
        raise UsageError(f"--state {word}: there are {', '.join(State)}") from None
