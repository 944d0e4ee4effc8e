"""What becomes of replicas when their database dies, is replaced by its standby, stands still, or takes no writes.

The servers and the replicas are real processes; nobody restarts a replica.
"""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from urllib.parse import quote

import aiohttp
import asyncpg
import pytest

import databases
from databases import Server
from end_to_end.harness import until
from fault.replicas import PATIENCE, TAKEOVER_SECONDS, WRITE_KEY, Scene, Seen, kill, scene
from npsbridge.core.storage import Store
from npsbridge.engine.fleet import BEAT_SECONDS, LEASE_SECONDS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

PAUSE = 0.02
SOME = 20
"""Purchases that show that calls are taken."""


@pytest.fixture
def server() -> Iterator[Server]:
    with running(databases.new_server()) as one:
        yield one


@contextmanager
def running(server: Server) -> Iterator[Server]:
    try:
        server.start()
        yield server
    finally:
        databases.remove(server)


def url_of(*servers: Server) -> str:
    hosts = quote(",".join(str(one.folder) for one in servers))
    return f"postgresql://postgres@/postgres?host={hosts}&search_path=own"


async def ask(server: Server, *statements: str) -> None:
    connection = await asyncpg.connect(url_of(server))
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def some_more(seen: Seen) -> None:
    """Wait until callers have been told 200 again, and again."""
    before = len(seen.accepted)
    await until(lambda: len(seen.accepted) >= before + SOME, within=PATIENCE)


async def status_of_a_call(there: Scene) -> int:
    body = {"writeKey": WRITE_KEY, "userId": "u", "messageId": "once"}
    async with aiohttp.ClientSession() as session:
        url = f"http://{there.fleet.addresses()[0]}/v1/identify"
        async with session.post(url, data=json.dumps(body)) as answer:
            return answer.status


async def insist_on_verdict(there: Scene, seen: Seen) -> None:
    """Nothing lost, nothing twice, and every replica is the process that it was."""
    verdict = await there.verdict(seen)
    verdict.insist()
    assert [one.process.returncode for one in there.fleet.replicas] == [None] * len(there.fleet.replicas)


async def test_f12_i1_i8_a_database_that_is_killed_and_started_again_loses_nothing(server: Server) -> None:
    async with scene(url_of(server), replicas=2) as there:
        seen = Seen()

        async def dies_and_comes_back() -> None:
            await some_more(seen)
            await asyncio.to_thread(server.kill)
            assert await status_of_a_call(there) == 503
            (ready, _), (live, _) = [await there.fleet.replicas[0].get(path) for path in ("/readyz", "/livez")]
            assert (ready, live) == (503, 200)
            seen_by_prometheus, figures = await there.fleet.replicas[0].get("/metrics")
            assert (seen_by_prometheus, "npsbridge_store_up 0.0" in figures) == (200, True)
            await asyncio.to_thread(server.stop)
            await asyncio.to_thread(server.start)
            await some_more(seen)

        await there.under_load(seen, dies_and_comes_back(), callers=2, pause=PAUSE)
        assert seen.refused["503"]
        await insist_on_verdict(there, seen)


@pytest.fixture
async def pair(server: Server) -> AsyncIterator[tuple[Server, Server]]:
    """A server, and a standby that has every commit before anybody is told of it."""
    with running(await asyncio.to_thread(server.standby)) as follower:
        await ask(server, "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
        yield server, follower


async def test_f12_i1_i8_when_a_standby_takes_over_replicas_go_on_with_it(pair: tuple[Server, Server]) -> None:
    primary, standby = pair
    async with scene(url_of(primary, standby), replicas=2) as there:
        seen = Seen()

        async def fails_over() -> None:
            await some_more(seen)
            await asyncio.to_thread(primary.stop, at_once=True)
            await asyncio.to_thread(standby.promote)
            await some_more(seen)

        await there.under_load(seen, fails_over(), callers=2, pause=PAUSE)
        await insist_on_verdict(there, seen)


async def test_f12_i8_a_server_that_only_reads_is_left_for_the_one_that_takes_writes(
    pair: tuple[Server, Server],
) -> None:
    """As after a fail-over whose old server lives on: its connections stay, and are of no use."""
    primary, standby = pair
    async with scene(url_of(primary, standby), replicas=1) as there:
        seen = Seen()

        async def changes_places() -> None:
            await some_more(seen)
            await ask(primary, "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
            await until(lambda: bool(seen.refused["503"]), within=PATIENCE)
            await asyncio.to_thread(standby.promote)
            await some_more(seen)

        await there.under_load(seen, changes_places(), callers=2, pause=PAUSE)
        await insist_on_verdict(there, seen)


async def test_f12_a_database_that_gives_no_answer_is_503_before_callers_give_up(server: Server) -> None:
    async with scene(url_of(server), replicas=1) as there:
        seen = Seen()
        await there.under_load(seen, some_more(seen), callers=1, pause=PAUSE)
        with server.frozen():
            begun = time.monotonic()
            assert await status_of_a_call(there) == 503
            assert time.monotonic() - begun < 20
            (ready, _), (live, _) = [await there.fleet.replicas[0].get(path) for path in ("/readyz", "/livez")]
            assert (ready, live) == (503, 200)
            seen_by_prometheus, figures = await there.fleet.replicas[0].get("/metrics")
            assert (seen_by_prometheus, "npsbridge_store_up 0.0" in figures) == (200, True)
        await there.under_load(seen, some_more(seen), callers=1, pause=PAUSE)
        await insist_on_verdict(there, seen)


async def test_f15_i16_leases_rest_on_the_clock_of_the_database_however_wrong_those_of_replicas_are(
    server: Server,
) -> None:
    """An hour ahead would see every lease run out, and hold its own for an hour; an hour behind would keep none."""
    async with scene(url_of(server), replicas=0) as there:
        ahead, behind = await there.fleet.add(skew=3600.0), await there.fleet.add(skew=-3600.0)
        seen = Seen()

        async def lives_on() -> None:
            before = await shared_out(there.store)
            await three_heartbeats(there.store)
            await some_more(seen)
            assert await shared_out(there.store) == before, "somebody has taken what was held"
            await kill(there.fleet, seen, there.store, 0)
            await some_more(seen)

        await there.under_load(seen, lives_on(), callers=2, pause=PAUSE)
        assert max(seen.takeovers) < TAKEOVER_SECONDS
        (await there.verdict(seen)).insist()
        assert ahead.process.returncode == -signal.SIGKILL
        told = " ".join(line["message"] for line in behind.told)
        assert "3600 s ahead of the database's" in told
        assert "3600 s behind the database's" in told


async def shared_out(store: Store) -> dict[str, int]:
    """The fences of all work, once it is all done and both replicas do some of it."""
    found: dict[str, int] = {}

    async def is_shared_out() -> bool:
        fleet = await store.leases.fleet(seconds=LEASE_SECONDS)
        found.update({one.name: one.fence for one in fleet.holdings})
        holders = {one.holder for one in fleet.holdings}
        return len(fleet.replicas) == 2 and holders == {one.id for one in fleet.replicas}

    await until(is_shared_out, within=PATIENCE, look_every=0.2)
    return found


async def three_heartbeats(store: Store) -> None:
    """Wait until every replica has been heard of three times, by the database's clock."""
    begun = (await store.leases.fleet(seconds=LEASE_SECONDS)).now

    async def are_heard() -> bool:
        fleet = await store.leases.fleet(seconds=LEASE_SECONDS)
        return all(one.heard_at > begun + 3_000 * BEAT_SECONDS for one in fleet.replicas)

    await until(are_heard, within=PATIENCE, look_every=0.2)
