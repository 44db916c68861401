"""Modifiers: ``@name`` or ``@name:argument`` in a path turns one JSON text into another."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tiphys.languages.gjson import _pretty
from tiphys.languages.gjson._budget import Budget
from tiphys.languages.gjson._components import MODIFIERS
from tiphys.languages.gjson._parse import members, parse
from tiphys.languages.gjson._result import Result
from tiphys.languages.gjson._scan import squash, trim
from tiphys.languages.gjson._strings import quote
from tiphys.languages.gjson._valid import is_valid

__all__ = ["KEEPING", "Use", "modified", "read_modifier"]

KEEPING = frozenset({"flatten", "fromstr", "join", "reverse", "this", "valid", "values"})
"""The modifiers that give back the text itself where they have nothing to do."""

# White space of Unicode, without the separators U+001C to U+001F that Python adds.
_WHITE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
_BLANKS = frozenset(" \t\n\r")


class Use(NamedTuple):
    """A modifier at the start of a path, its argument, and the path that follows."""

    name: str
    argument: str
    rest: str


def read_modifier(path: str) -> Use | None:
    """Read the modifier that *path* begins with; None when there is none of this name."""
    end = min((place for place in map(path.find, ":|.") if place >= 0), default=len(path))
    name, rest = path[1:end], path[end:]
    if name not in MODIFIERS:
        return None
    if not rest.startswith(":"):
        return Use(name, "", rest)
    rest = rest[1:]
    size = _argument_size(rest)
    return Use(name, rest[:size], rest[size:])


def _argument_size(rest: str) -> int:
    """A JSON argument ends with its value, any other at the next pipe outside of brackets."""
    if rest[:1] in ("{", "[", '"'):
        return len(squash(rest))
    position = 0
    while position < len(rest) and rest[position] != "|":
        position += len(squash(rest, position)) if rest[position] in '{["(' else 1
    return position


def modified(name: str, text: str, argument: str, budget: Budget) -> str:
    """*text* after the modifier *name*, which is any but ``dig``. Raises LimitExceeded."""
    return _FUNCTIONS[name](text, argument, budget)


def _option(argument: str, name: str) -> bool:
    """Whether the JSON object *argument* sets the option *name*; the last setting counts."""
    chosen = False
    for _, key, value in members(parse(argument)):
        if key == name:
            chosen = value.boolean()
    return chosen


def _this(text: str, _argument: str, _budget: Budget) -> str:
    return text


def _valid(text: str, _argument: str, _budget: Budget) -> str:
    return text if is_valid(text) else ""


def _tostr(text: str, _argument: str, _budget: Budget) -> str:
    return quote(text)


def _fromstr(text: str, _argument: str, _budget: Budget) -> str:
    return parse(text).string() if is_valid(text) else ""


def _ugly(text: str, _argument: str, _budget: Budget) -> str:
    return _pretty.ugly(text)


def _pretty_print(text: str, argument: str, budget: Budget) -> str:
    layout = _pretty.Layout()
    for _, key, value in members(parse(argument)) if argument else ():
        if key == "sortKeys":
            layout.sort_keys = value.boolean()
        elif key == "indent":
            layout.indent = _only_blanks(value.string())
        elif key == "prefix":
            layout.prefix = _only_blanks(value.string())
        elif key == "width":
            layout.width = value.integer()
    return _pretty.pretty(text, layout, budget)


def _only_blanks(text: str) -> str:
    return "".join(character for character in text if character in _BLANKS)


def _reverse(text: str, _argument: str, _budget: Budget) -> str:
    container = parse(text)
    if container.is_array:
        raws = [value.raw for _, _, value in members(container)]
        return f"[{','.join(reversed(raws))}]"
    if container.is_object:
        pairs = [f"{raw_key}:{value.raw}" for raw_key, _, value in members(container)]
        return f"{{{','.join(reversed(pairs))}}}"
    return text


def _flatten(text: str, argument: str, budget: Budget) -> str:
    if not parse(text).is_array:
        return text
    return _flattened(text, _option(argument, "deep") if argument else False, budget)


def _flattened(text: str, deep: bool, budget: Budget) -> str:
    budget.enter()
    parts = []
    for _, _, value in members(parse(text)):
        raw = value.raw
        if value.is_array:
            raw = _unwrapped(_flattened(raw, deep, budget) if deep else raw)
        raw = raw.strip(_WHITE)
        if raw:
            parts.append(raw)
    budget.leave()
    return f"[{','.join(parts)}]"


def _unwrapped(text: str) -> str:
    """What is between the brackets; the last character goes whatever it is."""
    text = trim(text)
    return text[1:-1] if len(text) >= 2 and text[0] in "[{" else text


def _keys(text: str, _argument: str, _budget: Budget) -> str:
    value = parse(text)
    raws = [raw_key if value.is_object else "null" for raw_key, _, _ in members(value)]
    return f"[{','.join(raws)}]"


def _values(text: str, _argument: str, _budget: Budget) -> str:
    container = parse(text)
    if container.is_array:
        return text
    return f"[{','.join(value.raw for _, _, value in members(container))}]"


def _join(text: str, argument: str, _budget: Budget) -> str:
    container = parse(text)
    if not container.is_array:
        return text
    objects = [value for _, _, value in members(container) if value.is_object]
    if argument and _option(argument, "preserve"):
        return f"{{{','.join(_unwrapped(value.raw) for value in objects)}}}"
    raw_keys: dict[str, str] = {}
    values: dict[str, Result] = {}
    for joined in objects:
        for raw_key, key, value in members(joined):
            raw_keys.setdefault(key, raw_key)
            values[key] = value
    return f"{{{','.join(f'{raw}:{values[key].raw}' for key, raw in raw_keys.items())}}}"


def _group(text: str, _argument: str, budget: Budget) -> str:
    container = parse(text)
    if not container.is_object:
        return ""
    groups: list[list[str]] = []
    for raw_key, _, column in members(container):
        if not column.is_array:
            continue
        for row, (_, _, value) in enumerate(members(column)):
            if row == len(groups):
                groups.append([])
            groups[row].append(f"{raw_key}:{value.raw}")
            budget.write(len(groups[row][-1]))
    rows = ["{" + ",".join(pairs) + "}" for pairs in groups]
    return f"[{','.join(rows)}]"


_FUNCTIONS: dict[str, Callable[[str, str, Budget], str]] = {
    "flatten": _flatten,
    "fromstr": _fromstr,
    "group": _group,
    "join": _join,
    "keys": _keys,
    "pretty": _pretty_print,
    "reverse": _reverse,
    "this": _this,
    "tostr": _tostr,
    "ugly": _ugly,
    "valid": _valid,
    "values": _values,
}
