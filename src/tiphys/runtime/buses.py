"""The buses of a standalone instance, opened when an object needs one."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Mapping
from pathlib import Path

from tiphys.aio import capped_backoff, stop
from tiphys.bus import Bus, Limits, State
from tiphys.bus.embedded import DEFAULT_SYNC, EmbeddedBus
from tiphys.bus.jetstream import JetStreamBus, StreamSettings
from tiphys.errors import BusError, ManifestError
from tiphys.manifests.event_bus import EventBusSpec
from tiphys.manifests.objects import EventBus
from tiphys.observe.history import JOURNAL, SUBJECT, History
from tiphys.observe.metrics import Metrics
from tiphys.runtime.secrets import SecretStore

LIMITS = Limits(age=7 * 86_400.0, size=1024**3)  # of the history

Key = tuple[str, str]
"""Namespace and name of an EventBus."""


@dataclasses.dataclass(frozen=True)
class OpenBus:
    """A bus in use, and the history of the events that travel on it."""

    bus: Bus
    history: History
    writer: asyncio.Task[None]

    async def close(self) -> None:
        """Write the rest of the history and disconnect."""
        await stop(self.writer)
        with contextlib.suppress(BusError):
            journal = await self.bus.journal(JOURNAL, LIMITS)
            await self.history.flush(lambda body: journal.append(SUBJECT, body))
        await self.bus.close()


class Buses:
    """
    Buses by namespace and name; one that no manifest describes is embedded.

    Each embedded bus keeps its data below *data_dir*, in a folder of its own.
    """

    def __init__(
        self,
        data_dir: Path,
        metrics: Metrics,
        *,
        sync: str = DEFAULT_SYNC,
        history: bool = True,
    ) -> None:
        self._history = history
        self._data_dir = data_dir
        self._metrics = metrics
        self._sync = sync
        self._open: dict[Key, OpenBus] = {}
        self._lock = asyncio.Lock()

    @property
    def opened(self) -> Mapping[Key, OpenBus]:
        """The buses in use."""
        return self._open

    def link_is_up(self) -> bool:
        """Whether every bus in use is connected."""
        return all(each.bus.connected for each in self._open.values())

    async def get(
        self, key: Key, manifests: Mapping[Key, EventBus], secrets: SecretStore
    ) -> OpenBus:
        """
        The bus *key*, started if need be.

        Raises :exc:`ManifestError` for a kind that cannot be used here, and :exc:`BusUnavailable`.
        """
        async with self._lock:
            if key not in self._open:
                manifest = manifests.get(key)
                bus = self._made(key, None if manifest is None else manifest.spec, secrets)
                await bus.start()
                self._watch(bus)
                history = History(self._metrics, enabled=self._history)
                writer = asyncio.create_task(_write(history, bus), name="history")
                self._open[key] = OpenBus(bus, history, writer)
            return self._open[key]

    async def close(self) -> None:
        """Disconnect from all, and stop the servers that were started."""
        async with self._lock:
            await asyncio.gather(*(each.close() for each in self._open.values()))
            self._open.clear()

    async def drop(self, key: Key) -> None:
        """Close the bus *key*, because its manifest changed."""
        async with self._lock:
            if (known := self._open.pop(key, None)) is not None:
                await known.close()

    def _made(self, key: Key, spec: EventBusSpec | None, secrets: SecretStore) -> Bus:
        namespace, name = key
        if spec is not None and spec.jetstream_exotic is not None and not spec.jetstream:
            config = spec.jetstream_exotic.model_dump(by_alias=True, exclude_none=True)
            return JetStreamBus.from_config(config, secret=secrets.secret, tls=secrets.tls)
        if spec is not None and spec.kafka is not None and not spec.jetstream:
            raise ManifestError(
                f"EventBus {name!r} is on Kafka, which this version cannot use; "
                "jetstream (embedded) and jetstreamExotic can be"
            )
        if spec is not None and spec.nats is not None and spec.nats.exotic is not None:
            raise ManifestError(
                f"EventBus {name!r} is a NATS Streaming server, which this version cannot use; "
                "jetstream (embedded) and jetstreamExotic can be"
            )
        settings = None
        if spec is not None and spec.jetstream is not None and spec.jetstream.stream_config:
            settings = StreamSettings.shipped().merged(spec.jetstream.stream_config)
        data_dir = self._data_dir / namespace / name
        return EmbeddedBus(data_dir, sync=self._sync, stream=settings)

    def _watch(self, bus: Bus) -> None:
        self._metrics.bus_connected.set(1)
        bus.on_link_change(lambda _up: self._metrics.bus_connected.set(self.link_is_up()))


async def _write(history: History, bus: Bus) -> None:
    """Write the history of *bus* until cancelled."""
    for pause in capped_backoff():
        try:
            journal = await bus.journal(JOURNAL, LIMITS)
            break
        except BusError:
            await asyncio.sleep(pause)
    await history.write_to(lambda body: journal.append(SUBJECT, body))


class BusStore:
    """Durable values of an event source, kept on its bus."""

    def __init__(self, bus: Bus, namespace: str, event_source: str) -> None:
        self._bus = bus
        self._prefix = f"{namespace}/{event_source}/"
        self._state: State | None = None

    async def get(self, key: str) -> bytes | None:
        """The value of *key*.  Raises :exc:`BusError`."""
        entry = await (await self._opened()).get(self._prefix + key)
        return None if entry is None else entry.value

    async def put(self, key: str, value: bytes) -> None:
        """Set *key*.  Raises :exc:`BusError`."""
        await (await self._opened()).put(self._prefix + key, value)

    async def _opened(self) -> State:
        if self._state is None:
            self._state = await self._bus.state("tiphys-event-sources")
        return self._state
