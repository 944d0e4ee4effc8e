"""Several replicas on one database: whatever comes in at any of them, each piece of work is done by one."""

from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

import databases
from end_to_end.harness import until
from end_to_end.outbound import outbound, surveys
from end_to_end.several import SOON, a_purchase, all_done, beat_quickly, holders, shared_out
from npsbridge.app import App
from npsbridge.core.model import State


@pytest.fixture(autouse=True)
def _quick_heartbeats(monkeypatch: pytest.MonkeyPatch) -> None:
    beat_quickly(monkeypatch)


async def test_i8_calls_at_any_replica_lead_to_one_survey_each_whoever_stops_meanwhile(tmp_path: Path) -> None:
    async with outbound(tmp_path, STORE_URL=databases.postgres_url()) as line, AsyncExitStack() as stack:
        first = await stack.enter_async_context(line.daemon())
        async with line.daemon() as second:
            await shared_out(first, second)
            for number in range(10):
                answer = await line.send((first, second)[number % 2], *a_purchase(line, number))
                assert answer.status == 200
            await all_done(first)
        for number in range(10, 15):
            await line.send(first, *a_purchase(line, number))
        await until(lambda: {*holders(first).values()} == {first.team.name}, within=SOON)
        await all_done(first)
        asked = Counter(body["email"] for body in surveys(line.delighted))
        assert asked == {f"u{number}@example.com": 1 for number in range(15)}
        assert [one.id for one in (await first.store.leases.fleet(seconds=60)).replicas] == [first.team.name]


async def test_i16_one_replica_polls_and_another_goes_on_when_it_is_gone(tmp_path: Path) -> None:
    async with (
        outbound(
            tmp_path, STORE_URL=databases.postgres_url(), DELIGHTED__PULL="true", DELIGHTED__POLL_INTERVAL="1"
        ) as line,
        AsyncExitStack() as stack,
    ):
        first = await stack.enter_async_context(line.daemon())
        async with line.daemon() as second:
            await shared_out(first, second)
            holder = holders(first)["poll delighted"]
            assert holder in {first.team.name, second.team.name}
        await until(lambda: holders(first)["poll delighted"] == first.team.name, within=SOON)
        seen = len(line.delighted.requests)
        await until(lambda: len(line.delighted.requests) > seen, within=SOON)
        assert await line.state(first, "delighted:pull") in {"connected", "waiting_for_data"}


async def test_lanes_are_spread_evenly_whoever_joins_and_leaves(tmp_path: Path) -> None:
    async with outbound(tmp_path, STORE_URL=databases.postgres_url()) as line, AsyncExitStack() as stack:

        async def spread(app: App, *loads: int) -> None:
            def is_so() -> bool:
                lanes = Counter(holder for name, holder in holders(app).items() if name.startswith("forward "))
                return sorted(lanes.values()) == [*loads]

            await until(is_so, within=SOON)

        first = await stack.enter_async_context(line.daemon())
        await spread(first, 5)
        await stack.enter_async_context(line.daemon())
        await spread(first, 2, 3)
        async with line.daemon():
            await spread(first, 1, 2, 2)
        await spread(first, 2, 3)


async def test_what_another_replica_does_is_shown_by_each(tmp_path: Path) -> None:
    async with outbound(tmp_path, STORE_URL=databases.postgres_url()) as line, AsyncExitStack() as stack:
        apps = [await stack.enter_async_context(line.daemon()) for _ in range(2)]
        await shared_out(*apps)
        for app in apps:
            for vendor in line.vendors:

                async def is_shown(app: App = app, vendor: str = vendor) -> bool:
                    return await line.state(app, f"{vendor}:forward") in {"waiting_for_data", "connected"}

                await until(is_shown, within=SOON)


async def test_replicas_with_different_settings_are_told_of_and_each_works_by_its_own(tmp_path: Path) -> None:
    async with outbound(tmp_path, STORE_URL=databases.postgres_url()) as line, AsyncExitStack() as stack:
        first = await stack.enter_async_context(line.daemon())
        await stack.enter_async_context(line.daemon(RETENTLY__FORWARD="false"))
        await until(lambda: any("different settings" in one.message for one in line.told), within=SOON)
        await until(lambda: holders(first).get("forward retently") == first.team.name, within=SOON)


async def test_f12_a_database_that_goes_away_and_comes_back_needs_no_restart(tmp_path: Path) -> None:
    server = databases.new_server()
    server.start()
    try:
        async with outbound(tmp_path, STORE_URL=server.url("own")) as line, line.daemon() as app:
            assert (await line.send(app, *a_purchase(line, 1))).status == 200
            await all_done(app)
            server.stop(at_once=True)
            answer = await line.send(app, *a_purchase(line, 2))
            assert answer.status == 503
            assert [(await line.look(app, path))[0] for path in ("/readyz", "/livez")] == [503, 200]
            await until(lambda: any(one.message.startswith("The store cannot") for one in line.told), within=SOON)
            server.start()

            async def is_taken() -> bool:
                return (await line.send(app, *a_purchase(line, 3))).status == 200

            await until(is_taken, within=60.0)
            await until(lambda: len(surveys(line.delighted)) == 2, within=60.0)
            await all_done(app)
            assert await app.store.deliveries(state=State.HELD) == []
            await until(lambda: any(one.message == "The store can be reached again" for one in line.told), within=SOON)
            said = [one.message for one in line.told if one.message.startswith("The store can")]
            assert said == [
                "The store cannot be reached; nothing is accepted or sent meanwhile",
                "The store can be reached again",
            ]
    finally:
        databases.remove(server)
