"""Whether a trigger may take events: not paused, not suspended, no blackout, and ours to run."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import datetime
from typing import Any, Literal, Protocol

from tiphys.aio import Clock, stop
from tiphys.sensors.flow.blackout import Blackout
from tiphys.sensors.flow.lease import Lease
from tiphys.sensors.pauses import Pauses

LOOK = 60.0  # seconds between two looks at the clock, which somebody may set
Phase = Literal["paused", "standby"]


class Report(Protocol):
    """Is told why the trigger takes no events."""

    def __call__(self, phase: Phase, reason: str) -> None:
        """*reason* is for people."""
        ...


class Gate:
    """The gate of one trigger."""

    def __init__(
        self,
        trigger: str,
        pauses: Pauses,
        clock: Clock,
        *,
        suspended: bool = False,
        blackout: Blackout | None = None,
        lease: Lease | None = None,
    ) -> None:
        self._trigger = trigger
        self._pauses = pauses
        self._clock = clock
        self._suspended = suspended
        self._blackout = blackout
        self._lease = lease

    def closed_by(self) -> str:
        """What closes the gate at this moment; empty when nothing does."""
        if self._suspended:
            return "suspended in the manifest"
        if self._pauses.paused(self._trigger):
            return "paused"
        end = self._blackout and self._blackout.covering(self._clock.now())
        return f"blackout until {end:%Y-%m-%dT%H:%M:%SZ}" if end else ""

    async def opened(self, report: Report) -> None:
        """Wait until the trigger may take events."""
        while True:
            if reason := self.closed_by():
                report("paused", reason)
                await self._change(self._end_of_blackout())
            elif self._lease is not None and not self._lease.held:
                report("standby", "waiting for the replica that runs it, or for its end")
                await self._change(self._lease.acquire())
            else:
                return

    async def closed(self) -> None:
        """Wait until it may not any more."""
        while not self.closed_by():
            if self._lease is None:
                await self._change(self._beginning_of_blackout())
            elif self._lease.held:
                await self._change(self._beginning_of_blackout(), self._lease.keep())
            else:
                return

    async def release(self) -> None:
        """Nothing of the trigger is at work any more: another replica may have it."""
        if self._lease is not None:
            await self._lease.release()

    async def _change(self, *others: Coroutine[Any, Any, object]) -> None:
        """Wait until a pause changes, or one of *others* ends."""
        await first_of(self._pauses.change(), *others)

    async def _end_of_blackout(self) -> None:
        blackout = self._blackout
        end = None if blackout is None else blackout.covering(self._clock.now())
        await self._sleep_until(end)

    async def _beginning_of_blackout(self) -> None:
        blackout = self._blackout
        start = None if blackout is None else blackout.next_start(self._clock.now())
        await self._sleep_until(start)

    async def _sleep_until(self, moment: datetime | None) -> None:
        """Wait until *moment*, or until it is time to look at the clock again."""
        if moment is None:
            await asyncio.Event().wait()
        else:
            await self._clock.sleep(min(LOOK, (moment - self._clock.now()).total_seconds()))


async def first_of(*waits: Coroutine[Any, Any, object]) -> int:
    """Run all of *waits* until one has ended, and return its number; the others are cancelled."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        ended = next(number for number, task in enumerate(tasks) if task.done())
        tasks[ended].result()
        return ended
    finally:
        await stop(*tasks)
