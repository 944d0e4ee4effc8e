"""The figures npsbridge counts about itself, by Prometheus' naming conventions.

Each daemon has its own registry, so that several can live in one process (tests do that). Labels never carry anything
personal.
"""

import platform

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics

from npsbridge import __version__


class Metrics:
    """Counters fed while things happen; gauges read from the store are added by the admin listener at each scrape."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        build = Gauge("npsbridge_build_info", "Always 1.", ["version", "python"], registry=self.registry)
        build.labels(__version__, platform.python_version()).set(1)
        self.ingest_events = Counter(
            "npsbridge_ingest_events",
            "Records received, by how they came and what became of them at the door.",
            ["source", "result"],
            registry=self.registry,
        )
        self.deliveries = Counter(
            "npsbridge_deliveries",
            "Attempts to deliver, by connection and result; also what is filtered or expired without one.",
            ["connection", "result"],
            registry=self.registry,
        )
        self.responses_emitted = Counter(
            "npsbridge_responses_emitted",
            "Revisions of responses put into words for the sinks, by the connection they came from.",
            ["connection"],
            registry=self.registry,
        )
        self.poll_last_success = Gauge(
            "npsbridge_poll_last_success_timestamp_seconds",
            "When a round of polling last ended well, in seconds since 1970.",
            ["connection"],
            registry=self.registry,
        )
        self.poll_rounds = Counter(
            "npsbridge_poll_rounds",
            "Rounds of polling by how they ended: ok, retry, paused or retired.",
            ["connection", "result"],
            registry=self.registry,
        )
        self.vendor_seconds = Histogram(
            "npsbridge_vendor_request_duration_seconds",
            "How long vendors take to answer, without the time that a request waits for its turn.",
            ["connection", "operation"],
            registry=self.registry,
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
        )
        self.vendor_requests = Counter(
            "npsbridge_vendor_requests",
            "HTTP requests to vendors, by operation and status code; `none` when there was no answer.",
            ["connection", "operation", "code"],
            registry=self.registry,
        )
        self.task_restarts = Counter(
            "npsbridge_task_restarts",
            "Tasks started again after an unexpected error.",
            ["task"],
            registry=self.registry,
        )
