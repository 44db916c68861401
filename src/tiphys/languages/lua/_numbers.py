"""Numbers in Lua scripts as the original reads them: Go's rules, not C's."""

from __future__ import annotations

import math
import re

from tiphys.languages._errors import EvaluationError
from tiphys.languages.numbers import parse_float

__all__ = ["parse_integer", "parse_number", "parse_word"]

_PREFIXED = re.compile(
    r"([+-]?)(?:0[xX]((?:_?[0-9a-fA-F])+)|0[bB]((?:_?[01])+)|0[oO]?((?:_?[0-7])+))"
)
_DECIMAL = re.compile(r"[+-]?[1-9](?:_?[0-9])*|[+-]?0")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def parse_number(text: str) -> float | None:
    """
    The number in *text* where arithmetic meets a string, or in the script itself.

    A leading zero makes an integer octal: ``"0012" + 0`` is 10.  None for what is no number.
    """
    text = text.strip(" \t\n")
    integer = _integer_literal(text)
    if integer is not None and -(1 << 63) <= integer < 1 << 63:
        return float(integer)
    try:
        return parse_float(text)
    except EvaluationError:
        return None


def parse_integer(text: str, base: int) -> float | None:
    """The 64-bit integer in *text*, written in *base* (2 to 36); None for anything else."""
    integer = _integer_literal(text) if base == 0 else _in_base(text, base)
    if integer is None or not -(1 << 63) <= integer < 1 << 63:
        return None
    return float(integer)


def parse_word(text: str, base: int | None) -> float | None:
    """What ``tonumber`` makes of a string: no exponents without a decimal point."""
    text = text.strip(" \n\t")
    if "." in text:
        try:
            value = parse_float(text)
        except EvaluationError:
            return None
        return None if math.isinf(value) and "n" not in text.lower() else value
    if base is None and text[:2] in ("0x", "0X"):
        return parse_integer(text[2:], 16)
    return parse_integer(text, 10 if base is None else base)


def _integer_literal(text: str) -> int | None:
    if _DECIMAL.fullmatch(text):
        return int(text)
    if prefixed := _PREFIXED.fullmatch(text):
        sign, hexadecimal, binary, octal = prefixed.groups()
        digits, base = (hexadecimal, 16) if hexadecimal else (binary, 2) if binary else (octal, 8)
        return int(sign + digits.lstrip("_"), base)
    return None


def _in_base(text: str, base: int) -> int | None:
    unsigned = text[1:] if text[:1] in ("+", "-") else text
    allowed = _DIGITS[:base] if 2 <= base <= 36 else ""
    if not unsigned or unsigned.lower().strip(allowed):
        return None
    if len(unsigned.lstrip("0")) > 64:
        return None
    return int(text, base)
