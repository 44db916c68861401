"""
Numbers and booleans as Go reads and prints them.

Filters compare numbers that ``strconv`` parsed, and parameters carry numbers that ``fmt`` or
``encoding/json`` printed; all of these differ from Python's ``float`` and ``repr``.
"""

from __future__ import annotations

import math
import re

from tiphys.languages._errors import EvaluationError
from tiphys.languages._quoting import quote

__all__ = ["format_g", "format_json", "format_plain", "parse_bool", "parse_float"]

_DECIMAL = re.compile(
    r"""
    [+-]?
    (?: (?: [0-9](?:_?[0-9])* ) (?: \. (?: [0-9](?:_?[0-9])* )? )?
      | \. [0-9](?:_?[0-9])*
    )
    (?: [eE] [+-]? [0-9](?:_?[0-9])* )?
    """,
    re.VERBOSE,
)
_HEXADECIMAL = re.compile(
    r"""
    [+-]? 0[xX]
    (?: (?: _?[0-9a-fA-F](?:_?[0-9a-fA-F])* ) (?: \. (?: [0-9a-fA-F](?:_?[0-9a-fA-F])* )? )?
      | \. [0-9a-fA-F](?:_?[0-9a-fA-F])*
    )
    [pP] [+-]? [0-9](?:_?[0-9])*
    """,
    re.VERBOSE,
)
_INFINITIES = {"inf", "infinity", "+inf", "+infinity", "-inf", "-infinity"}

_BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}


def parse_float(text: str) -> float:
    """
    Read *text* as ``strconv.ParseFloat(text, 64)`` does.

    Hexadecimal mantissas, single underscores between digits, and the words ``inf``,
    ``infinity`` and ``nan`` are numbers; surrounding blanks and other scripts' digits are not.
    Raises EvaluationError for anything else, and for numbers too large for a float64.
    """
    if _DECIMAL.fullmatch(text):
        value = float(text)
    elif _HEXADECIMAL.fullmatch(text):
        value = _from_hexadecimal(text.replace("_", ""))
    elif text.isascii() and (word := text.lower()) in _INFINITIES:
        return float(word)
    elif text.isascii() and text.lower() == "nan":
        return math.nan
    else:
        raise EvaluationError(f"{_parsing('ParseFloat', text)}: invalid syntax")
    if math.isinf(value):
        raise EvaluationError(f"{_parsing('ParseFloat', text)}: value out of range")
    return value


def parse_bool(text: str) -> bool:
    """Read *text* as ``strconv.ParseBool`` does; raises EvaluationError for other words."""
    try:
        return _BOOLEANS[text]
    except KeyError:
        raise EvaluationError(f"{_parsing('ParseBool', text)}: invalid syntax") from None


def format_g(value: float) -> str:
    """Print *value* as Go's ``%v`` does: shortest digits, an exponent from 1e+06 and below 1e-4."""
    text = repr(value)
    size = abs(value)
    if 1e-4 <= size < 1e6 or size == 0:
        return text.removesuffix(".0")
    if "e" in text:
        return text  # the same form and the same digits
    if not math.isfinite(value):
        return _not_finite(value)
    sign, digits, point = _shortest(value)
    return f"{sign}{digits[0]}{'.' if len(digits) > 1 else ''}{digits[1:]}e+{point - 1:02d}"


def format_json(value: float) -> str:
    """
    Print *value* as Go's ``encoding/json`` does: an exponent only from 1e+21 and below 1e-6.

    Raises EvaluationError for infinities and NaN, which JSON cannot hold.
    """
    if not math.isfinite(value):
        raise EvaluationError(f"json: unsupported value: {_not_finite(value)}")
    size = abs(value)
    if size != 0 and not 1e-6 <= size < 1e21:
        return repr(value).replace("e-0", "e-")
    return format_plain(value)


def format_plain(value: float) -> str:
    """Print the shortest decimal that reads back as *value*, never with an exponent."""
    text = repr(value)
    if not math.isfinite(value):
        return _not_finite(value)
    if "e" not in text:
        return text.removesuffix(".0")
    sign, digits, point = _shortest(value)
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    if point >= len(digits):
        return f"{sign}{digits}{'0' * (point - len(digits))}"
    return f"{sign}{digits[:point]}.{digits[point:]}"


def _from_hexadecimal(text: str) -> float:
    try:
        return float.fromhex(text)
    except OverflowError:  # also for an exponent that does not matter
        mantissa = text.lower().partition("p")[0].partition("x")[2]
        return math.inf if mantissa.strip("0.") else 0.0


def _shortest(value: float) -> tuple[str, str, int]:
    """Sign, significant digits, and the place of the decimal point counted from the first digit."""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    return ("-" if math.copysign(1, value) < 0 else ""), digits.rstrip("0") or "0", point


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "+Inf" if value > 0 else "-Inf"


def _parsing(function: str, text: str) -> str:
    return f"strconv.{function}: parsing {quote(text)}"
