"""When something is due, by key; finding the next one is cheap."""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from datetime import datetime
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Deadlines(Generic[K]):
    """
    A moment for each key.

    Moving a deadline back, as each event of a burst does, costs nothing: the heap keeps the earlier
    moment and is corrected when that comes.
    """

    def __init__(self) -> None:
        self._due: dict[K, datetime] = {}
        self._heap: list[tuple[datetime, int, K]] = []
        self._listed: dict[K, datetime] = {}  # the earliest moment of each key in the heap
        self._count = 0

    def set(self, key: K, due: datetime) -> None:
        """Let *key* be due at a moment, instead of at another."""
        self._due[key] = due
        listed = self._listed.get(key)
        if listed is None or due < listed:
            self._list(key, due)

    def hasten(self, key: K, due: datetime) -> None:
        """Let *key* be due at a moment, unless it is due earlier anyway."""
        known = self._due.get(key)
        if known is None or due < known:
            self.set(key, due)

    def discard(self, key: K) -> None:
        """Forget *key*."""
        self._due.pop(key, None)

    def next(self) -> datetime | None:
        """The earliest moment."""
        while self._heap:
            listed, _, key = self._heap[0]
            due = self._due.get(key)
            if due == listed:
                return due
            heapq.heappop(self._heap)
            if self._listed.get(key) == listed:
                del self._listed[key]
                if due is not None:
                    self._list(key, due)
        return None

    def take(self, upto: datetime) -> list[K]:
        """Remove the keys that are due by *upto*, earliest first."""
        taken = []
        while (due := self.next()) is not None and due <= upto:
            key = heapq.heappop(self._heap)[2]
            self._listed.pop(key, None)
            del self._due[key]
            taken.append(key)
        return taken

    def _list(self, key: K, due: datetime) -> None:
        self._count += 1
        self._listed[key] = due
        heapq.heappush(self._heap, (due, self._count, key))
