"""Keeps repeated log lines few: one per kind and minute, with the number of those in between."""

from __future__ import annotations

from tiphys.aio import Clock

EVERY = 60.0  # seconds


class Bursts:
    """Says which of many like lines to write; the kinds must be few, they are remembered."""

    def __init__(self, clock: Clock, every: float = EVERY) -> None:
        self._clock = clock
        self._every = every
        self._kinds: dict[str, tuple[float, int]] = {}

    def count(self, kind: str) -> int | None:
        """
        Note one more of *kind*.

        Returns how many there were since the last line, this one included, when it is time for
        a line, otherwise None.
        """
        now = self._clock.monotonic()
        written, silent = self._kinds.get(kind, (now - self._every, 0))
        if now - written < self._every:
            self._kinds[kind] = (written, silent + 1)
            return None
        self._kinds[kind] = (now, 0)
        return silent + 1
