"""Multipaths: ``[path,path]`` and ``{"name":path,path}``."""

from __future__ import annotations

import dataclasses
import functools

from tiphys.languages.gjson._query import closing_quote
from tiphys.languages.gjson._strings import quote
from tiphys.languages.gjson._valid import is_valid

__all__ = ["Multipath", "Selector", "read_multipath"]

_NOT_IN_NAMES = frozenset("[]{}()#|!") | frozenset(map(chr, range(32)))


@dataclasses.dataclass(frozen=True, slots=True)
class Selector:
    """One path of a multipath; *key* is the JSON string that an object gives its value."""

    path: str
    key: str


@dataclasses.dataclass(frozen=True, slots=True)
class Multipath:
    """The paths between the brackets, and what follows; nothing where they are not closed."""

    selectors: tuple[Selector, ...]
    rest: str
    is_closed: bool = True


@functools.lru_cache(1024)
def read_multipath(path: str) -> Multipath:
    """Read the multipath at the start of *path*."""
    selectors: list[Selector] = []
    depth = 1
    start, colon, in_modifier = 1, 0, False
    position = 1
    while position < len(path):
        character = path[position]
        if character == "\\":
            position += 1
        elif character == "@":
            in_modifier = in_modifier or path[position - 1] in ".|"
        elif character == ":":
            if not in_modifier and not colon and depth == 1:
                colon = position
        elif character == '"':
            position = closing_quote(path, position)
        elif character in "[({":
            depth += 1
        elif character in "])}":
            depth -= 1
        if depth == 0 or (character == "," and depth == 1):
            selectors.append(_selector(path, start, colon, position))
            start, colon, in_modifier = position + 1, 0, False
        if depth == 0:
            return Multipath(tuple(selectors), path[position + 1 :])
        position += 1
    return Multipath((), "", is_closed=False)


def _selector(path: str, start: int, colon: int, end: int) -> Selector:
    name = path[start:colon] if colon else ""
    selected = path[colon + 1 : end] if colon else path[start:end]
    if name:
        given = name.startswith('"') and is_valid(name)
        return Selector(selected, name if given else quote(name))
    last = _last_component(selected)
    return Selector(selected, quote("_" if _NOT_IN_NAMES.intersection(last) else last))


def _last_component(path: str) -> str:
    for position in range(len(path) - 1, -1, -1):
        if path[position] in "|." and (position == 0 or path[position - 1] != "\\"):
            return path[position + 1 :]
    return path
