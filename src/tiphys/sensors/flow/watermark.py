"""
How far the subscriptions of a trigger have been read, in the time of the bus.

After a stop, what was due meanwhile must not act before the events that came meanwhile are read:
one of them may supersede it.  On time, there is nothing to wait for.
"""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime, timedelta

from tiphys.aio import Clock

ON_TIME = timedelta(seconds=0.5)
QUIET = 1.0  # seconds without a message after which a subscription counts as read to its end


class Watermark:
    """Told of every message that was handled."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._read: dict[Hashable, tuple[float, datetime | None]] = {}

    def begin(self, subscriptions: int) -> None:
        """So many subscriptions are going to be read, named by their numbers."""
        now = self._clock.monotonic()
        self._read = dict.fromkeys(range(subscriptions), (now, None))

    def handled(self, subscription: Hashable, published: datetime) -> None:
        """A message of *subscription* was handled."""
        self._read[subscription] = (self._clock.monotonic(), published)

    def limit(self, due: datetime) -> datetime | None:
        """What is due by this moment may act now, if *due* is the first; None when nothing may."""
        now = self._clock.now()
        if now - due <= ON_TIME:
            return now
        quiet_since = self._clock.monotonic() - QUIET
        behind = [published for at, published in self._read.values() if at > quiet_since]
        if None in behind:
            return None
        return min((moment for moment in behind if moment is not None), default=now)
