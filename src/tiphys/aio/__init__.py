"""What asyncio lacks: stopping and closing for certain, back-off, rate limits, memory, a clock."""

from tiphys.aio._backoff import Backoff, capped_backoff
from tiphys.aio._clock import Clock, SystemClock
from tiphys.aio._finish import finish
from tiphys.aio._rate import LeakyBucket
from tiphys.aio._recent import Recent
from tiphys.aio._stop import stop

__all__ = [
    "Backoff",
    "Clock",
    "LeakyBucket",
    "Recent",
    "SystemClock",
    "capped_backoff",
    "finish",
    "stop",
]
