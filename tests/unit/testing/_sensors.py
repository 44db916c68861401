"""Manifests for tests of the harness, written in few words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def dependency(name: str, event: str = "", **more: Any) -> dict[str, Any]:
    """A dependency on an event of the source ``web``, by default the one of its own name."""
    return {"name": name, "eventSourceName": "web", "eventName": event or name, **more}


def trigger(
    name: str = "act", block: dict[str, Any] | None = None, conditions: str = "", **more: Any
) -> dict[str, Any]:
    """A trigger; it logs unless *block* says something else."""
    around = {key: more.pop(key) for key in list(more) if key != "conditionsReset"}
    template = {"name": name, "conditions": conditions, **(block or {"log": {}}), **more}
    return {"template": template, **around}


def http(*payload: dict[str, Any], url: str = "http://target/", **more: Any) -> dict[str, Any]:
    """The block of an http trigger."""
    return {"http": {"url": url, "payload": list(payload), **more}}


def value(dest: str, path: str, dependency: str = "a", **source: Any) -> dict[str, Any]:
    """A parameter that carries a value of the event's data."""
    src = {"dependencyName": dependency, "dataKey": path, "useRawData": True, **source}
    return {"dest": dest, "src": src}


def write(
    folder: Path,
    dependencies: list[dict[str, Any]],
    triggers: list[dict[str, Any]],
    *,
    name: str = "sensor",
    **spec: Any,
) -> Path:
    """Write a Sensor; returns its file."""
    return write_object(
        folder, "Sensor", name, {"dependencies": dependencies, "triggers": triggers, **spec}
    )


def write_source(
    folder: Path, events: dict[str, Any], *, kind: str = "webhook", **spec: Any
) -> Path:
    """Write the EventSource ``web``."""
    return write_object(folder, "EventSource", "web", {kind: events, **spec})


def write_object(folder: Path, kind: str, name: str, spec: dict[str, Any]) -> Path:
    """Write an object."""
    path = folder / f"{kind.lower()}-{name}.yaml"
    head = {"apiVersion": "argoproj.io/v1alpha1", "kind": kind, "metadata": {"name": name}}
    path.write_text(json.dumps({**head, "spec": spec}, indent=1))
    return path
