"""What /metrics shows: what was counted while things happened, and what the store holds at this moment.

While the store cannot be read, what the process knows by itself is shown all the same: an operator's alerts must not
fall silent with it.
"""

import asyncio
from collections.abc import Mapping, Sequence

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from npsbridge.core.leases import Fleet
from npsbridge.core.model import State
from npsbridge.core.records import Backlog, Ledger, StoreSize
from npsbridge.engine.board import Condition, Line
from npsbridge.engine.fleet import seen_lately
from npsbridge.engine.roster import roster_of
from npsbridge.errors import StoreError
from npsbridge.web.usage import Limit, limits
from npsbridge.web.view import View

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SHOWN = (State.QUEUED, State.WAITING, State.INFLIGHT, State.HELD, State.DEAD)
"""The states of a delivery that somebody may have to look at."""


async def figures(view: View, *, within: float) -> bytes:
    """Everything in Prometheus' text format; of the store nothing that it does not tell in so many seconds."""
    known, kept = CollectorRegistry(), CollectorRegistry()
    _show_board(known, view.seams.board.lines())
    is_up = await _could_show_store(kept, view, within)
    text = "1 if the store could be read for this, else 0: then all figures that it keeps are missing."
    Gauge("npsbridge_store_up", text, registry=known).set(is_up)
    shown = [view.seams.metrics.registry, known, *([kept] if is_up else [])]
    return b"".join(map(generate_latest, shown))


async def _could_show_store(registry: CollectorRegistry, view: View, within: float) -> bool:
    try:
        async with asyncio.timeout(within):
            await _show_store(registry, view)
    except (StoreError, TimeoutError):
        return False
    return True


async def _show_store(registry: CollectorRegistry, view: View) -> None:
    """What the store keeps; connections that take deliveries also when nothing is owed to them."""
    sinks, store, now = view.sinks, view.seams.store, view.seams.clock.now_ms()
    backlog = await store.backlog()
    _show_ledger(registry, await store.ledger())
    _show_depths(registry, await store.depths(), backlog.awaited, sinks)
    _show_ages(registry, await store.oldest_owed(), sinks, now=now)
    _show_backlog(registry, backlog, now=now)
    _show_held(registry, backlog.oldest_held, sinks, now=now)
    _show_limits(registry, await limits(view))
    if view.replica is not None:
        _show_fleet(registry, await seen_lately(store), view.replica)
    _show_size(registry, await store.size())


def _show_ledger(registry: CollectorRegistry, ledger: Ledger) -> None:
    text = "Accepted minus accounted for; anything but 0 is a fault."
    Gauge("npsbridge_ledger_imbalance", text, registry=registry).set(ledger.imbalance)
    gauge = Gauge("npsbridge_ledger", "What became of everything accepted, by entry.", ["entry"], registry=registry)
    for entry in ledger.__struct_fields__:
        gauge.labels(entry).set(getattr(ledger, entry))


def _show_depths(
    registry: CollectorRegistry,
    depths: Mapping[tuple[str, State], int],
    awaited: Mapping[str, int],
    sinks: Sequence[str],
) -> None:
    """A call that waits for its person is as good as a delivery that waits."""
    text = "Deliveries by connection and state."
    gauge = Gauge("npsbridge_deliveries", text, ["connection", "state"], registry=registry)
    for connection in sorted({*sinks, *awaited, *(name for name, _ in depths)}):
        for state in SHOWN:
            waiting = awaited.get(connection, 0) if state is State.WAITING else 0
            gauge.labels(connection, state.value).set(depths.get((connection, state), 0) + waiting)


def _show_ages(registry: CollectorRegistry, oldest: Mapping[str, int], sinks: Sequence[str], *, now: int) -> None:
    text = "Age of the oldest delivery still owed; 0 when nothing is."
    gauge = Gauge("npsbridge_oldest_delivery_age_seconds", text, ["connection"], registry=registry)
    for connection in sorted({*sinks, *oldest}):
        gauge.labels(connection).set(_age(oldest.get(connection), now))


def _show_held(registry: CollectorRegistry, oldest: Mapping[str, int], sinks: Sequence[str], *, now: int) -> None:
    text = "Age of the oldest delivery that a person has to decide about; 0 when there is none."
    gauge = Gauge("npsbridge_oldest_held_age_seconds", text, ["connection"], registry=registry)
    for connection in sorted({*sinks, *oldest}):
        gauge.labels(connection).set(_age(oldest.get(connection), now))


def _age(then: int | None, now: int) -> float:
    return 0.0 if then is None else max(0, now - then) / 1000


def _show_backlog(registry: CollectorRegistry, backlog: Backlog, *, now: int) -> None:
    def show(name: str, text: str, value: float) -> None:
        Gauge(f"npsbridge_{name}", text, registry=registry).set(value)

    show("unrouted_records", "Records in the journal of which nothing has been decided yet.", backlog.unrouted)
    text = "How long the oldest record in the journal has waited to be decided; 0 when none does."
    show("oldest_unrouted_age_seconds", text, _age(backlog.oldest_unrouted, now))
    show("settling_responses", "Responses held back by EVENTS__SETTLE for a comment to come.", backlog.settling)
    show("awaited_calls", "Calls that wait for their person to be identified.", sum(backlog.awaited.values()))


def _show_board(registry: CollectorRegistry, lines: Sequence[Line]) -> None:
    """The states as a set of 0 and 1, so that a query can ask for one by its name."""
    labels = ["connection", "direction"]

    def gauge(name: str, text: str, *more: str) -> Gauge:
        return Gauge(f"npsbridge_connection_{name}", text, [*labels, *more], registry=registry)

    state = gauge("state", "1 for the state that a direction of a connection is in, 0 for the others.", "state")
    since = gauge("state_since_timestamp_seconds", "When that state began, in seconds since 1970.")
    person = gauge("needs_person", "1 while a direction stands still until somebody mends a setting, else 0.")
    progress = gauge("backfill_progress_ratio", "How much of the history has been read, 0 to 1, while it is.")
    for line in lines:
        place = (line.connection, line.direction.value)
        for condition in Condition:
            state.labels(*place, condition.value).set(line.condition is condition)
        since.labels(*place).set(line.since / 1000)
        person.labels(*place).set(line.status == "fail")
        if line.progress is not None:
            progress.labels(*place).set(line.progress)


def _show_limits(registry: CollectorRegistry, found: Mapping[str, Limit]) -> None:
    """Of connections that have a limit."""
    limit = Gauge(
        "npsbridge_rate_limit_requests_per_minute", "Requests a minute, as set.", ["connection"], registry=registry
    )
    text = "How much of the limit of the last minute is used; above 1 requests wait for their turn."
    used = Gauge("npsbridge_rate_limit_used_ratio", text, ["connection"], registry=registry)
    for connection, one in sorted(found.items()):
        limit.labels(connection).set(one.most)
        used.labels(connection).set(one.used / one.most)


def _show_fleet(registry: CollectorRegistry, fleet: Fleet, me: str) -> None:
    """Of replicas that share a store: how many there are, what this one does, and whether they agree."""
    roster = roster_of(fleet)

    def show(name: str, text: str, value: float) -> None:
        Gauge(f"npsbridge_{name}", text, registry=registry).set(value)

    show("replicas", "Replicas that were heard of lately, this one among them.", len(roster.replicas))
    show("leases_held", "Pieces of work that this replica does.", sum(one.holder == me for one in fleet.holdings))
    show("leases_unheld", "Pieces of work that no replica does at this moment.", len(roster.unheld))
    text = "1 while replicas differ in their settings or version, or a clock is wrong, else 0."
    show("replicas_disagree", text, bool(roster.warnings))


def _show_size(registry: CollectorRegistry, size: StoreSize) -> None:
    parts = {"database": size.database, "log": size.log}
    gauge = Gauge("npsbridge_store_size_bytes", "What the store takes, by part.", ["part"], registry=registry)
    for part, taken in parts.items():
        if taken is not None:
            gauge.labels(part).set(taken)
    if size.free is not None:
        Gauge("npsbridge_store_free_bytes", "What is left on the store's disk.", registry=registry).set(size.free)
