"""
Durations in Go's notation, ``1h30m`` or ``250ms``, counted in nanoseconds.

Manifests carry them in ``maxDuration``, ``interval``, ``backoff`` and many other fields.
"""

from __future__ import annotations

import re

from tiphys.languages._errors import EvaluationError
from tiphys.languages._quoting import quote_bytes

__all__ = ["format", "parse"]

_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5, the micro sign
    "μs": 1_000,  # U+03BC, the Greek letter
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_PART = re.compile(r"([0-9]*)(\.[0-9]*)?([^.0-9]*)")
_LIMIT = 1 << 63  # one more than the longest positive duration, in nanoseconds


def parse(text: str) -> int:
    """
    Read *text* as ``time.ParseDuration`` does and return nanoseconds.

    Raises EvaluationError for what is no duration or does not fit 64 bits; days and longer
    units do not exist.
    """
    unsigned = text[1:] if text[:1] in ("-", "+") else text
    if unsigned == "0":
        return 0
    if not unsigned:
        raise _invalid(text)
    total = position = 0
    while position < len(unsigned):
        match = _PART.match(unsigned, position)
        assert match is not None  # every part of the pattern is optional
        total += _part_nanoseconds(match, text)
        if total > _LIMIT:
            raise _invalid(text)
        position = match.end()
    if text[0] == "-":
        return -total
    if total == _LIMIT:
        raise _invalid(text)
    return total


def format(nanoseconds: int) -> str:
    """
    Print a duration as Go's ``Duration.String`` does.

    Shorter than a second: one unit, ``1.5ms``; else hours, minutes and seconds, ``1h0m0.5s``.
    """
    sign = "-" if nanoseconds < 0 else ""
    size = abs(nanoseconds)
    if size == 0:
        return "0s"
    if size < _UNITS["s"]:
        unit = next(unit for unit in ("ms", "µs", "ns") if size >= _UNITS[unit])
        return f"{sign}{_decimal(size, _UNITS[unit])}{unit}"
    minutes, rest = divmod(size, _UNITS["m"])
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(rest, _UNITS['s'])}s"
    if hours:
        text = f"{hours}h{minutes}m{text}"
    elif minutes:
        text = f"{minutes}m{text}"
    return sign + text


def _part_nanoseconds(match: re.Match[str], text: str) -> int:
    """Nanoseconds of one number and its unit, cut to a whole number as the original cuts them."""
    whole, fraction, unit = match.groups()
    significant = whole.lstrip("0")
    value = int(significant or 0) if len(significant) < 20 else _LIMIT + 1
    if value > _LIMIT or not (whole or (fraction and fraction != ".")):
        raise _invalid(text)
    if not unit:
        raise EvaluationError(f"time: missing unit in duration {quote_bytes(text)}")
    size = _UNITS.get(unit)
    if size is None:
        raise EvaluationError(
            f"time: unknown unit {quote_bytes(unit)} in duration {quote_bytes(text)}"
        )
    value *= size
    if value > _LIMIT:
        raise _invalid(text)
    numerator, scale = _fraction(fraction[1:] if fraction else "")
    if numerator:
        # In floating point as the original does; exact arithmetic would differ in the last digit.
        value += int(float(numerator) * (float(size) / scale))
    return value


def _fraction(digits: str) -> tuple[int, float]:
    """Numerator and denominator of the digits after the point, as many as fit 63 bits."""
    numerator, scale = 0, 1.0
    for digit in digits:
        if numerator > (_LIMIT - 1) // 10:
            break
        longer = numerator * 10 + int(digit)
        if longer > _LIMIT:
            break
        numerator, scale = longer, scale * 10
    return numerator, scale


def _decimal(size: int, unit: int) -> str:
    """*size* counted in *unit*, a power of ten, with no zeros at its end."""
    whole, rest = divmod(size, unit)
    if not rest:
        return str(whole)
    return f"{whole}.{str(rest).rjust(len(str(unit)) - 1, '0').rstrip('0')}"


def _invalid(text: str) -> EvaluationError:
    return EvaluationError(f"time: invalid duration {quote_bytes(text)}")
