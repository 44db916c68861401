"""Runs one trigger: consumes while its gate is open, and ends what has begun when it closes."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from tiphys.aio import Clock
from tiphys.bus import Subscription, insist
from tiphys.languages.cron import Schedule
from tiphys.sensors.delivery import TriggerDelivery
from tiphys.sensors.gate import Gate, Phase, first_of
from tiphys.sensors.resets import run_resets


@dataclasses.dataclass
class TriggerStatus:
    """
    How a trigger fares.

    *phase* ``broken`` means that it cannot run before its manifest is changed; *error* says why.
    ``paused`` and ``standby`` take no events for the *reason* that is given.
    """

    name: str
    type: str = ""
    events: list[str] = dataclasses.field(default_factory=list)
    phase: Literal["starting", "running", "paused", "standby", "broken", "stopped"] = "starting"
    error: str = ""
    reason: str = ""


class TriggerRun:
    """
    One trigger at work.

    *subscribe* opens its subscriptions; *schedules* are those of its resets.
    """

    def __init__(
        self,
        delivery: TriggerDelivery,
        gate: Gate,
        subscribe: Callable[[], Awaitable[list[Subscription]]],
        schedules: Sequence[Schedule],
        status: TriggerStatus,
        clock: Clock,
    ) -> None:
        self.delivery = delivery
        self.gate = gate
        self._subscribe = subscribe
        self._schedules = schedules
        self._status = status
        self._clock = clock
        self._subscriptions: list[Subscription] = []
        self._halted = asyncio.Event()
        self._halted.set()

    async def run(self) -> None:
        """Work until cancelled; follow up with :meth:`close`, or run again after an error."""
        try:
            await first_of(self._work(), self.delivery.keep_alive(), self._reset())
        except Exception:
            await self._unsubscribe()
            raise

    async def halted(self) -> None:
        """Wait until nothing new begins any more, once the gate is closed."""
        await self._halted.wait()

    def expect_open(self) -> None:
        """Show at once that the trigger is on its way, if nothing else closes its gate."""
        if self._status.phase == "paused":
            reason = self.gate.closed_by()
            self._status.phase, self._status.reason = "paused" if reason else "starting", reason

    async def close(self, grace: float) -> None:
        """Let running actions end within *grace* seconds, and give everything else back."""
        await self.delivery.close(grace)
        await self._unsubscribe()
        await self.gate.release()

    async def _work(self) -> None:
        if self.gate.closed_by():
            # The subscriptions must exist for the backlog to grow.
            self._subscriptions = await insist(self._subscribe, self._clock)
            await self._unsubscribe()
        while True:
            await self.gate.opened(self._report)
            if not self._subscriptions:
                self._subscriptions = await insist(self._subscribe, self._clock)
            await self._consume()
            # What has begun needs the subscriptions to be acknowledged.
            if await first_of(self.delivery.finish(), self.gate.opened(self._report)) == 0:
                await self._unsubscribe()
                await self.gate.release()

    async def _reset(self) -> None:
        if self._schedules:
            await run_resets(self._schedules, self.delivery.decisions.reset, self._clock)
        await asyncio.Event().wait()  # a schedule may end

    async def _consume(self) -> None:
        """Consume until the gate closes."""
        self._halted.clear()
        try:
            if self.gate.closed_by():
                return
            await self.delivery.open(len(self._subscriptions))
            self._status.phase, self._status.error, self._status.reason = "running", "", ""
            tasks = [
                self.delivery.consume(subscription, number)
                for number, subscription in enumerate(self._subscriptions)
            ]
            await first_of(self.gate.closed(), *tasks, *self.delivery.background())
        finally:
            self.delivery.put_aside()
            self._halted.set()

    def _report(self, phase: Phase, reason: str) -> None:
        self._status.phase, self._status.reason = phase, reason

    async def _unsubscribe(self) -> None:
        subscriptions, self._subscriptions = self._subscriptions, []
        self.delivery.put_aside()
        self.delivery.give_up()
        for subscription in subscriptions:
            await subscription.close()
