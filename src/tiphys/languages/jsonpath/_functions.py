"""The functions ``match`` and ``search`` of filters, in time linear in the text."""

from __future__ import annotations

import functools
from typing import Any

from iregexp_check import check
from jsonpath_rfc9535.function_extensions import ExpressionType, FilterFunction

from tiphys.languages import regexp
from tiphys.languages._errors import CompileError

__all__ = ["Match", "Search"]


class Search(FilterFunction):
    """Whether a text contains what a regular expression (RFC 9485) describes."""

    arg_types = [ExpressionType.VALUE, ExpressionType.VALUE]  # noqa: RUF012  as the base class
    return_type = ExpressionType.LOGICAL
    form = "%s"

    def __call__(self, *args: Any, **_kwds: Any) -> bool:
        """Judge a text and a pattern; false for anything else, broken patterns included."""
        text, pattern = args
        if not isinstance(text, str) or not isinstance(pattern, str):
            return False
        compiled = _compile(pattern, self.form)
        return compiled is not None and compiled.search(text)


class Match(Search):
    """Whether a regular expression (RFC 9485) describes all of a text."""

    form = r"\A(?:%s)\z"


@functools.lru_cache(maxsize=256)
def _compile(pattern: str, form: str) -> regexp.Regexp | None:
    if not check(pattern):
        return None
    try:
        return regexp.compile(form % _to_re2(pattern))
    except CompileError:
        return None


def _to_re2(pattern: str) -> str:
    """*pattern* with dots that match no line ends."""
    parts = []
    characters = iter(pattern)
    in_class = False
    for character in characters:
        if character == "\\":
            character += next(characters, "")
        elif character in "[]":
            in_class = character == "["
        elif character == "." and not in_class:
            character = r"[^\n\r]"
        parts.append(character)
    return "".join(parts)
