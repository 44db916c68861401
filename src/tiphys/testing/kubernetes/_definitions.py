"""CustomResourceDefinitions: the kinds that they add, and what their schemas say."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from tiphys.testing.kubernetes._decode import clone
from tiphys.testing.kubernetes._kinds import Kind, Kinds
from tiphys.testing.kubernetes._lifecycle import now
from tiphys.testing.kubernetes._problems import Problem, quoted
from tiphys.testing.kubernetes._registry import Registry
from tiphys.testing.kubernetes._store import Object
from tiphys.testing.kubernetes._types import ANY, SCALAR, Type, whole_object

DEFINITIONS = "apiextensions.k8s.io/customresourcedefinitions"
PRESERVE = "x-kubernetes-preserve-unknown-fields"
Schema = Mapping[str, Any]
PAUSE = 0.05  # seconds
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "boolean": (bool,), "object": (dict,), "array": (list,), "integer": (int,),
    "number": (int, float),
}  # fmt: skip
NAMES = {bool: "boolean", int: "integer", float: "number", str: "string", dict: "object",
         list: "array", type(None): "null"}  # fmt: skip


class Definitions:
    """
    Keeps the kinds in step with the definitions in the store.

    A new definition is established, and its kind served, a moment after it was created; at once
    while *ready* is false.
    """

    def __init__(self, registry: Registry, kinds: Kinds) -> None:
        self.ready = False
        self._registry = registry
        self._kinds = kinds
        self._scheduled: set[asyncio.Handle] = set()
        registry.listeners.append(self._notice)

    def close(self) -> None:
        """Do nothing more."""
        for handle in self._scheduled:
            handle.cancel()

    def _notice(self, kind: Kind, old: Object | None, new: Object | None) -> None:
        if kind.key != DEFINITIONS:
            return
        definition = new or old
        assert definition is not None
        spec = definition["spec"]
        group, plural = spec["group"], spec["names"]["plural"]
        if new is None:
            self._kinds.remove(group, plural)
            self._remove_objects(f"{group}/{plural}")
        elif new["status"].get("conditions"):
            self._kinds.remove(group, plural)
            for version in spec["versions"]:
                if version.get("served"):
                    self._kinds.add(_kind(spec, version))
        elif self.ready:
            name = new["metadata"]["name"]
            loop = asyncio.get_running_loop()
            self._scheduled.add(loop.call_later(PAUSE, self._establish, kind, name))
        else:
            self._establish(kind, new["metadata"]["name"])

    def _establish(self, kind: Kind, name: str) -> None:
        """Say that the names are accepted and the kind is served."""
        definition = self._registry.store.get(kind.key, ("", name))
        if definition is None:
            return
        changed = clone(definition)
        changed["status"] |= {
            "conditions": [
                _condition("NamesAccepted", "NoConflicts", "no conflicts found"),
                _condition("Established", "InitialNamesAccepted",
                           "the initial names have been accepted"),
            ],
            "acceptedNames": changed["spec"]["names"],
        }  # fmt: skip
        self._registry.replace(kind, ("", name), changed)

    def _remove_objects(self, resource: str) -> None:
        for obj in self._registry.store.items(resource):
            metadata = obj["metadata"]
            self._registry.store.remove(resource, (metadata.get("namespace", ""), metadata["name"]))


def definition_problems(definition: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with a definition."""
    spec = definition["spec"]
    names, versions = spec.get("names") or {}, spec.get("versions") or []
    for field, value in (("group", spec.get("group")), ("scope", spec.get("scope"))):
        if not value:
            yield Problem.required(f"spec.{field}")
    if not versions:
        yield Problem.required("spec.versions")
    for field in ("plural", "kind"):
        if not names.get(field):
            yield Problem.required(f"spec.names.{field}")
    wanted = f"{names.get('plural', '')}.{spec.get('group', '')}"
    if definition["metadata"].get("name") != wanted:
        text = 'must be spec.names.plural+"."+spec.group'
        yield Problem.invalid("metadata.name", definition["metadata"].get("name", ""), text)
    if sum(1 for version in versions if version.get("storage")) != 1:
        text = "must have exactly one version marked as storage version"
        yield Problem("FieldValueInvalid", "spec.versions", f"Invalid value: {quoted('')}: {text}")
    for i, version in enumerate(versions):
        if not (version.get("schema") or {}).get("openAPIV3Schema"):
            yield Problem.required(f"spec.versions[{i}].schema.openAPIV3Schema")


def _kind(spec: Mapping[str, Any], version: Mapping[str, Any]) -> Kind:
    schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    names = spec["names"]
    subresources = tuple(version.get("subresources") or {})
    found = _struct(schema)
    fields = {k: v for k, v in found.fields.items() if k not in ("apiVersion", "kind", "metadata")}

    def check(obj: Mapping[str, Any]) -> Iterator[Problem]:
        return schema_problems(obj, schema, "")

    return Kind(
        spec["group"], version["name"], names["kind"], names["plural"], names["singular"],
        whole_object(fields, open=found.open),
        namespaced=spec["scope"] == "Namespaced",
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        subresources=subresources,
        counted=True, free=False, custom=True, check=check,
        list_kind=names.get("listKind", ""),
        columns=tuple(version.get("additionalPrinterColumns") or ()),
        selectable=tuple(
            field["jsonPath"].lstrip(".") for field in version.get("selectableFields") or []
        ),
    )  # fmt: skip


def _type(schema: Schema) -> Type:
    """The type that a structural schema describes."""
    kind = schema.get("type")
    if schema.get("x-kubernetes-int-or-string"):
        return SCALAR["intstr"]
    if kind == "object":
        return _struct(schema)
    if kind == "array":
        element = _type(schema.get("items") or {})
        list_type = schema.get("x-kubernetes-list-type", "atomic")
        if list_type == "map":
            keys = schema.get("x-kubernetes-list-map-keys") or []
            return Type("keyed", element=element, keys=keys, patch_key=keys[0] if keys else "")
        return Type("set" if list_type == "set" else "atomic", element=element)
    return ANY


def _struct(schema: Schema) -> Type:
    whole = schema.get("x-kubernetes-map-type") == "atomic"
    free = schema.get("additionalProperties")
    if isinstance(free, dict):
        return Type("map", element=_type(free), whole=whole)
    is_open = bool(schema.get(PRESERVE)) or free is True
    properties = schema.get("properties") or {}
    if not properties and is_open:
        return Type("map", element=ANY, whole=True) if whole else ANY
    fields = {name: _type(below) for name, below in properties.items()}
    return Type("struct", fields=fields, open=is_open, whole=whole, optional=True)


def schema_problems(value: Any, schema: Schema, path: str) -> Iterator[Problem]:
    """Where *value* is not what the schema asks for: types, required fields, enums, bounds."""
    if value is None and schema.get("nullable"):
        return
    expected = schema.get("type")
    if expected and not _is(value, expected) and not schema.get("x-kubernetes-int-or-string"):
        got = NAMES[type(value)]
        shown = quoted(got)
        text = f"{path} in body must be of type {expected}: {shown}"
        yield Problem("FieldValueTypeInvalid", path, f"Invalid value: {shown}: {text}")
        return
    if "enum" in schema and value not in schema["enum"]:
        yield Problem.unsupported(path, value, [str(item) for item in schema["enum"]])
    if "minimum" in schema and isinstance(value, (int, float)) and value < schema["minimum"]:
        text = f"{path} in body should be greater than or equal to {schema['minimum']}"
        yield Problem.invalid(path, value, text)
    if isinstance(value, dict):
        yield from _object_problems(value, schema, path)
    if isinstance(value, list):
        for i, item in enumerate(value):
            yield from schema_problems(item, schema.get("items") or {}, f"{path}[{i}]")


def _object_problems(value: dict[str, Any], schema: Schema, path: str) -> Iterator[Problem]:
    for name in schema.get("required") or []:
        if name not in value:
            yield Problem.required(f"{path}.{name}" if path else name)
    for name, item in value.items():
        below = (schema.get("properties") or {}).get(name)
        free = schema.get("additionalProperties")
        here = f"{path}.{name}" if path else name
        if below is not None:
            yield from schema_problems(item, below, here)
        elif isinstance(free, dict):
            yield from schema_problems(item, free, here)


def _is(value: Any, expected: str) -> bool:
    if isinstance(value, bool):
        return expected == "boolean"
    if isinstance(value, float) and expected == "integer":
        return value.is_integer()
    return isinstance(value, TYPES.get(expected, (object,)))


def _condition(kind: str, reason: str, message: str) -> dict[str, str]:
    return {"type": kind, "status": "True", "reason": reason, "message": message,
            "lastTransitionTime": now()}  # fmt: skip
