"""
The metrics of workers (spec: control plane 17.2), under the names that Argo Events uses.

Durations are there twice: as the summaries in whole milliseconds that dashboards know, and as
histograms in seconds.
"""

from __future__ import annotations

import platform

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    Summary,
)

from tiphys import __version__

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
EVENT = ("namespace", "eventsource_name", "event_name")
ACTION = ("namespace", "sensor_name", "trigger_name")


class Metrics:
    """All metrics of one process.  Labels: :data:`EVENT` and :data:`ACTION`, plus those named."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)

        def counter(name: str, text: str, labels: tuple[str, ...]) -> Counter:
            return Counter(f"argo_events_{name}", text, labels, registry=registry)

        self.services_running = Gauge(
            "argo_events_event_service_running_total",
            "Event services that run.",
            ("namespace", "eventsource_name"),
            registry=registry,
        )
        self.sent = counter("events_sent", "Events published.", EVENT)
        self.sent_failed = counter("events_sent_failed", "Events the bus did not take.", EVENT)
        self.processing_failed = counter(
            "events_processing_failed", "Events that could not be processed.", EVENT
        )
        self.processing_errors = counter(
            "event_processing_errors", "The same, under the name of the tutorials.", EVENT
        )
        self.filtered_at_source = counter(
            "events_filtered", "Events dropped by the event source's filter.", EVENT
        )
        self.events_count = Gauge(
            "argo_events_eventsource_events_count",
            "Events published since the start.",
            EVENT,
            registry=registry,
        )
        self.processing_milliseconds = Summary(
            "argo_events_event_processing_duration_milliseconds",
            "From receipt to the end of handling.",
            EVENT,
            registry=registry,
        )
        self.processing_seconds = Histogram(
            "argo_events_event_processing_duration_seconds",
            "From receipt to the end of handling.",
            EVENT,
            buckets=BUCKETS,
            registry=registry,
        )
        self.requests_refused = counter(
            "http_requests_refused", "Requests that were refused.", (*EVENT, "reason")
        )
        self.action_triggered = counter("action_triggered", "Attempts that succeeded.", ACTION)
        self.action_failed = counter("action_failed", "Attempts that failed.", ACTION)
        self.action_retries_failed = counter(
            "action_retries_failed", "Actions whose attempts are used up.", ACTION
        )
        self.action_milliseconds = Summary(
            "argo_events_action_duration_milliseconds",
            "Duration of one attempt.",
            ACTION,
            registry=registry,
        )
        self.action_seconds = Histogram(
            "argo_events_action_duration_seconds",
            "Duration of one attempt.",
            ACTION,
            buckets=BUCKETS,
            registry=registry,
        )
        self.end_to_end_seconds = Histogram(
            "argo_events_event_to_action_seconds",
            "From the publication of an event to the end of its action.",
            ACTION,
            buckets=BUCKETS,
            registry=registry,
        )
        self.filtered = counter(
            "sensor_events_filtered", "Events dropped for a dependency.", (*ACTION, "reason")
        )
        self.dead_letters = counter("dead_letters", "Actions kept as dead letters.", ACTION)
        self.pending = Gauge(
            "argo_events_sensor_pending_events",
            "Events delivered to a trigger and not yet acknowledged.",
            ACTION,
            registry=registry,
        )
        self.history_dropped = counter(
            "history_records_dropped", "History records that were dropped.", ()
        )
        self.bus_connected = Gauge(
            "argo_events_bus_connected", "1 while the link to the bus is up.", registry=registry
        )
        build = Gauge(
            "build_info",
            "Build identification.",
            ("version", "goversion", "goarch", "commit"),
            registry=registry,
        )
        build.labels(__version__, f"python{platform.python_version()}", platform.machine(), "").set(
            1
        )
