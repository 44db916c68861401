"""Notices an event source that has gone quiet (extension ``expectEvery``)."""

from __future__ import annotations

from datetime import timedelta

from prometheus_client import Gauge
from structlog.typing import FilteringBoundLogger

from tiphys.aio import Clock
from tiphys.sources._status import Status


async def watch_silence(
    every: float, status: Status, clock: Clock, silent: Gauge, log: FilteringBoundLogger
) -> None:
    """
    Raise the alarm when no event came for *every* seconds, and take it back with the next one.

    Runs until cancelled; events that the filter dropped are signs of life as well.
    """
    span = timedelta(seconds=every)
    begun = clock.now()
    silent.set(0)
    while True:
        due = (status.last_event or begun) + span
        left = (due - clock.now()).total_seconds()
        if left > 0:
            if status.silent:
                status.silent = False
                silent.set(0)
                log.info("Events come again")
            await clock.sleep(left)
            continue
        if not status.silent:
            status.silent = True
            silent.set(1)
            last = status.last_event.isoformat() if status.last_event else "none since the start"
            log.warning("No event came for longer than expected", expectEvery=every, last=last)
        await clock.sleep(min(every, 1.0))
