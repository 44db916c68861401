"""Rate limits."""

from __future__ import annotations

import asyncio

from tiphys.aio._clock import Clock


class LeakyBucket:
    """
    Lets one caller through every *interval* seconds, in order of arrival; never a burst.

    Idle time earns no credit: the rate is exact over any window.  A caller that is cancelled while
    it waits costs the others no turn.
    """

    def __init__(self, interval: float, clock: Clock) -> None:
        self._interval = interval
        self._clock = clock
        self._next = clock.monotonic()
        self._in_order = asyncio.Lock()

    async def acquire(self) -> None:
        """Wait for the caller's turn."""
        async with self._in_order:
            now = self._clock.monotonic()
            turn = max(now, self._next)
            if turn > now:
                await self._clock.sleep(turn - now)
            self._next = turn + self._interval
