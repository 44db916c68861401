"""Flow control by virtual time: what passes at once, what passes later, and when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from tiphys.aio import Clock
from tiphys.bus import State
from tiphys.sensors.actions import Action, action_id
from tiphys.sensors.decisions import Decision, Note
from tiphys.sensors.event import Event
from tiphys.sensors.flow.control import FlowControl, make_stages, place
from tiphys.sensors.flow.decisions import Awaited, FlowDecisions, item_of
from tiphys.sensors.flow.item import Item
from tiphys.sensors.flow.plan import FlowPlan
from tiphys.sensors.flow.waiting import WaitingActions
from tiphys.sensors.plan import TriggerPlan
from tiphys.sensors.state import Position


class VirtualFlow:
    """
    The flow control of one trigger, for one run of events.

    Whoever advances the clock calls :meth:`ripen` when :attr:`next_due` has come, and takes what
    may act then from :meth:`released`.
    """

    def __init__(
        self,
        plan: TriggerPlan,
        decisions: FlowDecisions,
        *,
        sensor: str,
        bucket: State,
        note: Note,
        clock: Clock,
    ) -> None:
        assert plan.flow is not None
        self._trigger = plan
        self._plan: FlowPlan = plan.flow
        self._sensor = sensor
        self._decisions = decisions
        self._clock = clock
        self._ready: list[Item] = []
        self._control = FlowControl(
            lambda: make_stages(self._plan, plan.name, bucket),
            WaitingActions(bucket, place(plan.name, "waiting"), clock),
            release=self._ready.append,
            note=note,
            clock=clock,
        )

    async def open(self) -> None:
        """Get ready."""
        await self._decisions.open()
        await self._control.open(frozenset())

    async def offer(self, position: Position, number: int, decision: Decision) -> None:
        """The event at *position* decided on an action, of several on the one *number*."""
        item = item_of(self._trigger, position, number, decision)
        if isinstance(decision, Awaited):
            await self._control.came(decision.key, item.moment, item.sequence)
        elif await self._control.offer(item):
            self._ready.append(item)
        else:
            self._control.settled(item.id)

    def next_due(self) -> datetime | None:
        """The earliest time at which something waits no longer."""
        dues = [self._control.next_due(), self._decisions.next_due()]
        if self._ready:
            dues.append(self._blacked_out() or self._clock.now())
        return min((due for due in dues if due is not None), default=None)

    async def ripen(self, upto: datetime) -> None:
        """Let go what is due by *upto*."""
        await self._control.ripen(upto)
        await self._decisions.ripen(upto)

    async def released(self) -> list[tuple[int, Action]]:
        """What may act now, each with the number of the event that decided it."""
        if self._blacked_out() is not None:
            return []
        items, self._ready[:] = list(self._ready), []
        for item in items:
            await self._control.done(item)
        return list(self._actions(items))

    def _actions(self, items: list[Item]) -> Iterator[tuple[int, Action]]:
        for item in items:
            events = {name: Event(event) for name, event in item.events.items()}
            id = action_id(self._sensor, self._trigger.name, events)
            yield item.sequence, Action(id, events, item.origins)

    def _blacked_out(self) -> datetime | None:
        """The end of the blackout that the present lies in."""
        blackout = self._plan.blackout
        return None if blackout is None else blackout.covering(self._clock.now())
