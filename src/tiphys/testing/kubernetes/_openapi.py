"""OpenAPI v3: as much as kubectl asks of it, made from the types."""

from __future__ import annotations

from typing import Any

from tiphys.testing.kubernetes._kinds import Kind, Kinds
from tiphys.testing.kubernetes._types import Type

Object = dict[str, Any]
SCALARS: dict[str, Object] = {
    "string": {"type": "string"},
    "integer": {"type": "integer", "format": "int64"},
    "boolean": {"type": "boolean"},
    "time": {"type": "string", "format": "date-time"},
    "bytes": {"type": "string", "format": "byte"},
    "quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
    "intstr": {"oneOf": [{"type": "string"}, {"type": "integer"}], "format": "int-or-string"},
}
PARAMETERS = [
    {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
    for name in ("dryRun", "fieldManager", "fieldValidation", "force")
]


def index(kinds: Kinds) -> Object:
    """``/openapi/v3``: where the documents are."""
    paths = dict.fromkeys(_path(kind) for kind in kinds)
    return {"paths": {path: {"serverRelativeURL": f"/openapi/v3/{path}?hash=1"} for path in paths}}


def document(kinds: Kinds, path: str) -> Object | None:
    """``/openapi/v3/PATH``: one group in one version; None where there is none."""
    found = [kind for kind in kinds if _path(kind) == path]
    if not found:
        return None
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.36.0"},
        "paths": {place: item for kind in found for place, item in _paths(kind).items()},
        "components": {"schemas": {_name(kind): _schema_of(kind) for kind in found}},
    }


def _path(kind: Kind) -> str:
    return f"apis/{kind.group}/{kind.version}" if kind.group else f"api/{kind.version}"


def _paths(kind: Kind) -> Object:
    place = f"/{_path(kind)}/" + ("namespaces/{namespace}/" if kind.namespaced else "")
    many, one = f"{place}{kind.plural}", f"{place}{kind.plural}/{{name}}"
    return {
        many: {"get": _operation(kind, "list"), "post": _operation(kind, "post")},
        one: {
            "get": _operation(kind, "get"),
            "put": _operation(kind, "put"),
            "patch": _operation(kind, "patch"),
            "delete": _operation(kind, "delete"),
        },
    }


def _operation(kind: Kind, action: str) -> Object:
    types = ["application/json"]
    if action == "patch":
        types = [
            "application/apply-patch+yaml",
            "application/json-patch+json",
            "application/merge-patch+json",
            *([] if kind.custom else ["application/strategic-merge-patch+json"]),
        ]
    body = {"content": {name: {"schema": {"type": "object"}} for name in types}}
    reference = {"$ref": f"#/components/schemas/{_name(kind)}"}
    return {
        "operationId": f"{action}{kind.kind}",
        "parameters": PARAMETERS,
        **({"requestBody": body} if action in ("post", "put", "patch") else {}),
        "responses": {
            "200": {"description": "OK", "content": {"application/json": {"schema": reference}}}
        },
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _gvk(kind),
    }


def _schema_of(kind: Kind) -> Object:
    return {**schema(kind.type), "x-kubernetes-group-version-kind": [_gvk(kind)]}


def _gvk(kind: Kind) -> Object:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _name(kind: Kind) -> str:
    group = ".".join(reversed(kind.group.split("."))) if kind.group else "core"
    return f"{group}.{kind.version}.{kind.kind}"


def schema(kind: Type) -> Object:
    """A type as a schema."""
    whole = {"x-kubernetes-map-type": "atomic"} if kind.whole else {}
    if kind.shape == "scalar":
        return SCALARS[kind.scalar]
    if kind.shape == "struct":
        free = {"x-kubernetes-preserve-unknown-fields": True} if kind.open else {}
        properties = {name: schema(child) for name, child in kind.fields.items()}
        return {"type": "object", "properties": properties, **free, **whole}
    if kind.shape == "map":
        return {"type": "object", "additionalProperties": schema(kind.item), **whole}
    if kind.shape == "any":
        return {"x-kubernetes-preserve-unknown-fields": True}
    return {"type": "array", "items": schema(kind.item), **_list_notes(kind)}


def _list_notes(kind: Type) -> Object:
    if kind.shape == "keyed":
        return {
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": list(kind.keys),
            "x-kubernetes-patch-merge-key": kind.patch_key,
            "x-kubernetes-patch-strategy": "merge",
        }
    if kind.shape == "set":
        return {"x-kubernetes-list-type": "set", "x-kubernetes-patch-strategy": "merge"}
    return {"x-kubernetes-list-type": "atomic"}
