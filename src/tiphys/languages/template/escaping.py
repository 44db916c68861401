"""Texts made safe for HTML, JavaScript and URL queries."""

from __future__ import annotations

import re

from tiphys.languages.template.limits import check_text
from tiphys.languages.template.text import encode, runes

__all__ = ["escape_html", "escape_javascript", "escape_query"]

_HTML = str.maketrans(
    {"\0": "\ufffd", '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;"}
)
_JAVASCRIPT = re.compile("[\\\\'\"<>&=\x00-\x1f\x80-\U0010ffff]")
_JAVASCRIPT_ESCAPES = {"\\": "\\\\", "'": "\\'", '"': '\\"'}
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")
_QUERY = {byte: chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in range(256)}
_QUERY[ord(" ")] = "+"


def escape_html(text: str) -> str:
    """*text* with character references for ``"'&<>``."""
    check_text(len(text))
    return text.translate(_HTML)


def escape_javascript(text: str) -> str:
    """*text* as the inside of a JavaScript string."""
    check_text(len(text))
    return _JAVASCRIPT.sub(_escaped, text)


def escape_query(text: str) -> str:
    """*text* as a value in the query of a URL, with ``+`` for spaces."""
    check_text(len(text))
    return "".join(map(_QUERY.__getitem__, encode(text)))


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    if character in _JAVASCRIPT_ESCAPES:
        return _JAVASCRIPT_ESCAPES[character]
    if character >= "\x80" and runes(character).isprintable():
        return character
    return f"\\u{ord(character):04X}"
