"""Ending what a client library has opened, also while its user is being cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from tiphys.aio._stop import stop

LIMIT = 0.5  # seconds; a source must stop within one


async def finish(closing: Coroutine[Any, Any, object], limit: float = LIMIT) -> None:
    """
    Carry *closing* out to its end, or for *limit* seconds, however often the caller is cancelled.

    It runs in a task of its own, because nats-py cancels, at times, the task that closes it.  What
    it raises is of no interest: the connection is given up.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limit
    task = asyncio.ensure_future(closing)
    cancelled = False
    while not task.done() and (left := deadline - loop.time()) > 0:
        try:
            await asyncio.wait([task], timeout=left)
        except asyncio.CancelledError:
            cancelled = True
    if not task.done():
        task.cancel()
        await stop(task)
    if not task.cancelled():
        task.exception()
    if cancelled:
        raise asyncio.CancelledError
