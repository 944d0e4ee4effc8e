"""What a real daemon shows at /metrics is what Prometheus expects, and what the dashboard and the alerts ask for."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
import yaml
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

import needed
from end_to_end.harness import until, world
from npsbridge import __version__
from npsbridge.cli.monitoring import ALERTS, DASHBOARD
from npsbridge.cli.shipped import shipped
from npsbridge.sandbox import PastAnswer
from stores import on_postgres

ANSWERS = [PastAnswer(email=f"p{n}@example.org", score=n % 11, created_at=1_772_323_200 + n) for n in range(3)]
OF_CONTRACT = {
    "npsbridge_ledger_imbalance": set[str](),
    "npsbridge_deliveries": {"connection", "state"},
    "npsbridge_deliveries_total": {"connection", "result"},
    "npsbridge_oldest_delivery_age_seconds": {"connection"},
    "npsbridge_ingest_events_total": {"source", "result"},
    "npsbridge_responses_emitted_total": {"connection"},
    "npsbridge_poll_last_success_timestamp_seconds": {"connection"},
    "npsbridge_vendor_requests_total": {"connection", "operation", "code"},
}
OF_OPERATORS = {
    "npsbridge_build_info": {"version", "python"},
    "npsbridge_ledger": {"entry"},
    "npsbridge_poll_rounds_total": {"connection", "result"},
    "npsbridge_vendor_request_duration_seconds_bucket": {"connection", "operation", "le"},
    "npsbridge_unrouted_records": set[str](),
    "npsbridge_oldest_unrouted_age_seconds": set[str](),
    "npsbridge_settling_responses": set[str](),
    "npsbridge_awaited_calls": set[str](),
    "npsbridge_oldest_held_age_seconds": {"connection"},
    "npsbridge_connection_state": {"connection", "direction", "state"},
    "npsbridge_connection_state_since_timestamp_seconds": {"connection", "direction"},
    "npsbridge_connection_needs_person": {"connection", "direction"},
    "npsbridge_rate_limit_requests_per_minute": {"connection"},
    "npsbridge_rate_limit_used_ratio": {"connection"},
    "npsbridge_store_up": set[str](),
    "npsbridge_store_size_bytes": {"part"},
    "process_resident_memory_bytes": set[str](),
    "process_cpu_seconds_total": set[str](),
    "process_open_fds": set[str](),
    "process_max_fds": set[str](),
    "process_start_time_seconds": set[str](),
}

OF_FILES = {"npsbridge_store_free_bytes": set[str]()}
"""What only a store has whose disk is this machine's."""


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a daemon shows that has read some answers and emitted them, and finds no Retently."""
    return asyncio.run(shown(tmp_path_factory.mktemp("metrics")))


async def shown(folder: Path) -> str:
    limits = {"DELIGHTED__RATE_LIMIT": "600", "RETENTLY__API_KEY": "wrong", "RETENTLY__BASE_URL": "http://127.0.0.1:9"}
    async with world(folder, **limits) as both:
        both.delighted.load(ANSWERS)
        async with both.daemon() as app, aiohttp.ClientSession() as session:
            await until(lambda: len(both.said()) >= 9)
            await until(lambda: both.last_line("retently:pull") == "retrying")
            await until(lambda: both.last_line("segment:forward") == "connected")
            async with session.get(f"http://{app.admin}/metrics") as answer:
                return await answer.text()


@pytest.fixture(scope="module")
def families(text: str) -> list[Metric]:
    return list(text_string_to_metric_families(text))


@pytest.fixture(scope="module")
def samples(families: list[Metric]) -> dict[str, set[str]]:
    """By name of each sample: the labels it has."""
    return {sample.name: set(sample.labels) for family in families for sample in family.samples}


def test_promtool_finds_nothing_to_mend(text: str) -> None:
    promtool = needed.program("promtool", package="prometheus")
    assert needed.said(promtool, "check", "metrics", stdin=text) == ""


def test_promtool_would_find_a_slip(text: str) -> None:
    promtool = needed.program("promtool", package="prometheus")
    assert "counter" in needed.said(
        promtool, "check", "metrics", stdin=text.replace("poll_rounds_total", "poll_rounds")
    )


def test_the_figures_of_the_contract_and_of_operators_have_their_labels(samples: dict[str, set[str]]) -> None:
    wanted = OF_CONTRACT | OF_OPERATORS | ({} if on_postgres() else OF_FILES)
    assert {name: samples.get(name) for name in wanted} == wanted


def test_every_figure_says_what_it_means_and_has_a_name_of_its_own(families: list[Metric]) -> None:
    assert [family.name for family in families if not family.documentation.strip()] == []
    assert {family.name.partition("_")[0] for family in families} == {"npsbridge", "process"}


def test_the_state_of_a_connection_is_one_of_a_set(families: list[Metric]) -> None:
    states = next(family for family in families if family.name == "npsbridge_connection_state").samples
    assert len(states) == 3 * 6
    now = {(one.labels["connection"], one.labels["direction"]): one.labels["state"] for one in states if one.value}
    assert now == {
        ("delighted", "pull"): "connected",
        ("retently", "pull"): "retrying",
        ("segment", "forward"): "connected",
    }


def test_the_release_is_told(families: list[Metric]) -> None:
    (build,) = next(family for family in families if family.name == "npsbridge_build_info").samples
    assert (build.labels["version"], build.value) == (__version__, 1)


# --- what is asked for ------------------------------------------------------------------------------------------

SELECTOR = re.compile(r"\b((?:npsbridge|process)_[a-z_]+)(?:\{([^}]*)\})?")
GROUPED = re.compile(r"\b(?:by|on|without) \(([^)]*)\)")
OF_PROMETHEUS = {"instance", "job", "pod"}
"""Labels that Prometheus adds to what it scrapes."""
SELDOM = {
    "npsbridge_task_restarts_total": {"task"},
    "npsbridge_connection_backfill_progress_ratio": {"connection", "direction"},
    "npsbridge_replicas": set[str](),
    "npsbridge_leases_held": set[str](),
    "npsbridge_leases_unheld": set[str](),
    "npsbridge_replicas_disagree": set[str](),
}
"""What a daemon shows only when there is something to show."""


def queries() -> Iterator[str]:
    """Every expression of the dashboard and of the alerts."""
    dashboard = json.loads(shipped("monitoring", DASHBOARD))
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]
    for group in yaml.safe_load(shipped("monitoring", ALERTS))["groups"]:
        yield from (rule["expr"] for rule in group["rules"])


def test_every_query_names_figures_that_exist_with_labels_that_they_have(samples: dict[str, set[str]]) -> None:
    known = samples | OF_FILES | SELDOM
    asked = [(query, *found) for query in queries() for found in SELECTOR.findall(query)]
    assert len(asked) > 50
    for query, name, matchers in asked:
        assert name in known, query
        assert {*re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)} <= known[name], query


def test_every_query_groups_by_labels_that_one_of_its_figures_has(samples: dict[str, set[str]]) -> None:
    known = samples | OF_FILES | SELDOM
    for query in queries():
        labels = set[str]().union(*(known[name] for name, _ in SELECTOR.findall(query)), OF_PROMETHEUS)
        grouped = {label.strip() for found in GROUPED.findall(query) for label in found.split(",")}
        assert grouped - {""} <= labels, query


def test_every_query_names_results_and_states_that_exist(families: list[Metric]) -> None:
    """A state that is misspelt in an alert would never fire."""
    shown = {(label, value) for family in families for one in family.samples for label, value in one.labels.items()} | {
        ("part", "log"),  # of a file's store
        ("result", "forged"),
        ("result", "invalid_write_key"),
    }
    for query in queries():
        for label, values in re.findall(r'\b(state|entry|part|direction|result)=~?"([^"]+)"', query):
            assert {(label, value) for value in values.split("|")} <= shown, query
