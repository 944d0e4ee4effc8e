"""What /metrics shows: what was counted while things happened, and what the store holds at this moment."""

from collections.abc import Mapping, Sequence

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from npsbridge.core.model import State
from npsbridge.core.records import Ledger
from npsbridge.engine.seams import Seams

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SHOWN = (State.QUEUED, State.WAITING, State.INFLIGHT, State.HELD, State.DEAD)
"""The states of a delivery that somebody may have to look at."""


async def figures(seams: Seams, sinks: Sequence[str]) -> bytes:
    """Everything in Prometheus' text format.

    Args:
        seams: what is counted and where it is kept.
        sinks: connections that take deliveries; they are shown even when nothing is owed to them.
    """
    registry = CollectorRegistry()
    _show_ledger(registry, await seams.store.ledger())
    _show_depths(registry, await seams.store.depths(), sinks)
    _show_ages(registry, await seams.store.oldest_owed(), sinks, now=seams.clock.now_ms())
    return generate_latest(seams.metrics.registry) + generate_latest(registry)


def _show_ledger(registry: CollectorRegistry, ledger: Ledger) -> None:
    text = "Accepted minus accounted for; anything but 0 is a fault."
    Gauge("npsbridge_ledger_imbalance", text, registry=registry).set(ledger.imbalance)
    gauge = Gauge("npsbridge_ledger", "What became of everything accepted, by entry.", ["entry"], registry=registry)
    for entry in ledger.__struct_fields__:
        gauge.labels(entry).set(getattr(ledger, entry))


def _show_depths(registry: CollectorRegistry, depths: Mapping[tuple[str, State], int], sinks: Sequence[str]) -> None:
    text = "Deliveries by connection and state."
    gauge = Gauge("npsbridge_deliveries", text, ["connection", "state"], registry=registry)
    for connection in sorted({*sinks, *(name for name, _ in depths)}):
        for state in SHOWN:
            gauge.labels(connection, state.value).set(depths.get((connection, state), 0))


def _show_ages(registry: CollectorRegistry, oldest: Mapping[str, int], sinks: Sequence[str], *, now: int) -> None:
    text = "Age of the oldest delivery still owed; 0 when nothing is."
    gauge = Gauge("npsbridge_oldest_delivery_age_seconds", text, ["connection"], registry=registry)
    for connection in sorted({*sinks, *oldest}):
        gauge.labels(connection).set(max(0, now - oldest.get(connection, now)) / 1000)
