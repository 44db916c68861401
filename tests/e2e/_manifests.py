"""Manifests that several tests use."""

from __future__ import annotations

import json
from typing import Any


def dumped(*objects: dict[str, Any]) -> str:
    """Manifests as one file; JSON is YAML."""
    return "\n---\n".join(json.dumps(each, indent=1) for each in objects)


def event_source(name: str, events: dict[str, Any], kind: str = "webhook") -> dict[str, Any]:
    """An EventSource with one type of events."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "EventSource",
        "metadata": {"name": name},
        "spec": {kind: events},
    }


def webhook(port: int, endpoint: str = "/hook", **more: Any) -> dict[str, Any]:
    """Options of a webhook."""
    return {"port": str(port), "endpoint": endpoint, "method": "POST", **more}


def sensor(
    name: str, dependencies: list[dict[str, Any]], triggers: list[dict[str, Any]]
) -> dict[str, Any]:
    """A Sensor."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Sensor",
        "metadata": {"name": name},
        "spec": {"dependencies": dependencies, "triggers": triggers},
    }


def dependency(name: str, source: str = "web", event: str = "hook", **more: Any) -> dict[str, Any]:
    """A dependency."""
    return {"name": name, "eventSourceName": source, "eventName": event, **more}


def http_trigger(name: str, url: str, values: dict[str, str], **more: Any) -> dict[str, Any]:
    """An HTTP trigger that sends values: destination to ``dependency:path``."""
    payload = []
    for dest, where in values.items():
        source, _, path = where.partition(":")
        src = {"dependencyName": source, "dataKey": path, "useRawData": True}
        payload.append({"src": src, "dest": dest})
    conditions = more.pop("conditions", "")
    template = {"name": name, "conditions": conditions, "http": {"url": url, "payload": payload}}
    return {"template": template, **more}
