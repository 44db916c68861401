"""The JSON schema of the manifests, for editors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from tiphys.errors import MissingExtraError
from tiphys.manifests.components import Components
from tiphys.manifests.event_bus import EventBusSpec
from tiphys.manifests.event_source import EventSourceSpec
from tiphys.manifests.known import EVENT_TYPES, TRIGGER_TYPES
from tiphys.manifests.objects import (
    AnyManifest,
    ConfigMap,
    EventBus,
    EventSource,
    Metadata,
    Secret,
    Sensor,
)
from tiphys.manifests.secret import ConfigMapSpec, SecretSpec
from tiphys.manifests.sensor import SensorSpec, TriggerTemplate

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PREFIX = "#/$defs/"


def schema(components: Components) -> Schema:
    """One schema for a document of any of the kinds."""
    sources = dict(_models(components.source_keys(), components.source_model))
    triggers = dict(_models(components.trigger_keys(), components.trigger_model))
    specs: list[type[BaseModel]] = [
        EventSourceSpec,
        EventBusSpec,
        SensorSpec,
        SecretSpec,
        ConfigMapSpec,
        Metadata,
        TriggerTemplate,
    ]
    every = dict.fromkeys([*specs, *sources.values(), *triggers.values()])
    references, top = models_json_schema([(model, "validation") for model in every])
    names = {model: reference["$ref"] for (model, _), reference in references.items()}
    definitions: dict[str, Schema] = top["$defs"]
    for definition in definitions.values():
        _tidy(definition)
    definition_of = {
        model: definitions[name.removeprefix(_PREFIX)] for model, name in names.items()
    }
    definition_of[Metadata]["additionalProperties"] = True
    _add_sources(definition_of[EventSourceSpec], sources, names)
    _add_triggers(definition_of[TriggerTemplate], triggers, names)
    return {
        "$schema": DIALECT,
        "title": "Manifests of Tiphys and Argo Events",
        "oneOf": [
            _with_spec(EventSource, names[EventSourceSpec], names[Metadata]),
            _with_spec(EventBus, names[EventBusSpec], names[Metadata]),
            _with_spec(Sensor, names[SensorSpec], names[Metadata]),
            _without_spec(Secret, definition_of[SecretSpec], names[Metadata]),
            _without_spec(ConfigMap, definition_of[ConfigMapSpec], names[Metadata]),
        ],
        "$defs": definitions,
    }


def _models(
    keys: Iterable[str], model: Callable[[str], type[BaseModel]]
) -> Iterable[tuple[str, type[BaseModel]]]:
    """The models of components, but for those whose modules are not installed."""
    for key in sorted(keys):
        try:
            yield key, model(key)
        except MissingExtraError:
            continue


def _add_sources(spec: Schema, models: dict[str, type[BaseModel]], names: dict[Any, str]) -> None:
    for key in dict.fromkeys([*models, *EVENT_TYPES]):
        event = {"$ref": names[models[key]]} if key in models else {"type": "object"}
        spec["properties"][key] = {
            "type": "object",
            "description": f"Events of type `{key}`, by name.",
            "additionalProperties": event,
        }


def _add_triggers(
    template: Schema, models: dict[str, type[BaseModel]], names: dict[Any, str]
) -> None:
    for key in dict.fromkeys([*TRIGGER_TYPES, *models]):
        template["properties"][key] = (
            {"$ref": names[models[key]]}
            if key in models
            else {"type": "object", "description": f"Trigger of type `{key}`."}
        )


def _with_spec(cls: type[AnyManifest], spec: str, metadata: str) -> Schema:
    return _object(
        cls,
        {"metadata": {"$ref": metadata}, "spec": {"$ref": spec}, "status": {"type": "object"}},
        ["metadata", "spec"],
    )


def _without_spec(cls: type[AnyManifest], body: Schema, metadata: str) -> Schema:
    return _object(cls, {"metadata": {"$ref": metadata}, **body["properties"]}, ["metadata"])


def _object(cls: type[AnyManifest], properties: Schema, required: list[str]) -> Schema:
    return {
        "title": cls.kind,
        "type": "object",
        "required": ["apiVersion", "kind", *required],
        "properties": {
            "apiVersion": {"const": cls.api_version},
            "kind": {"const": cls.kind},
            **properties,
        },
        "additionalProperties": False,
    }


def _tidy(part: Any) -> None:
    """Make pydantic's schema one for editors."""
    if isinstance(part, list):
        for item in part:
            _tidy(item)
    if not isinstance(part, dict):
        return
    if part.get("additionalProperties") is True and "properties" in part:
        part["additionalProperties"] = False  # unknown keys are marked
    for key in ("title", "extension", "writeOnly"):
        if not isinstance(part.get(key), dict):  # a property may have this name
            part.pop(key, None)
    if part.get("format") == "password":
        del part["format"]
    if isinstance(part.get("description"), str):
        part["description"] = _description(part["description"])
    if isinstance(part.get("anyOf"), list):
        _tidy_alternatives(part)
    for item in part.values():
        _tidy(item)


def _description(text: str) -> str:
    """The first paragraph, without references that only developers can follow."""
    first = " ".join(text.partition("\n\n")[0].split())
    return re.sub(r" \(spec: [^)]*\)", "", first)


def _tidy_alternatives(part: Schema) -> None:
    """Absent is written by leaving a key out, and durations have no defaults in seconds."""
    kinds = [kind for kind in part["anyOf"] if kind != {"type": "null"}]
    if part.get("default", ...) is None:
        del part["default"]
    if isinstance(part.get("default"), int | float) and {"type": "string"} in kinds:
        del part["default"]
    part["anyOf"] = kinds
    if len(kinds) == 1:
        del part["anyOf"]
        part.update(kinds[0] | {key: part[key] for key in part.keys() & kinds[0].keys()})
