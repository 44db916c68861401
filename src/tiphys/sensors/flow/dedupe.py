"""
Dedupe: of the events of a dependency with the same key, one in a window counts.

The window is measured in the time of the bus from the event that passed.  An event whose message
comes again passes again: it is known by its place in the stream.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from tiphys.sensors.flow.memory import Memory
from tiphys.sensors.state import microseconds


class Dedupe:
    """Decides for one dependency; *memory* knows the events that passed."""

    def __init__(self, window: float, memory: Memory) -> None:
        self._window = timedelta(seconds=window)
        self.memory = memory

    def is_new(self, key: str, moment: datetime, sequence: int) -> bool:
        """Does the event pass that the bus stored at *moment* as message *sequence*?"""
        place = [microseconds(moment), sequence]
        first = self.memory.get(key, moment)
        if first is not None:
            return bool(first == place)
        self.memory.set(key, place, moment + self._window)
        return True
