"""Adapts the stored state of a sensor to its changed manifest (spec: sensors 12.4)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from typing import TypeVar

import orjson

from tiphys.bus import Bus, Entry, State
from tiphys.manifests.sensor import Dependency
from tiphys.sensors.flow.start import forget_start
from tiphys.sensors.plan import TriggerPlan
from tiphys.sensors.state import forget_used

T = TypeVar("T")
BROKEN = "=broken"
"""Key of the dependencies, as in ``Deps``, that each broken trigger last ran with."""

_NAMES = re.compile(r"[^\s&|()]+")


async def reconcile(
    bus: Bus,
    state: State,
    sensor: str,
    dependencies: Iterable[Dependency],
    triggers: Iterable[TriggerPlan],
    broken: Collection[str] = (),
) -> None:
    """
    Forget what the stored manifest remembers and the new one does not mean any more.

    Held events and positions of a changed dependency go, and everything of a trigger that is
    removed or whose conditions changed; but a trigger knows where a dependency began in the past as
    long as it has it.  Of the triggers that are *broken* nothing goes before they can run again;
    then they are compared with what they last ran with.  Raises :exc:`BusError`.
    """
    current = {d.name: _fingerprint(d) for d in dependencies}
    plans = {plan.name: plan for plan in triggers}
    stored: dict[str, int] = _decoded(await state.get("Deps"), {})
    names: list[str] = _decoded(await state.get("Triggers"), [])
    before: dict[str, dict[str, int]] = _decoded(await state.get(BROKEN), {})
    kept = {name: before.get(name, stored) for name in names if name in broken}
    for trigger in names:
        if trigger in kept:
            continue
        plan = plans.get(trigger)
        stale, used = await _stale(state, trigger, plan, before.get(trigger, stored), current)
        for name in stale:
            await state.delete(f"{trigger}/{name}")
            await bus.unsubscribe(sensor, trigger, name)
            if plan is None or name not in plan.dependencies:
                await forget_start(state, trigger, name)
        if stale:
            await forget_used(state, trigger, used)
        if plan is None:
            await state.delete(f"{trigger}/Expression")
    if kept:
        # Before "Deps", so that a crash in between does not take the new ones for the old ones.
        await state.put(BROKEN, orjson.dumps(before | kept))
    await state.put("Deps", orjson.dumps(current))
    await state.put("Triggers", orjson.dumps([*plans, *kept]))
    for name, plan in plans.items():
        await state.put(f"{name}/Expression", plan.conditions.encode())
    if before.keys() - kept.keys():
        await state.put(BROKEN, orjson.dumps(kept))


async def _stale(
    state: State,
    trigger: str,
    plan: TriggerPlan | None,
    stored: Mapping[str, int],
    current: Mapping[str, int],
) -> tuple[set[str], set[str] | None]:
    """
    The dependencies of which a trigger must forget everything; *plan*: None if it is removed.

    And those of whose messages it must forget that it used them up; None: of all.
    """
    entry = await state.get(f"{trigger}/Expression")
    expression = "" if entry is None else entry.value.decode()
    if plan is not None and plan.conditions == expression:
        stale = {name for name, mark in stored.items() if current.get(name) != mark}
        return stale, (stale - plan.dependencies.keys()) | _subscribed_by(plan, stale)
    # An empty text stands for all dependencies there were.
    stale = set(_NAMES.findall(expression)) or set(stored)
    stale |= {name for name in stored if name.replace("-", "_") in _folded(stale)}
    # Others may be awaited only.
    stale |= {name for name in stored if plan is None or name not in plan.dependencies}
    return stale, None


def _subscribed_by(plan: TriggerPlan, names: Collection[str]) -> set[str]:
    """The dependencies whose messages come through the subscriptions of those *names*."""
    return {
        dependency.name
        for dependency in plan.dependencies.values()
        if plan.subjects[dependency.event_source, dependency.event_name] in names
    }


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
