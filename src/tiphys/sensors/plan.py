"""
What a sensor's manifest means, worked out once when it is loaded.

A trigger whose plan cannot be made is reported and does not run; the others do.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence
from typing import Any

from tiphys.aio import Backoff
from tiphys.errors import ManifestError
from tiphys.languages import LanguageError
from tiphys.manifests import conditions
from tiphys.manifests.common import BackoffBlock
from tiphys.manifests.conditions import Condition
from tiphys.manifests.known import TRIGGER_TYPES
from tiphys.manifests.sensor import Dependency, Filters, Policy, RateLimit, SensorSpec, Trigger
from tiphys.sensors.filters import DependencyFilter, compile_filters
from tiphys.sensors.flow.plan import FlowPlan, awaited, plan_flow
from tiphys.sensors.parameters import CompiledParameter, compile_parameters
from tiphys.sensors.transforms import Transform, compile_transform
from tiphys.triggers import triggers

DEFAULT_CONCURRENCY = 64
SECONDS = {"Second": 1.0, "Minute": 60.0, "Hour": 3600.0}
# Where a template has several types, the first in this order counts (spec: sensors 1.7).
TYPE_ORDER = (*TRIGGER_TYPES, "exec", "python")


class Acknowledgement(enum.Enum):
    """When a message is acknowledged, seen from the action (design: delivery, rule 3)."""

    AFTER_IN_ORDER = "after, one at a time"
    CLAIMED = "after, never repeated"
    AFTER = "after"


@dataclasses.dataclass(frozen=True)
class DependencyPlan:
    """One dependency, compiled; *problem* is what keeps the triggers that use it from running."""

    name: str
    event_source: str
    event_name: str
    transform: Transform | None
    filter: DependencyFilter | None
    start_from: str = ""
    problem: str = ""


@dataclasses.dataclass(frozen=True)
class ActionPlan:
    """What one trigger (or its ``dlqTrigger``) does, and how often it is tried."""

    name: str
    key: str
    block: dict[str, Any]
    template: dict[str, Any]
    template_parameters: list[CompiledParameter]
    policy: Policy | None
    backoff: Backoff
    interval: float | None


@dataclasses.dataclass(frozen=True)
class TriggerPlan:
    """A trigger with its condition; *dependencies* in order of appearance in the condition."""

    name: str
    conditions: str
    condition: Condition
    dependencies: dict[str, DependencyPlan]
    action: ActionPlan
    dead_letter_action: ActionPlan | None
    acknowledgement: Acknowledgement
    concurrency: int
    manifest: Trigger
    flow: FlowPlan | None = None

    @property
    def subjects(self) -> dict[tuple[str, str], str]:
        """
        The events to subscribe to, (source, name), and the dependency a subscription is named by.

        Dependencies on the same event share one, named after the last (spec: control plane 8.2.6).
        """
        return {(d.event_source, d.event_name): d.name for d in self.dependencies.values()}

    @property
    def starts(self) -> dict[tuple[str, str], str]:
        """The ``startFrom`` of the events that have one."""
        return {
            (d.event_source, d.event_name): d.start_from
            for d in self.dependencies.values()
            if d.start_from not in ("", "new")
        }


def plan_dependencies(spec: SensorSpec) -> dict[str, DependencyPlan]:
    """The dependencies by name; of equal names the last counts."""
    return {d.name: _dependency(d) for d in spec.dependencies}


def plan_trigger(
    manifest: Trigger,
    dependencies: dict[str, DependencyPlan],
    declared: Sequence[Dependency],
    *,
    strict: bool,
) -> TriggerPlan:
    """
    Work out one trigger.

    *declared* are the sensor's dependencies in order; *strict* takes an absent ``atLeastOnce`` for
    false, as Argo Events does.  Raises :exc:`ManifestError` and the errors of the registry.
    """
    template = manifest.template
    if template is None or not template.name:
        raise ManifestError("trigger must define a name", path="template.name")
    names = [dependency.name for dependency in declared]
    if not template.conditions:
        names = [name for name in names if name != awaited(manifest)]
    try:
        condition = conditions.parse(template.conditions, names)
    except LanguageError as error:
        raise ManifestError(str(error), path="template.conditions") from error
    dead_letter = None
    if manifest.dlq_trigger is not None:
        dead_letter = plan_action(manifest.dlq_trigger)
    flow = plan_flow(manifest, condition, declared)
    used = [*condition.names, *filter(None, [awaited(manifest)])]
    for name in used:
        if problem := dependencies[name].problem:
            raise ManifestError(f"the dependency {name!r} cannot be used: {problem}")
    return TriggerPlan(
        name=template.name,
        conditions=template.conditions,
        condition=condition,
        dependencies={name: dependencies[name] for name in used},
        action=plan_action(manifest),
        dead_letter_action=dead_letter,
        acknowledgement=_acknowledgement(manifest, strict),
        concurrency=manifest.concurrency or DEFAULT_CONCURRENCY,
        manifest=manifest,
        flow=flow,
    )


def plan_action(manifest: Trigger) -> ActionPlan:
    """Work out the action of a trigger; raises as :func:`plan_trigger` does."""
    template = manifest.template
    if template is None or not template.name:
        raise ManifestError("trigger must define a name", path="template.name")
    blocks = template.blocks
    key = next((key for key in TYPE_ORDER if blocks.get(key) is not None), None)
    key = key or next((key for key in triggers.names() if blocks.get(key) is not None), None)
    if key is None:
        known = ", ".join(triggers.names())
        raise ManifestError(f"no trigger type is given; one of {known}", path="template")
    triggers.get(key)
    return ActionPlan(
        name=template.name,
        key=key,
        block=blocks[key],
        template=template.model_dump(by_alias=True, exclude_defaults=True),
        template_parameters=compile_parameters(manifest.parameters),
        policy=manifest.policy,
        backoff=backoff(manifest.retry_strategy),
        interval=_interval(manifest.rate_limit),
    )


def backoff(block: BackoffBlock | None) -> Backoff:
    """The pauses that a ``retryStrategy`` asks for; without one there is one attempt."""
    if block is None:
        return Backoff(steps=1)
    steps = block.steps if block.steps > 0 else 5
    return Backoff(block.duration, block.factor, block.jitter, steps)


def _acknowledgement(manifest: Trigger, strict: bool) -> Acknowledgement:
    at_least_once = manifest.at_least_once
    side_by_side = bool(manifest.order_by) or (manifest.concurrency or 1) > 1
    if at_least_once:
        return Acknowledgement.AFTER if side_by_side else Acknowledgement.AFTER_IN_ORDER
    if at_least_once is None and not strict:
        return Acknowledgement.AFTER
    return Acknowledgement.CLAIMED


def _interval(limit: RateLimit | None) -> float | None:
    """Seconds between two attempts."""
    if limit is None:
        return None
    if limit.requests_per_unit <= 0:
        raise ManifestError("must be 1 or more", path="rateLimit.requestsPerUnit")
    return SECONDS.get(limit.unit, 1.0) / limit.requests_per_unit


def _dependency(dependency: Dependency) -> DependencyPlan:
    block = dependency.transform
    plan = DependencyPlan(
        name=dependency.name,
        event_source=dependency.event_source_name,
        event_name=dependency.event_name,
        transform=None,
        filter=None,
        start_from=dependency.start_from,
    )
    try:
        transform = None
        if block is not None and (block.jq or block.script):
            transform = compile_transform(block.jq or None, block.script or None)
        compiled = compile_filters(_without_empty_lists(dependency))
        return dataclasses.replace(plan, transform=transform, filter=compiled)
    except LanguageError as error:
        return dataclasses.replace(plan, problem=str(error))


def _without_empty_lists(dependency: Dependency) -> Dependency:
    """*dependency* whose filters have no empty list, which counts as absent (spec: sensors 0)."""
    if dependency.filters is None:
        return dependency
    given = {name: value for name, value in dependency.filters if value != []}
    return dependency.model_copy(update={"filters": Filters(**given)})
