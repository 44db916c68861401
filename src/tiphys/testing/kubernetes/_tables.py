"""Tables: what ``kubectl get`` prints."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from tiphys.testing.kubernetes._kinds import Kind

Object = dict[str, Any]
Column = tuple[str, str, Callable[[Object], Any]]
PARTIAL = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}


def table(kind: Kind, objects: list[Object], metadata: Mapping[str, Any], include: str) -> Object:
    """*objects* as a table; *include* says what comes with each row."""
    columns = _columns(kind)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": dict(metadata),
        "columnDefinitions": [
            {
                "name": name,
                "type": shape,
                "format": "name" if name == "Name" else "",
                "description": name,
                "priority": 0,
            }
            for name, shape, _ in columns
        ],
        "rows": [
            {"cells": [read(obj) for _, _, read in columns], **_included(obj, include)}
            for obj in objects
        ],
    }


def _included(obj: Object, include: str) -> Object:
    if include == "None":
        return {}
    return {"object": obj if include == "Object" else {**PARTIAL, "metadata": obj["metadata"]}}


def _columns(kind: Kind) -> list[Column]:
    name: Column = ("Name", "string", lambda obj: obj["metadata"]["name"])
    if kind.custom:
        if not kind.columns:
            return [name, ("Age", "date", _age)]
        return [name, *(_custom(column) for column in kind.columns)]
    return [name, *SPECIFIC.get(kind.key, []), ("Age", "string", _age)]


def _custom(column: Mapping[str, Any]) -> Column:
    path = str(column["jsonPath"])

    def read(obj: Object) -> Any:
        value: Any = obj
        for part in re.findall(r"[^.\[\]]+", path):
            if isinstance(value, list) and part.isdecimal() and int(part) < len(value):
                value = value[int(part)]
            else:
                value = value.get(part) if isinstance(value, dict) else None
        if column["type"] == "date":
            return _since(value) if value else None
        return value

    return (column["name"], column["type"], read)


def _age(obj: Object) -> str:
    return _since(obj["metadata"]["creationTimestamp"])


def _since(moment: str) -> str:
    """The time since *moment*, the way people read it."""
    passed = datetime.now(UTC) - datetime.fromisoformat(moment.replace("Z", "+00:00"))
    seconds = max(0, int(passed.total_seconds()))
    if seconds < 120:
        return f"{seconds}s"
    if seconds < 10800:
        return f"{seconds // 60}m"
    return f"{seconds // 3600}h" if seconds < 172800 else f"{seconds // 86400}d"


def _count(*fields: str) -> Callable[[Object], int]:
    return lambda obj: sum(len(obj.get(field) or {}) for field in fields)


def _at(path: str, otherwise: Any = "") -> Callable[[Object], Any]:
    def read(obj: Object) -> Any:
        value: Any = obj
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return otherwise if value is None else value

    return read


def _ready(obj: Object) -> str:
    status = obj.get("status") or {}
    return f"{status.get('readyReplicas', 0)}/{(obj.get('spec') or {}).get('replicas', 0)}"


def _pod_ready(obj: Object) -> str:
    statuses = (obj.get("status") or {}).get("containerStatuses") or []
    ready = sum(1 for status in statuses if status.get("ready"))
    return f"{ready}/{len(obj['spec'].get('containers') or [])}"


def _pod_status(obj: Object) -> str:
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    status = obj.get("status") or {}
    return str(status.get("reason") or status.get("phase") or "Unknown")


def _job_status(obj: Object) -> str:
    for condition in (obj.get("status") or {}).get("conditions") or []:
        if condition.get("status") == "True" and condition.get("type") in ("Complete", "Failed"):
            return str(condition["type"])
    return "Suspended" if obj["spec"].get("suspend") else "Running"


def _ports(obj: Object) -> str:
    ports = (obj.get("spec") or {}).get("ports") or []
    return ",".join(f"{p['port']}/{p.get('protocol', 'TCP')}" for p in ports) or "<none>"


SPECIFIC: dict[str, list[Column]] = {
    "/namespaces": [("Status", "string", _at("status.phase"))],
    "/pods": [
        ("Ready", "string", _pod_ready),
        ("Status", "string", _pod_status),
        ("Restarts", "string", lambda _: "0"),
    ],
    "/services": [
        ("Type", "string", _at("spec.type")),
        ("Cluster-IP", "string", _at("spec.clusterIP", "<none>")),
        ("External-IP", "string", lambda _: "<none>"),
        ("Port(s)", "string", _ports),
    ],
    "/configmaps": [("Data", "string", _count("data", "binaryData"))],
    "/secrets": [("Type", "string", _at("type")), ("Data", "string", _count("data"))],
    "apps/deployments": [
        ("Ready", "string", _ready),
        ("Up-to-date", "string", _at("status.updatedReplicas", 0)),
        ("Available", "string", _at("status.availableReplicas", 0)),
    ],
    "apps/statefulsets": [("Ready", "string", _ready)],
    "batch/jobs": [
        ("Status", "string", _job_status),
        ("Completions", "string",
         lambda obj: f"{_at('status.succeeded', 0)(obj)}/{_at('spec.completions', 1)(obj)}"),
        ("Duration", "string", lambda _: ""),
    ],
    "batch/cronjobs": [
        ("Schedule", "string", _at("spec.schedule")),
        ("Suspend", "string", lambda obj: str(_at("spec.suspend", False)(obj))),
        ("Active", "integer", lambda obj: len(_at("status.active", [])(obj))),
    ],
    "coordination.k8s.io/leases": [("Holder", "string", _at("spec.holderIdentity"))],
    "apiextensions.k8s.io/customresourcedefinitions": [
        ("Created At", "date", _at("metadata.creationTimestamp")),
    ],
}  # fmt: skip
