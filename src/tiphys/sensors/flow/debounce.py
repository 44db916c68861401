"""
Debounce: one action for a burst of events.

A burst of a key ends when the bus has stored no event of that key for the whole period.  The last
event of it acts then; or (*leading*) the first has acted at once, and the others do not.

Events come in any order: subscriptions are read side by side, and messages come again.  One that
comes late is part of a burst that has acted, or has a burst of its own.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from tiphys.sensors.flow.deadlines import Deadlines
from tiphys.sensors.flow.item import Effects, Item
from tiphys.sensors.flow.memory import Memory, Spans

NAME = "debounce"


class Debounce:
    """
    Acts on the last event of a burst; *memory* knows the events that came.

    An item waits until its time is over and everything of that time has been read.  So several may
    wait under one key, a burst each.
    """

    name = NAME

    def __init__(self, period: float, memory: Memory) -> None:
        self._period = timedelta(seconds=period)
        self._came = Spans(memory, self._period)
        # By key and span of time: of two in one span, the newer ends the older.
        self._held: dict[tuple[str, int], Item] = {}
        self._due: Deadlines[tuple[str, int]] = Deadlines()
        self.memory = memory

    def offer(self, item: Item, now: datetime) -> Effects:
        """An item comes."""
        effects = Effects()
        key, mark = item.keys.get(NAME, ""), item.mark
        if item.stage != NAME and self._came.has_acted(key, mark):
            effects.drop(item, "duplicate", reason="it has acted")
            return effects
        replaces = self._end_older(key, item, now, effects)
        newer = self._newer(key, item)
        if newer or not replaces:
            # Of those that replace each other in a span, the first and the last are enough.
            self._came.add(key, mark, now)
        if newer:
            effects.supersede(item, newer)
        else:
            place = (key, self._came.span(mark))
            self._held[place] = item
            self._due.set(place, item.moment + self._period)
        return effects

    def next_due(self) -> datetime | None:
        """When to call :meth:`ripen`."""
        return self._due.next()

    def ripen(self, upto: datetime, now: datetime) -> Effects:
        """Bursts that have ended by *upto* act."""
        effects = Effects()
        for place in self._due.take(upto):
            item = self._held.pop(place)
            self._came.act(place[0], item.mark, now)
            effects.passed.append(item)
        return effects

    def _newer(self, key: str, item: Item) -> str:
        """What came already and continues the burst of *item*; empty when nothing did."""
        held = self._held.get((key, self._came.span(item.mark)))
        if held is not None and held.order > item.order:
            return held.event_ids[-1]
        return "a newer event" if self._came.follows(key, item.mark) else ""

    def _end_older(self, key: str, item: Item, now: datetime, effects: Effects) -> bool:
        """End what waits and has its burst continued by *item*; was it in the same span of time?"""
        span = self._came.span(item.mark)
        for place in ((key, span - 1), (key, span)):
            held = self._held.get(place)
            if held is None or held.order >= item.order:
                continue
            if item.moment - held.moment < self._period:
                del self._held[place]
                self._due.discard(place)
                effects.supersede(held, item.event_ids[-1])
                if place[1] == span:
                    return True
                self._came.add(key, held.mark, now)
        return False


class LeadingDebounce:
    """Acts on the first event of a burst that comes, at once; *memory* knows the events."""

    name = NAME

    def __init__(self, period: float, memory: Memory) -> None:
        self._came = Spans(memory, timedelta(seconds=period))
        self.memory = memory

    def offer(self, item: Item, now: datetime) -> Effects:
        """An item comes."""
        effects = Effects()
        key, mark = item.keys.get(NAME, ""), item.mark
        if self._came.has_acted(key, mark):
            effects.passed.append(item)  # its message came again before it had acted
        elif self._came.precedes(key, mark) or self._came.follows(key, mark):
            self._came.add(key, mark, now)
            effects.supersede(item, "the first event of the burst")
        else:
            self._came.act(key, mark, now)
            effects.passed.append(item)
        return effects

    def next_due(self) -> datetime | None:
        """Nothing ever waits."""
        return None

    def ripen(self, upto: datetime, now: datetime) -> Effects:
        """Nothing ever waits."""
        return Effects()
