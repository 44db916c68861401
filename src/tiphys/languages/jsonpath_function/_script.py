"""
The scripts inside ``[?(…)]`` and ``[(…)]``.

They have no grammar in the original: the text is cut at the first operator outside quotes and
brackets, in the order of the list below, and each part again. Much follows from that (``in``
is found inside of words, ``1 - 2 - 3`` is 2), and is kept.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from tiphys.languages._errors import CompileError, EvaluationError, LanguageError, LimitExceeded
from tiphys.languages._unicode import SPACES
from tiphys.languages.expr._arithmetic import divide, power
from tiphys.languages.jsonpath_function._operands import (
    NOTHING,
    NULLS,
    is_quoted,
    to_boolean,
    to_elements,
    to_integer,
    to_number,
    to_text,
    whole_number,
)
from tiphys.languages.jsonpath_function._query import Panic, Query, Step
from tiphys.languages.regexp import compile as compile_pattern
from tiphys.languages.template.json_text import from_json

__all__ = ["Script", "compile_script", "whole_number"]

_OPERATORS: tuple[str, ...] = (
    *("||", "&&", "==", "!=", "<=", ">=", "<", ">", "=~", "!"),
    *("+", "-", "**", "*", "/", "%", "not in", "in", "@", "$"),
)
_SELECTORS = ("@", "$")

Read = Callable[[], Any]
_Evaluate = Callable[[Query, Any, Any], Any]
_SelectorCompiler = Callable[[str], tuple[Step, ...]]


@dataclasses.dataclass(frozen=True, slots=True)
class Script:
    """A compiled script."""

    source: str
    operation: _Evaluate | None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to evaluate."""
        return self.source == ""

    def evaluate(self, query: Query, root: Any, current: Any) -> Any:
        """Evaluate at *current*; raises EvaluationError."""
        if self.is_empty:
            raise EvaluationError("the expression is empty")
        if self.operation is not None:
            return self.operation(query, root, current)
        if self.source in NULLS:
            return None
        for read in (to_number, to_boolean):
            try:
                return read(self.source)
            except EvaluationError:
                continue
        return self.source


def compile_script(source: str, selector: _SelectorCompiler) -> Script:
    """Compile a script; *selector* compiles the paths in it. Raises CompileError."""
    return Script(source, _Builder(selector).operation(source, _OPERATORS))


class _Builder:
    def __init__(self, selector: _SelectorCompiler) -> None:
        self.selector = selector

    def operation(self, text: str, operators: tuple[str, ...]) -> _Evaluate | None:
        """Compile *text*, looking for *operators* only; None if it holds none."""
        operator = operators[0]
        text = text.strip(SPACES)
        if not text:
            return None
        if text.startswith("(") and text.endswith(")"):
            # Brackets around one part or around several, the original does not look.
            text = text[1:-1].strip(SPACES)
            operators = ("", *_OPERATORS)
        found = find_operator(text, operator)
        if found < 0:
            return self.without(text, operators)
        right_text = text[found + len(operator) :].strip(SPACES)
        left_text = text[:found].strip(SPACES)
        if not right_text and operator not in _SELECTORS:
            return self.without(text, operators)
        right = self.operand(right_text, operators)
        if not left_text and operator not in (*_SELECTORS, "!"):
            return self.without(text, operators)
        left = self.operand(left_text, operators)
        if operator in (*_SELECTORS, "!") and left is not None:
            return self.without(text, operators)
        if operator in _SELECTORS:
            return _selection(self.selector(text))
        if operator == "!":
            return _negation(right)
        if operator not in _BINARY:
            raise CompileError("unsupported operator in a script")
        return _binary(operator, left, right)

    def without(self, text: str, operators: tuple[str, ...]) -> _Evaluate | None:
        """Compile *text*, in which the first operator is not to be found."""
        return None if len(operators) == 1 else self.operation(text, operators[1:])

    def operand(self, text: str, operators: tuple[str, ...]) -> _Evaluate | None:
        """Compile a part; None if it is empty."""
        operation = self.operation(text, operators)
        if operation is not None:
            return operation
        text = text.strip(SPACES)
        if not text:
            return None
        value: Any = text
        if text[0] + text[-1] in ("[]", "{}"):
            try:
                value = from_json(text)
            except EvaluationError:
                value = text
        return lambda *_: value


def find_operator(text: str, operator: str) -> int:
    """Where *operator* first stands outside quotes and brackets; -1 if nowhere."""
    quote = ""
    square = round_ = 0
    for index, character in enumerate(text):
        if character in "'\"" and not square > 0 and not round_ > 0:
            if not quote:
                quote = character
            elif quote == character:
                quote = ""
        elif character in "()" and not quote and not square > 0:
            round_ += 1 if character == "(" else -1
        elif character in "[]" and not quote and not round_ > 0:
            square += 1 if character == "[" else -1
        if quote or square > 0 or round_ > 0:
            continue
        start = index + 1 - len(operator)
        if start >= 0 and text[start : index + 1] == operator:
            return start
    return -1


def _selection(steps: tuple[Step, ...]) -> _Evaluate:
    """A path; a text that it leads to is put in quotes, to tell it from words of the script."""

    def evaluate(query: Query, root: Any, current: Any) -> Any:
        value = steps[0].apply(query, root, current, steps[1:])
        if isinstance(value, str) and not is_quoted(value, "'"):
            return f"'{value}'"
        return value

    return evaluate


def _negation(operand: _Evaluate | None) -> _Evaluate:
    def evaluate(query: Query, root: Any, current: Any) -> bool:
        value = NOTHING if operand is None else operand(query, root, current)
        return not to_boolean(value)

    return evaluate


def _binary(operator: str, left: _Evaluate | None, right: _Evaluate | None) -> _Evaluate:
    operate = _BINARY[operator]

    def evaluate(query: Query, root: Any, current: Any) -> Any:
        def first() -> Any:
            return NOTHING if left is None else left(query, root, current)

        def second() -> Any:
            return NOTHING if right is None else right(query, root, current)

        return operate(first, second)

    return evaluate


def _on_numbers(compute: Callable[[float, float], Any]) -> Callable[[Read, Read], Any]:
    return lambda left, right: compute(to_number(left()), to_number(right()))


def _rest(left: Read, right: Read) -> int:
    dividend, divisor = to_integer(left()), to_integer(right())
    if divisor == 0:
        raise Panic("integer divide by zero")
    rest = abs(dividend) % abs(divisor)
    return -rest if dividend < 0 else rest


def _equal(left: Read, right: Read) -> bool:
    """As numbers if both sides are, else as texts."""
    first, second = left(), right()
    try:
        return to_number(first) == to_number(second)
    except EvaluationError:
        return to_text(first) == to_text(second)


def _matches(left: Read, right: Read) -> bool:
    subject, pattern = (
        text[1:-1] if is_quoted(text, "'") else text for text in (to_text(left()), to_text(right()))
    )
    try:
        return compile_pattern(pattern).search(subject)
    except LanguageError:
        raise EvaluationError("expected a valid regular expression") from None


def _contained(left: Read, right: Read) -> bool:
    """Numbers and booleans are found in a list, and texts with quotes around them."""
    try:
        item = _item(left())
    except (LimitExceeded, Panic):
        raise
    except EvaluationError:
        item = NOTHING  # equal to no element, so it is "not in" any list
    return any(type(element) is type(item) and element == item for element in to_elements(right()))


def _item(value: Any) -> Any:
    for read in (to_number, to_text, to_boolean):
        try:
            return read(value)
        except EvaluationError:
            continue
    return value


_BINARY: dict[str, Callable[[Read, Read], Any]] = {
    "||": lambda left, right: any([to_boolean(left()), to_boolean(right())]),
    "&&": lambda left, right: all([to_boolean(left()), to_boolean(right())]),
    "==": _equal,
    "!=": lambda left, right: not _equal(left, right),
    "<=": _on_numbers(lambda left, right: left <= right),
    ">=": _on_numbers(lambda left, right: left >= right),
    "<": _on_numbers(lambda left, right: left < right),
    ">": _on_numbers(lambda left, right: left > right),
    "=~": _matches,
    "+": _on_numbers(lambda left, right: left + right),
    "-": _on_numbers(lambda left, right: left - right),
    "**": _on_numbers(power),
    "*": _on_numbers(lambda left, right: left * right),
    "/": _on_numbers(divide),
    "%": _rest,
    "not in": lambda left, right: not _contained(left, right),
    "in": _contained,
}
