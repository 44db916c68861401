"""
Values of any size in a durable map whose own values are bounded.

A value that is too big lies in parts beside its key, which holds where they are.  The parts are
there before the key is written, so that a reader finds a value whole, or the one before it.
"""

from __future__ import annotations

import secrets

import orjson

from tiphys.bus._base import Entry, State
from tiphys.errors import BusError, Conflict, EventTooLarge

_PART = "/=part/"
_MARK = b'{"=parts":'
_SIZE = 512 * 1024  # bytes of a part; a server takes 1 MiB, unless told otherwise
_SMALLEST = 1024
_READS = 5  # attempts to read a value that is being replaced


class PartedState(State):
    """*state* without a bound for the size of its values."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._parts: dict[str, list[str]] = {}  # the keys of the parts that are known, by key

    async def get(self, key: str) -> Entry | None:
        """The value of *key*."""
        for _ in range(_READS):
            entry = await self._state.get(key)
            if entry is None or not entry.value.startswith(_MARK):
                return entry
            names = self._parts[key] = orjson.loads(entry.value)["=parts"]
            parts = [await self._state.get(name) for name in names]
            values = [part.value for part in parts if part is not None]
            if len(values) == len(names):
                return Entry(b"".join(values), entry.revision)
        raise BusError(f"parts of the value of {key!r} are missing on the event bus")

    async def put(self, key: str, value: bytes, *, revision: int | None = None) -> int:
        """Set *key* and return its new revision."""
        names: list[str] = []
        try:
            written = await self._state.put(key, value, revision=revision)
        except EventTooLarge:
            names = await self._split(key, value)
            mark = _MARK + orjson.dumps(names) + b"}"
            try:
                written = await self._state.put(key, mark, revision=revision)
            except Conflict:
                await self._remove(names)
                raise
        await self._remove(self._parts.pop(key, []))
        if names:
            self._parts[key] = names
        return written

    async def delete(self, key: str) -> None:
        """Remove *key*."""
        await self._state.delete(key)
        await self._remove(self._parts.pop(key, []))

    async def keys(self, prefix: str = "") -> list[str]:
        """The keys that begin with *prefix*, sorted."""
        return [key for key in await self._state.keys(prefix) if _PART not in key]

    async def _split(self, key: str, value: bytes) -> list[str]:
        """Store *value* in parts and return their keys.  Raises :exc:`EventTooLarge`."""
        size = _SIZE
        while True:
            token = secrets.token_hex(8)
            names = [f"{key}{_PART}{token}.{at}" for at in range(0, len(value), size)]
            try:
                for number, name in enumerate(names):
                    await self._state.put(name, value[number * size : (number + 1) * size])
                return names
            except EventTooLarge:
                if size <= _SMALLEST:
                    raise
                size //= 2

    async def _remove(self, names: list[str]) -> None:
        for name in names:
            await self._state.delete(name)
