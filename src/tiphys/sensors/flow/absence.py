"""
Absence: an action for an event that did not come.

Each item arms a timer; an event that is waited for disarms those of its key that were armed before
it.  A timer that nothing disarms in time lets its item pass.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from tiphys.sensors.flow.deadlines import Deadlines
from tiphys.sensors.flow.item import Effects, Item
from tiphys.sensors.flow.memory import Memory
from tiphys.sensors.state import microseconds

NAME = "absence"
KEPT = 16  # events of a key that are remembered
CAME = "the event came that was waited for"
LATE = timedelta(minutes=10)  # after a crash, a message may come this much after newer ones


class Absence:
    """
    Timers by key.

    *memory* knows the events that came, for items whose messages come after them.  With *own*, each
    item is also the event that those before it wait for.
    """

    name = NAME

    def __init__(self, after: float, memory: Memory, *, own: bool = False) -> None:
        self._after = timedelta(seconds=after)
        self._own = own
        self._armed: dict[str, dict[str, Item]] = {}
        self._due: Deadlines[tuple[str, str]] = Deadlines()
        self.memory = memory

    def offer(self, item: Item, now: datetime) -> Effects:
        """An item comes, and arms."""
        effects = Effects()
        key = item.keys.get(NAME, "")
        if self._own:
            effects = self.came(key, item.moment, item.sequence)
        if self._came_after(key, item):
            effects.drop(item, "disarmed", reason=CAME)
            return effects
        self._armed.setdefault(key, {})[item.id] = item
        self._due.set((key, item.id), item.moment + self._after)
        return effects

    def came(self, key: str, moment: datetime, sequence: int) -> Effects:
        """The event came that is waited for: the bus stored it at *moment*."""
        effects = Effects()
        armed = self._armed.get(key, {})
        for item in list(armed.values()):
            if self._answers(item, microseconds(moment), sequence):
                self._disarm(key, item)
                effects.drop(item, "disarmed", reason=CAME)
        known = self.memory.get(key, moment) or []
        known = sorted([*known, [microseconds(moment), sequence]])[-KEPT:]
        self.memory.set(key, known, moment + self._after + LATE)
        return effects

    def next_due(self) -> datetime | None:
        """When to call :meth:`ripen`."""
        return self._due.next()

    def ripen(self, upto: datetime, now: datetime) -> Effects:
        """Timers that run out by *upto* let their items pass."""
        effects = Effects()
        for key, item_id in self._due.take(upto):
            item = self._armed[key][item_id]
            self._disarm(key, item)
            effects.passed.append(item)
        return effects

    def _came_after(self, key: str, item: Item) -> bool:
        known = self.memory.get(key, item.moment) or []
        return any(self._answers(item, moment, sequence) for moment, sequence in known)

    def _answers(self, item: Item, moment: int, sequence: int) -> bool:
        """Did an event come after *item* and in time?"""
        armed = microseconds(item.moment)
        after = microseconds(item.moment + self._after)
        return (armed, item.sequence) < (moment, sequence) and moment < after

    def _disarm(self, key: str, item: Item) -> None:
        self._due.discard((key, item.id))
        armed = self._armed[key]
        del armed[item.id]
        if not armed:
            del self._armed[key]
