"""
Batch: one action for several events.

A batch is complete when it has *count* events, or when *period* has passed since the bus stored its
first one, or when its data would grow beyond :data:`LARGEST`: what acts must fit into one message
of the bus.  The events of the action have the data of all::

    {"events": [<data>, ...], "count": <number>}
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta

import orjson

from tiphys.errors import ParameterError
from tiphys.events import JSON, CloudEvent
from tiphys.sensors.event import Event
from tiphys.sensors.flow.deadlines import Deadlines
from tiphys.sensors.flow.item import Effects, Item
from tiphys.sensors.flow.memory import Memory

NAME = "batch"
LARGEST = 256 * 1024  # bytes of data in a batch


@dataclasses.dataclass(slots=True)
class _Open:
    """A batch that is being collected."""

    items: list[Item]
    due: datetime
    size: int


class Batch:
    """Collects items by key."""

    name = NAME
    memory: Memory | None = None

    def __init__(self, count: int, period: float) -> None:
        self._count = count
        self._period = timedelta(seconds=period)
        self._open: dict[str, _Open] = {}
        self._due: Deadlines[str] = Deadlines()

    def offer(self, item: Item, now: datetime) -> Effects:
        """An item comes."""
        effects = Effects()
        key, size = item.keys.get(NAME, ""), _size(item)
        batch = self._open.get(key)
        if batch is not None and (item.moment >= batch.due or batch.size + size > LARGEST):
            self._complete(key, effects)
            batch = None
        if batch is None:
            batch = self._open[key] = _Open([], item.moment + self._period, 0)
            self._due.set(key, batch.due)
        batch.items.append(item)
        batch.size += size
        if len(batch.items) >= self._count:
            self._complete(key, effects)
        return effects

    def next_due(self) -> datetime | None:
        """When to call :meth:`ripen`."""
        return self._due.next()

    def ripen(self, upto: datetime, now: datetime) -> Effects:
        """Batches whose time has come by *upto* are complete."""
        effects = Effects()
        for key in self._due.take(upto):
            self._complete(key, effects)
        return effects

    def _complete(self, key: str, effects: Effects) -> None:
        self._due.discard(key)
        effects.passed.append(merged(self._open.pop(key).items))


def merged(items: Iterable[Item]) -> Item:
    """One item in place of several, with the data of all."""
    ordered = sorted(items, key=lambda item: item.order)
    last = ordered[-1]
    names = dict.fromkeys(name for item in ordered for name in item.events)
    return dataclasses.replace(
        last,
        id=f"batch-{ordered[0].id}",
        events={n: _together([i.events[n] for i in ordered if n in i.events]) for n in names},
        members=tuple(item.id for item in ordered),
        origins=tuple(event_id for item in ordered for event_id in item.event_ids),
    )


def _together(events: list[CloudEvent]) -> CloudEvent:
    """The last of *events*, with the data of all and an id that is theirs alone."""
    ids = "\0".join(event.id for event in events)
    data = b",".join(_json(event) for event in events)
    return dataclasses.replace(
        events[-1],
        id=hashlib.sha256(ids.encode()).hexdigest()[:32],
        datacontenttype=JSON,
        data=b'{"events":[%b],"count":%d}' % (data, len(events)),
    )


def _json(event: CloudEvent) -> bytes:
    """The data as JSON text; data that is none of its own becomes a text."""
    if event.data is None:
        return b"null"
    try:
        return Event(event).data_document.text.encode("utf-8", "surrogateescape")
    except ParameterError:
        return orjson.dumps(event.data.decode("utf-8", "replace"))


def _size(item: Item) -> int:
    return sum(len(event.data or b"") for event in item.events.values())
