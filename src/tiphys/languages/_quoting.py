"""Texts in error messages, quoted as the original packages quote them."""

from __future__ import annotations

__all__ = ["quote", "quote_bytes"]

_ESCAPES = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    '"': '\\"',
    "\\": "\\\\",
}


def quote(text: str) -> str:
    """Quote *text* as ``strconv.Quote`` does: what is printable stays readable."""
    return f'"{"".join(map(_escaped, text))}"'


def quote_bytes(text: str) -> str:
    """Quote *text* as package ``time`` does: all but printable ASCII as hexadecimal bytes."""
    parts = []
    for character in text:
        if character in '"\\':
            parts.append("\\" + character)
        elif " " <= character < "\x80":
            parts.append(character)
        else:
            encoded = character.encode("utf-8", "surrogateescape")
            parts.extend(f"\\x{byte:02x}" for byte in encoded)
    return f'"{"".join(parts)}"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8, see PEP 383
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
