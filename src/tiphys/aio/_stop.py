"""Stopping tasks for certain."""

from __future__ import annotations

import asyncio
from typing import Any


async def stop(*tasks: asyncio.Task[Any], again_after: float = 0.1, limit: float = 5.0) -> bool:
    """
    Cancel *tasks* until they end; false when one outlives *limit* seconds.

    All are cancelled before the first is waited for, so that none is left out when whoever calls
    this is cancelled as well.

    Once is not enough: in Python 3.11 ``asyncio.wait_for`` returns instead of raising when what
    it awaits finishes in the same step as the cancellation, and libraries call it per request.
    """
    for _ in range(max(1, round(limit / again_after))):
        running = [task for task in tasks if not task.done()]
        if not running:
            return True
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=again_after)
    return all(task.done() for task in tasks)
