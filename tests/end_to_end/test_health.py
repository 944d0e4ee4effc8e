"""The state words and statuses of contract §4, and the figures an operator watches."""

from pathlib import Path

import aiohttp
import pytest

from end_to_end.harness import World, until, world
from npsbridge.app import App
from npsbridge.sandbox import PastAnswer

pytestmark = pytest.mark.looptime

ANSWERS = [PastAnswer(email=f"p{n}@example.org", score=n % 11, created_at=1_772_323_200 + n) for n in range(3)]


async def figures(app: App) -> dict[str, float]:
    """The lines of /metrics."""
    async with aiohttp.ClientSession() as session, session.get(f"http://{app.admin}/metrics") as answer:
        lines = [line for line in (await answer.text()).splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


async def test_a_source_waits_for_data_until_its_first_response(tmp_path: Path) -> None:
    async with world(tmp_path) as both, both.daemon() as app:
        await both.history_read()
        _, before = await both.look(app, "/healthz")
        both.delighted.answer(both.delighted.add_person("ana@example.org"), 9)
        await both.another_round(app)
        code, after = await both.look(app, "/healthz")
    assert {name: check["state"] for name, check in before["checks"].items()} == {
        "delighted:pull": "waiting_for_data",
        "segment:forward": "waiting_for_data",
    }
    assert (code, after["status"]) == (200, "pass")
    assert {check["state"] for check in after["checks"].values()} == {"connected"}


async def test_what_was_connected_once_is_connected_from_the_next_start_on(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.delighted.load(ANSWERS)
        async with both.daemon() as app:
            await both.history_read()
            await both.another_round(app)
        async with both.daemon():
            await until(lambda: len(both.lines("segment:forward")) == 3)
        assert both.last_line("segment:forward") == both.last_line("delighted:pull") == "connected"


async def test_a_vendors_outage_is_no_reason_to_be_not_ready(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        await both.segment.stop()
        await both.delighted.stop()
        async with both.daemon() as app:
            await until(lambda: both.last_line("delighted:pull") == "retrying")
            assert [(await both.look(app, path))[0] for path in ("/livez", "/readyz", "/healthz")] == [200, 200, 200]


async def test_the_figures_tell_what_happened_and_what_is_owed(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.delighted.load(ANSWERS)
        await both.segment.stop()
        async with both.daemon() as app:
            await until(lambda: both.last_line("segment:forward") == "retrying")
            await both.history_read()
            owed = await figures(app)
            await both.segment.start()
            await both.another_round(app)
            done = await figures(app)
    assert owed['npsbridge_deliveries{connection="segment",state="queued"}'] == 9
    assert owed['npsbridge_oldest_delivery_age_seconds{connection="segment"}'] > 0
    assert done['npsbridge_deliveries{connection="segment",state="queued"}'] == 0
    assert done['npsbridge_deliveries_total{connection="segment",result="delivered"}'] == 9
    assert done['npsbridge_ingest_events_total{result="stored",source="backfill"}'] == 3
    assert done['npsbridge_responses_emitted_total{connection="delighted"}'] == 3
    assert done["npsbridge_ledger_imbalance"] == 0
    assert 0 <= both.second() - done['npsbridge_poll_last_success_timestamp_seconds{connection="delighted"}'] <= 61
    assert done['npsbridge_vendor_requests_total{code="200",connection="segment",operation="batch"}'] >= 1


@pytest.mark.parametrize("path", ["/api/nowhere", "/hooks/delighted"])
async def test_what_the_admin_listener_does_not_know_is_404_in_json(tmp_path: Path, path: str) -> None:
    async with world(tmp_path) as both, both.daemon() as app:
        status, body = await both.look(app, path)
    assert (status, body["success"], body["code"]) == (404, False, "not_found")


async def test_the_public_listener_shows_nothing_of_the_admin_one(tmp_path: Path) -> None:
    async with world(tmp_path) as both, both.daemon() as app, aiohttp.ClientSession() as session:
        codes = [
            (await session.get(f"http://{app.public}{path}")).status
            for path in ("/", "/healthz", "/metrics", "/livez", "/api/status")
        ]
    assert codes == [404] * 5


async def test_status_shows_the_ledger_and_the_queues(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        both.delighted.load(ANSWERS)
        await both.segment.stop()
        async with both.daemon() as app:
            await until(lambda: _is_owed(both, app, 9))
            _, status = await both.look(app, "/api/status")
    assert status["deliveries"] == [{"connection": "segment", "state": "queued", "count": 9}]
    assert (status["ledger"]["accepted"], status["ledger"]["waiting"], status["ledger"]["imbalance"]) == (9, 9, 0)
    assert set(status["checks"]) == {"delighted:pull", "segment:forward"}


async def _is_owed(both: World, app: App, count: int) -> bool:
    _, status = await both.look(app, "/api/status")
    return [line["count"] for line in status["deliveries"]] == [count]
