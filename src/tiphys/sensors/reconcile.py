"""Adapts the stored state of a sensor to its changed manifest (spec: sensors 12.4)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import TypeVar

import orjson

from tiphys.bus import Bus, Entry, State
from tiphys.manifests.sensor import Dependency
from tiphys.sensors.plan import TriggerPlan

T = TypeVar("T")
_NAMES = re.compile(r"[^\s&|()]+")


async def reconcile(
    bus: Bus,
    state: State,
    sensor: str,
    dependencies: Iterable[Dependency],
    triggers: Iterable[TriggerPlan],
) -> None:
    """
    Forget what the stored manifest remembers and the new one does not mean any more.

    Held events and positions of a changed dependency go, and everything of a trigger whose
    conditions changed.  Raises :exc:`BusError`.
    """
    current = {d.name: _fingerprint(d) for d in dependencies}
    plans = {plan.name: plan for plan in triggers}
    stored: dict[str, int] = _decoded(await state.get("Deps"), {})
    names: list[str] = _decoded(await state.get("Triggers"), [])
    for trigger in names:
        entry = await state.get(f"{trigger}/Expression")
        expression = "" if entry is None else entry.value.decode()
        plan = plans.get(trigger)
        if plan is None or plan.conditions != expression:
            # An empty text stands for all dependencies there were.
            stale = set(_NAMES.findall(expression)) or set(stored)
            stale |= {name for name in stored if name.replace("-", "_") in _folded(stale)}
        else:
            stale = {name for name, mark in stored.items() if current.get(name) != mark}
        for name in stale:
            await state.delete(f"{trigger}/{name}")
            await bus.unsubscribe(sensor, trigger, name)
        if plan is None:
            await state.delete(f"{trigger}/Expression")
    await state.put("Deps", orjson.dumps(current))
    await state.put("Triggers", orjson.dumps(list(plans)))
    for name, plan in plans.items():
        await state.put(f"{name}/Expression", plan.conditions.encode())


def _folded(names: Iterable[str]) -> set[str]:
    return {name.replace("-", "_") for name in names}


def _fingerprint(dependency: Dependency) -> int:
    """An unsigned 64-bit number that is the same for the same definition."""
    # Without defaults: an option that a later version brings must not look like a change.
    definition = dependency.model_dump(by_alias=True, exclude_defaults=True)
    text = orjson.dumps(definition, option=orjson.OPT_SORT_KEYS)
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big")


def _decoded(entry: Entry | None, default: T) -> T:
    """The JSON of an entry, or *default* where there is none of that type."""
    if entry is None:
        return default
    try:
        value = orjson.loads(entry.value)
    except orjson.JSONDecodeError:
        return default
    return value if isinstance(value, type(default)) else default
