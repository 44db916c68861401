"""Is a text valid JSON? As strict as Argo Events, which does not look at the encoding."""

from __future__ import annotations

import re

__all__ = ["is_valid"]

_STRING = r'"(?:[^"\\\x00-\x1f]++|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*+"'
_NUMBER = r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?"
_BLANKS = r"[ \t\n\r]*+"
_BEGIN = re.compile(rf"{_BLANKS}(?:([\[{{])|{_STRING}|{_NUMBER}|true|false|null)")
_KEY = re.compile(rf"{_BLANKS}{_STRING}{_BLANKS}:")
_CLOSE = re.compile(rf"{_BLANKS}([\]}}])")
_NEXT = re.compile(rf"{_BLANKS}([,\]}}])")
_REST = re.compile(_BLANKS)
_CLOSING = {"[": "]", "{": "}"}


def is_valid(text: str) -> bool:
    """Whether *text* is one JSON value, nested as deeply as it likes, with blanks around it."""
    open_brackets: list[str] = []
    position = 0
    while (begin := _BEGIN.match(text, position)) is not None:
        position = begin.end()
        if begin[1]:
            expected = _CLOSING[begin[1]]
            close = _CLOSE.match(text, position)
            if close is None:
                open_brackets.append(expected)
                position = _after_key(text, position, expected)
                continue
            if close[1] != expected:
                return False
            position = close.end()
        position = _after_value(text, position, open_brackets)
        if not open_brackets:
            return position >= 0 and _is_rest_blank(text, position)
    return False


def _after_key(text: str, position: int, closing: str) -> int:
    """Where the value begins: after a key in an object. Past the end when there is no key."""
    if closing == "]":
        return position
    key = _KEY.match(text, position)
    return key.end() if key else len(text)


def _after_value(text: str, position: int, open_brackets: list[str]) -> int:
    """Close all brackets that end after a value; the place of the next value, or of the rest."""
    while open_brackets:
        following = _NEXT.match(text, position)
        if following is None:
            return len(text)
        position = following.end()
        if following[1] == ",":
            return _after_key(text, position, open_brackets[-1])
        if following[1] != open_brackets.pop():
            open_brackets.clear()
            return -1
    return position


def _is_rest_blank(text: str, position: int) -> bool:
    match = _REST.match(text, position)
    return match is not None and match.end() == len(text)
