"""Parameters: resolving, applying, payloads, templates, resources."""

from __future__ import annotations

import json
from typing import Any

from tests.conformance._engine import differs, events_of
from tiphys.errors import ParameterError
from tiphys.manifests.common import Parameter, ParameterSource
from tiphys.manifests.sensor import TriggerTemplate
from tiphys.sensors import parameters
from tiphys.sensors.parameters import CompiledParameter, compile_parameters
from tiphys.sensors.rendering import (
    apply_resource_parameters,
    apply_template_parameters,
    validated,
)
from tiphys.triggers import triggers


def judge(case: dict[str, Any]) -> str | None:
    """Ask the function that the case names."""
    question, answer = case["in"], case["go"]
    if "panic" in answer:
        return None
    try:
        failure = _FUNCTIONS[question["function"]](question, answer)
    except (ParameterError, ValueError) as error:
        return None if "err" in answer else f"unexpected error: {error}"
    return f"no error, but {answer['err']!r} was expected" if "err" in answer else failure


def _parameters(question: dict[str, Any]) -> list[CompiledParameter]:
    given = question.get("parameters") or []
    return compile_parameters([Parameter.model_validate(parameter) for parameter in given])


def _resolve(question: dict[str, Any], answer: dict[str, Any]) -> str | None:
    source = ParameterSource.model_validate(question["src"])
    compiled = CompiledParameter(Parameter(src=source, dest="x"))
    value = compiled.resolve(events_of(question.get("events")))
    if value is None or answer.get("value") is None:
        return None if value is None and answer.get("value") is None else f"{value} not {answer}"
    if value.kind.value != answer["type"]:
        return f"type {value.kind.value} instead of {answer['type']}"
    return differs(value.text, answer["value"])


def _apply(question: dict[str, Any], answer: dict[str, Any]) -> str | None:
    events = events_of(question.get("events"))
    return differs(
        parameters.apply(question["obj"], _parameters(question), events), answer.get("out")
    )


def _payload(question: dict[str, Any], answer: dict[str, Any]) -> str | None:
    payload = parameters.build_payload(_parameters(question), events_of(question.get("events")))
    text = None if payload is None else payload.decode("utf-8", "surrogateescape")
    expected = answer.get("out")
    return None if text == expected else differs(text, expected)


def _template(question: dict[str, Any], answer: dict[str, Any]) -> str | None:
    trigger = question["trigger"]
    template = apply_template_parameters(
        trigger["template"], _parameters(trigger), events_of(question.get("events"))
    )
    result = _typed(template)
    expected = json.loads(answer.get("out", "null"))
    if _without_zeros(result) == _without_zeros(expected):
        return None
    return f"{_without_zeros(result)} instead of {_without_zeros(expected)}"


def _typed(template: TriggerTemplate) -> dict[str, Any]:
    """The template as JSON after its block was decoded by its component, if there is one."""
    result = template.model_dump(mode="json", by_alias=True)
    for key, block in template.blocks.items():
        if key in triggers.names():
            config = validated(triggers.get(key), block)
            # Unknown members do not survive the decoding into a type.
            known = set(type(config).model_fields)
            result[key] = config.model_dump(
                mode="json", by_alias=True, exclude_unset=True, include=known
            )
    return result


def _without_zeros(value: Any) -> Any:
    """*value* without members that are null, false, 0, "", [] or {}."""
    if isinstance(value, list):
        return [_without_zeros(item) for item in value]
    if not isinstance(value, dict):
        return value
    members = {key: _without_zeros(item) for key, item in value.items()}
    return {key: item for key, item in members.items() if item not in (None, False, 0, "", [], {})}


def _resource(question: dict[str, Any], answer: dict[str, Any]) -> str | None:
    events = events_of(question.get("events"))
    changed = apply_resource_parameters(question["obj"], _parameters(question), events)
    return differs(changed, answer.get("out"))


_FUNCTIONS = {
    "resolve": _resolve,
    "apply": _apply,
    "payload": _payload,
    "template": _template,
    "resource": _resource,
}
