"""Rate limits, in virtual time."""

from __future__ import annotations

import asyncio
import itertools

from hypothesis import given
from hypothesis import strategies as st

from tiphys.aio import LeakyBucket
from tiphys.testing.clock import VirtualClock


async def test_callers_are_let_through_one_at_a_time_at_the_rate() -> None:
    clock = VirtualClock()
    bucket = LeakyBucket(0.5, clock)
    passed: list[float] = []

    async def caller() -> None:
        await bucket.acquire()
        passed.append(clock.monotonic())

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(caller())
        await clock.advance(5)

    assert passed == [0, 0.5, 1.0, 1.5]


@given(gaps=st.lists(st.floats(0, 3), min_size=1, max_size=20))
def test_idle_time_earns_no_burst(gaps: list[float]) -> None:
    async def run() -> list[float]:
        clock = VirtualClock()
        bucket = LeakyBucket(1.0, clock)
        passed: list[float] = []

        async def caller() -> None:
            await bucket.acquire()
            passed.append(clock.monotonic())

        async with asyncio.TaskGroup() as group:
            for gap in gaps:
                group.create_task(caller())
                await clock.advance(gap)
            await clock.advance(len(gaps) + 1)
        return passed

    passed = asyncio.run(run())

    assert len(passed) == len(gaps)
    # Time is counted in whole nanoseconds.
    assert all(later - earlier >= 1 - 1e-8 for earlier, later in itertools.pairwise(passed))
