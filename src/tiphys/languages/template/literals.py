"""The constants of templates: quoted texts, characters and numbers, in Go's notation."""

from __future__ import annotations

import re

from tiphys.languages._errors import EvaluationError
from tiphys.languages._quoting import quote
from tiphys.languages.numbers import parse_float
from tiphys.languages.template.nodes import Number
from tiphys.languages.template.text import decode, encode

__all__ = ["number_of", "parse_integer", "text_of"]

_ESCAPE = re.compile(
    r"""\\(?: x([0-9a-fA-F]{2}) | ([0-7]{3}) | u([0-9a-fA-F]{4}) | U([0-9a-fA-F]{8})
      | ([abfnrtv\\'"]) | )""",
    re.VERBOSE,
)
_SIMPLE = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    "'": "'",
    '"': '"',
}
_DIGITS = {
    2: re.compile(r"[01]+"),
    8: re.compile(r"[0-7]+"),
    10: re.compile(r"[0-9]+"),
    16: re.compile(r"[0-9a-fA-F]+"),
}
_PREFIXES = {"0b": 2, "0o": 8, "0x": 16}
_UNDERSCORES = re.compile(r"[0-9a-fA-F](?:_?[0-9a-fA-F])*", re.ASCII)


def text_of(literal: str) -> str:
    """The text of a literal in double or back quotes; raises EvaluationError where it is broken."""
    inner = literal[1:-1]
    if literal[0] == "`":
        return inner.replace("\r", "")
    return _unescaped(inner, literal) if "\\" in inner else inner


def _unescaped(inner: str, literal: str) -> str:
    parts: list[bytes] = []
    end = 0
    for match in _ESCAPE.finditer(inner):
        parts.append(encode(inner[end : match.start()]))
        parts.append(_escaped_bytes(match, literal))
        end = match.end()
    parts.append(encode(inner[end:]))
    return decode(b"".join(parts))


def _escaped_bytes(match: re.Match[str], literal: str) -> bytes:
    byte, octal, short, long, simple = match.groups()
    if simple is not None:
        if simple == "'" != literal[0] or simple == '"' != literal[0]:
            raise EvaluationError("invalid syntax")
        return _SIMPLE[simple].encode()
    if byte is not None or octal is not None:
        value = int(byte, 16) if byte is not None else int(octal, 8)
        if value > 255:
            raise EvaluationError("invalid syntax")
        return bytes([value])
    if short is None and long is None:
        raise EvaluationError("invalid syntax")
    code = int(short or long, 16)
    if code > 0x10FFFF or 0xD800 <= code < 0xE000:
        raise EvaluationError("invalid syntax")
    return chr(code).encode()


def number_of(literal: str, kind: str, start: int) -> Number:
    """Read a ``number`` or ``complex`` token; raises EvaluationError where it is no number."""
    node = Number(start, start + len(literal))
    if literal[0] == "'":
        node.integer = node.unsigned = _character(literal)
        node.real = float(node.integer)
        return node
    if kind == "complex":
        node.imaginary = _complex(literal)
        _simplify(node, node.imaginary)
        return node
    if literal[-1] == "i" and (imaginary := _float(literal[:-1])) is not None:
        node.imaginary = complex(0, imaginary)
        _simplify(node, node.imaginary)
        return node
    _read_real(node, literal)
    return node


def parse_integer(text: str, base: int = 10) -> int | None:
    """
    Read *text* as ``strconv.ParseInt`` does, without its limit of size; None where it is none.

    With base 0 a prefix tells the base, ``0`` alone being octal, and underscores may separate
    digits.
    """
    negative, digits = text[:1] == "-", text[1:] if text[:1] in ("-", "+") else text
    if base == 0:
        base, digits = _prefixed(digits)
    if not _DIGITS[base].fullmatch(digits) or len(digits) > 70:
        return None
    value = int(digits, base)
    return -value if negative else value


def _prefixed(digits: str) -> tuple[int, str]:
    prefix = digits[:2].lower()
    if prefix in _PREFIXES:
        base, rest = _PREFIXES[prefix], digits[2:].removeprefix("_")
    elif digits[:1] == "0" and len(digits) > 1:
        base, rest = 8, digits[1:].removeprefix("_")
    else:
        base, rest = 10, digits
    if "_" in rest:
        if not _UNDERSCORES.fullmatch(rest):
            return base, ""
        rest = rest.replace("_", "")
    return base, rest


def _read_real(node: Number, literal: str) -> None:
    value = parse_integer(literal, 0)
    if value is not None:
        if (0 <= value < 1 << 64 and literal[0] not in "+-") or value == 0:
            node.unsigned = value
        if -1 << 63 <= value < 1 << 63:
            node.integer = value
    if node.integer is not None or node.unsigned is not None:
        node.real = float(node.integer if node.integer is not None else node.unsigned or 0)
        return
    real = _float(literal)
    if real is None:
        raise EvaluationError(f"illegal number syntax: {quote(literal)}")
    if not re.search("[.eEpP]", literal):
        raise EvaluationError(f"integer overflow: {quote(literal)}")
    node.real, node.floating = real, True
    _as_integers(node, real)


def _simplify(node: Number, value: complex) -> None:
    """A complex constant without imaginary part can be used as a real one."""
    if value.imag == 0:
        node.real = value.real
        _as_integers(node, value.real)


def _as_integers(node: Number, real: float) -> None:
    if abs(real) < 2.0**64 and real.is_integer():
        if -(2.0**63) <= real < 2.0**63:
            node.integer = int(real)
        if real >= 0:
            node.unsigned = int(real)


def _float(text: str) -> float | None:
    try:
        return parse_float(text)
    except EvaluationError:
        return None


def _complex(literal: str) -> complex:
    match = re.fullmatch(r"(.+?)((?<![eEpP])[+-].+)i", literal)
    real, imaginary = (_float(match[1]), _float(match[2])) if match else (None, None)
    if real is None or imaginary is None:
        raise EvaluationError("syntax error scanning complex number")
    return complex(real, imaginary)


def _character(literal: str) -> int:
    inner = literal[1:-1]
    text = _unescaped(inner, literal) if inner[:1] == "\\" else inner
    if inner[:2] in ("\\x", "\\0", "\\1", "\\2", "\\3") and len(inner) == 4:
        return encode(text)[0]
    if len(text) != 1:
        raise EvaluationError(f"malformed character constant: {literal}")
    return ord(text)
