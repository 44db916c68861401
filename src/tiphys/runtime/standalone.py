"""
The standalone supervisor: event sources, sensors and buses of a folder of manifests in one process.

Whatever is wrong with one object is reported and stops no other.  A changed file restarts only
the objects that it changes.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog

from tiphys.bus.embedded import DEFAULT_SYNC
from tiphys.errors import BusUnavailable, ManifestError, TiphysError
from tiphys.ingest import IngestServer
from tiphys.languages.lua import WorkerPool
from tiphys.manifests.findings import Finding
from tiphys.manifests.objects import (
    AnyManifest,
    ConfigMap,
    EventBus,
    EventSource,
    Secret,
    Sensor,
)
from tiphys.observe.metrics import Metrics
from tiphys.runtime.buses import Buses, BusStore, OpenBus
from tiphys.runtime.buses import Key as BusKey
from tiphys.runtime.cluster_values import ClusterValues, is_configured
from tiphys.runtime.desired import NOTHING, Desired, Key, bus_name, read
from tiphys.runtime.secrets import SecretStore, Values
from tiphys.sensors.runner import SensorRunner
from tiphys.sensors.services import SensorServices
from tiphys.sources._runner import EventSourceRunner, Surroundings
from tiphys.triggers import Egress

log = structlog.get_logger("argo-events.standalone")
SUBSCRIBING = 10.0  # seconds that sensors get before the event sources start
Runner = EventSourceRunner | SensorRunner
Objects = Mapping[Key, AnyManifest]


@dataclasses.dataclass(frozen=True)
class Options:
    """How to run; see ``tiphys run --help``."""

    paths: Sequence[Path | str]
    namespace: str = "default"
    data_dir: Path = Path(".tiphys")
    secrets_dir: Path | None = None
    host: str = "0.0.0.0"
    sync: str = DEFAULT_SYNC
    strict: bool = False
    allow_exec: bool = False
    egress: Egress = dataclasses.field(default_factory=Egress)
    history: bool = True
    grace: float = 10.0


@dataclasses.dataclass(frozen=True)
class Changes:
    """What a reload did."""

    started: list[Key]
    restarted: list[Key]
    stopped: list[Key]

    def __bool__(self) -> bool:
        """Whether anything changed."""
        return bool(self.started or self.restarted or self.stopped)


class Standalone:
    """A running instance."""

    def __init__(self, options: Options, metrics: Metrics) -> None:
        self.options = options
        self.desired = NOTHING
        self.failures: dict[Key, str] = {}
        self._metrics = metrics
        self._ingest = IngestServer(options.host)
        self._scripts = WorkerPool()
        self._buses = Buses(options.data_dir, metrics, sync=options.sync, history=options.history)
        self._cluster = ClusterValues() if is_configured() else None
        self._values: Values = {}
        self._runners: dict[Key, Runner] = {}
        self._changing = asyncio.Lock()

    async def start(self) -> list[Finding]:
        """Read the manifests and run what can be run; returns what is to be said about them."""
        return (await self.reload())[1]

    async def reload(self) -> tuple[Changes, list[Finding]]:
        """
        Read the manifests again and make what runs the same as what they say.

        What cannot be read now runs on as it was.
        """
        async with self._changing:
            new = await asyncio.to_thread(read, self.options.paths, self.options.namespace)
            kept = new.keeping(self.desired)
            async with self._ingest.reloading():
                changes = await self._apply(kept)
            self.desired = kept
            return changes, new.findings

    async def stop(self) -> None:
        """Take no more events, finish what is in hand, then close everything, the bus last."""
        async with self._changing:
            grace = self.options.grace
            for kind in (EventSourceRunner, SensorRunner):
                runners = [r for r in self._runners.values() if isinstance(r, kind)]
                await asyncio.gather(*(runner.stop(grace) for runner in runners))
            self._runners.clear()
            await self._ingest.close()
            await self._scripts.close()
            await self._buses.close()
            if self._cluster is not None:
                await self._cluster.close()

    @property
    def event_sources(self) -> dict[Key, EventSourceRunner]:
        """The running EventSources."""
        return {k: r for k, r in self._runners.items() if isinstance(r, EventSourceRunner)}

    @property
    def sensors(self) -> dict[Key, SensorRunner]:
        """The running Sensors."""
        return {k: r for k, r in self._runners.items() if isinstance(r, SensorRunner)}

    @property
    def buses(self) -> Mapping[BusKey, OpenBus]:
        """The buses in use, by namespace and name."""
        return self._buses.opened

    def not_ready(self) -> list[str]:
        """What does not do its work at this moment, a sentence each."""
        if self.desired is NOTHING:
            return ["the manifests are being loaded"]
        missing = [f"{_shown(key)}: {text}" for key, text in self.failures.items()]
        for (namespace, name), opened in self._buses.opened.items():
            if not opened.bus.connected:
                missing.append(f"EventBus {namespace}/{name}: there is no link to it")
        for key, source in self.event_sources.items():
            missing += [
                f"{_shown(key)}, event {status.name}: {status.error or 'it is starting'}"
                for status in source.statuses
                if not status.ready
            ]
        for key, sensor in self.sensors.items():
            missing += [
                f"{_shown(key)}, trigger {status.name}: {status.error or 'it is starting'}"
                for status in sensor.statuses.values()
                if status.phase == "starting"
            ]
        return missing

    def status(self) -> dict[str, Any]:
        """All objects and how they fare."""
        return {
            "ready": not self.not_ready(),
            "eventSources": [
                {
                    "namespace": key[1],
                    "name": key[2],
                    "events": [dataclasses.asdict(s) for s in r.statuses],
                }
                for key, r in self.event_sources.items()
            ],
            "sensors": [
                {
                    "namespace": key[1],
                    "name": key[2],
                    "triggers": [dataclasses.asdict(s) for s in r.statuses.values()],
                }
                for key, r in self.sensors.items()
            ],
            "failures": {_shown(key): text for key, text in self.failures.items()},
        }

    def event_type(self, namespace: str, event_source: str, event_name: str) -> str:
        """The type of an event; ``webhook`` for a source that is unknown."""
        runner = self.event_sources.get(self._key("EventSource", namespace, event_source))
        statuses = runner.statuses if runner is not None else []
        return next((s.type for s in statuses if s.name == event_name), "webhook")

    def bus_of(self, namespace: str, event_source: str) -> OpenBus:
        """
        The bus that carries the events of an event source.

        Raises :exc:`ManifestError` when there is none.
        """
        namespace = namespace or self.options.namespace
        manifest = self.desired.objects.get(self._key("EventSource", namespace, event_source))
        name = bus_name(manifest) if isinstance(manifest, EventSource) else "default"
        opened = self._buses.opened
        found = opened.get((namespace, name))
        if found is None and not isinstance(manifest, EventSource) and len(opened) == 1:
            (found,) = opened.values()
        if found is None:
            raise ManifestError(f"there is no event source {event_source!r} in {namespace!r}")
        return found

    def _key(self, kind: str, namespace: str, name: str) -> Key:
        return kind, namespace or self.options.namespace, name

    async def _apply(self, desired: Desired) -> Changes:
        old = self.desired.objects
        changed_buses = {
            (key[1], key[2])
            for key in {**old, **desired.objects}
            if key[0] == "EventBus" and _differs(old.get(key), desired.objects.get(key))
        }
        wanted: dict[Key, EventSource | Sensor] = {**desired.event_sources, **desired.sensors}
        stale = [
            key
            for key in self._runners
            if key not in wanted
            or _differs(old.get(key), wanted[key])
            or (key[1], bus_name(wanted[key])) in changed_buses
        ]
        self._values = desired.values()  # before anything starts that needs them
        _log_changed_values(old, desired.objects)
        was_running = set(self._runners)
        stops = (self._runners.pop(key).stop(self.options.grace) for key in stale)
        for outcome in await asyncio.gather(*stops, return_exceptions=True):
            if isinstance(outcome, Exception):
                log.error("An object did not stop in good order", exc_info=outcome)
        for bus in changed_buses:
            await self._buses.drop(bus)
        self.failures.clear()
        # Sensors first: an event that is accepted before a new sensor has its subscription would
        # not reach it.
        for key, sensor in desired.sensors.items():
            if key not in self._runners:
                await self._start(key, sensor, desired)
        await self._subscribed()
        for key, source in desired.event_sources.items():
            if key not in self._runners:
                await self._start(key, source, desired)
        fresh = [key for key in self._runners if key not in was_running]
        again = [key for key in stale if key in self._runners]
        return Changes(fresh, again, [key for key in stale if key not in wanted])

    async def _start(self, key: Key, manifest: EventSource | Sensor, desired: Desired) -> None:
        namespace = key[1]
        secrets = SecretStore(
            namespace, lambda: self._values, self.options.secrets_dir, cluster=self._cluster
        )
        try:
            bus = await self._bus((namespace, bus_name(manifest)), desired, secrets)
            runner = self._runner(namespace, manifest, bus, secrets)
        except TiphysError as error:
            self.failures[key] = str(error)
            log.error("An object cannot run", object=_shown(key), error=str(error))  # noqa: TRY400  the message says it all
            return
        except Exception as error:  # a bug of ours must not keep the others from running
            self.failures[key] = f"{type(error).__name__}: {error}"
            log.exception("An object cannot run, for an unforeseen reason", object=_shown(key))
            return
        self._runners[key] = runner
        await runner.start()

    async def _subscribed(self) -> None:
        """Wait until the sensors have their subscriptions, but not for ever."""
        waiting = list(self.sensors.values())
        try:
            async with asyncio.timeout(SUBSCRIBING):
                while not all(s.ready for s in waiting):  # noqa: ASYNC110  nothing tells
                    await asyncio.sleep(0.01)
        except TimeoutError:
            log.warning("Some sensors do not have their subscriptions yet; going on without them")

    async def _bus(self, key: BusKey, desired: Desired, secrets: SecretStore) -> OpenBus:
        manifests = {
            (m[1], m[2]): bus for m, bus in desired.objects.items() if isinstance(bus, EventBus)
        }
        try:
            return await self._buses.get(key, manifests, secrets)
        except BusUnavailable as error:
            raise BusUnavailable(f"EventBus {key[1]!r}: {error}") from error

    def _runner(
        self, namespace: str, manifest: EventSource | Sensor, opened: OpenBus, secrets: SecretStore
    ) -> Runner:
        options, bus = self.options, opened.bus
        if isinstance(manifest, EventSource):
            surroundings = Surroundings(
                bus=bus,
                ingest=self._ingest,
                secrets=secrets,
                metrics=self._metrics,
                store=lambda namespace, name: BusStore(bus, namespace, name),
                history=opened.history,
            )
            return EventSourceRunner(manifest.name, namespace, manifest.spec.events, surroundings)
        services = SensorServices(
            bus=bus,
            secrets=secrets,
            metrics=self._metrics,
            history=opened.history,
            scripts=self._scripts,
            strict=options.strict,
            allow_exec=options.allow_exec,
            egress=options.egress,
        )
        return SensorRunner(manifest.name, namespace, manifest.spec, services)


def _log_changed_values(old: Objects, new: Objects) -> None:
    """Tell which values nobody restarts for: they are read when they are used."""
    for key, manifest in old.items():
        if isinstance(manifest, Secret | ConfigMap) and _differs(manifest, new.get(key)):
            log.info("A manifest with values changed, which counts from now on", object=_shown(key))


def _differs(old: AnyManifest | None, new: AnyManifest | None) -> bool:
    return (old and (old.metadata, old.spec)) != (new and (new.metadata, new.spec))


def _shown(key: Key) -> str:
    kind, namespace, name = key
    return f"{kind} {namespace}/{name}"
