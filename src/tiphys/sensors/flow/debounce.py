"""
Debounce: one action for a burst of events.

A burst of a key ends when the bus has stored no event of that key for the whole period.  The last
event of it acts then; or (*leading*) the first has acted at once, and the others do not.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta

from tiphys.sensors.flow.deadlines import Deadlines
from tiphys.sensors.flow.item import Effects, Item
from tiphys.sensors.flow.memory import Memory
from tiphys.sensors.state import microseconds, moment_of

NAME = "debounce"
REMEMBERED = 10_000  # keys of which the last acting event is known


class Debounce:
    """Acts on the last event of a burst."""

    name = NAME
    memory: Memory | None = None

    def __init__(self, period: float) -> None:
        self._period = timedelta(seconds=period)
        self._held: dict[str, Item] = {}
        self._due: Deadlines[str] = Deadlines()
        self._acted: OrderedDict[str, tuple[datetime, int, str]] = OrderedDict()

    def offer(self, item: Item, now: datetime) -> Effects:
        """An item comes."""
        effects = Effects()
        key = item.keys.get(NAME, "")
        held, acted = self._held.get(key), self._acted.get(key)
        newest = acted if held is None else held.order
        if newest is not None and item.order <= newest:
            # It comes late, after a crash; a newer one waits or has acted.
            effects.supersede(item, "a newer event")
            return effects
        if held is not None:
            if item.moment - held.moment >= self._period:
                self._pass(key, held, effects)
            else:
                effects.supersede(held, item.event_ids[-1])
        self._held[key] = item
        self._due.set(key, item.moment + self._period)
        return effects

    def next_due(self) -> datetime | None:
        """When to call :meth:`ripen`."""
        return self._due.next()

    def ripen(self, upto: datetime, now: datetime) -> Effects:
        """Bursts that have ended by *upto* act."""
        effects = Effects()
        for key in self._due.take(upto):
            self._pass(key, self._held.pop(key), effects)
        return effects

    def _pass(self, key: str, item: Item, effects: Effects) -> None:
        effects.passed.append(item)
        self._acted[key] = item.order
        self._acted.move_to_end(key)
        if len(self._acted) > REMEMBERED:
            self._acted.popitem(last=False)


class LeadingDebounce:
    """Acts on the first event of a burst, at once; *memory* knows the bursts that last."""

    name = NAME

    def __init__(self, period: float, memory: Memory) -> None:
        self._period = timedelta(seconds=period)
        self.memory = memory

    def offer(self, item: Item, now: datetime) -> Effects:
        """An item comes."""
        effects = Effects()
        key = item.keys.get(NAME, "")
        burst = self.memory.get(key, item.moment)
        if burst is None:
            self._remember(key, item.moment, item.id)
            effects.passed.append(item)
            return effects
        last, first = moment_of(burst[0]), burst[1]
        if item.id == first:
            effects.passed.append(item)  # its message came again before it had acted
            return effects
        self._remember(key, max(last, item.moment), first)
        effects.supersede(item, "the first event of the burst")
        return effects

    def next_due(self) -> datetime | None:
        """Nothing ever waits."""
        return None

    def ripen(self, upto: datetime, now: datetime) -> Effects:
        """Nothing ever waits."""
        return Effects()

    def _remember(self, key: str, last: datetime, first: str) -> None:
        self.memory.set(key, [microseconds(last), first], last + self._period)
