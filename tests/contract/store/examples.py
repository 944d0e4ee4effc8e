"""Records for the store's tests, with every field that a test does not speak of filled in."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import databases
from npsbridge.core.model import Kind, PlannedDelivery, Respondent, Response, State
from npsbridge.core.records import Arrival, Origin, RememberedResponse, Routing, Settlement, Shelved
from npsbridge.core.storage import Store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
START = 1_772_366_400_000
"""NOON in milliseconds since 1970; where the clocks of these tests start."""


def sqlite_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'npsbridge.db'}"


def postgres_url(_: Path) -> str:
    return databases.postgres_url()


ENGINES: dict[str, Callable[[Path], str]] = {"sqlite": sqlite_url, "postgres": postgres_url}
"""By name of the engine: the URL of a store that is not there yet, given an empty folder."""
MODEL_RUNS = {"sqlite": 40, "postgres": 12}
"""How many sequences of steps are tried against the model; each step of a database is a few round trips."""


class Wall:
    """A wall clock that only moves when told to."""

    def __init__(self) -> None:
        self.ms = START

    def __call__(self) -> float:
        return self.ms / 1000


def arrival(connection: str = "delighted", *, count: int = 1, body: bytes = b"[{}]", at: int = START) -> Arrival:
    return Arrival(connection=connection, origin=Origin.POLL, body=body, count=count, received_at=at)


def response(number: str = "1", connection: str = "delighted", **fields: Any) -> Response:
    given: dict[str, Any] = {"platform": "delighted", "survey_type": "nps", "score": 9, "created_at": NOON} | fields
    return Response(connection=connection, id=number, **given)


def remembered(
    number: str = "1", *, revision: int = 1, settle_at: int | None = None, email: str | None = None, **fields: Any
) -> RememberedResponse:
    person = Respondent(email=email)
    return RememberedResponse(
        response=response(number, person=person, **fields),
        revision=revision,
        milestones=(Kind.ANSWERED,) if revision else (),
        settle_at=settle_at,
    )


def held_back(number: str = "1", *, until: int = START + 1000) -> RememberedResponse:
    return remembered(number, revision=0, settle_at=until)


def planned(
    message: str, person: str = "ann", connection: str = "segment", *, not_before: int | None = None, **fields: Any
) -> PlannedDelivery:
    given: dict[str, Any] = {"kind": "submit", "body": b"{}"} | fields
    return PlannedDelivery(connection=connection, person=person, message_id=message, not_before=not_before, **given)


def shelved(key: str = "k1", connection: str = "delighted") -> Shelved:
    return Shelved(connection=connection, kind="record", key=key, reason="/score: no number", body=b'{"score":"x"}')


async def route(store: Store, *, count: int = 1, **decided: Any) -> int:
    """Journal `count` records and route them as decided; returns the number of the journal entry."""
    await store.append([arrival(count=count)])
    entry = (await store.unrouted(1_000))[-1]
    await store.commit_routing([Routing(journal_id=entry.id, **decided)])
    return entry.id


async def owe(store: Store, *deliveries: PlannedDelivery) -> list[int]:
    """Make deliveries owed, as one record that fans out; returns their numbers."""
    await route(store, deliveries=deliveries, fanned_out=1)
    listed = await store.deliveries(limit=len(deliveries))
    return [delivery.id for delivery in reversed(listed)]


async def settle(store: Store, numbers: Sequence[int], state: State = State.DELIVERED, **fields: Any) -> None:
    await store.settle([Settlement(id=number, state=state, **fields) for number in numbers])


async def ready(
    store: Store, connection: str = "segment", *, now: int = START, limit: int = 100, after: int = 0
) -> list[str]:
    """The message ids of a claim."""
    claimed = await store.claim(connection, now=now, limit=limit, after=after)
    return [delivery.message_id for delivery in claimed]
