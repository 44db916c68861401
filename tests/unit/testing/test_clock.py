"""The virtual clock."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from tiphys.aio import Clock, stop
from tiphys.testing.clock import VirtualClock

START = datetime(2026, 1, 1, tzinfo=UTC)


async def test_time_stands_still_until_it_is_advanced() -> None:
    clock: Clock = VirtualClock(START)

    assert (clock.now(), clock.monotonic()) == (START, 0.0)


async def test_sleepers_wake_in_the_order_of_their_deadlines_and_see_them_as_the_time() -> None:
    clock = VirtualClock(START)
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, *pauses: float) -> None:
        for pause in pauses:
            await clock.sleep(pause)
            woken.append((name, clock.monotonic()))

    tasks = [
        asyncio.create_task(sleeper("a", 3)),
        asyncio.create_task(sleeper("b", 1, 1, 1)),
        asyncio.create_task(sleeper("c", 2)),
    ]
    await clock.advance(10)

    assert woken == [("b", 1), ("c", 2), ("b", 2), ("a", 3), ("b", 3)]
    assert all(task.done() for task in tasks)
    assert clock.now() == START + timedelta(seconds=10)


async def test_a_sleeper_whose_time_has_not_come_sleeps_on() -> None:
    clock = VirtualClock()
    task = asyncio.create_task(clock.sleep(1.0))
    await clock.advance(0.999999999)

    assert (task.done(), clock.sleepers) == (False, 1)
    await clock.advance(0.000000001)
    assert (task.done(), clock.sleepers) == (True, 0)


async def test_a_cancelled_sleeper_is_forgotten() -> None:
    clock = VirtualClock()
    task = asyncio.create_task(clock.sleep(1))
    await clock.settle()
    await stop(task)
    await clock.advance(2)

    assert clock.sleepers == 0


async def test_many_short_pauses_add_up_without_a_rounding_error() -> None:
    clock = VirtualClock(START)
    for _ in range(1000):
        await clock.advance(0.1)

    assert (clock.monotonic(), clock.now()) == (100.0, START + timedelta(seconds=100))


async def test_after_a_jump_a_sleeper_wakes_late() -> None:
    clock = VirtualClock()
    task = asyncio.create_task(clock.sleep(1))
    await clock.settle()
    clock.jump(60)
    assert not task.done()
    await clock.advance(0)

    assert (task.done(), clock.monotonic()) == (True, 60.0)


async def test_sleeping_for_no_time_lets_others_run() -> None:
    clock = VirtualClock()
    ran: list[int] = []
    asyncio.get_running_loop().call_soon(ran.append, 1)
    await clock.sleep(0)

    assert ran == [1]
