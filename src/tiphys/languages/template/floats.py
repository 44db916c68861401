"""Floating-point numbers in the notations of Go's ``strconv.FormatFloat``."""

from __future__ import annotations

import math

from tiphys.languages.numbers import format_g, format_plain

__all__ = ["format_float"]

_EXPONENT_BIAS = 1074  # the smallest power of two that a float64 has is 2**-1074
_MANTISSA_BITS = 52


def format_float(value: float, verb: str, precision: int | None) -> str:
    """
    Print *value* with *verb* ``e E f g G b x X``.

    *precision* counts digits after the point (significant digits for ``g``), None as many as the
    number needs.
    """
    if not math.isfinite(value):
        return format_plain(value)
    if verb == "b":
        return _binary(value)
    if verb in "xX":
        text = _hexadecimal(value, precision)
    elif precision is None:
        text = {"e": _shortest_exponent, "f": format_plain, "g": format_g}[verb.lower()](value)
    elif verb in "gG":
        text = f"{value:.{precision or 1}g}"
    else:
        text = f"{value:.{precision}{verb.lower()}}"
    return text.upper() if verb in "EGX" else text


def _shortest_exponent(value: float) -> str:
    digits = len(format_plain(abs(value)).replace(".", "").strip("0")) or 1
    return f"{value:.{digits - 1}e}"


def _parts(value: float) -> tuple[str, int, int]:
    """Sign, mantissa as an integer, and the power of two it is multiplied with."""
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    mantissa, exponent = math.frexp(abs(value))
    power = max(exponent - _MANTISSA_BITS - 1, -_EXPONENT_BIAS)
    return sign, int(math.ldexp(mantissa, exponent - power)), power


def _binary(value: float) -> str:
    sign, mantissa, power = _parts(value)
    if not mantissa:
        power = -_EXPONENT_BIAS
    return f"{sign}{mantissa}p{power:+d}"


def _hexadecimal(value: float, precision: int | None) -> str:
    sign, mantissa, power = _parts(value)
    if mantissa:
        shift = _MANTISSA_BITS + 1 - mantissa.bit_length()
        mantissa, power = mantissa << shift, power - shift
    else:
        power = -_MANTISSA_BITS
    digits = _MANTISSA_BITS // 4
    if precision is not None and precision < digits:
        dropped = 4 * (digits - precision)
        half, rest = 1 << (dropped - 1), mantissa & ((1 << dropped) - 1)
        mantissa >>= dropped
        if rest > half or (rest == half and mantissa & 1):
            mantissa += 1
        if mantissa >> (4 * precision + 1):
            mantissa, power = mantissa >> 1, power + 1
        digits = precision
    fraction = f"{mantissa & ((1 << 4 * digits) - 1):0{digits}x}" if digits else ""
    fraction = fraction.rstrip("0") if precision is None else fraction.ljust(precision, "0")
    exponent = power + _MANTISSA_BITS
    point = "." if fraction else ""
    return f"{sign}0x{mantissa >> 4 * digits}{point}{fraction}p{exponent:+03d}"
