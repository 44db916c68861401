"""The steps that a path is made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from tiphys.languages._errors import EvaluationError, LimitExceeded
from tiphys.languages.jsonpath_function._query import (
    Panic,
    Query,
    Step,
    follow,
    missing,
    wrong_target,
)
from tiphys.languages.jsonpath_function._script import Script, whole_number

__all__ = [
    "Current",
    "Filter",
    "Index",
    "Key",
    "Length",
    "Range",
    "Recursive",
    "Root",
    "ScriptStep",
    "Union",
    "Wildcard",
]

Rest = tuple[Step, ...]
_COLLECTION = "array or map"


def _try(query: Query, root: Any, value: Any, rest: Rest) -> Any:
    """Take the rest of the steps; nil where that leads nowhere."""
    try:
        return follow(query, root, value, rest)
    except (LimitExceeded, Panic):
        raise
    except EvaluationError:
        return None


def _each(query: Query, root: Any, values: Iterable[Any], rest: Rest) -> list[Any]:
    """Take the rest of the steps from each value; what leads nowhere or to null is left out."""
    if not rest:
        found = list(values)
        query.spend(len(found))
        return found
    reached = (_try(query, root, value, rest) for value in values)
    return [value for value in reached if value is not None]


def _each_or_index(query: Query, root: Any, values: list[Any], rest: Rest) -> Any:
    """An index behind several values picks one of them, any other step applies to each."""
    if rest and isinstance(rest[0], Index):
        return follow(query, root, values, rest)
    return _each(query, root, values, rest)


def _members(value: Any) -> list[Any] | None:
    """The elements of a list, or the members of a map in the order of their keys."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return [value[key] for key in sorted(value)]
    return None


@dataclasses.dataclass(frozen=True, slots=True)
class Root:
    """``$``, the whole document."""

    def apply(self, query: Query, root: Any, current: Any, rest: Rest) -> Any:
        """Go to the root."""
        return follow(query, root, root, rest)


@dataclasses.dataclass(frozen=True, slots=True)
class Current:
    """``@``, the value that a script looks at."""

    def apply(self, query: Query, root: Any, current: Any, rest: Rest) -> Any:
        """Stay."""
        return follow(query, root, current, rest)


@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    """``.name`` or ``['name']``."""

    name: str

    def apply(self, query: Query, root: Any, current: Any, rest: Rest) -> Any:
        """Go to a member of a map."""
        if not isinstance(current, dict):
            wrong_target("key", "map", current)
        if self.name not in current:
            missing("key", f"'{self.name}' not found")
        return follow(query, root, current[self.name], rest)


@dataclasses.dataclass(frozen=True, slots=True)
class Index:
    """``[1]``, from the end if negative."""

    index: int

    def apply(self, query: Query, root: Any, current: Any, rest: Rest) -> Any:
        """Go to an element of a list."""
        if not isinstance(current, list):
            wrong_target("index", "array", current)
        if not -len(current) <= self.index < len(current):
            missing("index", "out of range")
        return follow(query, root, current[self.index], rest)


@dataclasses.dataclass(frozen=True, slots=True)
class Length:
    """``.length``: that of a list, map or text, unless a map has a member of this name."""

    def apply(self, query: Query, root: Any, current: Any, rest: Rest) -> Any:
        """Count."""
        if isinstance(current, dict):
            found = current.get("length", len(current))
        elif isinstance(current, list):
            found = len(current)
        elif isinstance(current, str):
            found = len(current.encode("utf-8", "surrogateescape"))
        else:
            wrong_target("length", "array, map or string", current)
        return follow(query, root, found, rest)


@dataclasses.dataclass(frozen=True, slots=True)
class Wildcard:
    """``*``, all elements or members."""

    def apply(self, query: Query, root: Any, current: Any, rest: Rest) -> list[Any]:
        """Go everywhere."""
        members = _members(current)
        if members is None:
            wrong_target("wildcard", _COLLECTION, current)
        return _each(query, root, members, rest)


@dataclasses.dataclass(frozen=True, slots=True)
class Recursive:
    """``..``, the value itself and all that is inside it."""

    def apply(self, query: Query, root: Any, current: Any, rest: Rest) -> list[Any]:
        """Take the rest of the steps from everywhere; lists that it leads to are joined."""
        found: list[Any] = []
        self._collect(query, root, current, rest, found)
        return found

    def _collect(self, query: Query, root: Any, current: Any, rest: Rest, found: list[Any]) -> None:
        if current is None:
            return
        reached = _try(query, root, current, rest)
        if rest and isinstance(reached, list):
            query.spend(len(reached))
            found.extend(reached)
        elif reached is not None:
            found.append(reached)
        for member in _members(current) or ():
            self._collect(query, root, member, rest, found)


@dataclasses.dataclass(frozen=True, slots=True)
class Union:
    """``[0,1]`` or ``['a','b']``; what is not there is left out."""

    arguments: tuple[str | int | Script, ...]

    def apply(self, query: Query, root: Any, current: Any, rest: Rest) -> Any:
        """Go to several elements or several members."""
        selected = [self._evaluated(query, root, current, item) for item in self.arguments]
        if len({type(item) for item in selected}) > 1:
            raise EvaluationError("union: keys and indexes cannot be mixed")
        if isinstance(selected[0], str):
            if not isinstance(current, dict):
                wrong_target("union", "map", current)
            values = [current[name] for name in selected if name in current]
        else:
            if not isinstance(current, list):
                wrong_target("union", "array", current)
            size = len(current)
            values = [current[index] for index in selected if -size <= index < size]
        return _each_or_index(query, root, values, rest)

    def _evaluated(
        self, query: Query, root: Any, current: Any, argument: str | int | Script
    ) -> Any:
        value = argument
        if isinstance(argument, Script):
            value = argument.evaluate(query, root, current)
        if isinstance(value, str):
            return value
        number = whole_number(value)
        if number is None:
            wrong_target("union", "integer or string", value)
        return number


@dataclasses.dataclass(frozen=True, slots=True)
class Range:
    """``[start:end:step]``; a negative step walks from the end of the range to its start."""

    start: int | Script | None
    end: int | Script | None
    step: int | Script | None

    def apply(self, query: Query, root: Any, current: Any, rest: Rest) -> Any:
        """Go to a part of a list."""
        if not isinstance(current, list):
            wrong_target("range", "array", current)

        def bound(argument: int | Script | None, default: int) -> int:
            number = self._evaluated(query, root, current, argument, default)
            number = number + len(current) if number < 0 else number
            return min(max(number, 0), len(current))

        start, end = bound(self.start, 0), bound(self.end, len(current))
        step = self._evaluated(query, root, current, self.step, 1)
        if step == 0:
            missing("range", "out of range")
        indexes = range(start, end, step) if step > 0 else range(end - 1, start - 1, step)
        return _each_or_index(query, root, [current[index] for index in indexes], rest)

    def _evaluated(
        self, query: Query, root: Any, current: Any, argument: int | Script | None, default: int
    ) -> int:
        if argument is None:
            return default
        value: Any = argument
        if isinstance(argument, Script):
            value = argument.evaluate(query, root, current)
        number = whole_number(value)
        if number is None:
            wrong_target("range", "integer", value)
        return number


@dataclasses.dataclass(frozen=True, slots=True)
class Filter:
    """``[?(script)]``, the elements for which the script holds."""

    script: Script

    def apply(self, query: Query, root: Any, current: Any, rest: Rest) -> Any:
        """Go to some elements or members."""
        if self.script.is_empty:
            missing("filter", "the expression is empty")
        members = _members(current)
        if members is None:
            wrong_target("filter", _COLLECTION, current)
        picked = [member for member in members if self._holds(query, root, member)]
        if rest and isinstance(rest[0], Index):
            # From here on the original takes the filtered value for the root.
            return follow(query, current, picked, rest)
        return _each(query, root, picked, rest)

    def _holds(self, query: Query, root: Any, member: Any) -> bool:
        query.spend()
        try:
            value = self.script.evaluate(query, root, member)
        except (LimitExceeded, Panic):
            raise
        except EvaluationError:
            return False
        if isinstance(value, str):
            if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
                value = value[1:-1]
            return value != ""
        return bool(value)


@dataclasses.dataclass(frozen=True, slots=True)
class ScriptStep:
    """``[(script)]``, the key or index that a script computes."""

    script: Script

    def apply(self, query: Query, root: Any, current: Any, rest: Rest) -> Any:
        """Go where the script tells."""
        value = self.script.evaluate(query, root, current)
        if isinstance(value, str):
            return Key(value).apply(query, root, current, rest)
        number = whole_number(value)
        if number is None:
            wrong_target("script", "integer or string", value)
        return Index(number).apply(query, root, current, rest)
