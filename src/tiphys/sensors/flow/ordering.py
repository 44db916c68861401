"""Ordering: the actions of a key one at a time, in the order of arrival; keys side by side."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Generic, TypeVar

T = TypeVar("T")


class KeyedQueue(Generic[T]):
    """
    What may begin next, when at most *concurrency* run.

    An entry without a key waits for no other.  Keys take turns in the order in which their first
    waiting entry came, so no key starves another.
    """

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._running = 0
        self._busy: set[str] = set()
        self._waiting: dict[str, deque[T]] = {}  # behind the key's entry that runs or is ready
        self._ready: OrderedDict[int, tuple[str | None, T]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        """The number of entries that have not begun."""
        return len(self._ready) + sum(len(queue) for queue in self._waiting.values())

    def add(self, key: str | None, entry: T) -> None:
        """An entry comes."""
        if key is None:
            self._make_ready(None, entry)
        elif key in self._busy:
            self._waiting.setdefault(key, deque()).append(entry)
        else:
            self._busy.add(key)
            self._make_ready(key, entry)

    @property
    def next(self) -> T | None:
        """The entry that may begin now."""
        if self._running >= self._concurrency or not self._ready:
            return None
        return next(iter(self._ready.values()))[1]

    def begin(self) -> tuple[str | None, T] | None:
        """Take the entry that begins now; None when none may.  End it with :meth:`end`."""
        if self.next is None:
            return None
        self._running += 1
        return self._ready.popitem(last=False)[1]

    def end(self, key: str | None) -> None:
        """An entry of *key* that began has ended."""
        self._running -= 1
        if key is None:
            return
        queue = self._waiting.get(key)
        if queue:
            self._make_ready(key, queue.popleft())
            return
        self._waiting.pop(key, None)
        self._busy.discard(key)

    def clear(self) -> list[T]:
        """Take out everything that has not begun."""
        taken = [entry for _, entry in self._ready.values()]
        self._busy -= {key for key, _ in self._ready.values() if key is not None}
        self._ready.clear()
        for queue in self._waiting.values():
            taken += queue
        self._waiting.clear()
        return taken

    def _make_ready(self, key: str | None, entry: T) -> None:
        self._count += 1
        self._ready[self._count] = (key, entry)
