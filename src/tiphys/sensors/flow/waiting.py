"""
The actions of a trigger that wait, durable in the sensor's bucket.

An action is put here before its message is acknowledged and removed after it was done, so that a
crash at any moment leaves the message, the entry, or both.  While an acknowledgement is not
confirmed its message may come again, even after the action is done; a marker remembers it then,
counted from the last start of the sensor on, as nothing comes again while there is none.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable
from datetime import timedelta

import orjson

from tiphys.aio import Clock
from tiphys.bus import State
from tiphys.sensors.flow.item import Item
from tiphys.sensors.state import microseconds

KEPT = timedelta(minutes=10)  # how long a marker stays


@dataclasses.dataclass(slots=True)
class _Entry:
    """An entry: the items that lie in it, and which of them may come again."""

    items: tuple[str, ...]
    unsettled: set[str]


@dataclasses.dataclass(slots=True)
class _Marker:
    """Ids of items that are done and may come again, and since when, in microseconds."""

    since: int
    ids: set[str]


class WaitingActions:
    """The entries of one trigger at *place* in the bucket.  Methods that wait raise BusError."""

    def __init__(self, state: State, place: str, clock: Clock) -> None:
        self._state = state
        self._place = f"{place}/"
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._markers: dict[str, _Marker] = {}
        self._where: dict[str, str] = {}  # the entry or marker of each item

    async def load(self) -> list[Item]:
        """What waits, in the order of the stream; nothing of it whose place another item took."""
        known = self._entries  # what is known to be settled stays so
        self._entries, self._markers, self._where = {}, {}, {}
        keys = await self._state.keys(self._place)
        values = await asyncio.gather(*(self._state.get(key) for key in keys))
        items: dict[str, Item] = {}
        for key, value in zip(keys, values, strict=True):
            name = key.removeprefix(self._place)
            if value is None:
                continue
            if (item := Item.decode(value.value)) is not None:
                items[name] = item
            elif (marker := _marker(value.value)) is not None:
                marker.since = microseconds(self._clock.now())
                self._mark(name, marker)
        for member in {member for item in items.values() for member in item.members}:
            if items.pop(member, None) is not None:
                await self._state.delete(self._place + member)
        for name, item in items.items():
            unsettled = known[name].unsettled if name in known else set(_covered(item))
            self._own(item, unsettled)
        return sorted(items.values(), key=lambda item: item.order)

    def knows(self, item_id: str) -> bool:
        """Whether the item waits, or is done already."""
        return item_id in self._where

    async def put(self, item: Item) -> None:
        """Let *item* wait, in place of its members; durable when this returns."""
        await self._state.put(self._place + item.id, item.encode())
        self._own(item, {one for one in _covered(item) if not self._is_settled(one)})
        for member in item.members:
            if self._entries.pop(member, None) is not None:
                await self._state.delete(self._place + member)

    def settled(self, item_id: str) -> None:
        """The acknowledgement of the item's message is confirmed: it never comes again."""
        where = self._where.get(item_id, "")
        if where in self._entries:
            self._entries[where].unsettled.discard(item_id)
        elif where in self._markers:
            self._markers[where].ids.discard(item_id)
            del self._where[item_id]

    async def remove(self, item_id: str) -> None:
        """The item is done."""
        entry = self._entries.get(item_id)
        if entry is not None:
            marker = _Marker(microseconds(self._clock.now()), entry.unsettled)
            if marker.ids:
                await self._state.put(self._place + item_id, _encoded(marker))
            else:
                await self._state.delete(self._place + item_id)
            del self._entries[item_id]
            for one in entry.items:
                self._where.pop(one, None)
            self._mark(item_id, marker)
        await self._tidy()

    async def _tidy(self) -> None:
        """Remove markers that are not needed any more."""
        horizon = microseconds(self._clock.now() - KEPT)
        for name, marker in list(self._markers.items()):
            if not marker.ids or marker.since < horizon:
                await self._state.delete(self._place + name)
                self._markers.pop(name, None)
                for one in marker.ids:
                    self._where.pop(one, None)

    def _own(self, item: Item, unsettled: set[str]) -> None:
        items = tuple(_covered(item))
        self._entries[item.id] = _Entry(items, unsettled)
        self._where.update(dict.fromkeys(items, item.id))

    def _mark(self, name: str, marker: _Marker) -> None:
        if marker.ids:
            self._markers[name] = marker
            self._where.update(dict.fromkeys(marker.ids, name))

    def _is_settled(self, item_id: str) -> bool:
        entry = self._entries.get(self._where.get(item_id, ""))
        return entry is not None and item_id not in entry.unsettled


def _covered(item: Item) -> Iterable[str]:
    return item.members or (item.id,)


def _encoded(marker: _Marker) -> bytes:
    return orjson.dumps({"done": marker.since, "ids": sorted(marker.ids)})


def _marker(value: bytes) -> _Marker | None:
    try:
        members = orjson.loads(value)
        return _Marker(int(members["done"]), set(members["ids"]))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None
