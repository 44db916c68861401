"""
How far the subscriptions of a trigger have been read, in the time of the bus.

After a stop, what was due meanwhile must not act before the events that came meanwhile are read:
one of them may supersede it.  Where everything is read as it comes, there is nothing to wait for.
"""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime, timedelta

from tiphys.aio import Clock

ON_TIME = timedelta(seconds=0.5)  # age of a message that is handled as it comes
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
        if self._clock.now() - published <= ON_TIME:
            self._read.pop(subscription, None)  # nothing older is left to be read
        else:
            self._read[subscription] = (self._clock.monotonic(), published)

    def limit(self) -> datetime | None:
        """What is due by this moment may act now; None when nothing may."""
        quiet_since = self._clock.monotonic() - QUIET
        behind = [published for at, published in self._read.values() if at > quiet_since]
        if None in behind:
            return None
        now = self._clock.now()
        return min((moment for moment in behind if moment is not None), default=now)
