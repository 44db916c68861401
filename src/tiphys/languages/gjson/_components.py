"""
Paths, taken apart one component at a time.

What a component means depends on the value it meets: ``#(…)`` is a query on an array and an
ordinary key on an object, and only keys know escapes. So a path is kept as text and read again
for each kind of value; both readings are cached.
"""

from __future__ import annotations

import dataclasses
import functools

from tiphys.languages.gjson._integers import digits, signed
from tiphys.languages.gjson._query import Query, closing_quote, read_query
from tiphys.languages.gjson._scan import squash

__all__ = [
    "MODIFIERS",
    "ArrayComponent",
    "ObjectComponent",
    "array_component",
    "object_component",
    "split_pipe",
]

MODIFIERS = frozenset(
    {
        "dig",
        "flatten",
        "fromstr",
        "group",
        "join",
        "keys",
        "pretty",
        "reverse",
        "this",
        "tostr",
        "ugly",
        "valid",
        "values",
    }
)

_CACHE = 4096


@dataclasses.dataclass(frozen=True, slots=True)
class ObjectComponent:
    """A key or a pattern of keys; *rest* goes on inside the value, *pipe* after it is found."""

    part: str
    rest: str | None = None
    pipe: str | None = None
    wild: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class ArrayComponent:
    """
    An index, ``#``, or a query.

    *counts* says that the part begins with or contains ``#``; *each* is the path that ``#.``
    applies to every element.
    """

    part: str
    index: int = -1
    rest: str | None = None
    pipe: str | None = None
    counts: bool = False
    each: str | None = None
    query: Query | None = None


@functools.lru_cache(_CACHE)
def object_component(path: str) -> ObjectComponent:
    """The first component of *path*, to be looked up in an object."""
    part: list[str] = []
    wild = False
    position = 0
    while position < len(path):
        character = path[position]
        if character in "|.":
            rest, pipe = _continuation(path, position, piping=True)
            return ObjectComponent("".join(part), rest, pipe, wild)
        if character == "\\":
            position += 1
            character = path[position : position + 1]
        elif character in "*?":
            wild = True
        part.append(character)
        position += 1
    return ObjectComponent("".join(part), wild=wild)


@functools.lru_cache(_CACHE)
def array_component(path: str) -> ArrayComponent:
    """The first component of *path*, to be looked up in an array."""
    counts = False
    each: str | None = None
    query: Query | None = None
    position = 0
    while position < len(path):
        character = path[position]
        if character in "|.":
            part = path[:position]
            rest, pipe = _continuation(path, position, piping=not counts)
            return ArrayComponent(part, _index(part, counts), rest, pipe, counts, each, query)
        if character == "#":
            counts = True
            following = path[1:2]
            if position == 0 and following == ".":
                each = path[2:]
            elif position == 0 and following and following in "[(":
                query, end = read_query(path)
                if end < 0:
                    break
                position = end - 1
        position += 1
    return ArrayComponent(path, _index(path, counts), counts=counts, each=each, query=query)


def _continuation(path: str, position: int, *, piping: bool) -> tuple[str | None, str | None]:
    """What follows the separator at *position*: the rest of the path, or else the piped path."""
    following = path[position + 1 :]
    if path[position] == "|" or (piping and following and _pipes_itself(following)):
        return None, following
    return following, None


def _pipes_itself(path: str) -> bool:
    """Whether a modifier or a multipath begins here, before which a dot is as good as a pipe."""
    if path[0] != "@":
        return path[0] in "[{"
    end = min((place for place in map(path.find, ".|:") if place >= 0), default=len(path))
    return path[1:end] in MODIFIERS


def _index(part: str, counts: bool) -> int:
    """The index that *part* spells, in 64 bits; -1 when it spells none."""
    number = None if counts else digits(part)
    return -1 if number is None else signed(number)


def split_pipe(path: str) -> tuple[str, str] | None:
    """Cut *path* at its first pipe outside of queries; None when it has none."""
    if "|" not in path:
        return None
    if path[0] == "{":
        return _split_after_multipath(path)
    position = 0
    while position < len(path):
        character = path[position]
        if character == "\\":
            position += 1
        elif character == "|":
            return path[:position], path[position + 1 :]
        elif character == ".":
            if position == len(path) - 1:
                return None
            if path[position + 1] == "#":
                position = _query_end(path, position + 2)
        position += 1
    return None


def _split_after_multipath(path: str) -> tuple[str, str] | None:
    inside = squash(path, 1)
    end = 1 + len(inside)
    if path[end : end + 1] != "|":
        return None
    return path[:end], path[end + 1 :]


def _query_end(path: str, position: int) -> int:
    """The closing bracket of the query whose opening bracket is at *position*, if it is one."""
    opening = path[position : position + 1]
    if opening not in ("[", "("):
        return position
    closing = "]" if opening == "[" else ")"
    depth = 0
    while position < len(path):
        character = path[position]
        if character == "\\":
            position += 1
        elif character == opening:
            depth += 1
        elif character == closing:
            depth -= 1
            if depth == 0:
                break
        elif character == '"':
            position = closing_quote(path, position)
        position += 1
    return position
