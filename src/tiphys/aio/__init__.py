"""What asyncio lacks: stopping tasks for certain, back-off, rate limits, and a clock to replace."""

from tiphys.aio._backoff import Backoff, capped_backoff
from tiphys.aio._clock import Clock, SystemClock
from tiphys.aio._rate import LeakyBucket
from tiphys.aio._stop import stop

__all__ = ["Backoff", "Clock", "LeakyBucket", "SystemClock", "capped_backoff", "stop"]
