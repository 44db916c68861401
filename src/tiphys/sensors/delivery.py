"""
Carries one trigger's messages from the bus to its actions (design: delivery, rules 2, 3 and 7).

Messages of a subscription are decided on one after the other, in stream order; only actions run
concurrently, up to a bound.  A message is acknowledged when nothing depends on it any more: its
actions are done or dead-lettered, or its event is held for a condition, or it did not pass.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections import OrderedDict

import structlog
from prometheus_client import Gauge

from tiphys.aio import Clock, stop
from tiphys.bus import Delivery, Subscription
from tiphys.errors import BusError, EventDecodeError
from tiphys.events import CloudEvent
from tiphys.sensors.decisions import Decision, Note, TriggerDecisions
from tiphys.sensors.event import Event
from tiphys.sensors.execution import Execution
from tiphys.sensors.plan import Acknowledgement, TriggerPlan
from tiphys.sensors.state import Position

log = structlog.get_logger("argo-events.sensor")

KEEP_ALIVE = 10.0  # seconds between signs of life for a message at work; the bus waits 30
IN_ORDER_AHEAD = 16  # messages fetched at once where they are handled one at a time
REMEMBERED = 60.0  # seconds for which the id of a handled event is known (spec: sensors 12.1)


@dataclasses.dataclass(slots=True)
class _Work:
    """A message at work.  *delivery* is its newest copy, because only that can be acknowledged."""

    delivery: Delivery
    started: float
    event_id: str = ""

    @property
    def position(self) -> Position:
        """Where the message stands in the stream."""
        return Position(self.delivery.sequence, self.delivery.published)


class TriggerDelivery:
    """Everything between the subscriptions of one trigger and its actions."""

    def __init__(
        self,
        plan: TriggerPlan,
        decisions: TriggerDecisions,
        execution: Execution,
        *,
        sensor: str,
        pending: Gauge,
        note: Note,
        clock: Clock,
    ) -> None:
        self.plan = plan
        self.decisions = decisions
        self.execution = execution
        self._clock = clock
        self._note = note
        self._pending = pending
        self._in_order = asyncio.Lock()
        self._slots = asyncio.Semaphore(plan.concurrency)
        self._work: dict[int, _Work] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._recent = _RecentIds()
        self._log = log.bind(sensorName=sensor, triggerName=plan.name)

    async def consume(self, subscription: Subscription) -> None:
        """Handle the messages of *subscription* until cancelled."""
        in_order = self.plan.acknowledgement is Acknowledgement.AFTER_IN_ORDER
        while True:
            await self._slots.acquire()  # there is no point in fetching what cannot be worked on
            self._slots.release()
            room = IN_ORDER_AHEAD if in_order else self.plan.concurrency - len(self._work)
            deliveries = await subscription.fetch(max(1, room))
            for work in [work for d in deliveries if (work := self._registered(d))]:
                if in_order:
                    async with self._in_order:
                        await self._finish(work, await self._decided(work))
                else:
                    await self._admit(work)

    async def keep_alive(self) -> None:
        """Tell the bus of messages at work, so that long actions are not delivered again."""
        while True:
            await asyncio.sleep(KEEP_ALIVE)
            for work in list(self._work.values()):
                if time.monotonic() - work.started >= KEEP_ALIVE / 2:
                    await work.delivery.in_progress()

    async def close(self, grace: float) -> None:
        """Wait for running actions, at most *grace* seconds; the rest is delivered again later."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        await asyncio.gather(*(stop(task) for task in list(self._tasks)))

    def _registered(self, delivery: Delivery) -> _Work | None:
        """*delivery* as work; None when it is one more copy of a message that is at work."""
        if (work := self._work.get(delivery.sequence)) is not None:
            work.delivery = delivery
            return None
        work = self._work[delivery.sequence] = _Work(delivery, time.monotonic())
        self._pending.set(len(self._work))
        return work

    async def _admit(self, work: _Work) -> None:
        """Decide on a message, and let its actions run beside those of others."""
        decisions = await self._decided(work)
        if self.plan.acknowledgement is Acknowledgement.BEFORE and not await self._settle(work):
            decisions = []  # they follow when the message comes again
            self._recent.discard(work.event_id)
        await self._slots.acquire()
        task = asyncio.create_task(self._finish_in_slot(work, decisions))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _finish_in_slot(self, work: _Work, decisions: list[Decision]) -> None:
        try:
            await self._finish(work, decisions)
        finally:
            self._slots.release()

    async def _finish(self, work: _Work, decisions: list[Decision]) -> None:
        """Run the actions of a message, then acknowledge it."""
        try:
            for decision in decisions:
                await self.execution.carry_out(decision.action)
                await self.decisions.done(work.position, decision)
            if self.plan.acknowledgement is not Acknowledgement.BEFORE:
                await self._settle(work)
        finally:
            self._work.pop(work.delivery.sequence, None)
            self._pending.set(len(self._work))

    async def _settle(self, work: _Work) -> bool:
        """Acknowledge; false when the bus did not confirm, and the message will come again."""
        try:
            await work.delivery.ack()
        except BusError as error:
            self._log.warning(
                "The bus did not confirm an acknowledgement; the message comes again",
                error=str(error),
            )
            return False
        return True

    async def _decided(self, work: _Work) -> list[Decision]:
        """The actions that a message sets in motion."""
        try:
            event = CloudEvent.decode(work.delivery.body)
        except EventDecodeError as error:
            self._log.error("Failed to convert to a cloudevent, discarding it", error=str(error))
            return []
        work.event_id = event.id
        if not self._recent.add(event.id, self._clock.monotonic()):
            self._note("duplicate", event.id)
            return []
        return await self.decisions.decide(Event(event), work.position)


class _RecentIds:
    """The ids of events that were handled in the last minute or so."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, float] = OrderedDict()

    def add(self, event_id: str, now: float) -> bool:
        """Remember an id; false when it is known already.  An empty id is never known."""
        while self._ids and next(iter(self._ids.values())) < now - REMEMBERED:
            self._ids.popitem(last=False)
        if event_id in self._ids:
            return False
        if event_id:
            self._ids[event_id] = now
        return True

    def discard(self, event_id: str) -> None:
        """Forget an id."""
        self._ids.pop(event_id, None)
