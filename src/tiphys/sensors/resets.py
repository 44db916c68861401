"""Schedules at which events that wait for a condition are forgotten (spec: sensors 13.6)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from tiphys.aio import Clock
from tiphys.languages import cron, zones
from tiphys.languages.cron import Schedule
from tiphys.sensors.plan import TriggerPlan

Reset = Callable[[datetime | None], Awaitable[object]]


def reset_schedules(plan: TriggerPlan) -> list[Schedule]:
    """The schedules of a trigger.  Raises the errors of :mod:`tiphys.languages`."""
    template = plan.manifest.template
    schedules: list[Schedule] = []
    if template is None or not plan.condition.needs_state:
        return schedules
    for reset in template.conditions_reset:
        if reset.by_time is not None:
            zone = zones.load_zone(reset.by_time.timezone) if reset.by_time.timezone else None
            schedules.append(cron.parse(reset.by_time.cron, zone=zone))
    return schedules


async def run_resets(schedules: Sequence[Schedule], reset: Reset, clock: Clock) -> None:
    """
    Reset at every tick of any schedule until cancelled.

    Ticks that were missed while nobody ran are made good first: what was published before the last
    tick is forgotten.
    """
    now = clock.now()
    past = [tick for schedule in schedules if (tick := schedule.previous(now)) is not None]
    if past:
        await reset(max(past))
    while True:
        ticks = [tick for schedule in schedules if (tick := schedule.next(now)) is not None]
        if not ticks:
            return
        now = min(ticks)
        await clock.sleep((now - clock.now()).total_seconds())
        await reset(None)
