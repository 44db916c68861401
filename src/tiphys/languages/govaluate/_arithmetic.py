"""Arithmetic on floats that never fails, with the results that Go gives."""

from __future__ import annotations

import math

from tiphys.languages.govaluate._exponential import exponential, logarithm

__all__ = ["divide", "power", "remainder", "to_int64", "to_uint64"]

_SIGN_BIT = 1 << 63
_WORD = 1 << 64


def divide(left: float, right: float) -> float:
    """Divide; by zero the result is infinite, and zero by zero is NaN."""
    if right:
        return left / right
    if left == 0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1, right)


def remainder(left: float, right: float) -> float:
    """Return the remainder with the sign of *left*; by zero it is NaN."""
    try:
        return math.fmod(left, right)
    except ValueError:
        return math.nan


def power(base: float, exponent: float) -> float:
    """
    Raise to a power in the steps of Go's ``math.Pow``.

    The last digit of the C library's result differs where that rounds better.
    """
    if exponent == 0 or base == 1:
        return 1.0
    if exponent == 1:
        return base
    if math.isnan(base) or math.isnan(exponent):
        return math.nan
    if base == 0 or math.isinf(base) or math.isinf(exponent):
        return _limit_power(base, exponent)
    if abs(exponent) == 0.5 and base > 0:
        root = math.sqrt(base)
        return root if exponent > 0 else 1 / root
    fraction, whole = math.modf(abs(exponent))
    if fraction and base < 0:
        return math.nan
    if whole >= _SIGN_BIT:
        return _limit_power(base, math.copysign(math.inf, exponent))
    return _finite_power(base, fraction, whole, exponent < 0)


def _limit_power(base: float, exponent: float) -> float:
    """Powers with a base of zero, or with something infinite; C and Go agree about them."""
    try:
        return math.pow(base, exponent)
    except ValueError:  # zero to a negative power
        is_odd = exponent % 2 == 1
        return math.copysign(math.inf, base) if is_odd else math.inf


def _finite_power(base: float, fraction: float, whole: float, invert: bool) -> float:
    mantissa, exponent = 1.0, 0
    if fraction:
        if fraction > 0.5:
            fraction -= 1
            whole += 1
        mantissa = exponential(fraction * logarithm(base))
    factor, factor_exponent = math.frexp(base)
    remaining = int(whole)
    while remaining:
        if abs(factor_exponent) > 1 << 12:
            exponent += factor_exponent  # far out of range already
            break
        if remaining & 1:
            mantissa *= factor
            exponent += factor_exponent
        factor *= factor
        factor_exponent *= 2
        if factor < 0.5:
            factor += factor
            factor_exponent -= 1
        remaining >>= 1
    if invert:
        mantissa, exponent = divide(1.0, mantissa), -exponent
    try:
        return math.ldexp(mantissa, exponent)
    except OverflowError:
        return math.copysign(math.inf, mantissa)


def to_int64(value: float) -> int:
    """Cut to a signed integer of 64 bits; what does not fit becomes the least one."""
    if -float(_SIGN_BIT) <= value < float(_SIGN_BIT):
        return int(value)
    return -_SIGN_BIT


def to_uint64(value: float) -> int:
    """Cut to an unsigned integer of 64 bits; negative numbers wrap around, others become 2^63."""
    if float(_SIGN_BIT) <= value < float(_WORD):
        return int(value)
    return to_int64(value) % _WORD
