"""State in memory, for decisions that must leave no trace on a bus."""

from __future__ import annotations

import itertools

from tiphys.bus._base import Entry, State
from tiphys.errors import Conflict


class MemoryState(State):
    """A map in memory; keeps the contract but for durability."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._revisions = itertools.count(1)

    async def get(self, key: str) -> Entry | None:
        """The value of *key*."""
        return self._entries.get(key)

    async def put(self, key: str, value: bytes, *, revision: int | None = None) -> int:
        """Set *key* and return its new revision."""
        current = self._entries.get(key)
        if revision is not None and revision != (current.revision if current else 0):
            raise Conflict(f"{key!r} was changed by somebody else")
        entry = Entry(bytes(value), next(self._revisions))
        self._entries[key] = entry
        return entry.revision

    async def delete(self, key: str) -> None:
        """Remove *key*."""
        self._entries.pop(key, None)

    async def keys(self, prefix: str = "") -> list[str]:
        """The keys that begin with *prefix*, sorted."""
        return sorted(key for key in self._entries if key.startswith(prefix))
