"""
Throttle: at most so many actions begin in any span of time as long as the period.

The actions that have begun are remembered by their ids, so that one whose message comes again
after a crash is not counted, nor dropped, because of itself.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tiphys.sensors.flow.deadlines import Deadlines
from tiphys.sensors.flow.item import Effects, Item
from tiphys.sensors.flow.memory import Memory
from tiphys.sensors.state import microseconds, moment_of

NAME = "throttle"


class Throttle:
    """
    Counts by key.

    What comes too early is dropped; or (*latest*) the newest of it waits until it may act.
    """

    name = NAME

    def __init__(self, count: int, period: float, memory: Memory, *, latest: bool = False) -> None:
        self._count = count
        self._period = timedelta(seconds=period)
        self._latest = latest
        self._held: dict[str, Item] = {}
        self._due: Deadlines[str] = Deadlines()
        self.memory = memory

    def offer(self, item: Item, now: datetime) -> Effects:
        """An item comes."""
        effects = Effects()
        key = item.keys.get(NAME, "")
        begun = self._begun(key, now)
        if any(entry[1] == item.id for entry in begun):
            effects.passed.append(item)
            return effects
        held = self._held.get(key)
        if held is not None and item.order < held.order:
            effects.supersede(item, held.event_ids[-1])
            return effects
        if held is not None:
            self._let_go(key)
            effects.supersede(held, item.event_ids[-1])
        if len(begun) < self._count:
            self._begin(key, begun, item, now, effects)
        elif self._latest:
            self._held[key] = item
            self._due.set(key, moment_of(begun[0][0]) + self._period)
        else:
            effects.drop(item, "dropped", reason="throttled")
        return effects

    def next_due(self) -> datetime | None:
        """When to call :meth:`ripen`."""
        return self._due.next()

    def ripen(self, upto: datetime, now: datetime) -> Effects:
        """What waits acts if its time has come by *upto*; it begins *now*."""
        effects = Effects()
        for key in self._due.take(upto):
            item = self._held.pop(key)
            self._begin(key, self._begun(key, now), item, now, effects)
        return effects

    def _begun(self, key: str, now: datetime) -> list[Any]:
        """Microseconds and id of the actions that began within the period, oldest first."""
        begun: list[Any] = self.memory.get(key, now) or []
        since = microseconds(now - self._period)
        return [entry for entry in begun if entry[0] > since]

    def _begin(
        self, key: str, begun: list[Any], item: Item, now: datetime, effects: Effects
    ) -> None:
        self.memory.set(key, [*begun, [microseconds(now), item.id]], now + self._period)
        effects.passed.append(item)

    def _let_go(self, key: str) -> None:
        del self._held[key]
        self._due.discard(key)
