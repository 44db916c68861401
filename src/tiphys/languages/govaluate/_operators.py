"""Operators: what each accepts, and what it makes of two values."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from tiphys.languages import regexp
from tiphys.languages._errors import CompileError, EvaluationError, LimitExceeded
from tiphys.languages.govaluate._arithmetic import (
    divide,
    power,
    remainder,
    to_int64,
    to_uint64,
)
from tiphys.languages.govaluate._values import is_same, text_of

__all__ = ["BINARY", "PREFIX", "Binary", "Prefix", "unfit"]

Binary = Callable[[Any, Any], Any]
Prefix = Callable[[Any], Any]

_LONGEST = 16 << 20  # characters of a text that + joins
_SHOWN = 200  # characters of a value in an error
_WORD_MASK = (1 << 64) - 1


def unfit(value: Any, symbol: str, role: str, wanted: str) -> EvaluationError:
    """Build the error for a value that an operator cannot use."""
    text = text_of(value)
    if len(text) > _SHOWN:
        text = f"{text[:_SHOWN]}…"
    reason = f"Value '{text}' cannot be used with the {role} '{symbol}'"
    return EvaluationError(f"{reason}, it is not a {wanted}" if wanted else reason)


def _numeric(symbol: str, compute: Callable[[float, float], float]) -> Binary:
    def apply(left: Any, right: Any) -> float:
        if isinstance(left, float) and isinstance(right, float):
            return compute(left, right)
        wrong = right if isinstance(left, float) else left
        raise unfit(wrong, symbol, "modifier", "number")

    return apply


def _bitwise(symbol: str, compute: Callable[[int, int], int]) -> Binary:
    return _numeric(symbol, lambda left, right: float(compute(to_int64(left), to_int64(right))))


def _shift_left(left: float, right: float) -> float:
    distance = to_uint64(right)
    return float(to_uint64(left) << distance & _WORD_MASK) if distance < 64 else 0.0


def _shift_right(left: float, right: float) -> float:
    distance = to_uint64(right)
    return float(to_uint64(left) >> distance) if distance < 64 else 0.0


def _add(left: Any, right: Any) -> Any:
    if isinstance(left, float) and isinstance(right, float):
        return left + right
    if isinstance(left, str) or isinstance(right, str):
        text = text_of(left) + text_of(right)
        if len(text) > _LONGEST:
            raise LimitExceeded(f"a text grows longer than {_LONGEST} characters")
        return text
    raise unfit(left, "+", "modifier", "number")


def _compare(symbol: str, compare: Callable[[Any, Any], bool]) -> Binary:
    def apply(left: Any, right: Any) -> bool:
        if isinstance(left, float) and isinstance(right, float):
            return compare(left, right)
        if isinstance(left, str) and isinstance(right, str):
            if left.isascii() or right.isascii():
                return compare(left, right)
            # Bytes that are no UTF-8 sort by their value.
            return compare(_bytes(left), _bytes(right))
        raise unfit(left, symbol, "comparator", "number")

    return apply


def _bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _matches(left: Any, right: Any) -> bool:
    return _search(left, right, "=~")


def _matches_not(left: Any, right: Any) -> bool:
    return not _search(left, right, "!~")


def _search(left: Any, right: Any, symbol: str) -> bool:
    if not isinstance(left, str):
        raise unfit(left, symbol, "comparator", "number")
    if isinstance(right, str):
        try:
            right = regexp.compile(right)
        except CompileError as error:
            message = f"Unable to compile regexp pattern '{right[:_SHOWN]}': {error.message}"
            raise EvaluationError(message) from None
    if not isinstance(right, regexp.Regexp):
        raise unfit(right, symbol, "comparator", "number")
    return right.search(left)


def _is_in(left: Any, right: Any) -> bool:
    if not isinstance(right, list):
        raise unfit(right, "in", "comparator", "number")
    return any(is_same(left, item) for item in right)


def _negate(value: Any) -> float:
    if isinstance(value, float):
        return -value
    raise unfit(value, "-", "prefix", "")


def _invert(value: Any) -> bool:
    if isinstance(value, bool):
        return not value
    raise unfit(value, "!", "prefix", "")


def _complement(value: Any) -> float:
    if isinstance(value, float):
        return float(~to_int64(value))
    raise unfit(value, "~", "prefix", "")


def _join(left: Any, right: Any) -> list[Any]:
    return [*left, right] if isinstance(left, list) else [left, right]


BINARY: dict[str, Binary] = {
    "+": _add,
    "-": _numeric("-", operator.sub),
    "*": _numeric("*", operator.mul),
    "/": _numeric("/", divide),
    "%": _numeric("%", remainder),
    "**": _numeric("**", power),
    "&": _bitwise("&", operator.and_),
    "|": _bitwise("|", operator.or_),
    "^": _bitwise("^", operator.xor),
    "<<": _numeric("<<", _shift_left),
    ">>": _numeric(">>", _shift_right),
    "==": is_same,
    "!=": lambda left, right: not is_same(left, right),
    ">": _compare(">", operator.gt),
    ">=": _compare(">=", operator.ge),
    "<": _compare("<", operator.lt),
    "<=": _compare("<=", operator.le),
    "=~": _matches,
    "!~": _matches_not,
    "in": _is_in,
    ",": _join,
}
"""Operators that always look at both sides."""

PREFIX: dict[str, Prefix] = {"-": _negate, "!": _invert, "~": _complement}
"""Operators in front of one value."""
