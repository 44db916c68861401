"""What operators do with numbers, texts, moments and durations; each raises Fault otherwise."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tiphys.languages.expr._faults import Fault, Overrun
from tiphys.languages.expr._values import (
    UNSIGNED,
    Uint8,
    is_integer,
    is_number,
    signed,
    to_float,
    type_of,
)
from tiphys.languages.template.moments import Duration, Time
from tiphys.languages.template.text import encode

__all__ = [
    "LONGEST_TEXT",
    "add",
    "divide",
    "less",
    "less_or_equal",
    "modulo",
    "more",
    "more_or_equal",
    "multiply",
    "negate",
    "power",
    "subtract",
]

_PLAIN_NUMBERS = (int, float)
LONGEST_TEXT = 16 * 1024 * 1024
"""Characters that a text made by an expression may have."""


def _mismatch(operator: str, left: Any, right: Any) -> Fault:
    return Fault(f"invalid operation: {type_of(left)} {operator} {type_of(right)}")


def add(left: Any, right: Any) -> Any:
    """Add numbers, join texts, move moments."""
    if type(left) is str and type(right) is str:
        if len(left) + len(right) > LONGEST_TEXT:
            raise Overrun("memory budget exceeded")
        return left + right
    if is_number(left) and is_number(right):
        return _sum(left, right)
    if isinstance(left, Time) and isinstance(right, Duration):
        return left.add(int(right))
    if isinstance(left, Duration) and isinstance(right, Time):
        return right.add(int(left))
    if isinstance(left, Duration) and isinstance(right, Duration):
        return Duration(signed(left + right))
    raise _mismatch("+", left, right)


def _sum(left: int | float, right: int | float) -> int | float:
    if type(left) is float or type(right) is float:
        return float(left) + float(right)
    return signed(int(left) + int(right))


def subtract(left: Any, right: Any) -> Any:
    """Subtract numbers, durations and moments."""
    if is_number(left) and is_number(right):
        if type(left) is float or type(right) is float:
            return float(left) - float(right)
        return signed(left - right)
    if isinstance(left, Time) and isinstance(right, Time):
        return left.since(right)
    if isinstance(left, Time) and isinstance(right, Duration):
        return left.add(-int(right))
    if isinstance(left, Duration) and isinstance(right, Duration):
        return Duration(signed(left - right))
    raise _mismatch("-", left, right)


def multiply(left: Any, right: Any) -> Any:
    """Multiply numbers; an integer and a duration make a duration, a fraction a number."""
    if is_number(left) and is_number(right):
        if type(left) is float or type(right) is float:
            return float(left) * float(right)
        return signed(left * right)
    if isinstance(left, Duration) or isinstance(right, Duration):
        factors = left, right
        if all(is_number(factor) or isinstance(factor, Duration) for factor in factors):
            product = left * right
            return product if type(product) is float else Duration(signed(product))
    raise _mismatch("*", left, right)


def divide(left: Any, right: Any) -> float:
    """Divide numbers; the result is never an integer, and dividing by zero is infinite."""
    if not (is_number(left) and is_number(right)):
        raise _mismatch("/", left, right)
    dividend, divisor = float(left), float(right)
    if divisor:
        return dividend / divisor
    if not dividend or math.isnan(dividend):
        return math.nan
    return math.copysign(math.inf, dividend) * math.copysign(1, divisor)


def modulo(left: Any, right: Any) -> int:
    """Return the rest of a division of integers, with the sign of the dividend."""
    if not (is_integer(left) and is_integer(right)):
        raise _mismatch("%", left, right)
    if right == 0:
        raise Fault("runtime error: integer divide by zero")
    rest = abs(int(left)) % abs(int(right))
    return -rest if left < 0 else rest


def negate(value: Any) -> Any:
    """Change the sign of a number."""
    if type(value) is float:
        return -value
    if isinstance(value, UNSIGNED):
        size = 0xFF if isinstance(value, Uint8) else 0xFFFF_FFFF_FFFF_FFFF
        return type(value)(-value & size)
    if is_integer(value):
        return type(value)(signed(-value))
    raise Fault(f"invalid operation: - {type_of(value)}")


def power(left: Any, right: Any) -> float:
    """
    Raise a number to a power, in floating point.

    Whole exponents are computed by squaring, as the original does, so that the last digit is
    the same; the mathematical library may round otherwise.
    """
    base, exponent = to_float(left), to_float(right)
    if not math.isfinite(base) or not base or not abs(exponent) < 2.0**63:
        return _library_power(base, exponent)
    if base < 0 and exponent != math.trunc(exponent):
        return math.nan
    if abs(exponent) == 0.5:
        return math.sqrt(base) if exponent > 0 else 1 / math.sqrt(base)
    fraction, whole = math.modf(abs(exponent))
    result = 1.0
    if fraction:
        if fraction > 0.5:
            fraction -= 1
            whole += 1
        result = math.exp(fraction * math.log(base))
    result, scale = _squared(base, int(whole), result)
    if exponent < 0:
        result, scale = 1 / result, -scale
    return _scaled(result, scale)


def _squared(base: float, exponent: int, result: float) -> tuple[float, int]:
    """*result* times a whole power of *base*, as a number and a power of two beside it."""
    scale = 0
    mantissa, shift = math.frexp(base)
    while exponent:
        if abs(shift) > 1 << 12:
            scale += shift  # far beyond what a float64 holds; the rest does not matter
            break
        if exponent & 1:
            result *= mantissa
            scale += shift
        mantissa *= mantissa
        shift <<= 1
        if mantissa < 0.5:
            mantissa += mantissa
            shift -= 1
        exponent >>= 1
    return result, scale


def _scaled(value: float, scale: int) -> float:
    try:
        return math.ldexp(value, scale)
    except OverflowError:
        return math.copysign(math.inf, value)


def _library_power(base: float, exponent: float) -> float:
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return math.inf
    except ValueError:  # zero to a negative power, or the root of a negative number
        if base == 0 and exponent < 0:
            odd = abs(exponent) < 2.0**53 and exponent % 2 == 1
            return math.copysign(math.inf, base) if odd else math.inf
        return math.nan


def _ordered(symbol: str, holds: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """Make a comparison of numbers, texts, moments and durations."""

    def compare(left: Any, right: Any) -> bool:
        if type(left) is float and type(right) in _PLAIN_NUMBERS:
            return holds(left, float(right))
        if is_number(left) and is_number(right):
            if type(left) is float or type(right) is float:
                return holds(float(left), float(right))
            return holds(left, right)
        if type(left) is str and type(right) is str:
            if left.isascii() and right.isascii():
                return holds(left, right)
            return holds(encode(left), encode(right))
        if isinstance(left, Time) and isinstance(right, Time):
            return holds(left.compare(right), 0)
        if isinstance(left, Duration) and isinstance(right, Duration):
            return holds(int(left), int(right))
        raise _mismatch(symbol, left, right)

    return compare


less = _ordered("<", lambda left, right: left < right)
more = _ordered(">", lambda left, right: left > right)
less_or_equal = _ordered("<=", lambda left, right: left <= right)
more_or_equal = _ordered(">=", lambda left, right: left >= right)
