"""The objects, every change to them, and what was there at an earlier revision."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable
from typing import Any

Object = dict[str, Any]
Key = tuple[str, str]  # namespace (empty for cluster-scoped objects) and name
FIRST = 1  # revision of an empty store


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """One change: *new* is None for a removal, *old* for a creation."""

    revision: int
    resource: str
    key: Key
    old: Object | None
    new: Object | None


class Store:
    """
    Keeps objects by resource, namespace and name, each write under the next revision.

    Objects that are handed out are the stored ones: they must not be changed.
    """

    def __init__(self) -> None:
        self.revision = FIRST
        self.compacted = 0
        self._objects: dict[str, dict[Key, Object]] = {}
        self._log: list[Event] = []
        self._changed = asyncio.Event()

    def get(self, resource: str, key: Key) -> Object | None:
        """One object."""
        return self._objects.get(resource, {}).get(key)

    def items(self, resource: str, namespace: str | None = None) -> list[Object]:
        """The objects of a resource, ordered by namespace and name."""
        return _ordered(self._objects.get(resource, {}), namespace)

    def everything(self) -> list[tuple[str, Key, Object]]:
        """Every object with its resource and key."""
        return [
            (r, key, obj) for r, objects in self._objects.items() for key, obj in objects.items()
        ]

    def put(self, resource: str, key: Key, obj: Object) -> Object:
        """Store *obj*, whose resource version is set; returns it."""
        self.revision += 1
        obj["metadata"]["resourceVersion"] = str(self.revision)
        objects = self._objects.setdefault(resource, {})
        self._record(Event(self.revision, resource, key, objects.get(key), obj))
        objects[key] = obj
        return obj

    def remove(self, resource: str, key: Key) -> None:
        """Remove an object that is there."""
        self.revision += 1
        self._record(Event(self.revision, resource, key, self._objects[resource].pop(key), None))

    def snapshot(self, resource: str, revision: int, namespace: str | None) -> list[Object]:
        """What :meth:`items` gave at *revision*, which must not be compacted."""
        objects = dict(self._objects.get(resource, {}))
        for event in reversed(self.since(revision)):
            if event.resource == resource:
                if event.old is None:
                    objects.pop(event.key, None)
                else:
                    objects[event.key] = event.old
        return _ordered(objects, namespace)

    def since(self, revision: int) -> list[Event]:
        """The changes after *revision*, which must not be compacted."""
        first = len(self._log)
        while first and self._log[first - 1].revision > revision:
            first -= 1
        return self._log[first:]

    def compact(self) -> None:
        """Forget what was before now: who asks for it is told that it is gone."""
        self.compacted = self.revision
        self._log.clear()

    def change(self) -> asyncio.Event:
        """An event that the next change sets."""
        return self._changed

    def _record(self, event: Event) -> None:
        self._log.append(event)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _ordered(objects: dict[Key, Object], namespace: str | None) -> list[Object]:
    keys: Iterable[Key] = sorted(objects)
    return [objects[key] for key in keys if namespace is None or key[0] == namespace]
