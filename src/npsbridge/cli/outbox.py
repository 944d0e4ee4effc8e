"""`npsbridge outbox`: looking at deliveries."""

from pathlib import Path
from typing import Any, Final

import orjson

from npsbridge.cli.opening import with_store
from npsbridge.cli.show import console, details, listing, print_json, readable
from npsbridge.clock import Clock
from npsbridge.core.forward import call_id
from npsbridge.core.model import Delivery, State
from npsbridge.core.records import AwaitedCall
from npsbridge.core.storage import Store
from npsbridge.core.times import iso_utc
from npsbridge.errors import UsageError

_COLUMNS: Final = ("id", "connection", "kind", "state", "attempts", "created_at", "message_id", "reason")


def list_deliveries(
    env_file: Path | None, *, state: str | None, connection: str | None, limit: int, as_json: bool
) -> None:
    """Print deliveries, newest first."""
    wanted = _state(state)
    found, waiting = with_store(env_file, lambda store: _listed(store, wanted, connection, limit))
    rows = [as_document(delivery) for delivery in found]
    if wanted is State.WAITING:
        rows = [*map(as_waiting, waiting), *rows][:limit]
    if as_json:
        print_json(rows)
    elif rows:
        out = console()
        out.print(listing(_COLUMNS, rows, below=("message_id", "reason"), width=out.width))
    else:
        console().print("There is no such delivery.")
    if waiting and wanted is None and not as_json:
        console(stderr=True).print("Calls wait for their person to be identified: --state waiting lists them.")


async def _listed(
    store: Store, state: State | None, connection: str | None, limit: int
) -> tuple[list[Delivery], list[AwaitedCall]]:
    """Deliveries, and the calls that wait for their person, which are deliveries of no number yet."""
    deliveries = await store.deliveries(state=state, connection=connection, limit=limit)
    is_asked_for = state in {None, State.WAITING}
    return deliveries, await store.waiting_calls(connection=connection, limit=limit) if is_asked_for else []


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
    """A delivery as contract §7 lists it; its `message_id` is the one that the sender of the call knows."""
    due = delivery.next_attempt_at
    return {
        "id": delivery.id,
        "connection": delivery.connection,
        "kind": delivery.kind,
        "state": delivery.state.value,
        "message_id": call_id(delivery.message_id, delivery.kind),
        "attempts": delivery.attempts,
        "reason": delivery.reason,
        "next_attempt_at": None if due is None else iso_utc(Clock.at(due)),
        "created_at": iso_utc(Clock.at(delivery.created_at)),
    }


def as_waiting(waiting: AwaitedCall) -> dict[str, Any]:
    """A call that waits for its person, in the words of a delivery. Nobody can retry or drop it: it has no id yet."""
    return {
        "id": None,
        "connection": waiting.connection,
        "kind": "call",
        "state": State.WAITING.value,
        "message_id": waiting.call.message_id,
        "attempts": 0,
        "reason": waiting.reason,
        "next_attempt_at": None,
        "created_at": iso_utc(waiting.call.timestamp),
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
