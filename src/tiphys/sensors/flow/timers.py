"""Calls whoever has something due."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from tiphys.aio import Clock, stop
from tiphys.sensors.flow.watermark import Watermark

LOOK = 60.0  # seconds between two looks at the clock, which somebody may set
AGAIN = 0.1  # seconds until the next look at what is late


class Timed(Protocol):
    """Somebody who does things at certain times."""

    def next_due(self) -> datetime | None:
        """The earliest time at which there is something to do."""
        ...

    async def ripen(self, upto: datetime) -> None:
        """Do what is due by *upto*."""
        ...


class Timers:
    """The times of several."""

    def __init__(self, timed: Sequence[Timed], watermark: Watermark, clock: Clock) -> None:
        self._timed = timed
        self._watermark = watermark
        self._clock = clock
        self._waits_for: datetime | None = None
        self._earlier = asyncio.Event()

    def poke(self) -> None:
        """Something may have become due earlier than anything before."""
        due = self._next()
        if due is not None and (self._waits_for is None or due < self._waits_for):
            self._earlier.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._waits_for = due = self._next()
            self._earlier.clear()
            if due is None:
                await self._earlier.wait()
            elif (ahead := (due - self._clock.now()).total_seconds()) > 0:
                await self._wait(min(ahead, LOOK))
            else:
                await self._ripen(due)

    def _next(self) -> datetime | None:
        return min((due for t in self._timed if (due := t.next_due()) is not None), default=None)

    async def _ripen(self, due: datetime) -> None:
        limit = self._watermark.limit()
        if limit is None or limit < due:
            await self._clock.sleep(AGAIN)
            return
        for timed in self._timed:
            await timed.ripen(limit)

    async def _wait(self, seconds: float) -> None:
        """Wait, but not longer than until something is due earlier."""
        waits = [
            asyncio.ensure_future(self._earlier.wait()),
            asyncio.ensure_future(self._clock.sleep(seconds)),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                await stop(wait)
