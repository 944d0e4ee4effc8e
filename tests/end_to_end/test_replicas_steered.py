"""Whatever a person sees or does at one replica is seen and done of all of them."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

import databases
from end_to_end.harness import until
from end_to_end.outbound import Outbound, outbound, surveys
from end_to_end.several import SOON, a_purchase, all_done, beat_quickly, holders, press, shared_out
from npsbridge.app import App
from npsbridge.cli.opening import store_beside
from npsbridge.cli.status import snapshot
from npsbridge.core.model import State
from npsbridge.sandbox.faults import Answer


@pytest.fixture(autouse=True)
def _quick_heartbeats(monkeypatch: pytest.MonkeyPatch) -> None:
    beat_quickly(monkeypatch)


def other(name: str | None, *apps: App) -> App:
    """A replica that is not the one of a name."""
    return next(app for app in apps if app.team.name != name)


async def test_a_pause_at_one_replica_rests_what_another_does_and_so_does_its_end(tmp_path: Path) -> None:
    async with outbound(tmp_path, STORE_URL=databases.postgres_url()) as line, AsyncExitStack() as stack:
        apps = [await stack.enter_async_context(line.daemon()) for _ in range(2)]
        await shared_out(*apps)
        bystander = other(holders(apps[0])["forward delighted"], *apps)
        await press(bystander, "/connections/delighted/pause")
        await until(lambda: all_say(line, apps, "delighted:forward", "paused"), within=SOON)
        assert (await line.send(bystander, *a_purchase(line, 1))).status == 200

        async def waits() -> bool:
            return (await bystander.store.depths()).get(("delighted", State.QUEUED), 0) == 2

        await until(waits, within=SOON)
        assert surveys(line.delighted) == []
        await press(bystander, "/connections/delighted/resume")
        await until(lambda: len(surveys(line.delighted)) == 1, within=SOON)
        await all_done(bystander)


async def all_say(line: Outbound, apps: list[App], check: str, state: str) -> bool:
    """Whether each replica shows a direction in a state."""
    return [await line.state(app, check) for app in apps] == [state] * len(apps)


async def test_what_died_at_one_replica_is_tried_again_from_the_dashboard_of_another(tmp_path: Path) -> None:
    async with outbound(tmp_path, STORE_URL=databases.postgres_url()) as line, AsyncExitStack() as stack:
        apps = [await stack.enter_async_context(line.daemon()) for _ in range(2)]
        await shared_out(*apps)
        line.delighted.faults.add(Answer(status=400), times=2, method="POST")
        bystander = other(holders(apps[0])["forward delighted"], *apps)
        await line.send(bystander, *a_purchase(line, 1))

        async def died() -> bool:
            return len(await bystander.store.deliveries(state=State.DEAD)) == 2

        await until(died, within=SOON)
        await press(bystander, "/deliveries/all/retry?state=dead")
        await until(lambda: len(surveys(line.delighted)) == 2, within=SOON)
        await all_done(bystander)
        assert await bystander.store.deliveries(state=State.DEAD) == []


async def test_i20_who_is_forgotten_at_one_replica_is_forgotten_by_all(tmp_path: Path) -> None:
    async with outbound(tmp_path, STORE_URL=databases.postgres_url()) as line, AsyncExitStack() as stack:
        apps = [await stack.enter_async_context(line.daemon()) for _ in range(2)]
        await shared_out(*apps)
        first, second = apps
        await line.send(first, *a_purchase(line, 1))
        await all_done(first)
        await press(second, "/people/forget?key=u1@example.com")
        seen = len(line.delighted.requests)
        for app in apps:
            await line.send(app, *a_purchase(line, 1))
        await all_done(first)
        assert (await first.store.ledger()).erased == 4
        assert len(line.delighted.requests) == seen


async def test_the_dashboard_and_status_of_each_show_the_whole_fleet(tmp_path: Path) -> None:
    async with outbound(tmp_path, STORE_URL=databases.postgres_url()) as line, AsyncExitStack() as stack:
        apps = [await stack.enter_async_context(line.daemon(**more)) for more in ({}, {"EVENTS__SETTLE": "1"})]
        await shared_out(*apps)
        names = sorted(app.team.name for app in apps)
        for app in apps:
            _, overview = await line.look(app, "/api/overview")
            assert overview["replica"] == app.team.name
            assert sorted(one["id"] for one in overview["fleet"]["replicas"]) == names
            assert [one["differs_in"] for one in overview["fleet"]["replicas"]] == [["settings"]] * 2
            done = [work for one in overview["fleet"]["replicas"] for work in one["work"]]
            assert sorted(done) == sorted(holders(app))
            _, status = await line.look(app, "/api/status")
            assert "different settings" in str(status["warnings"])
            figures = await figures_of(app)
            held = [work for work, holder in holders(app).items() if holder == app.team.name]
            assert figures["npsbridge_leases_held"] == len(held)
            assert (figures["npsbridge_replicas"], figures["npsbridge_leases_unheld"]) == (2, 0)
            assert figures["npsbridge_replicas_disagree"] == 1
        shown = await told_by_status(line)
        assert shown["daemon"] == {"running": True}
        assert sorted(one["id"] for one in shown["replicas"]) == names
    assert (await told_by_status(line))["daemon"] == {"running": False}


async def figures_of(app: App) -> dict[str, float]:
    """What Prometheus reads at a replica, without labels."""
    async with aiohttp.ClientSession() as session, session.get(f"http://{app.admin}/metrics") as answer:
        families = text_string_to_metric_families(await answer.text())
        return {one.name: one.value for family in families for one in family.samples if not one.labels}


async def told_by_status(line: Outbound) -> dict[str, Any]:
    """What `npsbridge status --json` prints."""
    settings = line.settings()
    async with store_beside(settings) as store:
        return await snapshot(settings, store)
