"""Archived events go through sensors again."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections import deque
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime

from tiphys.aio import stop
from tiphys.bus import Bus
from tiphys.errors import ManifestError, TiphysError
from tiphys.events import CloudEvent
from tiphys.runtime import archive
from tiphys.runtime.archive import Wanted
from tiphys.sensors.actions import Action
from tiphys.sensors.delivery import TriggerDelivery
from tiphys.sensors.event import Event
from tiphys.sensors.runner import SensorRunner
from tiphys.sensors.state import Position
from tiphys.sensors.virtual import Decided


@dataclasses.dataclass(frozen=True)
class Replayed:
    """
    An action that archived events set in motion again; *events* and *action* are ids.

    *succeeded* is None if it was not to run, or was not done, for the reason that *error* tells;
    false: it has become a dead letter.
    """

    events: tuple[str, ...]
    sensor: str
    trigger: str
    action: str
    succeeded: bool | None = None
    error: str = ""


async def replay(
    sensors: Iterable[SensorRunner],
    bus: Bus,
    *,
    event_source: str,
    event_name: str,
    since: datetime,
    until: datetime | None = None,
    sensor: str = "",
    trigger: str = "",
    dry_run: bool = False,
) -> AsyncIterator[Replayed]:
    """
    Send events in the archive of *bus* again through those of *sensors* that listen on it.

    With *dry_run*, only tell what would come of it.

    Each trigger decides as it would have at the time: conditions, their resets, and flow control go
    by the moments at which the bus stored the events, in a memory of their own, which knows these
    events only.  What acts does so now, in its turn among what the trigger does anyway.  Triggers
    that act on an absence are left out, since the events that they wait for may be others.  Where a
    sensor stops meanwhile, its actions that are not done by then are told of with the reason.

    Raises :exc:`ManifestError` when no trigger depends on the events.
    """
    reruns = [
        _Rerun(runner, delivery, dry_run=dry_run)
        for runner, delivery in _interested(
            (runner for runner in sensors if runner.bus is bus),
            (event_source, event_name),
            sensor,
            trigger,
        )
    ]
    archived = archive.read(bus, Wanted(event_source, event_name), since=since, until=until)
    actions = _decided(reruns, archived)
    if dry_run:
        async for rerun, action in actions:
            yield rerun.replayed(action)
        return
    acting: deque[asyncio.Task[Replayed]] = deque()
    try:
        async for rerun, action in actions:
            acting.append(await rerun.begun(action))
            while acting and acting[0].done():
                yield acting.popleft().result()
        while acting:
            yield await acting.popleft()
    finally:
        await stop(*acting)
        for task in acting:
            if task.done() and not task.cancelled():
                task.exception()  # nobody will ask, and it is not worth a line in the log


class EventTime:
    """A clock that shows the time of the event at hand."""

    def __init__(self) -> None:
        self._now = datetime.fromtimestamp(0, UTC)

    def now(self) -> datetime:
        """The time of day, in UTC."""
        return self._now

    def monotonic(self) -> float:
        """Seconds, which only pass from event to event."""
        return self._now.timestamp()

    async def sleep(self, _seconds: float) -> None:
        """Let others run; no time passes."""
        await asyncio.sleep(0)

    def move(self, moment: datetime) -> None:
        """It is *moment* now, unless it is later already."""
        self._now = max(self._now, moment)


class _Rerun:
    """A running trigger that is asked again what it does about events."""

    def __init__(self, runner: SensorRunner, delivery: TriggerDelivery, *, dry_run: bool) -> None:
        self._delivery = delivery
        self._sensor = runner.name
        # More would only wait, and what happens meanwhile would wait behind them.
        self._slots = asyncio.Semaphore(delivery.plan.concurrency)
        self._clock = EventTime()
        self._trigger = runner.virtual(delivery.plan.name, self._clock, noted=not dry_run)

    async def open(self) -> None:
        await self._trigger.open()

    async def receive(self, event: Event, position: Position) -> Decided:
        decided = await self.pass_time(position.published)
        self._clock.move(position.published)
        await self._trigger.reset(position.published)
        return decided + await self._trigger.receive(event, position)

    async def pass_time(self, upto: datetime | None = None) -> Decided:
        """Let what waits go until *upto*, or until nothing waits."""
        decided: Decided = []
        while (due := self._trigger.next_due()) is not None and (upto is None or due <= upto):
            self._clock.move(due)
            decided += await self._trigger.ripen()
        return decided

    async def begun(self, action: Action) -> asyncio.Task[Replayed]:
        """The action at work; waits until that is possible."""
        await self._slots.acquire()
        task = asyncio.create_task(self._act(action))
        task.add_done_callback(lambda _: self._slots.release())
        return task

    def replayed(self, action: Action) -> Replayed:
        return Replayed(action.event_ids, self._sensor, self._delivery.plan.name, action.id)

    async def _act(self, action: Action) -> Replayed:
        execution = self._delivery.execution
        replayed = self.replayed(action)
        try:
            succeeded = await self._delivery.in_turn(
                action.events, lambda: execution.carry_out(action)
            )
        except TiphysError as error:  # the sensor has stopped
            return dataclasses.replace(replayed, error=str(error))
        return dataclasses.replace(replayed, succeeded=succeeded)


async def _decided(
    reruns: Iterable[_Rerun], archived: AsyncIterator[tuple[datetime, CloudEvent]]
) -> AsyncIterator[tuple[_Rerun, Action]]:
    """Everything that the archived events set in motion."""
    numbers = itertools.count(1)
    for rerun in reruns:
        await rerun.open()
    async for stored, cloud_event in archived:
        event, position = Event(cloud_event), Position(next(numbers), stored)
        for rerun in reruns:
            for _, action in await rerun.receive(event, position):
                yield rerun, action
    for rerun in reruns:
        for _, action in await rerun.pass_time():
            yield rerun, action


def _interested(
    sensors: Iterable[SensorRunner], event: tuple[str, str], sensor: str, trigger: str
) -> list[tuple[SensorRunner, TriggerDelivery]]:
    """The running triggers that an event concerns.  Raises :exc:`ManifestError` for none."""
    found, alarms = [], []
    for runner in sensors:
        for name in runner.statuses:
            delivery = runner.delivery(name)
            if sensor not in ("", runner.name) or trigger not in ("", name) or delivery is None:
                continue
            if event not in delivery.plan.subjects:
                continue
            if delivery.plan.flow is not None and delivery.plan.flow.absence is not None:
                alarms.append(f"{runner.name}/{name}")
            else:
                found.append((runner, delivery))
    if found:
        return found
    if alarms:
        raise ManifestError(f"{', '.join(alarms)} acts on events that do not come: no replay")
    wanted = f"{sensor}/{trigger}".strip("/")
    who = f"no trigger of {wanted!r}" if wanted else "no trigger"
    raise ManifestError(f"{who} that runs here depends on {'/'.join(event)}")
