"""Rate limits."""

from __future__ import annotations

from tiphys.aio._clock import Clock


class LeakyBucket:
    """
    Lets one caller through every *interval* seconds, in order of arrival; never a burst.

    Idle time earns no credit: the rate is exact over any window.
    """

    def __init__(self, interval: float, clock: Clock) -> None:
        self._interval = interval
        self._clock = clock
        self._next = clock.monotonic()

    async def acquire(self) -> None:
        """Wait for the caller's turn."""
        now = self._clock.monotonic()
        turn = max(now, self._next)
        self._next = turn + self._interval
        if turn > now:
            await self._clock.sleep(turn - now)

    def delay(self) -> float:
        """Seconds until a caller that came now would be let through; takes no turn."""
        return max(0.0, self._next - self._clock.monotonic())
