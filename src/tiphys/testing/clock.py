"""A clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from datetime import UTC, datetime, timedelta

TURNS = 30  # steps of the event loop in which whatever was woken comes to rest


class VirtualClock:
    """
    An implementation of :class:`tiphys.aio.Clock` whose time passes only in :meth:`advance`.

    Sleepers wake in the order of their deadlines, equal ones in the order in which they fell
    asleep, each seeing exactly its deadline as the time; what it does until its next wait is done
    before the next one wakes.  Time is counted in whole nanoseconds, so nothing adds up to
    a rounding error.
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start.astimezone(UTC)
        self._elapsed = 0
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        """The time of day, in UTC."""
        return self._start + timedelta(microseconds=self._elapsed // 1000)

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._elapsed / 1e9

    @property
    def sleepers(self) -> int:
        """How many callers are asleep."""
        return sum(not future.done() for _, _, future in self._sleepers)

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock was advanced by *seconds*; not positive: let others run."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        deadline = self._elapsed + round(seconds * 1e9)
        heapq.heappush(self._sleepers, (deadline, next(self._order), future))
        await future

    async def advance(self, seconds: float) -> None:
        """Let *seconds* pass, waking whoever's time comes."""
        target = self._elapsed + round(seconds * 1e9)
        await self.settle()
        while self._sleepers and self._sleepers[0][0] <= target:
            deadline, _, future = heapq.heappop(self._sleepers)
            if future.done():  # its task was cancelled
                continue
            self._elapsed = max(self._elapsed, deadline)
            future.set_result(None)
            await self.settle()
        self._elapsed = max(self._elapsed, target)
        await self.settle()

    async def advance_to(self, moment: datetime) -> None:
        """Let time pass until *moment*."""
        await self.advance((moment - self.now()).total_seconds())

    def jump(self, seconds: float) -> None:
        """Let *seconds* pass without waking anybody, as on a machine that was suspended."""
        self._elapsed += round(seconds * 1e9)

    async def settle(self) -> None:
        """Let every task run until it waits for something other than the event loop's turn."""
        for _ in range(TURNS):
            await asyncio.sleep(0)
