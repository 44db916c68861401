"""For calls that must succeed, however long the bus is away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from tiphys.aio import Clock, capped_backoff
from tiphys.errors import BusError, Conflict

T = TypeVar("T")
log = structlog.get_logger("argo-events.eventbus")


async def insist(call: Callable[[], Awaitable[T]], clock: Clock) -> T:
    """
    The answer of the bus to *call*, which is made again until there is one.

    A lost race (:exc:`Conflict`) is run again at once: *call* must read anew what it depends on.
    """
    for pause in capped_backoff(first=0.1, cap=5.0):
        try:
            return await call()
        except Conflict:
            continue
        except BusError as error:
            log.debug("The bus does not answer", error=str(error))
        await clock.sleep(pause)
    raise AssertionError("capped_backoff never ends")
