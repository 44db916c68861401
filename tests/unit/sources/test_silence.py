"""The alarm of a source that has gone quiet, in virtual time."""

from __future__ import annotations

import asyncio

import structlog

from tiphys.aio import stop
from tiphys.observe.metrics import Metrics
from tiphys.sources._silence import watch_silence
from tiphys.sources._status import Status
from tiphys.testing.clock import VirtualClock


async def test_silence_raises_the_alarm_once_and_the_next_event_takes_it_back() -> None:
    clock, status, metrics = VirtualClock(), Status("ev", "webhook"), Metrics()
    gauge = metrics.silent.labels("ns", "es", "ev")
    with structlog.testing.capture_logs() as lines:
        log = structlog.get_logger()
        task = asyncio.create_task(watch_silence(60, status, clock, gauge, log))
        seen = []
        for seconds in (59, 2, 100):
            await clock.advance(seconds)
            seen.append((status.silent, gauge._value.get()))
        status.last_event = clock.now()
        await clock.advance(2)
        seen.append((status.silent, gauge._value.get()))
        await clock.advance(59)
        seen.append((status.silent, gauge._value.get()))
        await stop(task)

    assert seen == [(False, 0), (True, 1), (True, 1), (False, 0), (True, 1)]
    assert [line["log_level"] for line in lines] == ["warning", "info", "warning"]
