"""Triggers (spec: sensors 17.2)."""

from __future__ import annotations

import dataclasses
from typing import Any

from pydantic import Field

from tiphys.errors import MissingExtraError
from tiphys.languages import CompileError, LanguageError, cron, zones
from tiphys.manifests import conditions
from tiphys.manifests.common import Parameter, TriggerConfig
from tiphys.manifests.findings import nearest
from tiphys.manifests.known import TRIGGER_TYPES
from tiphys.manifests.rules import expressions, flow, unknown_keys
from tiphys.manifests.rules._report import Scope, is_one_of
from tiphys.manifests.rules.event_source import NOT_YET
from tiphys.manifests.rules.filters import check_state_key
from tiphys.manifests.rules.walk import blocks
from tiphys.manifests.sensor import ConditionsReset, RateLimit, Trigger, TriggerTemplate
from tiphys.manifests.validation import fit

_UNITS = ("Second", "Minute", "Hour")
_OPERATIONS = ("append", "prepend", "overwrite")
_LABELLED = ("k8s", "argoWorkflow")
_WITH_STATUS = ("http", "awsLambda", "openWhisk")
# Types whose parameters, or whose parameters and payload, Argo Events does not look at.
_FREE_PARAMETERS = frozenset({"kafka", "nats", "pulsar", "azureEventHubs", "azureServiceBus"})
_FREE_PAYLOAD = frozenset({"pulsar", "azureEventHubs", "azureServiceBus"})


class _AnyConfig(TriggerConfig):
    """What can be checked of a type that has no model here."""

    payload: list[Parameter] = Field([], description="What is sent.")


@dataclasses.dataclass(frozen=True)
class _Context:
    """What a trigger may refer to: the declared dependencies, and those of its condition."""

    declared: list[str]
    used: tuple[str, ...]


def check(scope: Scope, triggers: list[Trigger], dependencies: list[str]) -> None:
    """Report what is wrong with the triggers of a sensor."""
    if not triggers:
        scope.refuse("no triggers found")
    seen: set[str] = set()
    for index, trigger in enumerate(triggers):
        at = scope.at(index)
        used = _check_condition(at, trigger, dependencies)
        _check_trigger(at, trigger, _Context(dependencies, used))
        flow.check_trigger(at, trigger, dependencies)
        name = trigger.template.name if trigger.template else ""
        if name and name in seen:
            at.at("template", "name").refuse(f"duplicate trigger name: {name}")
        seen.add(name)


def _check_condition(scope: Scope, trigger: Trigger, dependencies: list[str]) -> tuple[str, ...]:
    """The dependencies that the condition uses; all of them where it cannot be read."""
    text = trigger.template.conditions if trigger.template else ""
    if not text:
        dependencies = [name for name in dependencies if name != flow.awaited(trigger)]
    try:
        return conditions.parse(text, dependencies).names
    except CompileError as error:
        if dependencies:
            scope.at("template", "conditions").broken("condition", expressions.explained(error))
        return tuple(dependencies)


def _check_trigger(scope: Scope, trigger: Trigger, context: _Context) -> None:
    template = trigger.template
    if template is None:
        scope.at("template").refuse("trigger template can't be nil")
        return
    at = scope.at("template")
    if not template.name:
        at.at("name").refuse("trigger must define a name")
    else:
        check_state_key(at.at("name"), "trigger", template.name)
    for index, reset in enumerate(template.conditions_reset):
        _check_reset(at.at("conditionsReset", index), reset)
    key = _check_type(at, template)
    if key is not None:
        _check_component(at.at(key), template, key, context)
        _check_policy(scope.at("policy"), trigger, key)
    prefix = "template parameter index: {index}. err: "
    for index, parameter in enumerate(trigger.parameters):
        inner = scope.at("parameters", index)
        _check_parameter(inner, parameter, prefix.format(index=index))
        _check_source(inner, parameter, context)
    if trigger.rate_limit is not None:
        _check_rate(scope.at("rateLimit"), trigger.rate_limit)
    _check_dead_letters(scope, trigger, context)


def _check_dead_letters(scope: Scope, trigger: Trigger, context: _Context) -> None:
    if trigger.dlq_trigger is None:
        return
    if not trigger.at_least_once:
        scope.at("atLeastOnce").refuse("to use dlqTrigger, trigger.atLeastOnce must be set to true")
    at = scope.at("dlqTrigger")
    if not trigger.dlq_trigger.at_least_once:
        at.at("atLeastOnce").refuse("atLeastOnce must be set to true within the dlqTrigger")
    _check_trigger(at, trigger.dlq_trigger, context)
    flow.check_dead_letter_trigger(at, trigger.dlq_trigger)


def _check_reset(scope: Scope, reset: ConditionsReset) -> None:
    if reset.by_time is None:
        scope.refuse("invalid conditionsReset", hint="it needs `byTime`")
        return
    at = scope.at("byTime")
    try:
        cron.parse(reset.by_time.cron)
    except LanguageError as error:
        message = f'invalid cron expression "{reset.by_time.cron}"'
        at.at("cron").refuse(message, hint=expressions.explained(error))
    try:
        zones.load_zone(reset.by_time.timezone)
    except LanguageError:
        at.at("timezone").refuse(f'invalid timezone "{reset.by_time.timezone}"')


def _check_type(scope: Scope, template: TriggerTemplate) -> str | None:
    """The trigger type that counts."""
    ours = sorted(set(scope.components.trigger_keys()) - set(TRIGGER_TYPES))
    given = [key for key in (*TRIGGER_TYPES, *ours) if template.blocks.get(key) is not None]
    if not given:
        _check_nothing(scope, template, [*TRIGGER_TYPES, *ours])
        return None
    for other in given[1:]:
        scope.at(other).broken(
            "trigger-type", f"`{other}` is never used, because `{given[0]}` comes first"
        )
    return given[0]


def _check_nothing(scope: Scope, template: TriggerTemplate, types: list[str]) -> None:
    """A template without a type; where one is empty or misspelt, that says enough."""
    empty = [key for key in template.blocks if key in types]
    for key in empty:
        message = f"`{key}` is empty, which counts as absent"
        scope.at(key).broken("trigger-type", message, hint=f"write `{key}: {{}}`")
    if not empty and not any(nearest(key, types) for key in template.blocks):
        known = ", ".join(f"`{key}`" for key in types)
        scope.broken("trigger-type", "the template says nothing to do", hint=f"one of {known}")


def _check_component(scope: Scope, template: TriggerTemplate, key: str, context: _Context) -> None:
    """The block of the trigger type."""
    block: Any = template.blocks[key]
    model: type[TriggerConfig] = _AnyConfig
    here = key in scope.components.trigger_keys()
    if not here:
        scope.note("not-run-here", f"`{key}` {NOT_YET}")
    else:
        try:
            model = scope.components.trigger_model(key)
        except MissingExtraError as error:
            scope.warn("missing-extra", f"cannot be checked: {error}")
            here = False
    fitted = fit(model, block)
    for found in fitted.mismatches:
        scope.at(*found.path).refuse(found.message, rule="type", hint=found.hint)
    if here:
        unknown_keys.check(scope, model, block)
    if fitted.model is None:
        return
    prefix = (
        f"trigger for template {template.name} is invalid, "
        if key == "k8s"
        else f"template {template.name} is invalid, "
    )
    if here and not fitted.mismatches:
        for message in scope.components.check_trigger(key, fitted.model):
            scope.refuse(prefix + message)
    _check_parameters(scope, fitted.model, key, prefix, context)


def _check_parameters(
    scope: Scope, config: TriggerConfig, key: str, prefix: str, context: _Context
) -> None:
    """The parameters of a block, its payload, and whatever else is one."""
    for index, parameter in enumerate(config.parameters):
        text = f"{prefix}resource parameter index: {index}. err: "
        at = scope.at("parameters", index)
        _check_parameter(at, parameter, text, refused=key not in _FREE_PARAMETERS)
    word = "resource parameter" if key == "openWhisk" else "payload"
    for index, parameter in enumerate(getattr(config, "payload", None) or []):
        text = f"{prefix}{word} index: {index}. err: "
        at = scope.at("payload", index)
        refused = key not in _FREE_PAYLOAD
        _check_parameter(at, parameter, text, refused=refused, dest=key != "http")
    for path, inner in blocks(config):
        if isinstance(inner, Parameter):
            _check_source(scope.at(*path), inner, context)


def _check_parameter(
    scope: Scope, parameter: Parameter, prefix: str, *, refused: bool = True, dest: bool = True
) -> None:
    """The first thing that is wrong with one parameter; *refused* by Argo Events as well."""
    message = ""
    if parameter.src is None:
        message = "parameter source can't be empty"
    elif not parameter.src.dependency_name:
        message = "parameter dependency name can't be empty"
    elif dest and not parameter.dest:
        message = "parameter destination can't be empty"
    elif not is_one_of(parameter.operation, _OPERATIONS):
        message = f"parameter operation {parameter.operation} is invalid"
    if message and refused:
        scope.refuse(prefix + message)
    elif message:
        scope.broken("parameter", prefix + message)


def _check_source(scope: Scope, parameter: Parameter, context: _Context) -> None:
    """Does the parameter look at an event that can be there, with paths that can be read?"""
    expressions.check_parameter(scope, parameter)
    if parameter.src is None or not (name := parameter.src.dependency_name):
        return
    at = scope.at("src", "dependencyName")
    if name not in context.declared:
        hint = nearest(name, context.declared)
        at.broken("dependency", f"there is no dependency `{name}`{hint}")
    elif name not in context.used:
        at.warn("dependency", f"the trigger's condition does not wait for `{name}`")


def _check_policy(scope: Scope, trigger: Trigger, key: str) -> None:
    policy = trigger.policy
    if policy is None:
        return
    if policy.k8s is not None and key in _LABELLED and not policy.k8s.labels:
        scope.at("k8s").refuse("resource labels are not specified")
    if policy.status is not None and key in ("http", "awsLambda") and not policy.status.allow:
        scope.at("status").refuse("list of allowed response status is not specified")
    for name, given, types in (
        ("k8s", policy.k8s, _LABELLED),
        ("status", policy.status, _WITH_STATUS),
    ):
        if given is not None and key not in types:
            scope.at(name).warn("policy", f"`{name}` has no effect on `{key}`")


def _check_rate(scope: Scope, rate: RateLimit) -> None:
    if rate.requests_per_unit <= 0:
        scope.at("requestsPerUnit").broken("rate-limit", "`requestsPerUnit` must be at least 1")
    if not is_one_of(rate.unit, _UNITS):
        hint = nearest(rate.unit, _UNITS)
        scope.at("unit").broken("rate-limit", f"there is no unit `{rate.unit}`{hint}")
