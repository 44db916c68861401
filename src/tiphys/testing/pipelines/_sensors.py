"""Sensors, worked out for any number of runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from tiphys.errors import TiphysError
from tiphys.languages import LanguageError
from tiphys.languages.cron import Schedule
from tiphys.manifests.objects import Sensor
from tiphys.sensors.plan import (
    ActionPlan,
    DependencyPlan,
    TriggerPlan,
    plan_dependencies,
    plan_trigger,
)
from tiphys.sensors.resets import reset_schedules
from tiphys.testing.pipelines._actions import DryTrigger
from tiphys.testing.pipelines._filters import FilterParts


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

    def __init__(self, manifest: Sensor, namespace: str, within: Path | None = None) -> None:
        """*within*: its triggers read no file outside of this folder."""
        self.manifest = manifest
        self.name = manifest.name
        self.namespace = namespace
        self._within = within
        self.triggers: dict[str, PlannedTrigger] = {}
        self.broken: dict[str, str] = {}
        spec = manifest.spec
        dependencies = plan_dependencies(spec)
        for index, trigger in enumerate(spec.triggers):
            template = trigger.template
            name = template.name if template and template.name else f"triggers[{index}]"
            try:
                plan = plan_trigger(trigger, dependencies, spec.dependencies, strict=False)
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
        fallback = plan.dead_letter_action
        return PlannedTrigger(
            plan,
            self._dry(plan.action),
            None if fallback is None else self._dry(fallback),
            reset_schedules(plan),
        )

    def _dry(self, plan: ActionPlan) -> DryTrigger:
        return DryTrigger(self.namespace, self.name, plan, self._within)
