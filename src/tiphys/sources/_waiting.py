"""Waiting for one of several things, and ending tasks for certain."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

from tiphys.aio import stop


async def first(*tasks: asyncio.Future[Any]) -> None:
    """Wait until one of the tasks is done; cancels none."""
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


async def unless(stopping: asyncio.Event, wait: Awaitable[object]) -> bool:
    """Wait; false, and the wait is given up, as soon as *stopping* is set."""
    waiting = asyncio.ensure_future(wait)
    stopped = asyncio.create_task(stopping.wait())
    try:
        await first(waiting, stopped)
        return not stopping.is_set()
    finally:
        waiting.cancel()
        stopped.cancel()


async def end(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait for their ends, also while being cancelled again and again."""
    ending = asyncio.ensure_future(stop(*tasks))
    interrupted = False
    while not ending.done():
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:
            interrupted = True
    if interrupted:
        raise asyncio.CancelledError
