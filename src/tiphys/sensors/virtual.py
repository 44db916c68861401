"""A trigger that decides by virtual time: for tests of manifests, and for events of the past."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from tiphys.aio import Clock
from tiphys.bus.memory import MemoryState
from tiphys.languages.cron import Schedule
from tiphys.languages.lua import WorkerPool
from tiphys.sensors.actions import Action
from tiphys.sensors.decisions import Note, TriggerDecisions
from tiphys.sensors.event import Event
from tiphys.sensors.flow.decisions import FlowDecisions
from tiphys.sensors.flow.virtual import VirtualFlow
from tiphys.sensors.plan import TriggerPlan
from tiphys.sensors.state import ConditionState, Position

Decided = list[tuple[int, Action]]
"""Actions, each with the number of the event that decided it."""


class VirtualTrigger:
    """
    Decides like a running trigger, with an empty memory of its own, and acts on nothing.

    Whoever advances *clock* calls :meth:`ripen` when :meth:`next_due` has come, and :meth:`reset`
    before an event; *schedules* are those of the trigger's resets.
    """

    def __init__(
        self,
        plan: TriggerPlan,
        schedules: Sequence[Schedule],
        *,
        sensor: str,
        scripts: WorkerPool,
        note: Note,
        clock: Clock,
    ) -> None:
        self.plan = plan
        self._schedules = schedules
        self._clock = clock
        bucket = MemoryState()
        self._state = ConditionState(bucket, plan.name, plan.dependencies)
        services: dict[str, Any] = {
            "sensor": sensor,
            "state": self._state,
            "scripts": scripts,
            "note": note,
            "clock": clock,
        }
        self._flow: VirtualFlow | None = None
        if plan.flow is None:
            self._decisions = TriggerDecisions(plan, **services)
            return
        decisions = FlowDecisions(plan, bucket=bucket, **services)
        self._decisions = decisions
        self._flow = VirtualFlow(
            plan, decisions, sensor=sensor, bucket=bucket, note=note, clock=clock
        )

    async def open(self) -> None:
        """Get ready."""
        if self._flow is not None:
            await self._flow.open()

    async def receive(self, event: Event, position: Position) -> Decided:
        """An event comes; the actions that may begin now."""
        acting: Decided = []
        for number, decision in enumerate(await self._decisions.decide(event, position)):
            if self._flow is None:
                acting.append((position.sequence, decision.action))
            else:
                await self._flow.offer(position, number, decision)
            await self._decisions.done(position, decision)
        return acting if self._flow is None else await self._flow.released()

    async def reset(self, now: datetime) -> list[str]:
        """Do the resets whose time has come by *now*; the dependencies that must come again."""
        last = now + timedelta(seconds=1)  # a tick in this very second comes before the event
        ticks = [tick for s in self._schedules if (tick := s.previous(last)) is not None]
        if not ticks:
            return []
        return await self._decisions.reset(max(ticks))

    def next_due(self) -> datetime | None:
        """The earliest time at which something waits no longer."""
        return None if self._flow is None else self._flow.next_due()

    async def ripen(self) -> Decided:
        """Let go what is due by now; the actions that may begin."""
        if self._flow is None:
            return []
        await self._flow.ripen(self._clock.now())
        return await self._flow.released()
