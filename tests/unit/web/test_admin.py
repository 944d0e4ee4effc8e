"""The admin listener: alive, ready, healthy, and the figures."""

import asyncio
from typing import Any, cast

import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from npsbridge.clock import Clock
from npsbridge.core.leases import Fleet, Holding, Leases, Replica
from npsbridge.core.model import State
from npsbridge.core.pace import RateWindow
from npsbridge.core.records import Backlog, Ledger, StoreSize
from npsbridge.core.storage import Store
from npsbridge.engine.board import Board, Condition, Direction
from npsbridge.engine.pauses import by_hand
from npsbridge.engine.seams import Seams
from npsbridge.errors import StoreError, StoreFull
from npsbridge.metrics import Metrics
from npsbridge.store.alone import Alone
from npsbridge.web.admin import ANSWER_WITHIN, admin_app
from npsbridge.web.view import View
from unit.engine.doubles import NOW
from unit.web.serving import caller


class ShownStore:
    """A store with something in it."""

    leases: Leases = Alone(Clock())

    def __init__(self, error: Exception | None = None, *, hangs: bool = False) -> None:
        self.error = error
        self.hangs = hangs

    async def heartbeat(self) -> None:
        if self.hangs:
            await asyncio.sleep(10_000)
        if self.error:
            raise self.error

    probe = heartbeat

    async def note_health(self, _: Any) -> None:
        return

    async def ledger(self) -> Ledger:
        await self.heartbeat()
        return Ledger(accepted=10, delivered=5, waiting=3, dead=1)

    async def depths(self) -> dict[tuple[str, State], int]:
        return {("sink", State.QUEUED): 3, ("shop", State.DEAD): 1}

    async def oldest_owed(self) -> dict[str, int]:
        return {"sink": NOW - 90_000}

    async def backlog(self) -> Backlog:
        if self.error:
            raise self.error
        held = {"shop": NOW - 5000}
        return Backlog(unrouted=7, oldest_unrouted=NOW - 4000, settling=2, awaited={"shop": 4}, oldest_held=held)

    async def size(self) -> StoreSize:
        return StoreSize(database=4096, log=512, free=None)


def seams_around(store: ShownStore) -> Seams:
    kept, clock = cast("Store", store), Clock(wall=lambda: NOW / 1000)
    return Seams(store=kept, board=Board(kept, clock), clock=clock, metrics=Metrics(), jitter=lambda: 0.5)


def an_admin(store: ShownStore | None = None, *, draining: bool = False, seams: Seams | None = None) -> web.Application:
    view = View(seams=seams or seams_around(store or ShownStore()), sinks=["sink"], is_draining=lambda: draining)
    return admin_app(view)


async def shown(app: web.Application, path: str) -> tuple[int, Any]:
    async with caller(app) as session, session.get(path) as answer:
        return answer.status, await answer.json()


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_a_store_that_answers_is_alive_and_ready(path: str) -> None:
    assert await shown(an_admin(), path) == (200, {"status": "pass"})


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
@pytest.mark.parametrize("error", [StoreError("the disk failed"), StoreFull("no room")])
async def test_f6_f7_a_store_that_fails_is_neither_and_says_why(path: str, error: StoreError) -> None:
    assert await shown(an_admin(ShownStore(error)), path) == (503, {"status": "fail", "output": str(error)})


@pytest.mark.looptime
@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_a_store_that_hangs_is_not_waited_for_without_end(path: str) -> None:
    status, body = await shown(an_admin(ShownStore(hangs=True)), path)
    assert (status, body["output"]) == (503, "the store does not answer")
    assert asyncio.get_running_loop().time() == pytest.approx(ANSWER_WITHIN, abs=1)


async def test_i18_while_draining_it_is_alive_and_not_ready() -> None:
    app = an_admin(draining=True)
    assert await shown(app, "/readyz") == (503, {"status": "fail", "output": "stopping"})
    assert (await shown(an_admin(draining=True), "/livez"))[0] == 200


@pytest.mark.parametrize(
    ("condition", "code", "status"),
    [(Condition.CONNECTED, 200, "pass"), (Condition.RETRYING, 200, "warn"), (Condition.PAUSED, 503, "fail")],
)
async def test_health_is_that_of_the_worst_connection(condition: Condition, code: int, status: str) -> None:
    seams = seams_around(ShownStore())
    await seams.board.note("shop", Direction.PULL, condition, reason="why", progress=0.25)
    await seams.board.note("sink", Direction.FORWARD, Condition.CONNECTED)
    found, body = await shown(an_admin(seams=seams), "/healthz")
    assert (found, body["status"], list(body["checks"])) == (code, status, ["shop:pull", "sink:forward"])
    assert body["checks"]["shop:pull"] == {
        "status": status,
        "state": condition.value,
        "since": "2026-04-01T00:00:00.000Z",
        "reason": "why",
        "progress": 0.25,
    }


async def test_without_any_connection_it_is_healthy() -> None:
    code, body = await shown(an_admin(), "/healthz")
    assert (code, body["status"], body["checks"]) == (200, "pass", {})


async def test_the_figures_of_the_contract_are_all_there_and_well_formed() -> None:
    async with caller(an_admin()) as session, session.get("/metrics") as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        families = {family.name: family for family in text_string_to_metric_families(await answer.text())}
    assert families.keys() >= {
        "npsbridge_ledger_imbalance",
        "npsbridge_deliveries",
        "npsbridge_oldest_delivery_age_seconds",
        "npsbridge_ingest_events",
        "npsbridge_responses_emitted",
        "npsbridge_poll_last_success_timestamp_seconds",
        "npsbridge_vendor_requests",
    }
    assert families["npsbridge_ledger_imbalance"].samples[0].value == 1
    assert families["npsbridge_oldest_delivery_age_seconds"].samples[0].value == 90


async def test_every_state_of_every_sink_is_shown_even_when_nothing_is_in_it() -> None:
    async with caller(an_admin()) as session, session.get("/metrics") as answer:
        lines = (await answer.text()).splitlines()
    for state, count in {"queued": 3, "waiting": 0, "inflight": 0, "held": 0, "dead": 0}.items():
        assert f'npsbridge_deliveries{{connection="sink",state="{state}"}} {count:.1f}' in lines
    assert 'npsbridge_deliveries{connection="shop",state="dead"} 1.0' in lines


async def figures_of(app: web.Application) -> dict[str, float]:
    async with caller(app) as session, session.get("/metrics") as answer:
        lines = [line.rpartition(" ") for line in (await answer.text()).splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


async def test_what_waits_and_since_when_is_shown() -> None:
    found = await figures_of(an_admin())
    assert found["npsbridge_unrouted_records"] == 7
    assert found["npsbridge_oldest_unrouted_age_seconds"] == 4
    assert (found["npsbridge_settling_responses"], found["npsbridge_awaited_calls"]) == (2, 4)
    assert found['npsbridge_deliveries{connection="shop",state="waiting"}'] == 4
    assert found['npsbridge_oldest_held_age_seconds{connection="shop"}'] == 5
    assert found['npsbridge_oldest_held_age_seconds{connection="sink"}'] == 0
    assert found['npsbridge_store_size_bytes{part="log"}'] == 512
    assert "npsbridge_store_free_bytes" not in found, "an engine that cannot tell does not say 0"


async def test_a_paused_direction_needs_a_person_unless_it_rests_by_hand() -> None:
    seams = seams_around(ShownStore())
    await seams.board.note("shop", Direction.PULL, Condition.PAUSED, reason="HTTP 401")
    await seams.board.note("rest", Direction.PULL, Condition.PAUSED, reason=by_hand("rest"))
    await seams.board.note("deli", Direction.PULL, Condition.BACKFILLING, progress=0.25)
    found = await figures_of(an_admin(seams=seams))
    assert found['npsbridge_connection_needs_person{connection="shop",direction="pull"}'] == 1
    assert found['npsbridge_connection_needs_person{connection="rest",direction="pull"}'] == 0
    assert found['npsbridge_connection_state{connection="shop",direction="pull",state="paused"}'] == 1
    assert found['npsbridge_connection_state{connection="shop",direction="pull",state="connected"}'] == 0
    assert found['npsbridge_connection_backfill_progress_ratio{connection="deli",direction="pull"}'] == 0.25


async def test_the_use_of_each_limit_is_shown_and_no_limit_is_no_figure() -> None:
    seams = seams_around(ShownStore())
    window = RateWindow(10, 60)
    for _ in range(15):
        window.reserve(seams.clock.monotonic())
    windows = {"shop": window, "free": RateWindow(0, 60)}
    found = await figures_of(admin_app(View(seams=seams, sinks=[], is_draining=lambda: False, windows=windows)))
    assert found['npsbridge_rate_limit_used_ratio{connection="shop"}'] == 1.5
    assert found['npsbridge_rate_limit_requests_per_minute{connection="shop"}'] == 10
    assert [name for name in found if "free" in name] == []


async def test_a_status_that_cannot_be_read_is_503() -> None:
    code, body = await shown(an_admin(ShownStore(StoreError("the disk failed"))), "/api/status")
    assert (code, body["code"]) == (503, "cannot_store")


@pytest.mark.looptime
@pytest.mark.parametrize("store", [ShownStore(StoreError("the database is away")), ShownStore(hangs=True)])
async def test_f12_while_the_store_cannot_be_read_the_process_shows_what_it_knows_by_itself(store: ShownStore) -> None:
    seams = seams_around(store)
    await seams.board.note("shop", Direction.PULL, Condition.PAUSED, reason="HTTP 401")
    seams.metrics.task_restarts.labels("router").inc(2)
    found = await figures_of(an_admin(seams=seams))
    assert asyncio.get_running_loop().time() <= ANSWER_WITHIN + 1
    assert found["npsbridge_store_up"] == 0
    assert found['npsbridge_connection_needs_person{connection="shop",direction="pull"}'] == 1
    assert found['npsbridge_task_restarts_total{task="router"}'] == 2
    kept = ("ledger", "deliveries{", "oldest", "unrouted", "store_size")
    assert [name for name in found if name.startswith(tuple(f"npsbridge_{one}" for one in kept))] == []


async def test_a_store_that_was_read_is_up() -> None:
    assert (await figures_of(an_admin()))["npsbridge_store_up"] == 1


A_FLEET = Fleet(
    now=NOW,
    replicas=tuple(
        Replica(id=name, host=name, version=version, settings="x", works=("poll shop", "router"), started_at=NOW - 1)
        for name, version in (("a", "1"), ("b", "2"))
    ),
    holdings=(Holding(name="router", holder="a", fence=3),),
)


class Shared(Alone):
    """Leases of a store that two replicas share."""

    is_shared = True

    async def fleet(self, *, seconds: float) -> Fleet:
        del seconds
        return A_FLEET

    async def booked(self) -> dict[str, int]:
        return {"shop": 15}


def a_replica() -> web.Application:
    """The admin listener of one of them, by whose own account nothing was asked of the vendor."""
    seams = seams_around(ShownStore())
    seams.store.leases = Shared(seams.clock)  # type: ignore[misc]
    windows = {"shop": RateWindow(10, 60), "free": RateWindow(0, 60)}
    return admin_app(View(seams=seams, sinks=[], is_draining=lambda: False, windows=windows, replica="a"))


async def test_the_figures_of_a_replica_are_of_the_whole_fleet_where_it_shares() -> None:
    found = await figures_of(a_replica())
    assert found["npsbridge_replicas"] == 2
    assert found["npsbridge_leases_held"] == 1
    assert found["npsbridge_leases_unheld"] == 1
    assert found["npsbridge_replicas_disagree"] == 1
    assert found['npsbridge_rate_limit_used_ratio{connection="shop"}'] == 1.5


async def test_where_there_is_one_daemon_no_figure_speaks_of_replicas() -> None:
    assert [name for name in await figures_of(an_admin()) if "replica" in name or "lease" in name] == []


async def test_the_status_of_any_replica_has_all_of_them() -> None:
    _, body = await shown(a_replica(), "/api/status")
    assert [(one["id"], one["work"], one["differs_in"]) for one in body["replicas"]] == [
        ("a", ["router"], ["version"]),
        ("b", [], ["version"]),
    ]
    assert body["unheld"] == ["poll shop"]
    assert [text.partition(":")[0] for text in body["warnings"]] == ["Replicas run different versions"]
    _, alone = await shown(an_admin(), "/api/status")
    assert (alone["replicas"], alone["unheld"], alone["warnings"]) == ([], [], [])


async def test_status_is_board_ledger_and_queues() -> None:
    code, body = await shown(an_admin(), "/api/status")
    assert (code, body["status"], body["checks"]) == (200, "pass", {})
    assert body["ledger"] == {
        **dict.fromkeys(["held", "filtered", "duplicate", "expired", "erased"], 0),
        "accepted": 10,
        "delivered": 5,
        "waiting": 3,
        "dead": 1,
        "imbalance": 1,
    }
    assert body["deliveries"] == [
        {"connection": "shop", "state": "dead", "count": 1},
        {"connection": "sink", "state": "queued", "count": 3},
    ]


@pytest.mark.parametrize(("method", "path", "code"), [("GET", "/x", 404), ("POST", "/healthz", 405)])
async def test_everything_else_is_refused_in_json(method: str, path: str, code: int) -> None:
    async with caller(an_admin()) as session, session.request(method, path) as answer:
        assert (answer.status, (await answer.json())["success"]) == (code, False)
