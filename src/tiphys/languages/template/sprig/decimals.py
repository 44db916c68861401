"""Exact decimal arithmetic on floats: the sums that ``addf`` and its kin give."""

from __future__ import annotations

import decimal
import math
from collections.abc import Callable
from typing import NamedTuple

from tiphys.languages._errors import EvaluationError

__all__ = ["Decimal", "add", "divide", "multiply", "subtract"]

_DIVISION_DIGITS = 16  # after the point
_LARGEST_EXPONENT = 20_000  # of ten, in intermediate results


class Decimal(NamedTuple):
    """An integer times a power of ten."""

    coefficient: int
    exponent: int

    @classmethod
    def of(cls, value: float) -> Decimal:
        """The shortest decimal that reads back as *value*; raises EvaluationError."""
        if not math.isfinite(value):
            raise EvaluationError("cannot create a Decimal from NaN or infinity")
        _, digits, exponent = decimal.Decimal(repr(abs(value))).as_tuple()
        assert isinstance(exponent, int)
        coefficient = int("".join(map(str, digits)))
        return cls(-coefficient if value < 0 else coefficient, exponent)

    def to_float(self) -> float:
        """The nearest float, infinite where it is too large."""
        try:
            if self.exponent >= 0:
                return float(self.coefficient * 10**self.exponent)
            quotient: float = self.coefficient / 10**-self.exponent
            return quotient
        except OverflowError:
            return math.inf if self.coefficient > 0 else -math.inf

    def scaled(self, exponent: int) -> int:
        """The coefficient for a smaller *exponent*."""
        scaled: int = self.coefficient * 10 ** (self.exponent - exponent)
        return scaled


Operation = Callable[[Decimal, Decimal], Decimal]
"""What makes one decimal of two."""


def add(left: Decimal, right: Decimal) -> Decimal:
    """The sum."""
    exponent = min(left.exponent, right.exponent)
    return Decimal(left.scaled(exponent) + right.scaled(exponent), exponent)


def subtract(left: Decimal, right: Decimal) -> Decimal:
    """The difference."""
    return add(left, Decimal(-right.coefficient, right.exponent))


def multiply(left: Decimal, right: Decimal) -> Decimal:
    """The product; raises EvaluationError where it grows beyond reason."""
    exponent = left.exponent + right.exponent
    if abs(exponent) > _LARGEST_EXPONENT:
        raise EvaluationError("decimal exponent out of range")
    return Decimal(left.coefficient * right.coefficient, exponent)


def divide(left: Decimal, right: Decimal) -> Decimal:
    """The quotient with 16 digits after the point, half rounded away from zero."""
    if not right.coefficient:
        raise EvaluationError("decimal division by 0")
    shift = left.exponent - right.exponent + _DIVISION_DIGITS
    numerator, denominator = abs(left.coefficient), abs(right.coefficient)
    if shift >= 0:
        numerator *= 10**shift
    else:
        denominator *= 10**-shift
    quotient, rest = divmod(numerator, denominator)
    if 2 * rest >= denominator:
        quotient += 1
    negative = (left.coefficient < 0) != (right.coefficient < 0)
    return Decimal(-quotient if negative else quotient, -_DIVISION_DIGITS)
