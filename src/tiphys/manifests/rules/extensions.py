"""What Argo Events itself would not understand (the extensions of Tiphys)."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel

from tiphys.errors import MissingExtraError
from tiphys.manifests import conditions
from tiphys.manifests.common import Parameter
from tiphys.manifests.known import EVENT_TYPES, TRIGGER_TYPES
from tiphys.manifests.objects import AnyManifest, EventSource, Sensor
from tiphys.manifests.rules._report import Scope
from tiphys.manifests.rules.filters import names_of
from tiphys.manifests.rules.walk import blocks, key_of
from tiphys.manifests.sensor import DataFilter, ExpressionField, SensorSpec, Trigger
from tiphys.manifests.validation import fit

RULE = "extension"
VALUES = "extensionValues"  # in the schema of a field: which of its values are extensions
_JSON_PATH = re.compile(r"\$(?:$|[.\[])")
# Names that the two parsers of Argo Events cannot tell from something else (sensors 13.2).
_USABLE_NAME = re.compile(r"[^\W\d_][\w-]*")
_WORDS = "in IN true false and or not let nil matches contains startsWith endsWith"


def check(scope: Scope, manifest: AnyManifest) -> None:
    """Report every extension that *manifest* uses."""
    if isinstance(manifest, EventSource):
        _check_events(scope.at("spec"), manifest)
    _check_block(scope.at("spec"), manifest.spec)
    if isinstance(manifest, Sensor):
        _check_triggers(scope.at("spec"), manifest.spec)


def _check_events(scope: Scope, manifest: EventSource) -> None:
    for key, events in manifest.spec.events.items():
        if key in EVENT_TYPES:
            for name, block in events.items():
                _check_component(scope.at(key, name), _source_model(scope, key), block)
        elif key in scope.components.source_keys():
            scope.at(key).refuse(f"Argo Events has no event source `{key}`", rule=RULE)


def _check_triggers(scope: Scope, spec: SensorSpec) -> None:
    for index, trigger in enumerate(spec.triggers):
        at = scope.at("triggers", index)
        _check_conditions(at.at("template", "conditions"), spec, trigger)
        inner: Trigger | None = trigger
        while inner is not None:
            _check_template(at, inner)
            at, inner = at.at("dlqTrigger"), inner.dlq_trigger


def _check_template(scope: Scope, trigger: Trigger) -> None:
    for key, block in (trigger.template.blocks if trigger.template else {}).items():
        at = scope.at("template", key)
        if key in TRIGGER_TYPES:
            _check_component(at, _trigger_model(scope, key), block)
        elif key in scope.components.trigger_keys():
            at.refuse(f"Argo Events has no trigger `{key}`", rule=RULE)


def _check_conditions(scope: Scope, spec: SensorSpec, trigger: Trigger) -> None:
    text = trigger.template.conditions if trigger.template else ""
    if not text:
        return
    for name in names_of(spec.dependencies):
        if not _USABLE_NAME.fullmatch(name) or name in _WORDS.split():
            try:
                used = conditions.parse(text, names_of(spec.dependencies)).names
            except ValueError:
                return
            if name in used:
                scope.refuse(f"Argo Events cannot read the name `{name}` in conditions", rule=RULE)


def _check_component(scope: Scope, model: type[BaseModel] | None, block: Any) -> None:
    if model is not None and (fitted := fit(model, block or {}).model) is not None:
        _check_block(scope, fitted)


def _check_block(scope: Scope, block: BaseModel) -> None:
    """Fields and values that are marked as extensions, and paths in JSONPath."""
    for path, inner in blocks(block):
        at = scope.at(*path)
        for name in inner.model_fields_set & type(inner).model_fields.keys():
            field = type(inner).model_fields[name]
            if not isinstance(extra := field.json_schema_extra, dict):
                continue
            key, value = key_of(name, field), getattr(inner, name)
            values = extra.get(VALUES)
            if extra.get("extension"):
                at.at(key).refuse(f"Argo Events has no field `{key}` here", rule=RULE)
            elif isinstance(values, list) and value in values:
                at.at(key).refuse(f"Argo Events has no `{value}` here", rule=RULE)
        for steps, text in _paths(inner):
            if _JSON_PATH.match(text):
                at.at(*steps).refuse(f"Argo Events does not read JSONPath: `{text}`", rule=RULE)


def _paths(block: BaseModel) -> list[tuple[tuple[str, ...], str]]:
    if isinstance(block, DataFilter | ExpressionField):
        return [(("path",), block.path)]
    if isinstance(block, Parameter) and block.src is not None:
        return [
            (("src", "contextKey"), block.src.context_key),
            (("src", "dataKey"), block.src.data_key),
        ]
    return []


def _source_model(scope: Scope, key: str) -> type[BaseModel] | None:
    if key not in scope.components.source_keys():
        return None
    try:
        return scope.components.source_model(key)
    except MissingExtraError:
        return None


def _trigger_model(scope: Scope, key: str) -> type[BaseModel] | None:
    if key not in scope.components.trigger_keys():
        return None
    try:
        return scope.components.trigger_model(key)
    except MissingExtraError:
        return None
