"""From a trigger's block and the events of an action to what the trigger is asked to do."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import ValidationError

from tiphys.errors import ParameterError
from tiphys.languages import gjson
from tiphys.manifests.common import Parameter, TriggerConfig
from tiphys.manifests.sensor import TriggerTemplate
from tiphys.sensors import parameters
from tiphys.sensors.event import Event
from tiphys.sensors.parameters import CompiledParameter, compile_parameters
from tiphys.sensors.plan import ActionPlan
from tiphys.triggers import Firing, Trigger

REMEMBERED = 32  # blocks whose compiled form is kept, where template parameters change the block


@dataclasses.dataclass(frozen=True)
class _Prepared:
    """A block that was validated and compiled."""

    config: TriggerConfig
    parameters: list[CompiledParameter]
    payload: list[CompiledParameter] | None


class Renderer:
    """Renders the firings of one action plan."""

    def __init__(self, plan: ActionPlan, trigger: Trigger[Any]) -> None:
        self._plan = plan
        self._trigger = trigger
        self._prepared: dict[bytes, _Prepared] = {}
        self._fixed = None if plan.template_parameters else self._prepare(plan.block)

    async def render(
        self,
        namespace: str,
        sensor: str,
        action_id: str,
        events: Mapping[str, Event],
        refused: int = 0,
    ) -> Firing[Any]:
        """
        The firing for *events* (spec: triggers 1.1, steps 1 to 4).

        Raises :exc:`ParameterError`, and what :meth:`Trigger.fetch` raises.
        """
        prepared = self._fixed or self._prepare(self._parameterised(events))
        config = prepared.config
        resource = await self._trigger.fetch(config)
        if prepared.parameters:
            if resource is None:
                config = self._with_parameters(config, prepared.parameters, events)
                prepared = self._compile(config)
            else:
                apply = (
                    apply_resource_parameters if self._trigger.fetches_objects else parameters.apply
                )
                text = resource.decode("utf-8", "surrogateescape")
                changed = apply(text, prepared.parameters, events)
                resource = changed.encode("utf-8", "surrogateescape")
        payload = None
        if prepared.payload is not None:
            payload = parameters.build_payload(prepared.payload, events)

        def resolve(parameter: Parameter) -> str | None:
            value = CompiledParameter(parameter).resolve(events)
            return None if value is None else value.text

        return Firing(
            config=config,
            trigger=self._plan.name,
            sensor=sensor,
            namespace=namespace,
            action_id=action_id,
            events={name: event.cloud_event for name, event in events.items()},
            payload=payload,
            resource=resource,
            refused=refused,
            resolve=resolve,
        )

    def _parameterised(self, events: Mapping[str, Event]) -> Any:
        """The block after the trigger's template parameters."""
        template = apply_template_parameters(
            self._plan.template, self._plan.template_parameters, events
        )
        return template.blocks.get(self._plan.key)

    def _prepare(self, block: Any) -> _Prepared:
        key = orjson.dumps(block, option=orjson.OPT_SORT_KEYS)
        prepared = self._prepared.get(key)
        if prepared is None:
            prepared = self._compile(validated(type(self._trigger), block))
            if len(self._prepared) >= REMEMBERED:
                self._prepared.pop(next(iter(self._prepared)))
            self._prepared[key] = prepared
        return prepared

    def _compile(self, config: TriggerConfig) -> _Prepared:
        payload: list[Parameter] | None = getattr(config, "payload", None)
        return _Prepared(
            config,
            compile_parameters(config.parameters),
            None if payload is None else compile_parameters(payload),
        )

    def _with_parameters(
        self,
        config: TriggerConfig,
        compiled: list[CompiledParameter],
        events: Mapping[str, Event],
    ) -> TriggerConfig:
        block = config.model_dump(mode="json", by_alias=True, exclude_unset=True)
        text = parameters.apply(orjson.dumps(block).decode(), compiled, events)
        return validated(type(self._trigger), orjson.loads(text))


def apply_template_parameters(
    template: Mapping[str, Any],
    compiled: list[CompiledParameter],
    events: Mapping[str, Event],
) -> TriggerTemplate:
    """
    The template after the trigger's own parameters (spec: sensors 15.2).

    Raises :exc:`ParameterError`.
    """
    text = parameters.apply(orjson.dumps(template).decode(), compiled, events)
    try:
        return TriggerTemplate.model_validate(orjson.loads(text))
    except ValidationError as error:
        raise ParameterError(_first(error), retryable=False) from error


def apply_resource_parameters(
    resource: str, compiled: list[CompiledParameter], events: Mapping[str, Event]
) -> str:
    """
    The JSON of a Kubernetes object after a trigger's resource parameters (spec: sensors 15.4).

    Raises :exc:`ParameterError`, also when the object has no kind before or after.
    """
    changed = parameters.apply(resource, compiled, events)
    for text in (resource, changed):
        if not gjson.get(text, "kind").string():
            raise ParameterError(f"Object 'Kind' is missing in '{text[:200]}'", retryable=False)
    return changed


def validated(trigger: type[Trigger[Any]], block: Any) -> TriggerConfig:
    """
    The options of *trigger* in *block*.

    Raises :exc:`ParameterError` with the field and what was expected.
    """
    try:
        return trigger.Config.model_validate(block)
    except ValidationError as error:
        raise ParameterError(f"{trigger.key}.{_first(error)}", retryable=False) from error


def _first(error: ValidationError) -> str:
    detail = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in detail["loc"])
    return f"{place}: {detail['msg']}"
