"""
Decides what an event sets in motion: transform, filter, condition (spec: sensors 2, 5, 13).

Messages of a trigger are decided on one at a time, in stream order.  The same code decides for
replays and for tests of manifests, with a memory of their own.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

import structlog

from tiphys.aio import Clock
from tiphys.bus import insist
from tiphys.events import CloudEvent
from tiphys.languages import LanguageError
from tiphys.languages.lua import WorkerPool
from tiphys.observe.history import Step
from tiphys.sensors.actions import Action, action_id
from tiphys.sensors.event import Event
from tiphys.sensors.plan import DependencyPlan, TriggerPlan
from tiphys.sensors.state import ConditionState, Held, Position

log = structlog.get_logger("argo-events.sensor")


class Note(Protocol):
    """Takes down a step of the way of some events."""

    def __call__(self, step: Step, /, *events: str, **details: Any) -> None:
        """*events* are ids."""
        ...


def unnoted(_step: Step, /, *_events: str, **_details: Any) -> None:
    """A :class:`Note` that takes nothing down."""


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """An action that a message decided; *dependency*: the one that completed a kept condition."""

    action: Action
    dependency: str | None


class TriggerDecisions:
    """Decides for one trigger; *state* is its memory, *note* gets every verdict."""

    def __init__(
        self,
        plan: TriggerPlan,
        *,
        sensor: str,
        state: ConditionState,
        scripts: WorkerPool,
        note: Note,
        clock: Clock,
    ) -> None:
        self.plan = plan
        self._sensor = sensor
        self._state = state
        self._scripts = scripts
        self._note = note
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._log = log.bind(sensorName=sensor, triggerName=plan.name)
        self._by_event: dict[tuple[str, str], list[DependencyPlan]] = {}
        for dependency in plan.dependencies.values():
            key = (dependency.event_source, dependency.event_name)
            self._by_event.setdefault(key, []).append(dependency)

    async def decide(self, event: Event, position: Position) -> list[Decision]:
        """The actions that the event of the message at *position* sets in motion."""
        dependencies = self._concerned(event)
        if not dependencies:
            self._log.error("Failed to get the dependency names, discarding it", eventID=event.id)
            self._note("dropped", event.id, reason="no dependency is on this event")
        decisions: list[Decision] = []
        for dependency in dependencies:
            passed = await self._passed(dependency, event)
            if passed is None:
                continue
            decision = await self._concluded(position, dependency.name, passed)
            if decision is not None:
                decisions.append(decision)
        return decisions

    def undecided(self, event: Event) -> Action:
        """The action that *event* alone would set in motion."""
        return self._action({dependency.name: event for dependency in self._concerned(event)})

    async def done(self, position: Position, decision: Decision) -> None:
        """The action of *decision* needs not be repeated when the message comes again."""
        name = decision.dependency
        if name is not None:
            await insist(lambda: self._state.done(position.sequence, name), self._clock)

    async def reset(self, before: datetime | None = None) -> list[str]:
        """
        Forget held events (spec: sensors 13.6); only older ones if a moment is given.

        Returns the dependencies whose events must come again.
        """
        async with self._one_at_a_time:
            # In two steps, so that none is missing from the answer when the second is made again.
            forgotten = await insist(lambda: self._state.older(before), self._clock)
            await insist(lambda: self._state.forget(forgotten), self._clock)
        self._note_forgotten(forgotten.items())
        return list(forgotten)

    def _note_forgotten(self, forgotten: Iterable[tuple[str, Held]]) -> None:
        for dependency, held in forgotten:
            reason = "the conditions were reset"
            self._note("forgotten", held.event.id, dependency=dependency, reason=reason)

    def _concerned(self, event: Event) -> list[DependencyPlan]:
        """The dependencies on *event*."""
        cloud_event = event.cloud_event
        return self._by_event.get((cloud_event.source, cloud_event.subject), [])

    async def _passed(self, dependency: DependencyPlan, event: Event) -> Event | None:
        """The transformed event, if it passes the filters."""
        if dependency.transform is not None:
            try:
                data = await dependency.transform.apply(self._scripts, event.data)
            except LanguageError as error:
                text = f"failed to apply event transformation: {error}"
                self._refused(dependency, event, error=text)
                return None
            if data is not event.data:
                event = event.with_data(data)
        if dependency.filter is None:
            return event
        verdict = await dependency.filter.evaluate(event, self._scripts)
        if verdict.passed:
            return event
        self._refused(dependency, event, error=verdict.error, reason=verdict.reason)
        return None

    def _refused(
        self, dependency: DependencyPlan, event: Event, *, error: str = "", reason: str = ""
    ) -> None:
        details = {"error": error} if error else {"reason": reason}
        self._note("filtered", event.id, dependency=dependency.name, **details)
        emit = self._log.warning if error else self._log.debug
        emit(
            "Event discarded due to filtering" + (" error" if error else ""),
            eventID=event.id,
            dependencyName=dependency.name,
            **details,
        )

    async def _concluded(
        self, position: Position, dependency: str, event: Event
    ) -> Decision | None:
        """The action that an event sets in motion which passed the filters of *dependency*."""
        if not self.plan.condition.needs_state:
            return Decision(self._action({dependency: event}), None)
        return await self._with_state(self._state, position, dependency, event)

    async def _with_state(
        self, state: ConditionState, position: Position, dependency: str, event: Event
    ) -> Decision | None:
        """The action that an event of a condition with ``&&`` completes, if it does."""
        async with self._one_at_a_time:
            events = await insist(
                lambda: self._completed(state, position, dependency, event.cloud_event), self._clock
            )
        if events is None:
            return None
        return Decision(self._action({name: Event(e) for name, e in events.items()}), dependency)

    async def _completed(
        self, state: ConditionState, position: Position, dependency: str, event: CloudEvent
    ) -> Mapping[str, CloudEvent] | None:
        memory = await state.read()
        if not position.is_after(memory.through.get(dependency)):
            # This message was used up before; what it decided is either pending or done.
            return await state.pending(position.sequence, dependency)
        held = memory.held.get(dependency)
        if held is not None and held.position.is_after(position):
            # It comes again after a newer one.
            self._superseded(dependency, event, held.event)
            return None
        present = {*memory.held, dependency}
        if not self.plan.condition.holds(present):
            await state.hold(dependency, Held(event, position))
            if held is not None:
                self._superseded(dependency, held.event, event)
            missing = [name for name in self.plan.condition.names if name not in present]
            self._note("held", event.id, dependency=dependency, missing=missing)
            return None
        events = {name: held.event for name, held in memory.held.items()} | {dependency: event}
        await state.decide(memory, position, dependency, events)
        if held is not None:
            self._superseded(dependency, held.event, event)
        return events

    def _superseded(self, dependency: str, older: CloudEvent, newer: CloudEvent) -> None:
        if older.id != newer.id:
            details = {"dependency": dependency, "by": newer.id, "reason": f"by {newer.id}"}
            self._note("superseded", older.id, **details)

    def _action(self, events: Mapping[str, Event]) -> Action:
        return Action(action_id(self._sensor, self.plan.name, events), events)
