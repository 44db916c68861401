"""
Logarithm and exponential function as Go computes them on common servers.

Both are right to the last digit or the one before; powers with a fraction show which. The
logarithm is FreeBSD's, the exponential function N. Shibata's ("Efficient evaluation methods of
elementary functions suitable for SIMD computation", 2010) with fused multiply-add.
"""

from __future__ import annotations

import math
from fractions import Fraction

__all__ = ["exponential", "logarithm"]

_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_EVEN = (
    *(6.666666666666735130e-01, 2.857142874366239149e-01),
    *(1.818357216161805012e-01, 1.479819860511658591e-01),
)
_ODD = (3.999999999940941908e-01, 2.222219843214978396e-01, 1.531383769920937332e-01)

_LOG2_E = 1.4426950408889634
_LN2_UPPER, _LN2_LOWER = 0.69314718055966295651, 0.28235290563031577122588448175e-12
_SIXTEENTH = 0.0625
_TAYLOR = tuple(1 / math.factorial(n) for n in range(8, 0, -1))


def logarithm(value: float) -> float:
    """Compute the natural logarithm of a positive number."""
    mantissa, exponent = math.frexp(value)
    if mantissa < math.sqrt(2) / 2:
        mantissa *= 2
        exponent -= 1
    f = mantissa - 1
    s = f / (2 + f)
    square = s * s
    fourth = square * square
    series = square * _horner(_EVEN, fourth) + fourth * _horner(_ODD, fourth)
    half = 0.5 * f * f
    return exponent * _LN2_HIGH - ((half - (s * (half + series) + exponent * _LN2_LOW)) - f)


def exponential(value: float) -> float:
    """Compute e to the power of *value*, which must not be near the limits of floats."""
    exponent = round(value * _LOG2_E)
    rest = _fused(-exponent, _LN2_UPPER, value)
    rest = _fused(-exponent, _LN2_LOWER, rest) * _SIXTEENTH
    series = _TAYLOR[0]
    for coefficient in _TAYLOR[1:]:
        series = _fused(rest, series, coefficient)
    less_one = series * rest  # e^rest - 1
    for _ in range(3):
        less_one *= less_one + 2  # of the doubled rest
    return math.ldexp(_fused(less_one + 2, less_one, 1.0), exponent)


def _horner(coefficients: tuple[float, ...], value: float) -> float:
    result = 0.0
    for coefficient in reversed(coefficients):
        result = coefficient + value * result
    return result


def _fused(left: float, right: float, addend: float) -> float:
    """Multiply and add with one rounding at the end."""
    return float(Fraction(left) * Fraction(right) + Fraction(addend))
