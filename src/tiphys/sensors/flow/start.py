"""Where a new trigger begins in the events of the past (``startFrom``)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tiphys.aio import Clock
from tiphys.bus import Bus, State, Subscription
from tiphys.manifests.flow import start_moment
from tiphys.sensors.flow.control import place


async def subscribe(
    bus: Bus,
    state: State,
    clock: Clock,
    *,
    sensor: str,
    trigger: str,
    dependency: str,
    event: tuple[str, str],
    start_from: str,
    **options: Any,
) -> Subscription:
    """
    Open a subscription that begins where *start_from* says, if it is new.

    That happens once: a change of the dependency, which makes its subscription anew, does not bring
    the past back; a change of *start_from* itself does.  *options* are those of the bus.  Raises
    :exc:`BusError`.
    """
    key = _mark(trigger, dependency)
    begun = await state.get(key)
    start: datetime | None = None
    if begun is None or begun.value.decode() != start_from:
        start = start_moment(start_from, clock.now())
    subscription = await bus.subscribe(sensor, trigger, dependency, *event, start=start, **options)
    if start is not None:
        await state.put(key, start_from.encode())
    return subscription


async def forget_start(state: State, trigger: str, dependency: str) -> None:
    """Let the dependency begin in the past, should *trigger* have it anew.  Raises BusError."""
    await state.delete(_mark(trigger, dependency))


def _mark(trigger: str, dependency: str) -> str:
    """The key of the ``startFrom`` with which a dependency has begun."""
    return place(trigger, "start", dependency)
