"""Sensors that decide and render, and act on nothing."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import Any

from tiphys.aio import Clock
from tiphys.bus.memory import MemoryState
from tiphys.errors import TiphysError
from tiphys.languages import LanguageError
from tiphys.languages.cron import Schedule
from tiphys.languages.lua import WorkerPool
from tiphys.manifests.objects import Sensor
from tiphys.observe.history import Step
from tiphys.sensors.decisions import TriggerDecisions
from tiphys.sensors.event import Event
from tiphys.sensors.plan import DependencyPlan, TriggerPlan, plan_dependencies, plan_trigger
from tiphys.sensors.resets import compile_schedules
from tiphys.sensors.state import ConditionState, Position
from tiphys.testing.pipelines._actions import Action, DryTrigger
from tiphys.testing.pipelines._filters import FilterParts
from tiphys.testing.pipelines._verdicts import Verdict


@dataclasses.dataclass(frozen=True)
class PlannedTrigger:
    """A trigger that can run: its plan, its action, and the one of its ``dlqTrigger``."""

    plan: TriggerPlan
    action: DryTrigger
    fallback: DryTrigger | None
    schedules: list[Schedule]


class DrySensor:
    """
    One Sensor object, worked out once for any number of runs.

    *broken* are the triggers that cannot run, each with the reason.
    """

    def __init__(self, manifest: Sensor, namespace: str) -> None:
        self.manifest = manifest
        self.name = manifest.name
        self.namespace = namespace
        self.triggers: dict[str, PlannedTrigger] = {}
        self.broken: dict[str, str] = {}
        spec = manifest.spec
        dependencies = plan_dependencies(spec)
        names = [dependency.name for dependency in spec.dependencies]
        for index, trigger in enumerate(spec.triggers):
            template = trigger.template
            name = template.name if template and template.name else f"triggers[{index}]"
            try:
                plan = plan_trigger(trigger, dependencies, names, strict=False)
                self.triggers[name] = self._planned(plan)
            except (TiphysError, LanguageError) as error:
                self.broken[name] = str(error)
        self.filters = [
            FilterParts(self.name, dependency, dependencies[dependency.name])
            for dependency in spec.dependencies
        ]
        self.dependencies: dict[str, DependencyPlan] = dependencies

    @property
    def names(self) -> list[str]:
        """The names of all triggers, of those that are broken and of ``dlqTrigger``s too."""
        fallbacks = [t.fallback.plan.name for t in self.triggers.values() if t.fallback]
        return list(dict.fromkeys([*self.triggers, *self.broken, *fallbacks]))

    def _planned(self, plan: TriggerPlan) -> PlannedTrigger:
        template = plan.manifest.template
        resets = template.conditions_reset if template is not None else []
        fallback = plan.dead_letter_action
        return PlannedTrigger(
            plan,
            DryTrigger(self.namespace, self.name, plan.action),
            None if fallback is None else DryTrigger(self.namespace, self.name, fallback),
            compile_schedules(resets) if plan.condition.needs_state else [],
        )


class TriggerRun:
    """One trigger in one run, with a memory of its own; verdicts go to *verdicts*."""

    def __init__(
        self,
        sensor: DrySensor,
        trigger: PlannedTrigger,
        scripts: WorkerPool,
        clock: Clock,
        verdicts: list[Verdict],
    ) -> None:
        plan = trigger.plan
        self.name = plan.name
        self.subjects = plan.subjects
        self._sensor = sensor.name
        self._trigger = trigger
        self._verdicts = verdicts
        self._number = 0
        self._state = ConditionState(MemoryState(), plan.name, plan.dependencies)
        self._decisions = TriggerDecisions(
            plan,
            sensor=sensor.name,
            state=self._state,
            scripts=scripts,
            note=self._note,
            clock=clock,
        )

    async def receive(self, event: Event, position: Position) -> list[Action]:
        """The actions that an event sets in motion."""
        self._number = position.sequence
        actions: list[Action] = []
        for decision in await self._decisions.decide(event, position):
            actions += await self._act(decision.action, position)
            await self._decisions.done(position, decision)
        return actions

    async def forget(self, number: int, now: datetime) -> None:
        """Do the resets whose time has come; *number* is that of the event that comes next."""
        last = now + timedelta(seconds=1)  # a tick in this very second comes before the event
        ticks = [tick for s in self._trigger.schedules if (tick := s.previous(last)) is not None]
        if not ticks:
            return
        forgotten = await self._state.reset(max(ticks))
        if forgotten:
            self._number = number
            names = ", ".join(forgotten)
            self._add("forgotten", reason=f"the conditions were reset, {names} must come again")

    async def _act(self, decided: Any, position: Position) -> list[Action]:
        trigger = self._trigger
        action = await trigger.action.act(decided, self._number, position.published)
        self._add("failed" if action.error else "acted", reason=action.error)
        if not action.error or trigger.fallback is None:
            return [action]
        # What the running sensor does once the attempts are used up.
        fallback = await trigger.fallback.act(decided, self._number, position.published)
        self._verdicts.append(
            Verdict(
                self._number,
                self._sensor,
                fallback.trigger,
                "failed" if fallback.error else "acted",
                reason=fallback.error,
            )
        )
        return [action, fallback]

    def _note(self, step: Step, *_events: str, **details: Any) -> None:
        dependency = details.get("dependency", "")
        if step == "filtered":
            reason = details.get("error") or details.get("reason", "")
            self._add("filtered", dependency, reason)
        elif step == "held":
            missing = ", ".join(details["missing"])
            condition = self._trigger.plan.condition.expression
            self._add("held", dependency, f"the condition {condition} still needs {missing}")

    def _add(self, step: Any, dependency: str = "", reason: str = "") -> None:
        self._verdicts.append(
            Verdict(self._number, self._sensor, self._trigger.plan.name, step, dependency, reason)
        )
