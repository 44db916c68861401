"""Sensors under virtual time, whose actions are written down with the moment they began at."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from tests.unit.sensors.conftest import NoSecrets
from tiphys.aio import Clock
from tiphys.errors import TriggerError
from tiphys.events import CloudEvent, timestamp
from tiphys.languages.lua import WorkerPool
from tiphys.manifests.common import TriggerConfig
from tiphys.manifests.sensor import SensorSpec
from tiphys.observe.history import History, Step
from tiphys.observe.metrics import Metrics
from tiphys.sensors.dead_letters import JOURNAL, LIMITS
from tiphys.sensors.runner import SensorRunner
from tiphys.sensors.services import SensorServices
from tiphys.testing.bus import MemoryBus
from tiphys.testing.clock import VirtualClock
from tiphys.triggers import Firing, Outcome, Trigger, TriggerContext, trigger


@dataclasses.dataclass(frozen=True)
class Acted:
    """An action: the second at which it began, the data by dependency, and its id."""

    at: float
    data: dict[str, Any]
    id: str


class TimedConfig(TriggerConfig):
    """No options."""


@trigger("timed", log_name="Timed")
class Timed(Trigger[TimedConfig]):
    """Writes down what it is asked to do; *takes* virtual seconds, *failing* events fail."""

    acted: ClassVar[list[Acted]] = []
    ended: ClassVar[list[Acted]] = []
    takes: ClassVar[float] = 0.0
    failing: ClassVar[set[int]] = set()
    clock: Clock

    async def start(self, ctx: TriggerContext) -> None:
        await super().start(ctx)
        self.clock = ctx.clock

    async def fire(self, firing: Firing[TimedConfig]) -> Outcome:
        data = {name: json.loads(event.data or b"null") for name, event in firing.events.items()}
        acted = Acted(round(self.clock.monotonic(), 6), data, firing.action_id)
        self.acted.append(acted)
        if self.takes:
            await self.clock.sleep(self.takes)
        if any(value.get("n") in self.failing for value in data.values()):
            raise TriggerError("told to fail")
        self.ended.append(acted)
        return Outcome()


class Told(History):
    """A history that keeps what it is told."""

    def __init__(self, metrics: Metrics) -> None:
        super().__init__(metrics)
        self.told: list[tuple[Step, tuple[str, ...]]] = []
        self.reasons: dict[Step, str] = {}

    def add(
        self, step: Step, events: tuple[str, ...], owner: str, part: str, **details: Any
    ) -> None:
        self.told.append((step, events))
        self.reasons[step] = details.get("reason", "")
        super().add(step, events, owner, part, **details)


class World:
    """A bus, a clock, and whatever sensors run on them."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.bus = MemoryBus(self.clock)
        self.metrics = Metrics()
        self.history = Told(self.metrics)
        self.scripts = WorkerPool()
        self._count = 0
        Timed.acted, Timed.ended, Timed.takes, Timed.failing = [], [], 0.0, set()

    @property
    def acted(self) -> list[Acted]:
        """All actions so far."""
        return Timed.acted

    @contextlib.asynccontextmanager
    async def running(self, *triggers: dict[str, Any], **more: Any) -> AsyncIterator[SensorRunner]:
        """Run a sensor with dependencies ``a`` and ``b`` (or those given) and these triggers."""
        dependencies = more.pop("dependencies", [dependency("a"), dependency("b")])
        name = more.pop("name", "sn")
        spec = {"dependencies": dependencies, "triggers": list(triggers), **more}
        sensor = await self.start(spec, name)
        try:
            yield sensor
        finally:
            await sensor.stop(grace=0)
            await self.clock.settle()

    async def start(self, spec: dict[str, Any], name: str = "sn") -> SensorRunner:
        """Start a sensor, and let it come to rest."""
        if not self.bus.connected:
            await self.bus.start()
        services = SensorServices(
            self.bus, NoSecrets(), self.metrics, self.history, self.scripts, self.clock
        )
        sensor = SensorRunner(name, "ns", SensorSpec.model_validate(spec), services)
        await sensor.start()
        await self.clock.settle()
        return sensor

    async def publish(self, source: str, **data: Any) -> str:
        """Publish an event now; returns its id."""
        self._count += 1
        event = CloudEvent(
            id=f"id{self._count}",
            source=source,
            subject="ev",
            type="webhook",
            time=timestamp(self.clock.now()),
            datacontenttype="application/json",
            data=json.dumps(data).encode(),
        )
        await self.bus.publish(event)
        await self.clock.settle()
        return event.id

    async def at(self, seconds: float) -> None:
        """Let time pass until so many seconds after the beginning."""
        await self.clock.advance(seconds - self.clock.monotonic())

    def steps(self, event_id: str) -> list[Step]:
        """The history of an event."""
        return [step for step, events in self.history.told if event_id in events]

    def unsettled(self, dependency: str = "a", trigger: str = "t") -> int:
        """How many messages are not acknowledged."""
        return self.bus.unsettled("sn", trigger, dependency)

    async def kept(self, part: str = "=flow", trigger: str = "t") -> list[str]:
        """The keys of flow control in the bucket."""
        state = await self.bus.state("sn")
        return [key for key in await state.keys(f"{trigger}/{part}") if "lease" not in key]

    async def waiting(self) -> list[str]:
        """The keys of actions that wait in the bucket, not of the marks of those that are done."""
        state = await self.bus.state("sn")
        entries = {key: await state.get(key) for key in await self.kept("=flow/waiting")}
        return [k for k, e in entries.items() if e and not e.value.startswith(b'{"done"')]

    async def dead_letters(self) -> list[dict[str, Any]]:
        """All dead letters."""
        journal = await self.bus.journal(JOURNAL, LIMITS)
        return [json.loads(record.body) async for record in journal.read()]

    async def kill(self, sensor: SensorRunner) -> None:
        """End a sensor as a crash does: nothing is given back, nothing is released."""
        everything = [*sensor._tasks]
        for run in sensor._runs.values():
            everything += run.delivery._tasks
            run.delivery.put_aside()  # nothing more begins
        self.bus.connected = False
        for task in everything:
            task.cancel()
        await asyncio.wait(everything)
        self.bus.connected = True
        await self.clock.settle()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    await world.bus.start()
    yield world
    await world.scripts.close()


def dependency(name: str, **more: Any) -> dict[str, Any]:
    """A dependency on event ``ev`` of the event source of the same name."""
    return {"name": name, "eventSourceName": name, "eventName": "ev", **more}


def timed(conditions: str = "a", name: str = "t", **more: Any) -> dict[str, Any]:
    """A trigger that writes down what it does."""
    return {"template": {"name": name, "conditions": conditions, "timed": {}}, **more}


def seconds(value: float) -> timedelta:
    """A length of time."""
    return timedelta(seconds=value)
