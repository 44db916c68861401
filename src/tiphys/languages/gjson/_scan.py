"""
Where the pieces of a JSON text begin and end, on broken text exactly as in Argo Events.

Positions count characters. None of these functions validates: what cannot begin a value is
skipped, a string may hold anything up to its closing quote, all kinds of brackets count alike.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

__all__ = [
    "balanced",
    "container_end",
    "elements",
    "literal_end",
    "next_element",
    "next_key",
    "next_value",
    "number_end",
    "skip_blanks",
    "skip_white",
    "squash",
    "string_end",
    "trim",
    "value_end",
]

_STRING = re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_OUTSIDE = re.compile(r'(?:[^"{}()\[\]]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+', re.DOTALL)
_NOT_A_KEY = re.compile(r'[^"}]*')
_NOT_A_VALUE = re.compile(r'[^"{\[tfn+\-0-9iIN]*')
_NOT_AN_ELEMENT = re.compile(r'[^"{\[\]tfn+\-0-9iIN]*')
_NOT_A_TOKEN = re.compile(r'[^"{\[\]}tfn\-0-9]*')
_BLANKS = re.compile(r"[\x00-\x20]*")
_WHITE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r".[^\x00-\x20,\]}]*", re.DOTALL)
_LITERAL = re.compile(r".[a-z]*", re.DOTALL)
_SPACE = "".join(map(chr, range(33)))

_decode = json.JSONDecoder().raw_decode


def trim(text: str) -> str:
    """*text* without blanks and control characters at both ends."""
    return text.strip(_SPACE)


def skip_blanks(text: str, position: int) -> int:
    """The first position from *position* on without a blank or control character."""
    return _end(_BLANKS, text, position)


def skip_white(text: str, position: int) -> int:
    """The first position from *position* on without white space of JSON."""
    return _end(_WHITE, text, position)


def next_key(text: str, position: int) -> int:
    """The next quote or closing brace from *position* on."""
    return _end(_NOT_A_KEY, text, position)


def next_value(text: str, position: int) -> int:
    """The next character from *position* on that can begin a value."""
    return _end(_NOT_A_VALUE, text, position)


def next_element(text: str, position: int) -> int:
    """The next character from *position* on that can begin a value or end an array."""
    return _end(_NOT_AN_ELEMENT, text, position)


def string_end(text: str, position: int) -> int:
    """The end of the string whose opening quote is before *position*; -1 when it has none."""
    close = text.find('"', position)
    if close < 0:
        return -1
    if text[close - 1] != "\\":
        return close + 1
    match = _STRING.match(text, position)
    return match.end() if match else -1


def number_end(text: str, position: int) -> int:
    """The end of the number at *position*: the next blank, comma, or closing bracket."""
    return _end(_NUMBER, text, position)


def literal_end(text: str, position: int) -> int:
    """The end of the word at *position*: the next character that is no small letter."""
    return _end(_LITERAL, text, position)


def value_end(text: str, position: int) -> int:
    """The end of the value that begins at *position*; -1 for a string without its end."""
    first = text[position]
    if first == '"':
        return string_end(text, position + 1)
    if first in "{[":
        return container_end(text, position)
    if first in "tf" or (first == "n" and text[position + 1 : position + 2] in ("u", "")):
        return literal_end(text, position)
    return number_end(text, position)


def container_end(text: str, position: int) -> int:
    """
    The end of the bracketed piece at *position*: where its brackets are balanced.

    The end of the text when they never are; one more when the text ends inside a string.
    """
    try:
        return _decode(text, position)[1]
    except (ValueError, RecursionError):
        return balanced(text, position)


def balanced(text: str, position: int) -> int:
    """The same for a piece that may begin with any character, which counts as a bracket."""
    depth = 0
    length = len(text)
    position += 1
    while (position := _end(_OUTSIDE, text, position)) < length:
        character = text[position]
        position += 1
        if character in "{[(":
            depth += 1
        elif character == '"':
            return length + 1
        elif depth == 0:
            return position
        else:
            depth -= 1
    return length


def squash(text: str, position: int = 0) -> str:
    """The bracketed or quoted piece at *position*; all the rest when it is not balanced."""
    if text[position] == '"':
        end = string_end(text, position + 1)
        return text[position:] if end < 0 else text[position:end]
    return text[position : balanced(text, position)]


def elements(raw: str) -> Iterator[tuple[int, int]]:
    """
    The begins and ends of what is inside the array or object *raw*, keys included.

    Stops at the first closing bracket; here a string may lack its closing quote.
    """
    position = skip_blanks(raw, 0) + 1
    while (position := _end(_NOT_A_TOKEN, raw, position)) < len(raw):
        first = raw[position]
        if first in "]}":
            return
        end = literal_end(raw, position) if first in "tfn" else value_end(raw, position)
        end = len(raw) if end < 0 else min(end, len(raw))
        yield position, end
        position = end


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    """The end of a match of *pattern*, which matches at any position inside *text*."""
    match = pattern.match(text, position)
    return match.end() if match else position
