"""Which triggers have something of flow control in the sensor's bucket, and what becomes of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

import orjson
import structlog

from tiphys.bus import State
from tiphys.sensors.flow.control import place
from tiphys.sensors.flow.plan import FlowPlan
from tiphys.sensors.plan import TriggerPlan

KEY = "=flow"

log = structlog.get_logger("argo-events.sensor")


async def registered(
    state: State, sensor: str, plans: Sequence[TriggerPlan], broken: Collection[str] = ()
) -> list[TriggerPlan]:
    """
    *plans*, with flow control also where only actions of a former manifest wait.

    What belongs to triggers that there are no more is removed; what belongs to those that are
    *broken* stays.  Raises :exc:`BusError`.
    """
    entry = await state.get(KEY)
    known: list[str] = [] if entry is None else orjson.loads(entry.value)
    by_name = {plan.name: plan for plan in plans}
    for name in known:
        plan = by_name.get(name)
        if plan is None:
            if name not in broken:
                await _remove(state, sensor, name)
        elif plan.flow is None and await state.keys(place(name, "waiting/")):
            by_name[name] = dataclasses.replace(plan, flow=FlowPlan())
        elif plan.flow is None:
            await _clear(state, name, but=place(name, "start/"))
    names = [name for name, plan in by_name.items() if plan.flow is not None]
    names += [name for name in known if name in broken and name not in by_name]
    if names != known:
        await state.put(KEY, orjson.dumps(names))
    return list(by_name.values())


async def _remove(state: State, sensor: str, trigger: str) -> None:
    waiting = await state.keys(place(trigger, "waiting/"))
    if waiting:
        log.warning(
            "The trigger is gone, and so are the actions that waited",
            sensorName=sensor,
            triggerName=trigger,
            count=len(waiting),
        )
    await _clear(state, trigger)


async def _clear(state: State, trigger: str, but: str | None = None) -> None:
    """Forget what mechanisms remember; *but* begins the keys of what stays."""
    for key in await state.keys(place(trigger, "")):
        if but is None or not key.startswith(but):
            await state.delete(key)
