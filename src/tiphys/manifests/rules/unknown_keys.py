"""
Keys that nothing reads: mostly misspelt, or one level too high or too low.

Works on the raw data and the classes of its models, so that a value which does not fit its type
hides no unknown key beside or inside it.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Collection
from typing import Annotated, Any

from pydantic import BaseModel

from tiphys.manifests.event_source import EventSourceSpec
from tiphys.manifests.findings import nearest
from tiphys.manifests.known import EVENT_TYPES, TRIGGER_TYPES
from tiphys.manifests.objects import Metadata
from tiphys.manifests.rules._report import Scope
from tiphys.manifests.rules.walk import key_of, keys_of
from tiphys.manifests.sensor import TriggerTemplate

Model = type[BaseModel]

TOP_KEYS = ("apiVersion", "kind", "metadata", "spec", "status")
_KUBERNETES_METADATA = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
)


def check_top(scope: Scope, data: dict[str, Any], known: Collection[str] = TOP_KEYS) -> None:
    """Report unknown keys beside ``metadata`` and ``spec``."""
    for key in data:
        if key not in known:
            _report(scope, key, known, "")


def check(scope: Scope, model: Model, data: Any, outer: tuple[tuple[str, Model], ...] = ()) -> None:
    """
    Report every key of *data* that *model*, and the models inside it, do not have.

    *outer* are the models around it, each with the key under which it has the next one.
    """
    if not isinstance(data, dict):
        return
    known = known_keys(model, scope)
    fields = {key_of(name, field): field.annotation for name, field in model.model_fields.items()}
    for key, value in data.items():
        if key in fields:
            _check_value(scope.at(key), fields[key], value, (*outer, (key, model)))
        elif key not in known:
            _report(scope, key, known, _misplaced(key, model, outer))


def known_keys(model: Model, scope: Scope) -> list[str]:
    """The keys of a model; where components have theirs, those as well."""
    keys = keys_of(model)
    if model is TriggerTemplate:
        return [*keys, *TRIGGER_TYPES, *scope.components.trigger_keys()]
    if model is EventSourceSpec:
        return [*keys, *EVENT_TYPES, *scope.components.source_keys()]
    if model is Metadata:
        return [*keys, *_KUBERNETES_METADATA]
    return keys


def _check_value(
    scope: Scope, annotation: Any, value: Any, outer: tuple[tuple[str, Model], ...]
) -> None:
    """Look for models in a field's type, and for what of *value* belongs to them."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        _check_value(scope, arguments[0], value, outer)
    elif origin in (typing.Union, types.UnionType):
        models = [argument for argument in arguments if _is_model(argument)]
        if models and isinstance(value, dict):
            best = min(models, key=lambda model: len(value.keys() - set(keys_of(model))))
            check(scope, best, value, outer)
        for argument in arguments:
            if not _is_model(argument):
                _check_value(scope, argument, value, outer)
    elif _is_model(annotation):
        check(scope, annotation, value, outer)
    elif origin is list and isinstance(value, list):
        for index, item in enumerate(value):
            _check_value(scope.at(index), arguments[0], item, outer)
    elif origin is dict and isinstance(value, dict):
        for key, item in value.items():
            _check_value(scope.at(key), arguments[1], item, outer)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _report(scope: Scope, key: str, known: Collection[str], hint: str) -> None:
    near = "" if hint else nearest(key, known)
    scope.at(key).broken("unknown-key", f"unknown key `{key}`{near}", hint=hint)


def _misplaced(key: str, model: Model, outer: tuple[tuple[str, Model], ...]) -> str:
    """Where *key* belongs, when a block around or right inside has it."""
    for name, around in reversed(outer):
        if key in keys_of(around):
            return f"`{key}` belongs beside `{name}`, not into it"
    for name, field in model.model_fields.items():
        for inner in (field.annotation, *typing.get_args(field.annotation)):
            if _is_model(inner) and key in keys_of(typing.cast(Model, inner)):
                return f"`{key}` belongs into `{key_of(name, field)}`"
    return ""
