"""Conversions that the operators of scripts apply to their operands."""

from __future__ import annotations

import re
from typing import Any

from tiphys.languages import numbers
from tiphys.languages._errors import EvaluationError
from tiphys.languages.template.json_text import from_json
from tiphys.languages.template.printing import display

__all__ = [
    "NOTHING",
    "NULLS",
    "is_quoted",
    "parse_integer",
    "to_boolean",
    "to_elements",
    "to_integer",
    "to_number",
    "to_text",
    "whole_number",
]

_INTEGER = re.compile(r"[+-]?[0-9]{1,40}")
_MIN, _MAX = -(1 << 63), (1 << 63) - 1
NULLS = frozenset(("nil", "null"))
"""Words of a script that stand for nil."""


class _Nothing:
    """An operand that is not written at all."""


NOTHING = _Nothing()


def is_quoted(text: str, quote: str) -> bool:
    """Whether *text* stands in quotes."""
    return len(text) > 1 and text.startswith(quote) and text.endswith(quote)


def whole_number(value: Any) -> int | None:
    """Return a number without fraction as an integer; None for everything else."""
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    return None


def parse_integer(text: str) -> int | None:
    """Read a decimal integer of 64 bits; None for anything else."""
    if _INTEGER.fullmatch(text) and _MIN <= int(text) <= _MAX:
        return int(text)
    return None


def to_number(value: Any) -> float:
    """Read an operand as a number; raises EvaluationError."""
    if type(value) in (float, int):
        return float(value)
    if type(value) is str and value not in NULLS:
        return numbers.parse_float(value)
    raise EvaluationError("expected a number")


def to_integer(value: Any) -> int:
    """Read an operand as an integer; raises EvaluationError, also for 1e+06."""
    text = numbers.format_g(value) if type(value) is float else str(value)
    number = parse_integer(text) if type(value) in (float, int, str) else None
    if number is None:
        raise EvaluationError("expected an integer")
    return number


def to_boolean(value: Any) -> bool:
    """Read an operand as a boolean, nil and nothing as false; raises EvaluationError."""
    if value is None or value is NOTHING or (type(value) is str and value in NULLS):
        return False
    if type(value) is bool:
        return value
    if type(value) in (float, int):
        return numbers.parse_bool(numbers.format_g(float(value)))
    if type(value) is str:
        return numbers.parse_bool(value)
    raise EvaluationError("expected a boolean")


def to_text(value: Any) -> str:
    """Read an operand as a text, single-quoted if it stands in quotes; raises EvaluationError."""
    if value is NOTHING:
        raise EvaluationError("an operand is missing")
    if type(value) is str:
        if value in NULLS:
            return "<nil>"
        if is_quoted(value, '"'):
            return f"'{value[1:-1]}'"
        return value
    return display(value)


def to_elements(value: Any) -> list[Any]:
    """Read an operand as a list; a text may hold one in JSON. Raises EvaluationError."""
    if type(value) is str and value[:1] + value[-1:] in ("[]", "{}"):
        value = from_json(value)
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return list(value.values())
    raise EvaluationError("expected an array or a map")
