"""The paths of sjson: keys and indexes with dots between them."""

from __future__ import annotations

import dataclasses
import functools

from tiphys.languages.gjson._integers import digits, signed

__all__ = ["Part", "read_path"]

_NOT_PLAIN = frozenset("|#@*?")


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """
    One component: its *key*, and the *path* that finds it in a document.

    *forced* says that a colon before it made it a key, whatever it looks like.
    """

    key: str
    path: str
    forced: bool

    @property
    def index(self) -> int | None:
        """The index that the key spells, 0 for an empty key; None for other keys."""
        if self.forced:
            return None
        number = digits(self.key or "0")
        return None if number is None else signed(number)

    @property
    def appends(self) -> bool:
        """Whether this is the index -1."""
        return self.key == "-1" and not self.forced


@functools.lru_cache(maxsize=4096)
def read_path(path: str) -> tuple[Part, ...] | None:
    """The components of *path*; None when it has wildcards, queries, modifiers, or pipes."""
    parts: list[Part] = []
    position = 0
    while True:
        forced = path.startswith(":", position)
        begin = position = position + forced
        key: list[str] = []
        while position < len(path) and path[position] != ".":
            if path[position] in _NOT_PLAIN:
                return None
            if path[position] == "\\":
                position += 1
            key.append(path[position : position + 1])
            position += 1
        parts.append(Part("".join(key), path[begin:position], forced))
        if position >= len(path):
            return tuple(parts)
        position += 1
