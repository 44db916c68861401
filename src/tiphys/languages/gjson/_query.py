"""Queries on arrays: ``#(path operator value)``, one by one or, with ``#`` behind it, all."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable
from typing import Any

from tiphys.languages.gjson._budget import Budget
from tiphys.languages.gjson._result import Kind, Result, bool_of
from tiphys.languages.gjson._scan import trim
from tiphys.languages.gjson._strings import unescape
from tiphys.languages.gjson._values import number
from tiphys.languages.gjson._wildcard import matches

__all__ = ["Query", "closing_quote", "read_query"]

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _never(_left: object, _right: object) -> bool:
    """The comparison for ``%`` on numbers and for a lone ``!``."""
    return False


@dataclasses.dataclass(frozen=True, slots=True)
class Query:
    """
    A question to one element.

    *path* leads from the element to the value that *operator* compares with *value*; without an
    operator it is enough that the path leads anywhere. *every* asks for all elements that match.
    """

    path: str = ""
    operator: str = ""
    value: str = ""
    every: bool = False

    def matches(self, found: Result, budget: Budget) -> bool:
        """Whether *found*, which is where the path led to, satisfies the query."""
        if self.value.startswith("~"):
            kind = _truth(self.value[1:], found)
            if kind is None or not self.operator:
                return kind is not None
            return _compare_truth(self.operator, kind, "true")
        if not found.exists:
            return False
        if not self.operator:
            return True
        if found.type is Kind.STRING:
            if self.operator in ("%", "!%"):
                return matches(found.text, self.value, budget) is (self.operator == "%")
            return _compare_text(self.operator, found.text, self.value)
        if found.type is Kind.NUMBER:
            compare = _ORDER.get(self.operator, _never)
            return compare(found.number(), number(self.value))
        if found.type in (Kind.TRUE, Kind.FALSE):
            return _compare_truth(self.operator, found.type, self.value)
        return False


def _truth(word: str, found: Result) -> Kind | None:
    """What ``~word`` makes of *found*; None for words without a meaning."""
    if word == "*":
        answer = found.exists
    elif word == "null":
        answer = found.type is Kind.NULL
    elif word in ("true", "false"):
        truth = _as_bool(found)
        answer = truth is not None and truth is (word == "true")
    else:
        return None
    return Kind.TRUE if answer else Kind.FALSE


def _as_bool(found: Result) -> bool | None:
    if found.type is Kind.STRING:
        return bool_of(found.text)
    if found.type is Kind.NUMBER:
        return found.number() != 0
    return {Kind.NULL: False, Kind.FALSE: False, Kind.TRUE: True}.get(found.type)


def _compare_text(symbol: str, text: str, value: str) -> bool:
    compare = _ORDER.get(symbol, _never)
    if text.isascii() and value.isascii():
        return compare(text, value)
    # By bytes: an escaped odd byte has its place among them, not where its surrogate would be.
    return compare(
        text.encode("utf-8", "surrogateescape"), value.encode("utf-8", "surrogateescape")
    )


def _compare_truth(symbol: str, kind: Kind, value: str) -> bool:
    own, other = ("true", "false") if kind is Kind.TRUE else ("false", "true")
    if symbol == "=":
        return value == own
    if symbol == "!=":
        return value != own
    if symbol == (">" if kind is Kind.TRUE else "<"):
        return value == other
    return symbol == (">=" if kind is Kind.TRUE else "<=")


def read_query(path: str) -> tuple[Query, int]:
    """
    The query at the start of *path*, and the position after its closing bracket.

    The position is -1, and the query one for everything, where brackets are not balanced.
    """
    end, start_of_operator, has_escapes = _extent(path)
    if end < 0:
        return Query(), -1
    every = path[end + 1 : end + 2] == "#"
    if not start_of_operator:
        return Query(trim(path[2:end]), every=every), end + 1
    symbol, value = _split_operator(trim(path[start_of_operator:end]))
    if len(value) >= 2 and value[0] == value[-1] == '"':
        value = unescape(value[1:-1]) if has_escapes else value[1:-1]
    return Query(trim(path[2:start_of_operator]), symbol, value, every), end + 1


def _extent(path: str) -> tuple[int, int, bool]:
    """The closing bracket, the begin of the operator or 0, and whether a text has escapes."""
    depth = 1
    start_of_operator = 0
    has_escapes = False
    position = 2
    while position < len(path):
        character = path[position]
        if depth == 1 and not start_of_operator and character in "!=<>%":
            start_of_operator = position
        elif character == "\\":
            position += 1
        elif character in "[(":
            depth += 1
        elif character in "])":
            depth -= 1
            if depth == 0:
                return position, start_of_operator, has_escapes
        elif character == '"':
            close = closing_quote(path, position)
            has_escapes = has_escapes or "\\" in path[position:close]
            position = close
        position += 1
    return -1, 0, False


def _split_operator(text: str) -> tuple[str, str]:
    if len(text) == 1:
        return text, ""
    if text[:2] in ("!=", "!%", "<=", ">="):
        return text[:2], trim(text[2:])
    if text[:2] == "==":
        return "=", trim(text[2:])
    if text[0] == "!":
        return "", text
    return text[0], trim(text[1:])


def closing_quote(path: str, position: int) -> int:
    """The quote that closes the one at *position*; the end of *path* when there is none."""
    position += 1
    while position < len(path) and path[position] != '"':
        position += 2 if path[position] == "\\" else 1
    return min(position, len(path))
