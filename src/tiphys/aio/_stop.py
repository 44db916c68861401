"""Stopping a task for certain."""

from __future__ import annotations

import asyncio
from typing import Any


async def stop(task: asyncio.Task[Any], *, again_after: float = 0.1, limit: float = 5.0) -> bool:
    """
    Cancel *task* until it ends; false when it outlives *limit* seconds.

    Once is not enough: in Python 3.11 ``asyncio.wait_for`` returns instead of raising when what
    it awaits finishes in the same step as the cancellation, and libraries call it per request.
    """
    for _ in range(max(1, round(limit / again_after))):
        if task.done():
            break
        task.cancel()
        await asyncio.wait([task], timeout=again_after)
    return task.done()
