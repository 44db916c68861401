"""Closing what a library has opened, to its end or not at all."""

from __future__ import annotations

import asyncio

from tiphys.aio import finish, stop


async def test_closing_is_carried_out_however_often_its_caller_is_cancelled() -> None:
    gate, closed = asyncio.Event(), asyncio.Event()

    async def close() -> None:
        await gate.wait()
        closed.set()

    task = asyncio.create_task(finish(close(), limit=10))
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
    gate.set()
    await asyncio.wait([task])

    assert closed.is_set()
    assert task.cancelled()


async def test_closing_that_hangs_is_given_up() -> None:
    task = asyncio.create_task(finish(asyncio.Event().wait(), limit=0.01))
    await asyncio.wait([task], timeout=5)

    assert task.done()
    assert await stop(task)


async def test_closing_that_fails_is_nobodys_concern() -> None:
    tried = asyncio.Event()

    async def fail() -> None:
        tried.set()
        raise ConnectionResetError

    await finish(fail())

    assert tried.is_set()
