"""
Absence: an action for an event that did not come.

Each item arms a timer; an event that is waited for disarms those of its key that were armed before
it.  A timer that nothing disarms in time lets its item pass.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from tiphys.sensors.flow.deadlines import Deadlines
from tiphys.sensors.flow.item import Effects, Item
from tiphys.sensors.flow.memory import Memory, Spans
from tiphys.sensors.state import microseconds

NAME = "absence"
CAME = "the event came that was waited for"


class Absence:
    """
    Timers by key.

    *memory* knows the events that came, for items whose messages come after them: subscriptions are
    read side by side.  With *own*, each item is also the event that those before it wait for.
    """

    name = NAME

    def __init__(self, after: float, memory: Memory, *, own: bool = False) -> None:
        self._after = timedelta(seconds=after)
        self._own = own
        self._armed: dict[str, dict[str, Item]] = {}
        self._due: Deadlines[tuple[str, str]] = Deadlines()
        self._came = Spans(memory, self._after)
        self.memory = memory

    def offer(self, item: Item, now: datetime) -> Effects:
        """An item comes, and arms."""
        effects = Effects()
        key = item.keys.get(NAME, "")
        if self._own:
            effects = self.came(key, item.moment, item.sequence, now)
        if self._came.follows(key, item.mark):
            effects.drop(item, "disarmed", reason=CAME)
            return effects
        self._armed.setdefault(key, {})[item.id] = item
        self._due.set((key, item.id), item.moment + self._after)
        return effects

    def came(self, key: str, moment: datetime, sequence: int, now: datetime) -> Effects:
        """The event came that is waited for: the bus stored it at *moment*."""
        effects = Effects()
        armed = self._armed.get(key, {})
        for item in list(armed.values()):
            if self._answers(item, moment, sequence):
                self._disarm(key, item)
                effects.drop(item, "disarmed", reason=CAME)
        self._came.add(key, (microseconds(moment), sequence, ""), now)
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

    def _answers(self, item: Item, moment: datetime, sequence: int) -> bool:
        """Did an event come after *item* and in time?"""
        later = (item.moment, item.sequence) < (moment, sequence)
        return later and moment < item.moment + self._after

    def _disarm(self, key: str, item: Item) -> None:
        self._due.discard((key, item.id))
        armed = self._armed[key]
        del armed[item.id]
        if not armed:
            del self._armed[key]
