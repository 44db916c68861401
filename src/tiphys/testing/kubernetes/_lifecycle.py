"""What a request may change of an object, what the server keeps, and how an object goes."""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import UTC, datetime
from typing import Any

from tiphys.testing.kubernetes._answers import ApiError, bad_request, conflict, invalid
from tiphys.testing.kubernetes._decode import clone
from tiphys.testing.kubernetes._kinds import Kind
from tiphys.testing.kubernetes._problems import Problem, quoted
from tiphys.testing.kubernetes._requests import Request

Object = dict[str, Any]
NAMESPACES = "/namespaces"
DEFINITIONS = "apiextensions.k8s.io/customresourcedefinitions"
DEPLOYMENTS = "apps/deployments"  # their annotations count as a change
JOBS = "batch/jobs"  # their pods are kept unless one says otherwise


def presented(obj: Object, kind: Kind) -> Object:
    """A copy of a stored object in the version of *kind*."""
    return {**clone(obj), "apiVersion": kind.api_version, "kind": kind.kind}


def now() -> str:
    """This moment as objects have it, in whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def metadata_of(obj: Object) -> Object:
    metadata: Object = obj.setdefault("metadata", {})
    return metadata


def version_of(metadata: Object) -> int:
    """The resource version; 0 where none is given.  Raises a 500 for what is no number."""
    text = metadata.get("resourceVersion") or "0"
    if not re.fullmatch("[0-9]+", text):
        message = f"strconv.ParseUint: parsing {quoted(text)}: invalid syntax"
        raise ApiError(500, "", message)
    return int(text)


def check_place(request: Request, kind: Kind, metadata: Object) -> None:
    namespace = metadata.get("namespace", "")
    if kind.namespaced and namespace not in ("", request.namespace):
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    if not kind.namespaced:
        metadata.pop("namespace", None)


def check_kind(kind: Kind, body: Object, known: bool) -> None:
    """
    Raise a 400 or 422 if *body* is of another kind; *known* says that there is such a kind.

    Built-in kinds need not say what they are.
    """
    version, name = body.get("apiVersion"), body.get("kind")
    if not kind.custom:
        version, name = version or kind.api_version, name or kind.kind
    if (version, name) == (kind.api_version, kind.kind):
        return
    if kind.custom:
        raise _wrong_custom_kind(kind, body)
    last = str(version).rpartition("/")[2]
    said = f'{name} in version "{last}" cannot be handled as a {kind.kind}: '
    if known:
        target = kind.group.partition(".")[0] or "core"
        raise bad_request(
            f"{said}converting ({last}.{name}) to ({target}.{kind.kind}): unknown conversion"
        )
    raise bad_request(
        f'{said}no kind "{name}" is registered for version "{version}" in scheme '
        '"pkg/runtime/scheme.go:111"'
    )


def _wrong_custom_kind(kind: Kind, body: Object) -> ApiError:
    version, name = body.get("apiVersion"), body.get("kind")
    if not name:
        text = json.dumps(body, separators=(",", ":"))
        return bad_request(
            f"the object provided is unrecognized (must be of type {kind.kind}): Object 'Kind' is "
            f"missing in '{text}' ({text})"
        )
    if version != kind.api_version:
        return bad_request(
            f"the API version in the data ({version or ''}) does not match the expected API "
            f"version ({kind.api_version})"
        )
    problem = Problem.invalid("kind", name, f"must be {kind.kind}")
    other = dataclasses.replace(kind, kind=name)
    return invalid(other, metadata_of(body).get("name", ""), [problem])


def kept(request: Request, kind: Kind, old: Object, obj: Object) -> Object:
    """*obj* with the parts of *old* that this request cannot change."""
    if request.subresource == "status":
        new: Object = clone(old)
        new.pop("status", None)
        if "status" in obj:
            new["status"] = obj["status"]
        if not kind.custom and kind.key != DEFINITIONS:  # metadata comes along
            new["metadata"] = clone(obj["metadata"])
            if kind.key == DEPLOYMENTS:
                _restore(new["metadata"], old["metadata"], "labels")
    else:
        new = clone(obj)
        if "status" in kind.subresources:
            new.pop("status", None)
            if "status" in old:
                new["status"] = clone(old["status"])
    metadata = new["metadata"]
    _restore(
        metadata, old["metadata"], "uid", "creationTimestamp", "namespace", "generation",
        "deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion", "generateName",
    )  # fmt: skip
    new["apiVersion"], new["kind"] = old["apiVersion"], old["kind"]
    return new


def _restore(metadata: Object, old: Object, *fields: str) -> None:
    for field in fields:
        metadata.pop(field, None)
        if field in old:
            metadata[field] = old[field]


def count(kind: Kind, old: Object, new: Object) -> None:
    """The generation grows with every change that is neither metadata nor status."""
    if kind.counted and _counted(kind, old) != _counted(kind, new):
        new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1


def _counted(kind: Kind, obj: Object) -> Object:
    ignored = {"metadata", "apiVersion", "kind"}
    if "status" in kind.subresources:
        ignored.add("status")
    counted = {key: value for key, value in obj.items() if key not in ignored}
    if kind.key == DEPLOYMENTS:
        counted["annotations"] = obj["metadata"].get("annotations")
    return counted


def same(old: Object, new: Object) -> bool:
    """Whether nothing changed but the times of managed fields."""

    def plain(obj: Object) -> Object:
        copy: Object = clone(obj)
        for field in ("apiVersion", "kind"):
            copy.pop(field, None)
        for entry in copy["metadata"].get("managedFields") or []:
            entry.pop("time", None)
        return copy

    return plain(old) == plain(new)


def check_preconditions(kind: Kind, old: Object, wanted: Object) -> None:
    """Raise a 409 unless *old* is the object that a deletion is meant for."""
    hints = {
        "uid": ("UID", "The object might have been deleted and then recreated"),
        "resourceVersion": ("ResourceVersion", "The object might have been modified"),
    }
    for field, (label, hint) in hints.items():
        value, actual = wanted.get(field), old["metadata"].get(field)
        if value and value != actual:
            said = (
                f"the {label} in the precondition ({value}) does not match the {label} in record "
                f"({actual}). {hint}"
            )
            named = dataclasses.replace(kind, plural=kind.kind)
            raise conflict(named, old["metadata"]["name"], said)


def marked(kind: Kind, obj: Object, options: Object) -> Object:
    """*obj* as a deletion with *options* leaves it, if it may not go at once."""
    metadata = obj["metadata"]
    policy = options.get("propagationPolicy") or ("Orphan" if kind.key == JOBS else None)
    finalizers = [
        f for f in metadata.get("finalizers") or [] if f not in ("orphan", "foregroundDeletion")
        or policy is None
    ]  # fmt: skip
    for wanted, finalizer in (("Orphan", "orphan"), ("Foreground", "foregroundDeletion")):
        if policy == wanted:
            finalizers.append(finalizer)
    if finalizers:
        metadata["finalizers"] = finalizers
    else:
        metadata.pop("finalizers", None)
    grace = options.get("gracePeriodSeconds")
    if kind.key == "/pods":
        scheduled = bool(obj["spec"].get("nodeName"))
        default = obj["spec"].get("terminationGracePeriodSeconds", 30) if scheduled else 0
        grace = default if grace is None or not scheduled else grace
    else:
        grace = 0
    if not metadata.get("deletionTimestamp"):
        metadata["deletionTimestamp"] = now()
        if kind.key != NAMESPACES:
            metadata["deletionGracePeriodSeconds"] = grace
        if metadata.get("generation"):
            metadata["generation"] += 1
    elif kind.key == "/pods" and grace < metadata.get("deletionGracePeriodSeconds", 0):
        metadata["deletionGracePeriodSeconds"] = grace
    if kind.key == NAMESPACES:
        obj["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}
    return obj


def lingers(kind: Kind, obj: Object) -> bool:
    """Whether an object without finalizers still waits: pods on nodes, namespaces with content."""
    if kind.key == NAMESPACES:
        return bool((obj.get("spec") or {}).get("finalizers"))
    return (
        kind.key == "/pods"
        and bool(obj["spec"].get("nodeName"))
        and obj["metadata"].get("deletionGracePeriodSeconds", 0) > 0
    )
