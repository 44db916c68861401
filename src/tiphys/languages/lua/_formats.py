"""
``string.format`` of the original: Go's ``fmt.Sprintf`` over Lua values.

Nothing is an error in it: what does not fit prints as ``%!d(string=x)`` does in Go.
"""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

from tiphys.languages._quoting import quote
from tiphys.languages.lua._numbers import parse_number
from tiphys.languages.numbers import format_g

__all__ = ["sprintf"]

_CONVERSION = re.compile(r"%([-+# 0]*)(\d+)?(?:\.(\d*))?(.)?", re.DOTALL)
_WIDEST = 1_000_000  # Go's own bound on widths
_TYPES = {"n": "lua.LNumber", "s": "lua.LString", "b": "lua.LBool", "0": "*lua.LNilType"}

Argument = tuple[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class _Conversion:
    flags: str
    width: int
    precision: int | None
    verb: str

    def pad(self, text: str, zeros: bool = False) -> str:
        """Fill *text* up to the width; *zeros* go between a sign and the digits."""
        missing = self.width - len(text.encode("latin-1").decode("utf-8", "replace"))
        if missing <= 0:
            return text
        if "-" in self.flags:
            return text + " " * missing
        if "0" not in self.flags:
            return " " * missing + text
        if zeros and text[:1] in ("+", "-"):
            return text[0] + "0" * missing + text[1:]
        return "0" * missing + text

    def signed(self, digits: str, negative: bool) -> str:
        """*digits* behind the sign that the value or the flags ask for."""
        if negative:
            return f"-{digits}"
        return ("+" if "+" in self.flags else " " if " " in self.flags else "") + digits


def sprintf(template: str, arguments: list[Argument]) -> str:
    """
    Fill *template* with *arguments*, pairs of a mark and a value.

    Marks are n (a float), s (a text), b (a bool), 0 (nil), o (the text of anything else).
    """
    wanted = template.count("%") - template.count("%%")
    arguments = arguments[: max(wanted, 0)]
    parts: list[str] = []
    position = used = 0
    while (found := template.find("%", position)) >= 0:
        parts.append(template[position:found])
        match = _CONVERSION.match(template, found)
        assert match is not None  # a lone % matches too
        flags, width, precision, verb = match.groups()
        position = match.end()
        if verb is None:
            parts.append("%!(NOVERB)")
        elif verb == "%":
            parts.append("%")
        elif used >= len(arguments):
            parts.append(f"%!{verb}(MISSING)")
        else:
            size = min(int(width or 0), _WIDEST)
            places = None if precision is None else min(int(precision or 0), _WIDEST)
            if verb == "v":  # a plus and a sharp mean something else here
                flags = flags.replace("+", "").replace("#", "")
            parts.append(_converted(_Conversion(flags, size, places, verb), arguments[used]))
            used += 1
    parts.append(template[position:])
    if used < len(arguments):
        extra = ", ".join(f"{_type(mark)}={_plain(mark, v)}" for mark, v in arguments[used:])
        parts.append(f"%!(EXTRA {extra})")
    return "".join(parts)


def _converted(conversion: _Conversion, argument: Argument) -> str:
    mark, value = argument
    verb = conversion.verb
    if mark == "n":
        return _number(conversion, value)
    if mark == "s":
        if verb not in "di":
            return _string(conversion, value)
        if parse_number(value) is not None:
            return _string(_as(conversion, "s"), value)
        return _number(_as(conversion, "d"), 0.0)
    if mark == "b" and verb in "tv":
        return conversion.pad("true" if value else "false")
    if verb in "svqxX":
        return _string(conversion, _plain(mark, value))
    return f"%!{verb}({_type(mark)}={_string(_as(conversion, 's'), _plain(mark, value))})"


def _as(conversion: _Conversion, verb: str) -> _Conversion:
    return dataclasses.replace(conversion, verb=verb)


def _plain(mark: str, value: Any) -> str:
    if mark == "n":
        return _number_text(value)
    if mark == "b":
        return "true" if value else "false"
    return "nil" if value is None else str(value)


def _type(mark: str) -> str:
    return _TYPES.get(mark, "*lua.LTable")


def _number_text(value: float) -> str:
    return str(int(value)) if _is_int64(value) else format_g(value)


def _is_int64(value: float) -> bool:
    return -(2.0**63) <= value < 2.0**63 and value.is_integer()


def _number(conversion: _Conversion, value: float) -> str:
    verb = conversion.verb
    if verb in "qs":
        return _string(conversion, _number_text(value))
    if verb in "eEfFgG":
        return _float(conversion, value)
    if verb in "bcdioxXU" or _is_int64(value):
        return _integer(conversion, _int64(value))
    if verb == "v":
        return _float(_as(conversion, "g"), value)
    return f"%!{verb}(float64={_float(_as(conversion, 'g'), value)})"


def _int64(value: float) -> int:
    """Convert as Go does on common processors: what does not fit is the smallest integer."""
    return int(value) if -(2.0**63) <= value < 2.0**63 else -(1 << 63)


def _integer(conversion: _Conversion, value: int) -> str:
    match conversion.verb:
        case "d" | "i" | "v":
            digits = str(abs(value))
        case "x" | "X":
            digits = format(abs(value), conversion.verb)
        case "o":
            digits = format(abs(value), "o")
        case "b":
            digits = format(abs(value), "b")
        case "c":
            return conversion.pad(_character(value))
        case "U":
            return conversion.pad(f"U+{value & 0xFFFFFFFFFFFFFFFF:04X}")
        case verb:
            return f"%!{verb}(int64={_integer(_as(conversion, 'v'), value)})"
    if conversion.precision is not None:
        if conversion.precision == 0 and value == 0:
            return conversion.pad("")
        digits = digits.rjust(conversion.precision, "0")
    if "#" in conversion.flags and not (conversion.verb == "o" and digits.startswith("0")):
        digits = {"x": "0x", "X": "0X", "o": "0", "b": "0b"}.get(conversion.verb, "") + digits
    text = conversion.signed(digits, value < 0)
    return conversion.pad(text, zeros=True)


def _character(value: int) -> str:
    valid = 0 <= value <= 0x10FFFF and not 0xD800 <= value <= 0xDFFF
    return (chr(value) if valid else "�").encode("utf-8").decode("latin-1")


def _float(conversion: _Conversion, value: float) -> str:
    if not math.isfinite(value):
        word = "NaN" if math.isnan(value) else "Inf"
        sign = "-" if value < 0 else "+" if "+" in conversion.flags or word == "Inf" else ""
        no_zeros = conversion.flags.replace("0", "")
        return dataclasses.replace(conversion, flags=no_zeros).pad(sign + word)
    verb, precision = conversion.verb, conversion.precision
    size = abs(value)
    if verb in "gG" and precision is None:
        digits = _shortest(size)
        digits = digits.upper() if verb == "G" else digits
    else:
        places = 6 if precision is None else precision
        digits = format(size, f".{places}{verb}")
    text = conversion.signed(digits, math.copysign(1, value) < 0)
    return conversion.pad(text, zeros=True)


def _shortest(size: float) -> str:
    text = format_g(size)
    mantissa, exponent, power = text.partition("e")
    return f"{mantissa}{exponent}{power}"


def _string(conversion: _Conversion, text: str) -> str:
    verb, precision = conversion.verb, conversion.precision
    if verb in "xX":
        data = text.encode("latin-1")
        data = data if precision is None else data[:precision]
        digits = data.hex(" ") if " " in conversion.flags else data.hex()
        return conversion.pad(digits.upper() if verb == "X" else digits)
    if verb not in "svq":
        return f"%!{verb}(string={_string(_as(conversion, 's'), text)})"
    decoded = text.encode("latin-1").decode("utf-8", "surrogateescape")
    if precision is not None:
        decoded = decoded[:precision]
    if verb == "q":
        plain = "#" in conversion.flags and decoded.isprintable() and "`" not in decoded
        decoded = f"`{decoded}`" if plain else quote(decoded)
    return conversion.pad(decoded.encode("utf-8", "surrogateescape").decode("latin-1"))
