"""Tasks end when they are told to, whatever happens to whoever tells them."""

from __future__ import annotations

import asyncio

from tiphys.aio import stop


async def stubborn(times: int) -> None:
    """End at the cancellation after so many."""
    for _ in range(times):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            continue
    await asyncio.Event().wait()


async def test_a_task_that_overhears_a_cancellation_is_told_again() -> None:
    task = asyncio.create_task(stubborn(2))
    await asyncio.sleep(0)

    assert await stop(task, again_after=0.001)
    assert task.cancelled()


async def test_a_task_that_never_ends_is_given_up() -> None:
    endless, other = asyncio.create_task(stubborn(1000)), asyncio.create_task(stubborn(0))
    await asyncio.sleep(0)

    assert not await stop(endless, other, again_after=0.001, limit=0.01)
    assert other.cancelled()
    assert await stop(endless, again_after=0.0001)


async def test_no_task_is_left_out_when_the_one_who_stops_them_is_cancelled() -> None:
    tasks = [asyncio.create_task(stubborn(1)), asyncio.create_task(stubborn(0))]
    await asyncio.sleep(0)
    stopping = asyncio.create_task(stop(*tasks))
    await asyncio.sleep(0)
    stopping.cancel()
    await asyncio.wait([stopping])

    assert tasks[1].cancelled()
    assert await stop(*tasks)


async def test_stopping_nothing_is_done_at_once() -> None:
    assert await stop()
