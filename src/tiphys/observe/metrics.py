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

__all__ = ["ACTION", "EVENT", "Metrics"]

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
EVENT = ("namespace", "eventsource_name", "event_name")
ACTION = ("namespace", "sensor_name", "trigger_name")


class Metrics:
    """All metrics of one process.  Labels: :data:`EVENT` and :data:`ACTION`, plus those named."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._of_events()
        self._of_actions()
        self.history_dropped = self._counter(
            "history_records_dropped", "History records that were dropped.", ()
        )
        self.bus_connected = self._gauge("bus_connected", "1 while the link to the bus is up.", ())
        build = Gauge(
            "build_info",
            "Build identification.",
            ("version", "goversion", "goarch", "commit"),
            registry=self.registry,
        )
        python = f"python{platform.python_version()}"
        build.labels(__version__, python, platform.machine(), "").set(1)

    def _of_events(self) -> None:
        """What event sources do."""
        self.services_running = self._gauge(
            "event_service_running_total",
            "Event services that run.",
            ("namespace", "eventsource_name"),
        )
        self.sent = self._counter("events_sent", "Events published.", EVENT)
        self.sent_failed = self._counter(
            "events_sent_failed", "Events the bus did not take.", EVENT
        )
        self.processing_failed = self._counter(
            "events_processing_failed", "Events that could not be processed.", EVENT
        )
        self.processing_errors = self._counter(
            "event_processing_errors", "The same, under the name of the tutorials.", EVENT
        )
        self.filtered_at_source = self._counter(
            "events_filtered", "Events dropped by the event source's filter.", EVENT
        )
        self.events_count = self._gauge(
            "eventsource_events_count", "Events published since the start.", EVENT
        )
        self.silent = self._gauge(
            "eventsource_silent", "1 while no event came for longer than expected.", EVENT
        )
        self.requests_refused = self._counter(
            "http_requests_refused", "Requests that were refused.", (*EVENT, "reason")
        )
        text = "From receipt to the end of handling."
        self.processing_milliseconds = self._summary("event_processing_duration", text, EVENT)
        self.processing_seconds = self._histogram("event_processing_duration", text, EVENT)

    def _of_actions(self) -> None:
        """What sensors do."""
        self.action_triggered = self._counter(
            "action_triggered", "Attempts that succeeded.", ACTION
        )
        self.action_failed = self._counter("action_failed", "Attempts that failed.", ACTION)
        self.action_retries_failed = self._counter(
            "action_retries_failed", "Actions whose attempts are used up.", ACTION
        )
        text = "Duration of one attempt."
        self.action_milliseconds = self._summary("action_duration", text, ACTION)
        self.action_seconds = self._histogram("action_duration", text, ACTION)
        self.end_to_end_seconds = self._histogram(
            "event_to_action", "From the publication of an event to the end of its action.", ACTION
        )
        self.filtered = self._counter(
            "sensor_events_filtered", "Events dropped for a dependency.", (*ACTION, "reason")
        )
        self.dead_letters = self._counter("dead_letters", "Actions kept as dead letters.", ACTION)
        self.pending = self._gauge(
            "sensor_pending_events", "Events delivered to a trigger, not yet acknowledged.", ACTION
        )

    def _counter(self, name: str, text: str, labels: tuple[str, ...]) -> Counter:
        return Counter(f"argo_events_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, labels: tuple[str, ...]) -> Gauge:
        return Gauge(f"argo_events_{name}", text, labels, registry=self.registry)

    def _summary(self, name: str, text: str, labels: tuple[str, ...]) -> Summary:
        return Summary(f"argo_events_{name}_milliseconds", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, labels: tuple[str, ...]) -> Histogram:
        return Histogram(
            f"argo_events_{name}_seconds", text, labels, buckets=BUCKETS, registry=self.registry
        )
