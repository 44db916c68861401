"""Runs one EventSource object: all its event services, each for itself."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from pydantic import ValidationError

from tiphys.aio import Clock, SystemClock
from tiphys.bus import Bus
from tiphys.errors import ManifestError, TiphysError
from tiphys.ingest import IngestServer
from tiphys.observe.history import History
from tiphys.observe.metrics import Metrics
from tiphys.sources._base import (
    AnySource,
    PushSource,
    Replicas,
    SecretStore,
    SourceContext,
    Store,
    sources,
)
from tiphys.sources._dispatch import Dispatcher
from tiphys.sources._link import BusLink
from tiphys.sources._push import PushService
from tiphys.sources._runtime import WINDOW, PullService
from tiphys.sources._silence import watch_silence
from tiphys.sources._status import Status
from tiphys.sources._waiting import end

EventService = PullService | PushService
Blocks = Mapping[str, Mapping[str, Mapping[str, Any]]]
log = structlog.get_logger("argo-events.eventsource")


@dataclasses.dataclass(frozen=True)
class Surroundings:
    """
    What the runners of a process share.

    *store* gives the durable values of an event source, by namespace and name.  *timeout* is how
    many seconds a publication waits for the bus, and with it the sender of a request; *window* how
    many events of one service may be on their way.
    """

    bus: Bus
    ingest: IngestServer
    secrets: SecretStore
    metrics: Metrics
    store: Callable[[str, str], Store]
    clock: Clock = dataclasses.field(default_factory=SystemClock)
    timeout: float = 5.0
    window: int = WINDOW
    history: History | None = None

    @functools.cached_property
    def link(self) -> BusLink:
        """The link of the bus, followed once for all."""
        return BusLink(self.bus)


class EventSourceRunner:
    """
    Starts and stops the event services of one object.

    *types* is the body of the manifest: event type to event name to options.  A service that is
    broken says so in its status and never stops the others.
    """

    def __init__(
        self, name: str, namespace: str, types: Blocks, surroundings: Surroundings
    ) -> None:
        self.name = name
        self.namespace = namespace
        self._types = types
        self._with = surroundings
        self._log = log.bind(eventSourceName=name)
        self._services: list[tuple[EventService, asyncio.Task[None]]] = []
        self.statuses: list[Status] = []

    @property
    def replicas(self) -> Replicas:
        """Whether one or many may run this object at once; ``one`` when any type demands it."""
        for key in self._types:
            try:
                if sources.get(key).replicas == "one":
                    return "one"
            except TiphysError:
                continue  # its services will tell
        return "many"

    async def start(self) -> None:
        """Start every event service; returns once they were started, not when they are ready."""
        self.statuses = []
        seen: set[str] = set()
        for key, events in self._types.items():
            for name, block in events.items():
                self._start_service(key, name, block, name in seen)
                seen.add(name)
        self._log.info("Eventing server started.", events=len(self.statuses))

    async def stop(self, grace: float = 10.0) -> None:
        """
        Stop every event service.

        What is on its way is published, answered and settled within *grace* seconds; what is not
        done by then is cut off and comes again from where it came from.
        """
        for service, _ in self._services:
            service.stop()
        tasks = [task for _, task in self._services]
        if tasks:
            await asyncio.wait(tasks, timeout=grace)
        await end(tasks)
        self._services.clear()

    def _start_service(
        self, key: str, name: str, block: Mapping[str, Any], duplicate: bool
    ) -> None:
        status = Status(name, key)
        self.statuses.append(status)
        try:
            if duplicate:
                raise ManifestError(f"the event name {name!r} is used twice in one event source")
            source = _make(key, block)
            service = self._service(source, status)
        except TiphysError as error:
            self._give_up(status, error)
            return
        except Exception as error:  # a bug of ours must not stop the other services
            log.error("The event service cannot run", eventName=name, exc_info=True)
            status.error = f"{type(error).__name__}: {error}"
            return
        task = asyncio.create_task(
            self._supervise(service, status, source.config.expect_every),
            name=f"{self.name}/{name}",
        )
        self._services.append((service, task))

    def _service(self, source: AnySource, status: Status) -> EventService:
        shared = self._with
        ctx = SourceContext(
            self.namespace,
            self.name,
            status.name,
            shared.secrets.secret,
            shared.secrets.config_map,
            shared.secrets.tls,
            shared.store(self.namespace, self.name),
            shared.clock,
        )
        dispatcher = Dispatcher(
            source,
            ctx,
            shared.bus,
            shared.metrics,
            status,
            timeout=shared.timeout,
            history=shared.history,
        )
        if isinstance(source, PushSource):
            return PushService(source, ctx, dispatcher, shared.ingest, shared.metrics)
        return PullService(source, ctx, dispatcher, shared.link, window=shared.window)

    async def _supervise(
        self, service: EventService, status: Status, expect_every: float | None
    ) -> None:
        running = self._with.metrics.services_running.labels(self.namespace, self.name)
        running.inc()
        status.running = True
        alarm = self._alarm(status, expect_every)
        try:
            await service.run()
        except TiphysError as error:
            self._give_up(status, error)
        except Exception as error:  # a bug of ours must not stop the other services
            log.error("The event service broke", eventName=status.name, exc_info=True)
            status.error = f"{type(error).__name__}: {error}"
        finally:
            status.running = status.ready = False
            running.dec()
            await end([alarm] if alarm is not None else [])

    def _alarm(self, status: Status, expect_every: float | None) -> asyncio.Task[None] | None:
        """Watches for silence, where the manifest asks for it."""
        if expect_every is None:
            return None
        return asyncio.create_task(self._watch_silence(status, expect_every))

    async def _watch_silence(self, status: Status, every: float) -> None:
        silent, labels = self._with.metrics.silent, (self.namespace, self.name, status.name)
        log = self._log.bind(eventName=status.name)
        try:
            await watch_silence(every, status, self._with.clock, silent.labels(*labels), log)
        finally:  # nobody waits for events any more
            status.silent = False
            silent.remove(*labels)

    def _give_up(self, status: Status, error: TiphysError) -> None:
        status.error = str(error)
        self._log.error(
            "The event service cannot run",
            eventName=status.name,
            eventSourceType=status.type,
            error=status.error,
        )


def _make(key: str, block: Mapping[str, Any]) -> AnySource:
    """
    The source of an event, its options checked.

    Raises :exc:`ManifestError`, :exc:`UnknownComponentError` and :exc:`MissingExtraError`.
    """
    cls = sources.get(key)
    try:
        source: AnySource = cls(cls.Config.model_validate(block))
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise ManifestError("; ".join(problems)) from error
    if problems := source.check():
        raise ManifestError("; ".join(problems))
    return source
