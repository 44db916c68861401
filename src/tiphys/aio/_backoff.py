"""Pauses between attempts."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator


@dataclasses.dataclass(frozen=True, slots=True)
class Backoff:
    """
    The back-off object of manifests (spec: ``retryStrategy``, ``connectionBackoff``).

    *duration* is the first pause in seconds, *steps* the total number of attempts.  There is no
    cap on a pause, because the manifests' authors were never given one.
    """

    duration: float = 1.0
    factor: float = 1.0
    jitter: float = 1.0
    steps: int = 5

    def pauses(self) -> Iterator[float]:
        """The ``steps - 1`` pauses between attempts, in seconds, jitter included."""
        pause = self.duration
        for _ in range(self.steps - 1):
            yield pause + random.uniform(0, self.jitter * pause) if self.jitter > 0 else pause
            if self.factor != 0:
                pause *= self.factor


def capped_backoff(first: float = 0.25, cap: float = 15.0, factor: float = 2.0) -> Iterator[float]:
    """Endless growing pauses with full jitter above half, for links that must come back."""
    pause = first
    while True:
        yield random.uniform(pause / 2, pause)
        pause = min(cap, pause * factor)
