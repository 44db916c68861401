"""One worker pool for all judges, in an event loop that a thread keeps running."""

from __future__ import annotations

import asyncio
import atexit
import functools
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from tiphys.languages.lua import WorkerPool

__all__ = ["pool", "run"]

Result = TypeVar("Result")


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Wait for *work*, which may use the pool."""
    return asyncio.run_coroutine_threadsafe(work, _loop()).result()


@functools.cache
def pool() -> WorkerPool:
    """The pool; it ends with the process."""
    workers = WorkerPool(size=1, timeout=2.0)
    atexit.register(lambda: run(workers.close()))
    return workers


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return loop
