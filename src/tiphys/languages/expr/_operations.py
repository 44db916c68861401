"""Operators, compiled with the shortcuts that constants and known types allow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tiphys.languages._errors import LanguageError
from tiphys.languages.expr._arithmetic import (
    add,
    divide,
    less,
    less_or_equal,
    modulo,
    more,
    more_or_equal,
    multiply,
    negate,
    power,
    subtract,
)
from tiphys.languages.expr._comparison import contains, equal
from tiphys.languages.expr._faults import Fault
from tiphys.languages.expr._frame import Frame
from tiphys.languages.expr._loops import Evaluate, truth
from tiphys.languages.expr._nodes import BinaryNode, LiteralNode
from tiphys.languages.expr._types import STRING, Kind, Type
from tiphys.languages.expr._values import Ints, is_nil, to_int, type_of
from tiphys.languages.regexp import compile as compile_pattern

__all__ = ["conjunction", "operation", "prefix"]

Operate = Callable[[Frame, Any, Any], Any]


def prefix(operator: str, operand: Evaluate, place: str) -> Evaluate:
    """Make a prefix operator; a plus does nothing."""
    if operator == "+":
        return operand
    apply: Callable[[Any], Any] = negate if operator == "-" else lambda value: not truth(value)

    def run(frame: Frame) -> Any:
        value = operand(frame)
        try:
            return apply(value)
        except Fault as fault:
            raise fault.at(place) from None

    return run


def conjunction(operands: Sequence[Evaluate], decides: bool, place: str) -> Evaluate:
    """
    Make ``a && b && …`` (*decides* is false) or ``a || b || …`` (true).

    The first operand that is *decides* is the result; the last may be of any type.
    """
    *first, last = operands

    def run(frame: Frame) -> Any:
        for operand in first:
            value = operand(frame)
            if value is decides:
                return decides
            if value is not (not decides):
                try:
                    truth(value)
                except Fault as fault:
                    raise fault.at(place) from None
        return last(frame)

    return run


def operation(node: BinaryNode, left: Evaluate, right: Evaluate, place: str) -> Evaluate:
    """Make a binary operator other than ``and`` and ``or``."""
    operator = node.operator
    if operator == "??":
        return _coalesce(left, right)
    if operator in ("==", "!="):
        return _equality(node, left, right, place)
    if operator == "matches" and isinstance(node.right, LiteralNode) and node.right.type == STRING:
        return _matches_constant(left, str(node.right.value), place)
    return _operation(_OPERATIONS[operator], left, right, place)


def _operation(operate: Operate, left: Evaluate, right: Evaluate, place: str) -> Evaluate:
    def run(frame: Frame) -> Any:
        first, second = left(frame), right(frame)
        try:
            return operate(frame, first, second)
        except Fault as fault:
            raise fault.at(place) from None

    return run


def _coalesce(left: Evaluate, right: Evaluate) -> Evaluate:
    def run(frame: Frame) -> Any:
        value = left(frame)
        return right(frame) if is_nil(value) else value

    return run


def _equality(node: BinaryNode, left: Evaluate, right: Evaluate, place: str) -> Evaluate:
    negated = node.operator == "!="
    wanted = _known_type(node.left.type, node.right.type)
    if wanted is not None and not negated:
        return _operation(_strictly_equal(wanted), left, right, place)
    if isinstance(node.right, LiteralNode):
        if type(node.right.value) is str:
            return _equal_to_text(left, node.right.value, negated)
        if type(node.right.value) in (int, float):
            return _equal_to_number(left, node.right.value, negated)
    if negated:
        return _operation(lambda frame, a, b: not equal(a, b, frame), left, right, place)
    return _operation(lambda frame, a, b: equal(a, b, frame), left, right, place)


def _equal_to_text(left: Evaluate, text: str, negated: bool) -> Evaluate:
    """Only a text equals a text."""
    if negated:
        return lambda frame: bool(left(frame) != text)
    return lambda frame: bool(left(frame) == text)


def _equal_to_number(left: Evaluate, number: Any, negated: bool) -> Evaluate:
    """Numbers of events are floating-point numbers, mostly."""
    real = float(number)

    def run(frame: Frame) -> bool:
        value = left(frame)
        same = value == real if type(value) is float else equal(value, number, frame)
        return same is not negated

    return run


def _known_type(left: Type | None, right: Type | None) -> type | None:
    """The one type that both sides are known to have, where the original relies on it."""
    if left is None or right is None or left.kind is not right.kind:
        return None
    if not (left.is_plain and right.is_plain):
        return None
    return {Kind.INT: int, Kind.STRING: str}.get(left.kind)


def _strictly_equal(wanted: type) -> Operate:
    """
    Compare values that must be of the known type.

    They are not where a search found nothing: ``findIndex(list, …) == 1`` is an error then.
    """
    name = "int" if wanted is int else "string"

    def operate(_: Frame, left: Any, right: Any) -> bool:
        for value in (left, right):
            if type(value) is not wanted:
                found = "nil" if value is None else type_of(value)
                raise Fault(f"interface conversion: interface {{}} is {found}, not {name}")
        return bool(left == right)

    return operate


def _matches_constant(left: Evaluate, pattern: str, place: str) -> Evaluate:
    search = compile_pattern(pattern).search

    def run(frame: Frame) -> bool:
        value = left(frame)
        try:
            frame.scan(value)
            return search(_text(value))
        except Fault as fault:
            raise fault.at(place) from None

    return run


def _text(value: Any) -> str:
    if type(value) is not str:
        found = "nil" if value is None else type_of(value)
        raise Fault(f"interface conversion: interface {{}} is {found}, not string")
    return value


def _matches(frame: Frame, left: Any, right: Any) -> bool:
    pattern, text = _text(right), _text(left)
    frame.scan(text)
    try:
        return compile_pattern(pattern).search(text)
    except LanguageError as error:
        raise Fault(str(error)) from None


def _on_texts(holds: Callable[[str, str], bool]) -> Operate:
    def operate(frame: Frame, left: Any, right: Any) -> bool:
        text, part = _text(left), _text(right)
        frame.scan(text)
        return holds(text, part)

    return operate


def _range(frame: Frame, left: Any, right: Any) -> Ints:
    start, end = to_int(left), to_int(right)
    size = max(end - start + 1, 0)
    frame.grow(size)
    return Ints(range(start, start + size))


def _add(frame: Frame, left: Any, right: Any) -> Any:
    result = add(left, right)
    if type(result) is str:
        frame.write(len(result))
    return result


def _plain(operate: Callable[[Any, Any], Any]) -> Operate:
    return lambda _, left, right: operate(left, right)


_OPERATIONS: dict[str, Operate] = {
    "+": _add,
    "-": _plain(subtract),
    "*": _plain(multiply),
    "/": _plain(divide),
    "%": _plain(modulo),
    "**": _plain(power),
    "^": _plain(power),
    "<": _plain(less),
    ">": _plain(more),
    "<=": _plain(less_or_equal),
    ">=": _plain(more_or_equal),
    "..": _range,
    "in": lambda frame, left, right: contains(right, left, frame),
    "matches": _matches,
    "contains": _on_texts(lambda text, part: part in text),
    "startsWith": _on_texts(str.startswith),
    "endsWith": _on_texts(str.endswith),
}
