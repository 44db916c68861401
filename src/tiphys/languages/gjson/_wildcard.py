"""Wildcards: ``*`` for any run of characters, ``?`` for one, a backslash before a literal one."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from tiphys.languages.gjson._budget import Budget

__all__ = ["matches"]

_ODD_BYTE = re.compile("[\ud800-\udfff]")
_FREE_STEPS = 2**20


class _Pattern(NamedTuple):
    expression: re.Pattern[str]
    width: int  # the longest piece without a star, which may have to be tried everywhere


def matches(text: str, pattern: str, budget: Budget) -> bool:
    """Whether *pattern* covers all of *text*. Raises LimitExceeded when that takes too long."""
    compiled = _compile(pattern)
    if compiled is None:
        return False
    if not text.isascii():
        text = _ODD_BYTE.sub("\ufffd", text)
    steps = len(text) * min(len(text), compiled.width)
    if steps > _FREE_STEPS:
        budget.read(steps)
    return compiled.expression.fullmatch(text) is not None


@functools.lru_cache(maxsize=1024)
def _compile(pattern: str) -> _Pattern | None:
    """A regular expression that never goes back past a star; None: a backslash ends *pattern*."""
    pieces: list[list[str]] = [[]]
    characters = iter(_ODD_BYTE.sub("\ufffd", pattern))
    for character in characters:
        if character == "*":
            pieces.append([])
        elif character == "?":
            pieces[-1].append(".")
        else:
            literal = next(characters, "") if character == "\\" else character
            if not literal:
                return None
            pieces[-1].append(re.escape(literal))
    first, *middle = ("".join(piece) for piece in pieces)
    expression = first
    if middle:
        last = middle.pop()
        # The first place where a piece fits leaves the most to the following ones.
        expression += "".join(f"(?>.*?{piece})" for piece in middle if piece) + f".*{last}"
    return _Pattern(re.compile(expression, re.DOTALL), max(map(len, pieces)))
