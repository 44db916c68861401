"""Conversions between types that never fail: what cannot be converted is zero or printed."""

from __future__ import annotations

import math
import re

from tiphys.languages._errors import EvaluationError
from tiphys.languages.numbers import parse_float
from tiphys.languages.template.literals import parse_integer
from tiphys.languages.template.printing import display
from tiphys.languages.template.values import Strings, Value, go_type, signed

__all__ = [
    "is_empty",
    "to_decimal_integer",
    "to_float",
    "to_integer",
    "to_strings",
    "to_text",
    "truncated",
]

_MIN, _MAX = -1 << 63, (1 << 63) - 1
_TOO_LARGE = 1 << 64
_MOST_DIGITS = 20  # of a number below that
_DIGITS = re.compile(r"([-+]?)([0-9]+)")
_DECIMAL = re.compile(r"([-+]?[0-9]*)\.[0-9]*")


def to_integer(value: Value) -> int:
    """
    A 64-bit integer for *value*.

    Floats are cut, texts are read as Go literals (``0x1f``, ``017``, ``1_000``) whose digits
    after a point do not count; whatever is no number is 0.
    """
    if isinstance(value, int):
        return signed(value)
    if isinstance(value, float):
        return truncated(value)
    if not isinstance(value, str) or not value:
        return 0
    if match := _DECIMAL.fullmatch(value):
        value = match[1] if match[1].strip("+-") else match[1] + "0"
    number = parse_integer(value, 0)
    return number if number is not None and _MIN <= number <= _MAX else 0


def to_decimal_integer(text: str) -> int:
    """
    An integer in decimal digits, cut to 64 bits; 0 for anything else.

    As in the original, what follows digits that are too many does not matter.
    """
    match = _DIGITS.match(text)
    if match is None:
        return 0
    digits = match[2].lstrip("0") or "0"
    size = int(digits) if len(digits) <= _MOST_DIGITS else _TOO_LARGE
    if match.end() < len(text) and size < _TOO_LARGE:
        return 0
    return min(max(-size if match[1] == "-" else size, _MIN), _MAX)


def truncated(value: float) -> int:
    """*value* without its fraction; one that does not fit is the smallest integer there is."""
    if not math.isfinite(value) or not -(2.0**63) <= value < 2.0**63:
        return _MIN
    return int(value)


def to_float(value: Value) -> float:
    """A float for *value*; whatever is no number is 0."""
    if isinstance(value, (int, float)):
        return float(value)
    if not isinstance(value, str) or not value:
        return 0.0
    try:
        return parse_float(value)
    except EvaluationError:
        return 0.0


def to_text(value: Value) -> str:
    """*value* as it is printed."""
    return value if isinstance(value, str) else display(value)


def to_strings(value: Value) -> Strings:
    """The items of a list as texts, without nils; anything else is a list of one."""
    if isinstance(value, Strings):
        return value
    if isinstance(value, list):
        return Strings(to_text(item) for item in value if item is not None)
    return Strings() if value is None else Strings([to_text(value)])


def is_empty(value: Value) -> bool:
    """Whether *value* is nil, false, zero, or has no members."""
    if value is None:
        return True
    if isinstance(value, (str, list, dict)):
        return not value
    return go_type(value).basic is not None and not value
