"""What every event source must do, whatever service it listens to."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

import orjson
import pytest

from tiphys.aio import Clock, SystemClock, stop
from tiphys.errors import SecretError
from tiphys.events import CloudEvent
from tiphys.manifests.common import TLS, ConfigMapRef, KeySelector, SecretRef, unknown_keys
from tiphys.observe.metrics import Metrics
from tiphys.sources import Source, SourceContext, sources
from tiphys.sources._dispatch import Dispatcher
from tiphys.sources._link import BusLink
from tiphys.sources._runtime import PullService
from tiphys.sources._status import Status
from tiphys.testing.bus import MemoryBus

PATIENCE = 10.0  # seconds within which whatever must happen has happened
BURST = 5  # events in quick succession
QUIET = 0.1  # seconds in which nothing must happen


class MemoryStore:
    """Small values that live as long as this object."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    async def get(self, key: str) -> bytes | None:
        """The value of *key*."""
        return self.values.get(key)

    async def put(self, key: str, value: bytes) -> None:
        """Set *key*."""
        self.values[key] = value


class FixedSecrets:
    """Secrets and ConfigMaps from a dictionary, under ``<object>/<key>``."""

    def __init__(self, values: dict[str, str] | None = None) -> None:
        self.values = values or {}

    async def secret(self, ref: SecretRef) -> str:
        """The value of a key of a Secret."""
        return self._value(ref)

    async def config_map(self, ref: ConfigMapRef) -> str:
        """The value of a key of a ConfigMap."""
        return self._value(ref)

    async def tls(self, tls: TLS) -> ssl.SSLContext:
        """A client's context that trusts the CA of the block, or nobody needs to be trusted."""
        context = ssl.create_default_context()
        if tls.insecure_skip_verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        elif tls.ca_cert_secret:
            context = ssl.create_default_context(cadata=self._value(tls.ca_cert_secret))
        return context

    def _value(self, ref: KeySelector) -> str:
        try:
            return self.values[f"{ref.name}/{ref.key}"]
        except KeyError:
            raise SecretError(f"there is no {ref.name}/{ref.key}") from None


class Service(abc.ABC):
    """
    A running service (real, or a faithful fake) that the source listens to.

    What the runtime lends to the source comes from here and survives a restart of the source.
    """

    def __init__(self) -> None:
        self.clock: Clock = SystemClock()
        self.store = MemoryStore()
        self.secrets = FixedSecrets()

    @abc.abstractmethod
    def block(self) -> dict[str, Any]:
        """The manifest block that reaches it."""

    @abc.abstractmethod
    async def emit(self, n: int) -> None:
        """Make the service produce event number *n*."""

    @abc.abstractmethod
    def number(self, data: dict[str, Any]) -> int:
        """Read *n* back from the event's data."""

    async def connected(self) -> None:
        """Return when the source listens; overridden where the service can tell."""
        await asyncio.sleep(0.2)

    async def stop(self) -> None:
        """End the service; what it stores must survive."""
        raise NotImplementedError

    async def start(self) -> None:
        """Start the service again."""
        raise NotImplementedError

    async def wait(self, seconds: float) -> None:
        """Let time pass for the source; overridden where its clock is virtual."""
        await asyncio.sleep(seconds)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let time pass until something has happened; fails when it does not."""
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while not condition():
            assert asyncio.get_running_loop().time() < deadline, "it did not happen"
            await self.wait(0.02)

    def context(self) -> SourceContext:
        """What the runtime lends to the source."""
        secrets = self.secrets
        return SourceContext(
            namespace="ns",
            event_source="es",
            event_name="ev",
            secret=secrets.secret,
            config_map=secrets.config_map,
            tls=secrets.tls,
            store=self.store,
            clock=self.clock,
        )


class SourceContract(abc.ABC):
    """
    The tests of a source that goes and gets its events.

    A subclass names the manifest key and starts the service.  What the service cannot do is
    declared with the reason, which becomes the reason of the skip.
    """

    key: ClassVar[str]
    no_redelivery: ClassVar[str | None] = None
    no_outage: ClassVar[str | None] = None

    @abc.abstractmethod
    def service(self) -> AbstractAsyncContextManager[Service]:
        """Start the service; everything it holds is fresh."""

    @contextlib.asynccontextmanager
    async def started(
        self, service: Service, bus: MemoryBus
    ) -> AsyncIterator[tuple[PullService, asyncio.Task[None]]]:
        """Run the source, whether or not it can work; leaving is a crash."""
        pull = pull_service(self.key, service, bus)
        task = asyncio.create_task(pull.run())
        try:
            yield pull, task
        finally:
            assert await stop(task, limit=1), f"{self.key} did not stop within a second"

    @contextlib.asynccontextmanager
    async def running(
        self, service: Service, bus: MemoryBus
    ) -> AsyncIterator[tuple[PullService, asyncio.Task[None]]]:
        """Run the source against the service, and wait until the service knows of it."""
        async with self.started(service, bus) as (pull, task):
            await service.connected()
            yield pull, task

    async def test_every_event_of_the_service_reaches_the_bus_once_and_in_order(self) -> None:
        bus = await started_bus()
        async with self.service() as service, self.running(service, bus):
            for n in range(25):
                await service.emit(n)
            await service.until(lambda: len(bus.published) >= 25)
            await service.wait(QUIET)
            events = bus.published

            assert [service.number(data_of(event)) for event in events] == list(range(25))
        assert len({event.id for event in events}) == 25
        assert {event.type for event in events} == {sources.get(self.key).event_type}

    async def test_an_event_the_bus_refused_is_delivered_again_without_a_restart(self) -> None:
        self._needs_redelivery()
        bus = await started_bus()
        async with self.service() as service, self.running(service, bus):
            bus.refuse = 2
            await service.emit(1)
            await service.until(lambda: bool(bus.published))
            await service.emit(2)
            await service.until(lambda: len(bus.published) >= 2)
            await service.wait(QUIET)

            assert [service.number(data_of(event)) for event in bus.published] == [1, 2]

    async def test_when_the_bus_refuses_one_of_many_all_come_once_and_in_order_if_there_is_one(
        self,
    ) -> None:
        bus = await started_bus()
        async with self.service() as service, self.running(service, bus):
            bus.refuse = 1
            for n in range(BURST):
                await service.emit(n)
            await service.until(lambda: len(bus.published) >= BURST)
            await service.wait(QUIET)
            numbers = [service.number(data_of(event)) for event in bus.published]

        assert bus.refuse == 0
        assert sorted(numbers) == list(range(BURST))
        if sources.get(self.key).ordered:
            assert numbers == list(range(BURST))

    async def test_an_event_is_kept_while_the_bus_is_away(self) -> None:
        bus = await started_bus()
        async with self.service() as service, self.running(service, bus) as (_, task):
            bus.connected = False
            await service.emit(1)
            await service.wait(QUIET)
            bus.connected = True
            await service.until(lambda: bool(bus.published))

            assert service.number(data_of(bus.published[0])) == 1
            assert not task.done()

    async def test_an_event_that_was_not_published_survives_a_crash(self) -> None:
        self._needs_redelivery()
        async with self.service() as service:
            stuck = await started_bus()
            stuck.refuse = 10**9
            async with self.running(service, stuck):
                await service.emit(1)
                await service.until(lambda: stuck.refuse < 10**9)
            bus = await started_bus()
            async with self.running(service, bus):
                await service.until(lambda: bool(bus.published))

                assert service.number(data_of(bus.published[0])) == 1

    async def test_a_published_event_does_not_come_back_after_a_restart(self) -> None:
        self._needs_redelivery()
        async with self.service() as service:
            first, second = await started_bus(), await started_bus()
            async with self.running(service, first) as (pull, task):
                await service.emit(1)
                await service.until(lambda: bool(first.published))
                pull.stop()
                await asyncio.wait_for(task, PATIENCE)
            async with self.running(service, second):
                await service.emit(2)
                await service.until(lambda: bool(second.published))
                await service.wait(QUIET)

                assert [service.number(data_of(event)) for event in second.published] == [2]

    async def test_it_is_ready_once_it_misses_nothing_though_no_event_comes(self) -> None:
        bus = await started_bus()
        async with self.service() as service, self.started(service, bus) as (pull, _):
            await service.until(lambda: pull.status.ready)
            assert bus.published == []
            await service.emit(1)
            await service.until(lambda: bool(bus.published))

            assert [service.number(data_of(event)) for event in bus.published] == [1]

    async def test_it_is_ready_exactly_while_its_service_is_there(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if self.no_outage:
            pytest.skip(self.no_outage)
        monkeypatch.setattr("tiphys.sources._runtime.STEADY", QUIET)
        bus = await started_bus()
        async with self.service() as service, self.started(service, bus) as (pull, _):
            await service.until(lambda: pull.status.ready)
            await service.stop()
            await service.until(lambda: pull.status.error is not None)
            assert not pull.status.ready
            async with self.started(service, bus) as (late, _):
                await service.until(lambda: late.status.error is not None)
                assert not late.status.ready
            await service.start()
            await service.connected()
            await service.until(lambda: pull.status.ready)
            await service.until(lambda: pull.status.error is None)
        assert bus.published == []

    async def test_cancelling_stops_it_within_a_second_and_leaves_no_task(self) -> None:
        async with self.service() as service:
            before: set[asyncio.Task[Any]] = asyncio.all_tasks()
            async with self.running(service, await started_bus()) as (_, task):
                assert await stop(task, limit=1)
            await asyncio.sleep(0.01)

            assert asyncio.all_tasks() <= before

    async def test_a_misspelt_key_is_reported_by_name(self) -> None:
        async with self.service() as service:
            source = make_source(self.key, {**service.block(), "noSuchKey": 1})

        assert unknown_keys(source.config) == ["noSuchKey"]

    async def test_the_block_has_nothing_to_complain_about(self) -> None:
        async with self.service() as service:
            assert make_source(self.key, service.block()).check() == []

    def _needs_redelivery(self) -> None:
        if self.no_redelivery:
            pytest.skip(self.no_redelivery)


def make_source(key: str, block: dict[str, Any]) -> Any:
    """The source of a manifest block."""
    cls = sources.get(key)
    return cls(cls.Config.model_validate(block))


def pull_service(
    key: str, service: Service, bus: MemoryBus, *, metrics: Metrics | None = None
) -> PullService:
    """What the runtime would run for the service's block."""
    source = make_source(key, service.block())
    assert isinstance(source, Source)
    ctx = service.context()
    status = Status(ctx.event_name, key)
    dispatcher = Dispatcher(source, ctx, bus, metrics or Metrics(), status)
    return PullService(source, ctx, dispatcher, BusLink(bus))


async def started_bus() -> MemoryBus:
    """A bus in memory, connected."""
    bus = MemoryBus()
    await bus.start()
    return bus


def data_of(event: CloudEvent) -> dict[str, Any]:
    """The payload of an event."""
    data: dict[str, Any] = orjson.loads(event.data or b"")
    return data
