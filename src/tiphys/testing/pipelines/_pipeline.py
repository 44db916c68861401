"""Runs events through event sources and sensors, without a bus and without acting."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from tiphys.errors import ManifestError
from tiphys.events import CloudEvent, parse_time, timestamp
from tiphys.languages.lua import WorkerPool
from tiphys.manifests.objects import EventSource, Sensor
from tiphys.runtime.desired import bus_name, read
from tiphys.sensors.event import Event
from tiphys.sensors.state import Position
from tiphys.testing.clock import VirtualClock
from tiphys.testing.pipelines._actions import Action
from tiphys.testing.pipelines._filters import Judgement
from tiphys.testing.pipelines._findings import first_of
from tiphys.testing.pipelines._given import LATEST, Given
from tiphys.testing.pipelines._sensors import DrySensor
from tiphys.testing.pipelines._sources import DrySource
from tiphys.testing.pipelines._triggers import TriggerRun
from tiphys.testing.pipelines._verdicts import Verdict, trace

NAMESPACE = "default"
DUPLICATES = timedelta(minutes=5)  # for which the bus knows the id of an event

LONGEST = timedelta(days=366)  # that anything is waited for

ManifestT = TypeVar("ManifestT", EventSource, Sensor)


@dataclasses.dataclass(frozen=True)
class Run:
    """
    What became of some events.

    *events* are they as they came to the bus; *actions* what they set in motion, in order;
    *verdicts* every step; *judgements* what the single parts of filters said.
    """

    events: list[CloudEvent]
    actions: list[Action]
    verdicts: list[Verdict]
    judgements: list[Judgement]

    def of(self, trigger: str, sensor: str = "") -> list[Action]:
        """The actions of one trigger."""
        return [a for a in self.actions if a.trigger == trigger and sensor in ("", a.sensor)]

    def reasons(self, trigger: str = "", sensor: str = "") -> list[str]:
        """Why events led to no action of a trigger (empty: of any), in order."""
        return [
            verdict.reason
            for verdict in self.verdicts
            if verdict.reason
            and trigger in ("", verdict.trigger or trigger)
            and sensor in ("", verdict.sensor or sensor)
        ]

    def trace(self) -> str:
        """The way of each event, for people."""
        return trace(self.events, self.verdicts)


class Pipeline:
    """
    The EventSources and Sensors of some manifests, ready to be tried out.

    Everything decides and renders as in ``tiphys run``; nothing is sent, no secret is read.  What
    sensors remember lasts for one run.
    """

    def __init__(
        self,
        manifests: Path | str | Iterable[Path | str],
        *,
        namespace: str = NAMESPACE,
        within: Path | None = None,
    ) -> None:
        """
        Load files and folders.

        *within*: actions are made of no file outside of this folder; *manifests* may lie anywhere.
        Raises :exc:`ManifestError` when something is wrong in them, or when there is no Sensor.
        """
        paths = [manifests] if isinstance(manifests, Path | str) else list(manifests)
        desired = read(paths, namespace)
        errors = [finding for finding in desired.findings if finding.severity == "error"]
        if errors:
            raise first_of(errors)
        named = ", ".join(str(path) for path in paths)
        self.sources = {
            name: DrySource(manifest)
            for name, manifest in _by_name(desired.event_sources.values(), named).items()
        }
        self.sensors = {
            name: DrySensor(manifest, manifest.namespace or namespace, within)
            for name, manifest in _by_name(desired.sensors.values(), named).items()
        }
        if not self.sensors:
            raise ManifestError(f"there is no Sensor in {named}")

    @property
    def dependencies(self) -> set[tuple[str, str]]:
        """The events that sensors depend on: event source and name."""
        return {
            (plan.event_source, plan.event_name)
            for sensor in self.sensors.values()
            for plan in sensor.dependencies.values()
        }

    def run(
        self,
        events: Iterable[Given],
        *,
        until: datetime | timedelta | None = None,
        judge: bool = True,
    ) -> Run:
        """:meth:`play` for callers that are not asynchronous."""

        async def played() -> Run:
            scripts = WorkerPool()
            try:
                return await self.play(events, scripts, until=until, judge=judge)
            finally:
                await scripts.close()

        return asyncio.run(played())

    async def play(
        self,
        events: Iterable[Given],
        scripts: WorkerPool,
        *,
        until: datetime | timedelta | None = None,
        judge: bool = True,
    ) -> Run:
        """
        Let *events* come, each at its time, and see what they set in motion.

        Time is virtual; it begins with the first event.  After the last it goes on to *until*, or
        (None) as long as flow control keeps something waiting, but for at most a year.  Scripts
        run in *scripts*, which stays open.  *judge*: also ask each part of the filters for itself.
        Raises :exc:`ManifestError` for an event that its EventSource does not have.
        """
        given = list(events)
        clock = VirtualClock()
        if given and given[0].at is not None:
            clock = VirtualClock(_moment(given[0].at, clock.now()))
        return await _Playing(self, scripts, clock, judge=judge).play(given, until)


class _Playing:
    """One run."""

    def __init__(
        self, pipeline: Pipeline, scripts: WorkerPool, clock: VirtualClock, *, judge: bool
    ) -> None:
        self._pipeline = pipeline
        self._scripts = scripts
        self._clock = clock
        self._judges = pipeline.sensors.values() if judge else ()
        self._run = Run([], [], [], [])
        self._ids: dict[str, datetime] = {}
        self._triggers = [
            (
                sensor,
                TriggerRun(
                    sensor.name,
                    trigger,
                    scripts=scripts,
                    clock=clock,
                    verdicts=self._run.verdicts,
                    actions=self._run.actions,
                ),
            )
            for sensor in pipeline.sensors.values()
            for trigger in sensor.triggers.values()
        ]

    async def play(self, events: Sequence[Given], until: datetime | timedelta | None) -> Run:
        for _, trigger in self._triggers:
            await trigger.open()
        for number, given in enumerate(events, 1):
            now = self._clock.now() if number == 1 else _moment(given.at, self._clock.now())
            await self._pass_time(number, now)
            await self._receive(number, given, now)
        if until is not None:
            await self._pass_time(len(events), _moment(until, self._clock.now()))
        else:
            await self._ripen(self._clock.now() + LONGEST)
        return self._run

    async def _pass_time(self, number: int, now: datetime) -> None:
        await self._ripen(now)
        if now > self._clock.now():
            await self._clock.advance_to(now)
        for _, trigger in self._triggers:
            await trigger.forget(number, now)

    async def _ripen(self, upto: datetime) -> None:
        """Let whatever waits go when its time comes, in order of time."""
        while True:
            waiting = [(due, t) for _, t in self._triggers if (due := t.next_due()) is not None]
            due, trigger = min(waiting, key=lambda entry: entry[0], default=(None, None))
            if due is None or trigger is None or due > upto:
                return
            if due > self._clock.now():
                await self._clock.advance_to(due)
            await trigger.ripen()

    async def _receive(self, number: int, given: Given, now: datetime) -> None:
        event, refusal = self._dispatched(number, given, now)
        self._run.events.append(event)
        if refusal:
            self._run.verdicts.append(Verdict(number, "", "", "dropped", reason=refusal))
            return
        seen, position = Event(event), Position(number, now)
        for sensor in self._judges:
            await self._judge(sensor, number, seen)
        for sensor, trigger in self._triggers:
            if (event.source, event.subject) not in trigger.subjects:
                continue
            if (reason := self._apart(sensor, event.source)) and not given.published:
                verdict = Verdict(number, sensor.name, trigger.name, "dropped", reason=reason)
                self._run.verdicts.append(verdict)
                continue
            await trigger.receive(seen, position)

    def _dispatched(self, number: int, given: Given, now: datetime) -> tuple[CloudEvent, str]:
        """The event as it lies on the bus, and why it does not get there."""
        event = given.event
        moment = now if given.at is not None or not event.time else parse_time(event.time)
        event = dataclasses.replace(event, id=event.id or str(number), time=timestamp(moment))
        source = self._pipeline.sources.get(event.source)
        reason = ""
        if source is not None and not given.published:
            event, reason = source.dispatched(event, number, self._run.judgements)
        last = self._ids.get(event.id)
        if not reason and last is not None and now - last < DUPLICATES:
            reason = f"an event with the id {event.id!r} came already"
        self._ids[event.id] = now
        return event, reason

    async def _judge(self, sensor: DrySensor, number: int, event: Event) -> None:
        """Ask each part of the filters for itself."""
        subject = (event.cloud_event.source, event.cloud_event.subject)
        for parts in sensor.filters:
            plan = sensor.dependencies[parts.dependency]
            if (plan.event_source, plan.event_name) == subject:
                self._run.judgements.extend(await parts.judge(number, event, self._scripts))

    def _apart(self, sensor: DrySensor, source_name: str) -> str:
        """Why events of a source cannot reach a sensor; empty when they can."""
        source = self._pipeline.sources.get(source_name)
        if source is None or bus_name(source.manifest) == bus_name(sensor.manifest):
            return ""
        return (
            f"the sensor {sensor.name} listens on the EventBus {bus_name(sensor.manifest)}, and "
            f"{source_name} publishes on {bus_name(source.manifest)}"
        )


def _moment(at: datetime | timedelta | None, now: datetime) -> datetime:
    if at is None:
        return now
    if isinstance(at, datetime):
        return min(at, LATEST)
    if at > LATEST - now:
        raise ManifestError(f"time goes on beyond {LATEST:%Y}")
    return now + at


def _by_name(found: Iterable[ManifestT], paths: str) -> dict[str, ManifestT]:
    """
    Objects by name.

    Raises :exc:`ManifestError` for two of one name, which a test could not tell apart.
    """
    named: dict[str, ManifestT] = {}
    for manifest in found:
        if manifest.name in named:
            raise ManifestError(
                f"there are several objects {manifest.kind} {manifest.name} in {paths}; name the "
                f"files or folders that hold the one that is meant",
                file=manifest.origin.file,
            )
        named[manifest.name] = manifest
    return named
