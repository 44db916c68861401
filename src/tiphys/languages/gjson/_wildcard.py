"""Wildcards: ``*`` for any run of characters, ``?`` for one, a backslash before a literal one."""

from __future__ import annotations

import functools
import re

__all__ = ["matches"]

_ANY = "*"
_ONE = "?"
_ODD_BYTE = re.compile("[\ud800-\udfff]")


def matches(text: str, pattern: str) -> bool:
    """Whether *pattern* covers all of *text*; takes at most len(text) times len(pattern) steps."""
    if not text.isascii():
        text = _ODD_BYTE.sub("\ufffd", text)
    terms = _terms(pattern)
    if terms is None:
        return False
    position = term = 0
    retry_term, retry_position = -1, 0
    while position < len(text):
        wanted = terms[term] if term < len(terms) else ""
        if wanted == _ANY:
            term += 1
            retry_term, retry_position = term, position
        elif wanted == _ONE or wanted == "\\" + text[position]:
            term += 1
            position += 1
        elif retry_term >= 0:
            retry_position += 1
            term, position = retry_term, retry_position
        else:
            return False
    return all(rest == _ANY for rest in terms[term:])


@functools.lru_cache(maxsize=1024)
def _terms(pattern: str) -> tuple[str, ...] | None:
    """The wildcards and, each after a backslash, the literals; None for a backslash at the end."""
    terms = []
    characters = iter(_ODD_BYTE.sub("\ufffd", pattern))
    for character in characters:
        if character in (_ANY, _ONE):
            terms.append(character)
            continue
        literal = next(characters, "") if character == "\\" else character
        if not literal:
            return None
        terms.append("\\" + literal)
    return tuple(terms)
