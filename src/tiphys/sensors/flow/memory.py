"""
What a mechanism remembers of the keys it has seen: small values that expire.

They are at hand in memory and durable in the bucket.  The bucket holds chunks of many keys each, so
that a start reads few values; writing a key writes its chunk.  Keys are hashed: their length does
not matter, and their text is not kept.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from datetime import datetime, timedelta
from typing import Any

import orjson

from tiphys.bus import State
from tiphys.sensors.state import microseconds, moment_of

LATE = timedelta(minutes=10)  # after a crash, a message may come again this much later
LIMIT = 100_000  # keys; beyond it the oldest are forgotten
IN_CHUNK = 128  # keys


@dataclasses.dataclass(slots=True)
class _Chunk:
    """Some keys: when each expires, in microseconds, and its value."""

    entries: dict[str, tuple[int, Any]] = dataclasses.field(default_factory=dict)
    expires: int = 0


class Memory:
    """
    A bounded map whose entries expire; at most *limit* keys.

    Reading and writing happen in memory; :meth:`save` makes the writes durable.  *shape* tells what
    the values mean: what was remembered for another one is forgotten.
    """

    def __init__(
        self, state: State, place: str, shape: str, *, limit: int = LIMIT, in_chunk: int = IN_CHUNK
    ) -> None:
        self._state = state
        self._place = f"{place}/"
        self._prefix = f"{place}/{digest(shape)}."
        self._limit = limit
        self._in_chunk = in_chunk
        self._chunks: dict[int, _Chunk] = {}
        self._chunk_of: dict[str, int] = {}
        self._changed: set[int] = set()
        self._removed: set[int] = set()
        self._next = 1

    def __len__(self) -> int:
        """The number of keys."""
        return len(self._chunk_of)

    async def load(self) -> None:
        """Read everything from the bucket.  Raises :exc:`BusError`."""
        self._chunks, self._chunk_of, self._next = {}, {}, 1
        self._changed, self._removed = set(), set()
        keys = await self._state.keys(self._place)
        await asyncio.gather(
            *(self._state.delete(key) for key in keys if not key.startswith(self._prefix))
        )
        numbers = sorted(
            int(key.removeprefix(self._prefix)) for key in keys if key.startswith(self._prefix)
        )
        entries = await asyncio.gather(*(self._state.get(self._key(n)) for n in numbers))
        for number, entry in zip(numbers, entries, strict=True):
            self._next = number + 1
            if entry is None:
                continue
            chunk = self._chunks[number] = _Chunk()
            for hashed, (expires, value) in orjson.loads(entry.value).items():
                self._place_in(number, chunk, hashed, expires, value)

    def next_expiry(self) -> datetime | None:
        """When :meth:`save` has something to forget."""
        chunk = next(iter(self._chunks.values()), None)
        return None if chunk is None else moment_of(chunk.expires)

    def get(self, key: str, now: datetime) -> Any:
        """The value of *key*; None when there is none, or it has expired."""
        hashed = digest(key)
        number = self._chunk_of.get(hashed)
        if number is None:
            return None
        expires, value = self._chunks[number].entries[hashed]
        return value if microseconds(now) < expires else None

    def set(self, key: str, value: Any, expires: datetime) -> None:
        """Remember a JSON value for *key* until *expires*."""
        number, chunk = self._newest()
        self._place_in(number, chunk, digest(key), microseconds(expires), value)
        self._changed.add(number)
        while len(self._chunk_of) > self._limit:
            self._forget(next(iter(self._chunks)))

    async def save(self, now: datetime) -> None:
        """Make what changed durable, and forget what has expired.  Raises :exc:`BusError`."""
        while self._chunks:
            number = next(iter(self._chunks))
            if self._chunks[number].entries and self._chunks[number].expires > microseconds(now):
                break
            self._forget(number)
        for number in sorted(self._changed):
            self._changed.remove(number)  # first: it may change again while it is written
            try:
                body = orjson.dumps(self._chunks[number].entries)
                await self._state.put(self._key(number), body)
            except BaseException:
                self._changed.add(number)
                raise
        for number in list(self._removed):
            await self._state.delete(self._key(number))
            self._removed.discard(number)

    def _newest(self) -> tuple[int, _Chunk]:
        """The chunk that is written to."""
        if self._chunks:
            number = next(reversed(self._chunks))
            if len(self._chunks[number].entries) < self._in_chunk:
                return number, self._chunks[number]
        number, self._next = self._next, self._next + 1
        self._chunks[number] = _Chunk()
        return number, self._chunks[number]

    def _place_in(self, number: int, chunk: _Chunk, hashed: str, expires: int, value: Any) -> None:
        older = self._chunk_of.get(hashed)
        if older is not None and older != number:
            del self._chunks[older].entries[hashed]
        chunk.entries[hashed] = (expires, value)
        chunk.expires = max(chunk.expires, expires)
        self._chunk_of[hashed] = number

    def _forget(self, number: int) -> None:
        for hashed in self._chunks.pop(number).entries:
            del self._chunk_of[hashed]
        self._changed.discard(number)
        self._removed.add(number)

    def _key(self, number: int) -> str:
        return f"{self._prefix}{number}"


Mark = tuple[int, int, str]
"""An event: when the bus stored it, in microseconds, its number, and a name; in their order."""


class Spans:
    """
    Events by key, in whatever order they come: was there one shortly before or after another?

    Time is cut into spans of *width*, whose events are all closer than that to each other.  So the
    first and the last one of each span suffice to know whether any came less than *width* before or
    after a moment.  They stay in *memory* until everything of their time has been read, and none of
    it can come again.  Beside them stands the last event of the span that has acted.
    """

    def __init__(self, memory: Memory, width: timedelta) -> None:
        self._memory = memory
        self._width = max(1, width // timedelta(microseconds=1))

    def span(self, mark: Mark) -> int:
        """The number of the span that an event belongs to."""
        return mark[0] // self._width

    def add(self, key: str, mark: Mark, now: datetime) -> None:
        """An event came."""
        self._add(key, mark, now, acted=False)

    def act(self, key: str, mark: Mark, now: datetime) -> None:
        """An event came, or came before, and acts."""
        self._add(key, mark, now, acted=True)

    def has_acted(self, key: str, mark: Mark) -> bool:
        """Whether this very event was the last of its span to act."""
        return self._get(key, self.span(mark))[2] == mark

    def follows(self, key: str, mark: Mark) -> bool:
        """Whether an event came after this one, and less than the width after it."""
        last = self._get(key, self.span(mark))[1]
        if last is not None and last > mark:
            return True
        first = self._get(key, self.span(mark) + 1)[0]
        return first is not None and first[0] - mark[0] < self._width

    def precedes(self, key: str, mark: Mark) -> bool:
        """Whether an event came before this one, and less than the width before it."""
        first = self._get(key, self.span(mark))[0]
        if first is not None and first < mark:
            return True
        last = self._get(key, self.span(mark) - 1)[1]
        return last is not None and mark[0] - last[0] < self._width

    def _get(self, key: str, span: int) -> tuple[Mark | None, Mark | None, Mark | None]:
        """The first event of a span, the last, and the one that acted."""
        found = self._memory.get(f"{span}/{key}", moment_of(span * self._width))
        first, last, acted = (None if m is None else (m[0], m[1], m[2]) for m in found or _NONE)
        return first, last, acted

    def _add(self, key: str, mark: Mark, now: datetime, *, acted: bool) -> None:
        known = self._get(key, self.span(mark))
        first, last = known[0] or mark, known[1] or mark
        value = (min(first, mark), max(last, mark), mark if acted else known[2])
        if value != known:
            expires = max(now, moment_of(mark[0] + self._width)) + LATE
            self._memory.set(f"{self.span(mark)}/{key}", value, expires)


_NONE = (None, None, None)


def digest(text: str) -> str:
    """A short name for *text*: 24 hex digits."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
