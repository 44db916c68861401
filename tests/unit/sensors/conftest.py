"""A sensor on a bus in memory, whose triggers write down what they are asked to do."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pydantic import Field

from tiphys.errors import SecretError, TriggerError
from tiphys.events import CloudEvent, timestamp
from tiphys.languages.lua import WorkerPool
from tiphys.manifests.common import TLS, ConfigMapRef, Parameter, SecretRef, TriggerConfig
from tiphys.manifests.sensor import SensorSpec
from tiphys.observe.history import History
from tiphys.observe.metrics import Metrics
from tiphys.sensors.runner import SensorRunner
from tiphys.sensors.services import SensorServices
from tiphys.testing.bus import MemoryBus
from tiphys.triggers import Firing, Outcome, Trigger, TriggerContext, trigger


class RecorderConfig(TriggerConfig):
    """Options of the trigger that records."""

    payload: list[Parameter] | None = Field(None, description="What is written down.")
    url: str = Field("", description="Something that parameters can change.")
    fail: int = Field(0, description="How many attempts fail before one succeeds.")
    final: bool = Field(False, description="Whether failures cannot be made good by trying again.")
    bug: bool = Field(False, description="Whether every attempt ends in an unforeseen error.")
    status: int = Field(200, description="Status of the outcome.")


@dataclasses.dataclass
class Recording:
    """What the recorders of a test were asked to do."""

    firings: list[Firing[RecorderConfig]] = dataclasses.field(default_factory=list)
    attempts: int = 0
    running: int = 0
    most_running: int = 0
    hold: asyncio.Event | None = None

    @property
    def payloads(self) -> list[Any]:
        return [json.loads(f.payload) for f in self.firings if f.payload is not None]

    async def wait(self, count: int) -> None:
        """Until *count* firings have succeeded."""
        async with asyncio.timeout(5):
            while len(self.firings) < count:
                await asyncio.sleep(0.005)


RECORDING = Recording()


@trigger("recorder", log_name="Recorder")
class Recorder(Trigger[RecorderConfig]):
    has_status = True

    async def start(self, ctx: TriggerContext) -> None:
        await super().start(ctx)
        self.failures = 0

    async def fire(self, firing: Firing[RecorderConfig]) -> Outcome:
        RECORDING.attempts += 1
        RECORDING.running += 1
        RECORDING.most_running = max(RECORDING.most_running, RECORDING.running)
        try:
            if RECORDING.hold is not None:
                await RECORDING.hold.wait()
            if self.failures < firing.config.fail:
                self.failures += 1
                text = f"failure number {self.failures}"
                raise TriggerError(text, retryable=not firing.config.final)
            if firing.config.bug:
                raise RuntimeError("a bug")
        finally:
            RECORDING.running -= 1
        RECORDING.firings.append(firing)
        return Outcome(status=firing.config.status)


class NoSecrets:
    async def secret(self, ref: SecretRef) -> str:
        raise SecretError(f"there is no secret {ref.name}")

    async def config_map(self, ref: ConfigMapRef) -> str:
        raise SecretError(f"there is no config map {ref.name}")

    async def tls(self, tls: TLS) -> ssl.SSLContext:
        raise SecretError("there is no TLS here")


@pytest.fixture
def recording() -> Recording:
    RECORDING.__init__()  # type: ignore[misc]
    return RECORDING


@pytest.fixture
async def bus() -> MemoryBus:
    bus = MemoryBus()
    await bus.start()
    return bus


class Sensors:
    """Starts sensors and publishes events for them."""

    def __init__(self, bus: MemoryBus, scripts: WorkerPool) -> None:
        self.bus = bus
        self.scripts = scripts
        self.metrics = Metrics()
        self.history = History(self.metrics)
        self._count = 0

    @contextlib.asynccontextmanager
    async def running(self, spec: dict[str, Any], **options: Any) -> AsyncIterator[SensorRunner]:
        services = SensorServices(
            self.bus, NoSecrets(), self.metrics, self.history, self.scripts, **options
        )
        sensor = SensorRunner("sn", "ns", SensorSpec.model_validate(spec), services)
        await sensor.start()
        await until(lambda: sensor.ready)
        try:
            yield sensor
        finally:
            await sensor.stop(grace=0.5)

    async def publish(self, source: str, data: Any, event_id: str | None = None) -> str:
        """Publish an event named ``ev``; returns its id."""
        self._count += 1
        event = CloudEvent(
            id=event_id or f"id{self._count}",
            source=source,
            subject="ev",
            type="webhook",
            time=timestamp(),
            datacontenttype="application/json",
            data=json.dumps(data).encode(),
        )
        await self.bus.publish(event)
        return event.id

    async def dead_letters(self) -> list[dict[str, Any]]:
        from tiphys.sensors.dead_letters import JOURNAL, LIMITS

        journal = await self.bus.journal(JOURNAL, LIMITS)
        return [json.loads(record.body) async for record in journal.read()]


@pytest.fixture
async def sensors(bus: MemoryBus, recording: Recording) -> AsyncIterator[Sensors]:
    scripts = WorkerPool()
    yield Sensors(bus, scripts)
    await scripts.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait until *condition* holds, at most five seconds."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


def dependency(name: str, **more: Any) -> dict[str, Any]:
    """A dependency on event ``ev`` of the event source of the same name."""
    return {"name": name, "eventSourceName": name, "eventName": "ev", **more}


def recorder(name: str = "t", conditions: str = "", **more: Any) -> dict[str, Any]:
    """A trigger that records the event data of dependency ``a`` and what *block* says."""
    block = more.pop("block", {})
    payload = [{"src": {"dependencyName": d, "dataKey": "n"}, "dest": d} for d in ("a", "b", "c")]
    template = {"name": name, "conditions": conditions, "recorder": {"payload": payload, **block}}
    return {"template": template, **more}
