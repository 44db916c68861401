"""Strings in JSON text: reading their escapes and writing them."""

from __future__ import annotations

import json
import re

__all__ = ["loose_text", "quote", "string_text", "unescape"]

_SIMPLE = {
    ord("\\"): b"\\",
    ord("/"): b"/",
    ord("b"): b"\b",
    ord("f"): b"\f",
    ord("n"): b"\n",
    ord("r"): b"\r",
    ord("t"): b"\t",
    ord('"'): b'"',
}
_decode = json.JSONDecoder().raw_decode
_PLAIN = re.compile(rb"[^\x00-\x1f\\]*")
_HEX = re.compile(rb"[0-9a-fA-F]{4}")
_TO_ESCAPE = re.compile('[\x00-\x1f"\\\\<>&\u2028\u2029\ud800-\udfff]')
_SHORT = {"\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


def string_text(raw: str) -> str:
    """The value of the string *raw*, quotes included."""
    inside = raw[1:-1]
    return unescape(inside) if "\\" in inside else inside


def loose_text(raw: str) -> str:
    """The value of the string *raw*, which may lack its closing quote."""
    backslashes = len(raw) - 1 - len(raw[:-1].rstrip("\\"))
    if len(raw) > 1 and raw[-1] == '"' and backslashes % 2 == 0:
        return string_text(raw)
    return unescape(raw[1:]) if "\\" in raw else raw[1:]


def unescape(inside: str) -> str:
    """
    Replace the escapes in *inside*; the result ends before a broken one or a control character.

    Halves of surrogate pairs become U+FFFD, an escape that is not hexadecimal U+0000.
    """
    if "\\u" not in inside:
        try:
            text, end = _decode(f'"{inside}"')
        except ValueError:
            pass
        else:
            if end == len(inside) + 2 and isinstance(text, str):
                return text
    source = inside.encode("utf-8", "surrogateescape")
    return b"".join(_unescaped(source)).decode("utf-8", "surrogateescape")


def _unescaped(source: bytes) -> list[bytes]:
    parts: list[bytes] = []
    position = 0
    while True:
        match = _PLAIN.match(source, position)
        end = match.end() if match else position
        parts.append(source[position:end])
        escape = source[end + 1 : end + 2]
        if source[end : end + 1] != b"\\" or not escape:
            return parts
        if escape != b"u":
            if escape[0] not in _SIMPLE:
                return parts
            parts.append(_SIMPLE[escape[0]])
            position = end + 2
            continue
        if len(source) < end + 6:
            return parts
        code, position = _code_point(source, end)
        parts.append(chr(code).encode("utf-8"))


def _code_point(source: bytes, position: int) -> tuple[int, int]:
    """The character of the escape at *position*, and where the text goes on."""
    code = _hexadecimal(source[position + 2 : position + 6])
    position += 6
    if not 0xD800 <= code < 0xE000:
        return code, position
    if source[position : position + 2] == b"\\u" and len(source) >= position + 6:
        low = _hexadecimal(source[position + 2 : position + 6])
        position += 6
        if code < 0xDC00 <= low < 0xE000:
            return 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00), position
    return 0xFFFD, position


def _hexadecimal(digits: bytes) -> int:
    return int(digits, 16) if _HEX.fullmatch(digits) else 0


def quote(text: str) -> str:
    """*text* as a JSON string, escaped as Go's ``encoding/json`` does it."""
    return f'"{_TO_ESCAPE.sub(_escape, text)}"'


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    return f"\\u{code if code < 0xD800 else 0xFFFD:04x}"
