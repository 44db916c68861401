"""The way of one event service's events to the bus: filter, CloudEvent, publication, counts."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from typing import Any

import orjson
import structlog

from tiphys.bus import Bus
from tiphys.errors import EventTooLarge, PublishError, SourceError
from tiphys.events import JSON, CloudEvent, timestamp
from tiphys.ingest.bursts import Bursts
from tiphys.languages import LanguageError
from tiphys.manifests.common import Filter
from tiphys.observe.history import History
from tiphys.observe.metrics import Metrics
from tiphys.sources._base import AnySource, Incoming, SourceContext
from tiphys.sources._status import Status

log = structlog.get_logger("argo-events.eventsource")


_random = random.Random()


def new_id() -> str:
    """
    A random UUID (version 4) without dashes.

    From a seeded generator: it must be unique, not secret, and :mod:`uuid` asks the system for
    every one.
    """
    bits = _random.getrandbits(128) & 0xFFFFFFFFFFFF0FFF3FFFFFFFFFFFFFFF
    return f"{bits | 0x40008000000000000000:032x}"


class Dispatcher:
    """
    Publishes what one event service receives.

    A filter that says no, or that fails, drops the event and counts as success (spec: event
    sources 2.4).  *timeout* bounds in seconds how long one attempt waits for the bus.  *history*
    hears of what was published and what was dropped.
    """

    def __init__(
        self,
        source: AnySource,
        ctx: SourceContext,
        bus: Bus,
        metrics: Metrics,
        status: Status,
        *,
        timeout: float = 5.0,
        history: History | None = None,
    ) -> None:
        self.status = status
        self._history = history
        self.log = log.bind(
            eventSourceName=ctx.event_source, eventSourceType=source.key, eventName=ctx.event_name
        )
        self._type = source.event_type
        self._ctx = ctx
        self._bus = bus
        self._timeout = timeout
        self._metadata = source.config.metadata
        self._bursts = Bursts(ctx.clock)
        self._filter = _Filter(source.config.filter) if _is_filtered(source) else None
        labels = (ctx.namespace, ctx.event_source, ctx.event_name)
        self._sent = metrics.sent.labels(*labels)
        metrics.events_count.labels(*labels).set_function(lambda: status.sent)
        self._sent_failed = metrics.sent_failed.labels(*labels)
        self._processing_failed = metrics.processing_failed.labels(*labels)
        self._processing_errors = metrics.processing_errors.labels(*labels)
        self._filtered = metrics.filtered_at_source.labels(*labels)
        self._milliseconds = metrics.processing_milliseconds.labels(*labels)
        self._seconds = metrics.processing_seconds.labels(*labels)

    async def send(self, incoming: Incoming, *, last: bool = True) -> str | None:
        """
        Bring one event to the bus and return its id, or None when there is nothing to bring: the
        filter dropped it, it is unwanted, or it came with a problem.

        A refusal is counted and reported if it is the *last*, not before another attempt.

        Raises :exc:`BusUnavailable` and :exc:`PublishError`, and :exc:`SourceError` for data that
        are no JSON.
        """
        started = time.perf_counter()
        if incoming.problem is not None:
            self._no_event(incoming.problem)
            return None
        id = incoming.id or new_id()
        if incoming.unwanted is not None:
            self._unwanted(id, incoming.unwanted)
            return None
        data = self._payload(incoming.data)
        now = self._ctx.clock.now()
        if self._filter is not None and not self._passes(id, data):
            self.status.last_event = now
            return None
        ctx = self._ctx
        event = CloudEvent(
            id, ctx.event_source, ctx.event_name, self._type, timestamp(now), JSON, data
        )
        try:
            await self._bus.publish(event, timeout=self._timeout)
        except PublishError as error:
            if last or isinstance(error, EventTooLarge):
                self._not_published(event, error)
            raise
        self.status.sent += 1
        self.status.last_event = now
        self._sent.inc()
        self._observe(started)
        if self._history is not None:
            self._history.add("published", (id,), ctx.event_source, ctx.event_name)
        self.log.debug("Succeeded to publish an event", eventID=id)
        return id

    def failed(self) -> None:
        """Count an event or a request that could not be processed."""
        self.status.failed += 1
        self._processing_failed.inc()
        self._processing_errors.inc()

    def _payload(self, data: Mapping[str, Any] | bytes) -> bytes:
        metadata = self._metadata
        try:
            if not isinstance(data, bytes):
                return orjson.dumps({**data, "metadata": metadata} if metadata else data)
            return _with_metadata(data, metadata) if metadata else data
        except TypeError as error:  # orjson's own error is one, too
            raise SourceError(f"the event's data cannot be written as JSON: {error}") from error

    def _passes(self, id: str, data: bytes) -> bool:
        assert self._filter is not None
        passes, error = self._filter.judge(data)
        if error is not None and (count := self._bursts.count("filter")) is not None:
            self.log.error("The filter failed, events are dropped", error=error, count=count)
        if not passes:
            self._note_filtered(id, error or "the expression is false")
        return passes

    def _unwanted(self, id: str, reason: str) -> None:
        self.status.last_event = self._ctx.clock.now()
        self._note_filtered(id, reason)
        if (count := self._bursts.count("unwanted")) is not None:
            self.log.warning("An event was dropped", reason=reason, count=count)

    def _note_filtered(self, id: str, reason: str) -> None:
        self._filtered.inc()
        if self._history is not None:
            ctx = self._ctx
            self._history.add("filtered", (id,), ctx.event_source, ctx.event_name, reason=reason)

    def _no_event(self, problem: str) -> None:
        self.failed()
        if (count := self._bursts.count("problem")) is not None:
            self.log.error("What arrived is no event, it is lost", error=problem, count=count)

    def _not_published(self, event: CloudEvent, error: PublishError) -> None:
        self.failed()
        self._sent_failed.inc()
        if (count := self._bursts.count(type(error).__name__)) is not None:
            self.log.error(
                "Failed to publish an event", eventID=event.id, error=str(error), count=count
            )

    def _observe(self, started: float) -> None:
        elapsed = time.perf_counter() - started
        self._milliseconds.observe(int(elapsed * 1000))
        self._seconds.observe(elapsed)


class _Filter:
    """An expression; one that is broken fails for every event, as in Argo Events."""

    def __init__(self, block: Filter) -> None:
        from tiphys.languages.expr import source_filter  # few sources filter

        self._broken: str | None = None
        try:
            self._compiled = source_filter.compile(block.expression)
        except LanguageError as error:
            self._broken = str(error)

    def judge(self, data: bytes) -> tuple[bool, str | None]:
        """Whether the event goes on, and the error if the expression failed on it."""
        if self._broken is not None:
            return False, self._broken
        try:
            return self._compiled.passes(data), None
        except LanguageError as error:
            return False, str(error)


def _is_filtered(source: AnySource) -> bool:
    return isinstance(getattr(source.config, "filter", None), Filter)


def _with_metadata(data: bytes, metadata: dict[str, str]) -> bytes:
    """Add the member to the text of an object, without reading it."""
    text = data.rstrip()
    if not text.endswith(b"}"):
        raise TypeError("it is not an object")
    head = text[:-1].rstrip()
    comma = b"" if head.endswith(b"{") else b","
    return b"".join((head, comma, b'"metadata":', orjson.dumps(metadata), b"}"))
