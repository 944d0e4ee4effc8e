"""Several routings committed as one do what they do one after the other, whatever the calls are that led to them."""

import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from contract.store.examples import ENGINES, held_back, planned, remembered, shelved
from npsbridge.clock import Clock
from npsbridge.core.calls import Call
from npsbridge.core.envelope import INGEST, CallSource, Envelope
from npsbridge.core.familiar import Familiar
from npsbridge.core.people import IdKind, PersonId
from npsbridge.core.records import Arrival, JournalEntry, Origin, Routing
from npsbridge.core.route_calls import CallRecall, Decision, calls_of, people_of, read_entry, route_calls
from npsbridge.core.storage import Store
from npsbridge.store import open_store
from unit.core.forwarding import DAY, NOW, ORDER, Vendor

USERS, DEVICES = ("u1", "u2", "u3"), ("a1", "a2")
EMAILS = ("x@example.com", "y@example.com")
IDS = [
    *(PersonId(IdKind.USER, one) for one in USERS),
    *(PersonId(IdKind.ANONYMOUS, one) for one in DEVICES),
    *(PersonId(IdKind.EMAIL, one) for one in EMAILS),
]
REQUESTS = 8
"""Requests of two calls that are routed as one run."""


@pytest.fixture
def other_url(store_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A second store of the same engine."""
    folder: Path = tmp_path_factory.mktemp("other")
    return ENGINES["postgres" if store_url.startswith("postgresql") else "sqlite"](folder)


@pytest.fixture
async def other(other_url: str, clock: Clock) -> AsyncIterator[Store]:
    async with open_store(other_url, clock=clock) as opened:
        yield opened


def call(chance: random.Random, number: int) -> dict[str, Any]:
    """Somebody says who they are, that they ordered, that they were somebody else; now and then once more."""
    said = {
        "messageId": f"m{number - chance.choice([0, 0, 0, 0, 1])}",
        "userId": chance.choice((*USERS, None)),
        "anonymousId": chance.choice((*DEVICES, None)),
        "timestamp": "2026-03-01T12:00:00Z",
    }
    match chance.randrange(5):
        case 0:
            return said | {"type": "identify", "traits": {"plan": chance.randrange(3)}}
        case 1:
            return said | {"type": "identify", "traits": {"email": chance.choice(EMAILS)}}
        case 2:
            return said | {"type": "alias", "previousId": chance.choice((*USERS, *DEVICES))}
        case _:
            return said | {"type": "track", "event": chance.choice([ORDER, ORDER, "Broken", "Other"])}


def request(chance: random.Random, first: int) -> Arrival:
    batch = [msgspec.Raw(orjson.dumps(call(chance, first + place))) for place in range(2)]
    body = Envelope(batch=batch, source=CallSource.WEBHOOK).encode()
    return Arrival(connection=INGEST, origin=Origin.SDK, body=body, count=2, received_at=NOW)


async def decided(store: Store, entries: list[JournalEntry], familiar: Familiar | None = None) -> Decision:
    """What the entries lead to, as the router decides it for a run."""
    read = [read_entry(entry, familiar or Familiar(())) for entry in entries]
    calls: list[Call] = calls_of(read)
    people = await store.recall_people(people_of(calls))
    recall = CallRecall(
        seen=frozenset(await store.seen({one.message_id for one in calls})),
        people=people,
        awaited=tuple(await store.awaited(people.persons)),
        said=await store.said(people.persons),
    )
    return route_calls(read, recall, forwarders=[Vendor()], max_age=DAY, now=NOW)


async def everything(store: Store) -> list[Any]:
    """All that a store says, but its own numbers of deliveries."""
    people = await store.recall_people(IDS)
    keys = [f"person:{number}" for number in range(1, people.next_number)]
    listed = await store.deliveries(limit=10_000)
    return [
        await store.ledger(),
        people,
        await store.people(keys),
        await store.awaited(keys),
        await store.said(keys),
        [msgspec.structs.replace(one, id=0) for one in listed],
        await store.seen({f"m{number}" for number in range(200)}),
        await store.recall("delighted", responses=["1", "2", "3"], people=["ann"], emails=[]),
        await store.next_settle(),
    ]


@pytest.mark.parametrize("seed", range(6))
async def test_a_run_of_calls_does_what_its_routings_do_one_by_one(store: Store, other: Store, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same calls every time
    for run in range(6):
        requests = [request(chance, 2 * (run * REQUESTS + place)) for place in range(REQUESTS)]
        for one in (store, other):
            await one.append(requests)
        routings, _ = await decided(store, await store.unrouted(100))
        await store.commit_routing(routings)
        entries = await other.unrouted(100)
        for entry, routing in zip(entries, routings, strict=True):
            await other.commit_routing([msgspec.structs.replace(routing, journal_id=entry.id)])
        assert await everything(store) == await everything(other)
    assert (await store.ledger()).imbalance == 0


async def but_for_what_a_glance_misses(store: Store) -> list[Any]:
    """Everything but which of two devices was used last within a run, and messageIds that nobody wanted."""
    ledger, people, persons, *rest = await everything(store)
    unwanted = ledger.filtered + ledger.duplicate
    known = {key: msgspec.structs.replace(one, anonymous_ids=sorted(one.anonymous_ids)) for key, one in persons.items()}
    del rest[3]
    return [
        msgspec.structs.replace(ledger, filtered=unwanted, duplicate=0),
        people.owners,
        people.next_number,
        known,
        *rest,
    ]


def mostly_unwanted(chance: random.Random, first: int) -> Arrival:
    """A request of calls that now and then tell something, or come twice."""
    batch = [_sent(chance, first + place) for place in range(4)]
    batch += [chance.choice(batch)] * chance.choice([0, 0, 1])
    body = Envelope(batch=[msgspec.Raw(orjson.dumps(one)) for one in batch], source=CallSource.SDK).encode()
    return Arrival(connection=INGEST, origin=Origin.SDK, body=body, count=len(batch), received_at=NOW)


def _sent(chance: random.Random, number: int) -> dict[str, Any]:
    ids = [(user, device) for user in (*USERS, None) for device in (*DEVICES, None) if user or device]
    user, device = chance.choice(ids)
    if chance.random() < 0.9:
        said = {"type": chance.choice(["track", "page"]), "event": chance.choice(["Seen", "Seen", "Seen", ORDER])}
    else:
        said = call(chance, number)
    return said | {"messageId": f"m{number}", "userId": user, "anonymousId": device}


@pytest.mark.parametrize("seed", range(6))
async def test_a_glance_leaves_behind_what_reading_in_full_does(store: Store, other: Store, seed: int) -> None:
    chance, familiar, again = random.Random(seed), Familiar(Vendor.events), list[Arrival]()  # noqa: S311 - as above
    at_a_glance = 0
    for run in range(12):
        requests = [mostly_unwanted(chance, 4 * (run * REQUESTS + place)) for place in range(REQUESTS)]
        requests += chance.sample(again, min(1, len(again)))
        again = requests
        for one in (store, other):
            await one.append(requests)
        await other.commit_routing((await decided(other, await other.unrouted(100))).routings)
        familiar.begin()
        entries = await store.unrouted(100)
        at_a_glance += sum(one is not None for entry in entries for one in familiar.glance(entry.body))
        familiar.begin()
        decision = await decided(store, entries, familiar)
        await store.commit_routing(decision.routings)
        redirects = [newer for routing in decision.routings for newer in routing.people.redirects]
        familiar.commit(decision.met, redirects)
        assert await but_for_what_a_glance_misses(store) == await but_for_what_a_glance_misses(other)
    assert at_a_glance > 50
    assert (await store.ledger()).imbalance == 0


async def test_a_run_of_answers_does_what_its_routings_do_one_by_one(store: Store, other: Store) -> None:
    both = [planned("m1"), planned("m2", filtered_because="nobody wants it")]
    decisions: list[dict[str, Any]] = [
        {"responses": (held_back("1"),), "settling": 1},
        {"responses": (remembered("2"),), "deliveries": tuple(both), "fanned_out": 1, "newest": {"ann": 5}},
        {"responses": (remembered("2", revision=2),), "deliveries": tuple(both[:1]), "fanned_out": 1},
        {"shelved": (shelved("k1"),)},
        {"shelved": (shelved("k1"),), "newest": {"ann": 3}},
        {"deliveries": (planned("m3"), planned("m3")), "fanned_out": 1},
    ]
    release = Routing(journal_id=None, responses=(remembered("1"),), settling=-1, filtered=1)
    for one in (store, other):
        await one.append(
            [Arrival(connection="delighted", origin=Origin.POLL, body=b"[{}]", count=1, received_at=NOW)] * 6
        )
    entries = await store.unrouted(10)
    routings = [Routing(journal_id=entry.id, **what) for entry, what in zip(entries, decisions, strict=True)]
    await store.commit_routing([*routings, routings[1], release, release])
    for entry, what in zip(await other.unrouted(10), decisions, strict=True):
        await other.commit_routing([Routing(journal_id=entry.id, **what)])
    await other.commit_routing([release])
    assert await everything(store) == await everything(other)
    assert (await store.ledger()).imbalance == 0
