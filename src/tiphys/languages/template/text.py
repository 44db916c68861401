"""
Text as Go sees it: bytes of UTF-8.

A Python string stands for them; bytes that are no UTF-8 are surrogate escapes (PEP 383).
Offsets and lengths of Go count bytes, so the functions that cut text go through here.
"""

from __future__ import annotations

import re

from tiphys.languages._unicode import SPACES

__all__ = ["byte_length", "decode", "encode", "is_space", "mended", "runes"]

_NOT_BYTES = re.compile("[\ud800-\udc7f\udd00-\udfff]")  # halves of pairs that no byte stands for
_ESCAPED = re.compile("[\ud800-\udfff]")


def encode(text: str) -> bytes:
    """The bytes that *text* stands for; a lone surrogate counts as the replacement character."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _NOT_BYTES.sub("\ufffd", text).encode("utf-8", "surrogateescape")


def decode(data: bytes) -> str:
    """Text for *data*, whatever bytes it has."""
    return data.decode("utf-8", "surrogateescape")


def byte_length(text: str) -> int:
    """How many bytes *text* has."""
    return len(text) if text.isascii() else len(encode(text))


def mended(text: str) -> str:
    """*text* with bytes that only together are a character put together."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return decode(encode(text))
    return text


def runes(text: str) -> str:
    """*text* with the replacement character for every byte that is no UTF-8."""
    return text if text.isascii() else _ESCAPED.sub("\ufffd", text)


def is_space(character: str) -> bool:
    """Whether a character is white space (``unicode.IsSpace``)."""
    return character in SPACES
