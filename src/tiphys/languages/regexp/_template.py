"""Replacement texts with ``$1``, ``$name`` and ``${name}`` in them."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

__all__ = ["expand"]

_NUMBER = re.compile("0|[1-9][0-9]{0,8}")  # anything longer is a name


def expand(template: str, groups: Sequence[str | None], names: Sequence[str]) -> str:
    """Put groups into *template*; those that took no part or do not exist are empty."""
    parts = []
    for literal, reference in _split(template):
        parts.append(literal)
        if isinstance(reference, int):
            parts.append((groups[reference] or "") if reference < len(groups) else "")
        elif reference is not None:
            parts.append(_named(reference, groups, names))
    return "".join(parts)


def _named(wanted: str, groups: Sequence[str | None], names: Sequence[str]) -> str:
    for name, group in zip(names, groups, strict=True):
        if name == wanted and group is not None:
            return group
    return ""


@functools.lru_cache(maxsize=256)
def _split(template: str) -> tuple[tuple[str, int | str | None], ...]:
    """Literal texts, each with the number or the name of the group that follows it."""
    parts: list[tuple[str, int | str | None]] = []
    literal, position = "", 0
    while (dollar := template.find("$", position)) >= 0:
        literal += template[position:dollar]
        reference, position = _reference(template, dollar + 1)
        if reference is None:
            literal += "$"
        else:
            parts.append((literal, reference))
            literal = ""
    parts.append((literal + template[position:], None))
    return tuple(parts)


def _reference(template: str, start: int) -> tuple[int | str | None, int]:
    """What the dollar before *start* refers to and where to go on; None: it is just a dollar."""
    if template.startswith("$", start):
        return None, start + 1
    braced = template.startswith("{", start)
    begin = end = start + braced
    while end < len(template) and _is_word(template[end]):
        end += 1
    name = template[begin:end]
    if not name or (braced and not template.startswith("}", end)):
        return None, start
    return int(name) if _NUMBER.fullmatch(name) else name, end + braced


def _is_word(character: str) -> bool:
    return character.isalpha() or character.isdecimal() or character == "_"
